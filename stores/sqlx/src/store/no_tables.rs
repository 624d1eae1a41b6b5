use std::error::Error;
use std::fmt;
use std::iter::successors;

use diator::BoxError;

use super::{APPLY, Prefix};

/// The tables that programs write to which may have no relay.
const WRITTEN: [&str; 5] = ["outbox", "schedule", "inbox", "delivery", "attempt"];

/// A table of the outbox or the inbox, or a column of it, is missing: nothing else has looked for them where no relay of the store
/// runs.
pub(super) struct NoTables {
    prefix: Prefix,
    /// The table that is named.
    what: &'static str,
    source: BoxError,
}

impl NoTables {
    /// The error of a statement that writes messages, with the command that helps where one does.
    pub(super) fn explain(error: BoxError, prefix: &Prefix, what: &'static str) -> BoxError {
        let mut errors = successors(Some(&*error as &(dyn Error + 'static)), |&error| error.source());
        match errors.any(|error| is_it(error, prefix)) {
            true => Box::new(Self { prefix: prefix.clone(), what, source: error }),
            false => error,
        }
    }
}

/// SQLite has no code for it, and a library that is not sqlx has codes of its own: then the text tells.
fn is_it(error: &(dyn Error + 'static), prefix: &Prefix) -> bool {
    const CODES: [&str; 2] = ["42P01", "42703"];
    let code = error.downcast_ref().and_then(sqlx::Error::as_database_error).and_then(sqlx::error::DatabaseError::code);
    let is_missing = code.is_some_and(|code| CODES.contains(&&*code));
    let text = error.to_string();
    WRITTEN.iter().any(|table| {
        let name = prefix.fill(&format!("{{p}}{table}"));
        let of_table = text.contains(&format!("\"{name}\""));
        of_table && (is_missing || text.contains("does not exist"))
            || text.contains(&format!("no such table: {name}"))
            || text.contains(&format!("table {name} has no column"))
    })
}

impl fmt::Display for NoTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { prefix, what, .. } = self;
        let prefix = prefix.as_str();
        write!(
            f,
            "the {what} {prefix}{what} cannot be used: its tables are missing, or older than this program; {APPLY}"
        )
    }
}

/// What `main` shows if it returns the error.
impl fmt::Debug for NoTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}: {}", self.source)
    }
}

impl Error for NoTables {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}
