use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use diator::BoxError;
use diator::deliveries::Attempts;
use uuid::Uuid;

use super::{Engine, NoTables, Shared};

/// Remembers which messages endpoints have begun, in the database of the [inbox](super::SqlxInbox).
///
/// The inbox gives one to each endpoint. [`SqlxStore::attempt_log`](super::SqlxStore::attempt_log) makes one for an endpoint without the inbox.
///
/// # Guarantees
///
/// - It keeps the contract of [`AttemptLog`](diator::deliveries::AttemptLog), on PostgreSQL and SQLite.
/// - The cleaner of the inbox deletes a note after 7 days.
/// - **PostgreSQL.** A note does not wait for the disk: a crash of the server can lose the notes of the moment before.
pub struct SqlxAttemptLog<DB: Engine> {
    pub(crate) shared: Arc<Shared<DB>>,
}

impl<DB: Engine> SqlxAttemptLog<DB> {
    pub(crate) fn new(shared: Arc<Shared<DB>>) -> Self {
        Self { shared }
    }

    /// Names the command that helps, if tables are missing.
    pub(crate) fn explain(&self, error: impl Into<BoxError>) -> BoxError {
        NoTables::explain(error.into(), &self.shared.prefix, "attempt")
    }
}

impl<DB: Engine> fmt::Debug for SqlxAttemptLog<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlxAttemptLog").field("prefix", &self.shared.prefix.as_str()).finish_non_exhaustive()
    }
}

/// How often each message is in a call, in the order in which all calls lock rows.
pub(crate) fn counted(messages: impl IntoIterator<Item = Uuid>) -> BTreeMap<Uuid, i64> {
    messages.into_iter().fold(BTreeMap::new(), |mut all, message| {
        *all.entry(message).or_default() += 1;
        all
    })
}

/// What was known of each message before the call, by what is known after it.
pub(crate) fn before(messages: &[Uuid], counted: &BTreeMap<Uuid, i64>, after: &HashMap<Uuid, i64>) -> Vec<Attempts> {
    let mut known: HashMap<_, _> =
        counted.iter().map(|(id, count)| (*id, after.get(id).unwrap_or(&0) - count)).collect();
    let next = |id: &Uuid| {
        let unended = known.entry(*id).or_default();
        *unended += 1;
        Attempts::unended((*unended - 1).try_into().unwrap_or_default())
    };
    messages.iter().map(next).collect()
}
