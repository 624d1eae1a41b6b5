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

/// The remedy where tables are missing or old.
pub(super) const APPLY: &str = "run `schema apply` of the program's command line, or call `SqlxStore::apply_schema`";

/// The error of a program that cannot work with the tables; it says how to go on.
pub(crate) fn unusable(state: SchemaState, prefix: &Prefix) -> BoxError {
    let help = match state {
        SchemaState::TooNew { .. } => "run a newer version of the program",
        _ => APPLY,
    };
    format!("the outbox {}outbox cannot be used: {state}; {help}", prefix.as_str()).into()
}
