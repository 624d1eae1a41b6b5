use std::fmt;
use std::ops::{Deref, DerefMut};

use tokio::sync::MappedMutexGuard;

use super::driver::{Driver, Transactional};
use super::open::Open;

/// The connection of a [`Transaction`](super::Transaction), lent for one statement or for several in a row.
///
/// [`Transaction::connection`](super::Transaction::connection) lends it. It dereferences to sqlx's connection.
///
/// # Guarantees
///
/// - While a guard exists, no other task can execute a statement in the transaction. A handler must drop it before it waits for
///   another handler.
/// - `begin` on it sets a savepoint. If the future of that `begin` is dropped or fails, sqlx rolls the **whole** transaction back. The
///   caller must then drop the guard: the transaction lends no other one, and its commit fails.
/// - A savepoint that a statement sets must end on the same guard: on SQLite, an outbox that writes later releases it.
/// - A caller must not execute `COMMIT` or `ROLLBACK` on it.
pub struct ConnectionGuard<'t, DB: Transactional>(pub(super) MappedMutexGuard<'t, Open<DB>>);

impl<DB: Transactional> ConnectionGuard<'_, DB> {
    /// Notes that the last statement on this guard succeeded with this proof, so that the commit need not ask.
    ///
    /// On PostgreSQL the proof is the answer of `RETURNING pg_current_xact_id_if_assigned()::text::int8`; SQLite needs none.
    #[allow(dead_code, reason = "the outbox calls it")]
    pub(crate) fn staged(mut self, proof: <DB as Driver>::Proof) {
        self.0.proven(proof);
    }
}

impl<DB: Transactional> Deref for ConnectionGuard<'_, DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        self.0.lent()
    }
}

impl<DB: Transactional> DerefMut for ConnectionGuard<'_, DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        self.0.connection()
    }
}

impl<DB: Transactional> fmt::Debug for ConnectionGuard<'_, DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionGuard").field("database", &DB::NAME).finish_non_exhaustive()
    }
}
