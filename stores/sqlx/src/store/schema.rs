use diator::BoxError;
use diator::outbox::SchemaState;

use super::Prefix;

/// A step from one version of the tables to the next.
pub(crate) struct Migration {
    pub(crate) version: u32,
    /// The oldest version of a program that can work with the tables after it.
    pub(crate) oldest: u32,
    pub(crate) statements: &'static str,
}

/// What applies migrations holds a lock of this name.
#[cfg(feature = "postgres")]
pub(crate) const MIGRATIONS_LOCK: &str = "diator schema";

impl Migration {
    /// Its statements, of which the last notes that it was applied.
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

/// What helps where tables are missing or old.
pub(super) const APPLY: &str = "run `schema apply` of the program's command line, or call `SqlxStore::apply_schema`";

/// What stops a program, and how to go on.
pub(crate) fn unusable(state: SchemaState, prefix: &Prefix) -> BoxError {
    let help = match state {
        SchemaState::TooNew { .. } => "run a newer version of the program",
        _ => APPLY,
    };
    format!("the outbox {}outbox cannot be used: {state}; {help}", prefix.as_str()).into()
}
