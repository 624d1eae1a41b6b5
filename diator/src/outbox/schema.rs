use std::fmt;

use async_trait::async_trait;

use crate::BoxError;

/// The tables of a store.
///
/// Nothing here runs unless somebody asks for it: a program that starts only looks.
///
/// # Errors
///
/// Every method fails if the database does.
#[async_trait]
pub trait StoreSchema: Send + Sync + 'static {
    /// The statements that make the tables, for whoever runs migrations with another tool.
    fn statements(&self) -> String;

    /// What stands in the database.
    async fn state(&self) -> Result<SchemaState, BoxError>;

    /// Makes the tables, or brings them up to date; it does nothing where they are.
    ///
    /// # Guarantees
    ///
    /// Several processes may do it at once. A program of the version before goes on working beside it, as far as
    /// [`SchemaState::is_usable`] says so there.
    async fn apply(&self) -> Result<(), BoxError>;
}

/// How the tables of a database fit the program.
///
/// It is serialised with its name as `state`: `{"state": "outdated", "found": 1, "needed": 2}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum SchemaState {
    /// There are no tables.
    Missing,
    /// They are of an older version than the program needs.
    Outdated {
        /// The version that is there.
        found: u32,
        /// The version that the program needs.
        needed: u32,
    },
    /// They are as the program has them.
    Current {
        /// The version.
        version: u32,
    },
    /// They are newer, and the program can still work with them.
    Newer {
        /// The version that is there.
        found: u32,
    },
    /// They are newer, and too different.
    TooNew {
        /// The version that is there.
        found: u32,
        /// The oldest version of a program that can work with them.
        oldest: u32,
    },
}

impl SchemaState {
    /// Judges what was found in the database: its version, and the oldest version of a program that it lets work.
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
            Self::Current { version } => write!(f, "the tables have version {version}, as this program has"),
            Self::Newer { found } => write!(f, "the tables have the newer version {found}, which this program can use"),
            Self::TooNew { found, oldest } => {
                write!(f, "the tables have version {found}, which needs a program of version {oldest} at least")
            }
        }
    }
}
