use std::fmt;

use async_trait::async_trait;

use crate::BoxError;

/// Makes, updates and checks the tables of a store.
///
/// diator never changes tables by itself: a relay that starts only reads their version.
///
/// # Errors
///
/// Every method that asks the database fails if the database fails.
///
/// # Example
///
/// ```
/// use diator::BoxError;
/// use diator::outbox::{InMemoryOutbox, StoreSchema};
///
/// async fn at_the_start(store: &dyn StoreSchema) -> Result<(), BoxError> {
///     let state = store.state().await?;
///     if state.is_usable() { Ok(()) } else { Err(format!("{state}; run `schema apply`").into()) }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// assert!(at_the_start(&InMemoryOutbox::new()).await.is_ok());
/// # }
/// ```
#[async_trait]
pub trait StoreSchema: Send + Sync + 'static {
    /// Returns the statements that make the tables, for another migration tool.
    fn statements(&self) -> String;

    /// Compares the tables in the database with those that the program needs.
    async fn state(&self) -> Result<SchemaState, BoxError>;

    /// Makes the tables or brings them up to date; current tables stay as they are.
    ///
    /// # Guarantees
    ///
    /// Several processes may call it at once. An older program that is running can continue if its [`SchemaState::is_usable`] answers
    /// `true` for the new tables.
    async fn apply(&self) -> Result<(), BoxError>;
}

/// Whether the tables of a database fit the program.
///
/// Its JSON has the name of the variant in the field `state`: `{"state": "outdated", "found": 1, "needed": 2}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum SchemaState {
    /// There are no tables.
    Missing,
    /// The tables have an older version than the program needs.
    Outdated {
        /// The version of the tables.
        found: u32,
        /// The version that the program needs.
        needed: u32,
    },
    /// The tables have exactly the version that the program needs.
    Current {
        /// The version.
        version: u32,
    },
    /// The tables are newer, and the program can still work with them.
    Newer {
        /// The version of the tables.
        found: u32,
    },
    /// The tables are newer, and the program cannot work with them.
    TooNew {
        /// The version of the tables.
        found: u32,
        /// The oldest version of a program that can work with the tables.
        oldest: u32,
    },
}

impl SchemaState {
    /// Compares the tables with the version that the program needs.
    ///
    /// `found` holds the version of the tables, and the oldest version of a program that can work with them; `None` means that there
    /// are no tables.
    #[must_use]
    pub fn judge(found: Option<(u32, u32)>, needed: u32) -> Self {
        match found {
            None => Self::Missing,
            Some((found, _)) if found < needed => Self::Outdated { found, needed },
            Some((found, _)) if found == needed => Self::Current { version: found },
            Some((found, oldest)) if oldest <= needed => Self::Newer { found },
            Some((found, oldest)) => Self::TooNew { found, oldest },
        }
    }

    /// Whether the program can work with the tables.
    #[must_use]
    pub fn is_usable(self) -> bool {
        matches!(self, Self::Current { .. } | Self::Newer { .. })
    }
}

impl fmt::Display for SchemaState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(f, "the tables are missing"),
            Self::Outdated { found, needed } => {
                write!(f, "the tables have version {found}, and this program needs {needed}")
            }
            Self::Current { version } => write!(f, "the tables have version {version}, which this program needs"),
            Self::Newer { found } => write!(f, "the tables have the newer version {found}, which this program can use"),
            Self::TooNew { found, oldest } => {
                write!(f, "the tables have version {found}, which only a program of version {oldest} or later can use")
            }
        }
    }
}
