use sqlx::Sqlite;

use crate::store::Shared;

/// Wakes the relay of this process; relays of other processes poll.
pub(super) fn committed(shared: &Shared<Sqlite>) {
    shared.wake.committed();
}
