use std::error::Error;
use std::fmt;
use std::sync::Arc;

use diator::BoxError;
use diator::outbox::SchemaState;

use super::Prefix;

/// A step from one version of the tables to the next.
///
/// Programs of version N run beside those of N + 1 while an upgrade rolls, on the tables of N + 1. So a step may add a table, an index,
/// or a column that may be null or has a default which means what was true before: a program names the columns that it reads and
/// writes, and never sees others. A column must not be added that a program of N would have to fill or to mind.
///
/// To move a column, or to change what it means, takes three steps. N + 1 adds the new one: programs write both, and read the old one. N + 2
/// has `oldest` N + 1, fills the new one where it is empty, and its programs read it, and still write both. N + 3 has `oldest` N + 2, and drops
/// the old one.
pub(crate) struct Migration {
    pub(crate) version: u32,
    /// The oldest version of a program that can work with the tables after it.
    pub(crate) oldest: u32,
    pub(crate) statements: &'static str,
}

/// The name of the lock that a process holds while it applies migrations.
#[cfg(feature = "postgres")]
pub(crate) const MIGRATIONS_LOCK: &str = "diator schema";

impl Migration {
    /// The statements of the migration; the last one notes its version.
    pub(crate) fn script(&self, prefix: &Prefix) -> String {
        let Self { version, oldest, statements } = self;
        prefix
            .fill(&format!("{statements}\nUPDATE {{p}}schema SET version = {version}, oldest = {oldest};\n"))
            .to_string()
    }
}

pub(crate) fn needed(migrations: &[Migration]) -> u32 {
    migrations.last().map_or(0, |migration| migration.version)
}

pub(crate) fn script(migrations: &[Migration], prefix: &Prefix) -> String {
    migrations.iter().map(|migration| migration.script(prefix)).collect()
}

/// All tables but that of the version.
const TABLES: [&str; 7] = ["outbox", "outbox_lease", "schedule", "dead_letter", "inbox", "delivery", "attempt"];

/// Reads nothing of each table: it fails where one is missing, or may not be read.
pub(crate) fn touch(prefix: &Prefix) -> Arc<str> {
    let tables = TABLES.map(|table| format!("SELECT 1 FROM {{p}}{table} WHERE 1 = 0"));
    prefix.fill(&tables.join(" UNION ALL "))
}

/// The version is right, and a table is missing or may not be read.
pub(crate) struct Untouchable {
    pub(crate) prefix: Prefix,
    /// It names the table.
    pub(crate) source: sqlx::Error,
}

impl fmt::Display for Untouchable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = self.prefix.as_str();
        write!(
            f,
            "one of the tables `{prefix}…` is missing, or this user may not read it, although `{prefix}schema` says that they are there: \
             grant it, or make it again with its statements from `schema print`; `schema apply` does neither"
        )
    }
}

/// What `main` shows if it returns the error.
impl fmt::Debug for Untouchable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}: {}", self.source)
    }
}

impl Error for Untouchable {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

/// The remedy where tables are missing or old.
pub(super) const APPLY: &str = "run `schema apply` of the program's command line, or call `SqlxStore::apply_schema`";

/// The error of a program that cannot work with the tables; it says how to go on.
pub(crate) fn unusable(state: SchemaState, prefix: &Prefix) -> BoxError {
    let help = match state {
        SchemaState::TooNew { .. } => "run a newer version of the program",
        _ => APPLY,
    };
    format!("the tables `{}…` cannot be used: {state}; {help}", prefix.as_str()).into()
}
