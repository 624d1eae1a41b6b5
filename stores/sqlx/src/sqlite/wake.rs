use sqlx::Sqlite;

use crate::store::Shared;

/// Wakes the relay of this process; nothing tells another one, which looks from time to time.
pub(super) fn committed(shared: &Shared<Sqlite>) {
    shared.wake.committed();
}
