use std::error::Error;
use std::fmt;
use std::iter::successors;

use diator::BoxError;

use super::{APPLY, Prefix};

/// The tables that units of work write to.
const WRITTEN: [&str; 2] = ["outbox", "schedule"];

/// A table of the outbox, or a column of it, is missing: nothing else has looked for them where events are relayed elsewhere.
#[derive(Debug)]
pub(super) struct NoTables {
    prefix: Prefix,
    source: BoxError,
}

impl NoTables {
    /// The error of a statement that writes messages, with the command that helps where one does.
    pub(super) fn explain(error: BoxError, prefix: &Prefix) -> BoxError {
        let mut errors = successors(Some(&*error as &(dyn Error + 'static)), |&error| error.source());
        match errors.any(|error| is_it(error, prefix)) {
            true => Box::new(Self { prefix: prefix.clone(), source: error }),
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
        let outbox = self.prefix.fill("{p}outbox");
        write!(f, "the outbox {outbox} cannot be used: its tables are missing, or older than this program; {APPLY}")
    }
}

impl Error for NoTables {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}
