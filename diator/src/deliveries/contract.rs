use std::time::Duration;

use async_trait::async_trait;

use super::{DeadReason, DeliveryFilter, KeptDelivery, NewDelivery, Turn};
use crate::BoxError;
use crate::subscription::Settled;

/// Keeps deliveries that an endpoint cannot handle now: they wait for their time, or are dead letters.
///
/// An [`Inbox`](crate::Inbox) offers one, and each endpoint that has the inbox uses it: a delivery whose handler is to be tried again
/// [later](crate::endpoint::ErrorPolicy::later), or has failed for good, becomes a row for that handler, and only then the engine
/// hears that it is done. Endpoints of the same name, in any process, handle the rows when they are due. An operator lists, replays
/// and discards them.
///
/// A row is one delivery for one handler, in one generation. It is waiting, and may be leased then, or it is dead. It is gone when it is
/// handled.
///
/// # Guarantees
///
/// An implementation must keep these; endpoints rely on them:
///
/// - **Durable.** What [`put`](Self::put) has answered `Ok` for survives a crash.
/// - **Once.** There is at most one row for each endpoint, handler and message. [`put`](Self::put) changes nothing where there is one, and
///   nothing where the inbox of the same store knows, in any generation, that the handler has handled the message or that it is a dead
///   letter.
/// - **Dead letters are known to the inbox.** When a row becomes dead, the inbox remembers in the same transaction, for the row's
///   generation, that the handler is done with
///   the message: the engine may deliver it again.
/// - **In turn.** Of the rows with one endpoint, topic and key that [hold their key](NewDelivery::holds_key), only the one with the
///   lowest number is
///   leased; a dead one is never leased, and so parks those behind it. Others are leased when they are due, those first that are due
///   longest.
/// - **The inbox sees them.** [`Inbox::enter`](crate::Inbox::enter) answers [`Seen::Behind`](crate::inbox::Seen::Behind) for an entry with a
///   [turn](crate::inbox::Entry::turn) that a committed row of this endpoint, topic and key holds.
/// - **Leases** end when they are settled, or when their period is over by the clock of the store. Each new lease of a row has a higher
///   number; [`settle`](Self::settle) and [`extend`](Self::extend) with an old one change nothing, and answer `LockLost`.
/// - **Nothing else ends a row**: no retention, no cleaner.
/// - **Cancellation.** If a future is dropped, the store may have done its work or not. Calls may come from several threads and
///   processes at once: exactly one of them leases, replays or discards a row.
///
/// # Errors
///
/// Every method fails if the database fails. Endpoints then try again later, and count nothing. The text must repeat no credential.
///
/// # Source
///
/// The patterns Dead Letter Channel and Guaranteed Delivery of G. Hohpe and B. Woolf, "Enterprise Integration Patterns".
#[async_trait]
pub trait DeliveryStore: Send + Sync + 'static {
    /// Keeps deliveries: all of them, or none.
    async fn put(&self, deliveries: &[NewDelivery]) -> Result<(), BoxError>;

    /// Leases rows of an endpoint that are due and whose turn it is, `most` at most, for the period.
    async fn lease(&self, endpoint: &str, most: u32, period: Duration) -> Result<Vec<LeasedDelivery>, BoxError>;

    /// Whether [`extend`](Self::extend) works while a handler's transaction is open.
    ///
    /// Where one open transaction keeps all others from writing, it does not. Endpoints then lease a row for as long as a handler
    /// [may take](crate::endpoint::Endpoint::max_handling) and 30 s more, and otherwise for 30 s: as long as others wait for the rows
    /// of a process that has died.
    fn extends_beside_handlers(&self) -> bool;

    /// Lets leases last for the period from now on; as many answers, in the same order.
    async fn extend(&self, leases: &[DeliveryLease], period: Duration) -> Result<Vec<Settled>, BoxError>;

    /// Notes what became of leased rows; as many answers, in the same order.
    ///
    /// After an error it may have noted some of them: whoever repeats the call gets `LockLost` for these.
    async fn settle(&self, settlements: &[DeliverySettlement]) -> Result<Vec<Settled>, BoxError>;

    /// In what time the next row of an endpoint can be leased; `None` if there is none to wait for. The call must be cheap.
    ///
    /// The end of a lease counts too: a process may have died with it. A row behind another one of its key does not count, and so parked
    /// ones do not.
    async fn next_due(&self, endpoint: &str) -> Result<Option<Duration>, BoxError>;

    /// Whether a committed row of an endpoint [holds](NewDelivery::holds_key) the key. The call must be cheap.
    ///
    /// Endpoints ask it of the names that they had [before](crate::endpoint::Endpoint::formerly); of the present one
    /// [`Inbox::enter`](crate::Inbox::enter) tells them.
    async fn is_held(&self, endpoint: &str, turn: Turn<'_>) -> Result<bool, BoxError>;

    /// Waits until a row has been put, replayed or hastened through this store object since the last call. It may answer late or without a
    /// reason, because the endpoint also polls. It must not be ready all the time.
    async fn woken(&self);

    /// Counts the rows of each endpoint by their state, by the name of the endpoint.
    async fn status(&self) -> Result<Vec<DeliveryStatus>, BoxError>;

    /// Lists the rows that match, oldest first. One that [cannot be read](KeptDelivery::unreadable) must not hide others.
    async fn list(&self, filter: &DeliveryFilter) -> Result<Vec<KeptDelivery>, BoxError>;

    /// Lets endpoints handle dead letters once more, and counts them; rows that are waiting are not counted, and do not change.
    ///
    /// Each is due at once, without failures, in the next generation, for its handler alone. It keeps its number, and so its turn where
    /// it holds its key.
    async fn replay(&self, filter: &DeliveryFilter) -> Result<u64, BoxError>;

    /// Lets endpoints handle at once what waits for its time, and counts it; dead letters, and rows that are leased at this moment, are
    /// not counted, and do not change.
    ///
    /// Each keeps its failures and its turn: one behind others of its key goes on waiting for them.
    async fn hasten(&self, filter: &DeliveryFilter) -> Result<u64, BoxError>;

    /// Deletes rows for good, and counts them; those that are leased at this moment stay.
    ///
    /// The inbox goes on remembering discarded dead letters: the engine may deliver one again.
    async fn discard(&self, filter: &DeliveryFilter) -> Result<u64, BoxError>;
}

/// Names a lease of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeliveryLease {
    /// The number of the row.
    pub id: i64,
    /// How often the row has been leased, this time included.
    pub lease: i64,
}

/// A row that a process has in hand.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeasedDelivery {
    /// Names the lease.
    pub lease: DeliveryLease,
    /// The row, with its present generation and failures. Its [`state`](NewDelivery::state) means nothing here.
    pub delivery: NewDelivery,
    /// How often its lease has ended since it was put or replayed without a settlement: a process may have died with it.
    pub lost: u32,
}

impl LeasedDelivery {
    /// A row that no process has lost.
    #[must_use]
    pub fn new(lease: DeliveryLease, delivery: NewDelivery) -> Self {
        Self { lease, delivery, lost: 0 }
    }
}

/// What became of a leased row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliverySettlement {
    /// Which lease.
    pub lease: DeliveryLease,
    /// What became of the row.
    pub verdict: DeliveryVerdict,
}

/// What became of a leased row.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeliveryVerdict {
    /// Its handler is done: the row goes.
    Handled,
    /// It is due again after this time.
    Later {
        /// By the clock of the store.
        after: Duration,
        /// How often its handler has failed by now.
        failures: u32,
        /// How it failed, for an operator; `None` changes nothing.
        last_failure: Option<DeadReason>,
    },
    /// It is due at once: this process does not handle it.
    Released,
    /// It becomes a dead letter.
    Dead {
        /// Why.
        reason: DeadReason,
        /// How often its handler has failed by now.
        failures: u32,
        /// Whether it goes on holding its key.
        holds_key: bool,
    },
}

/// How many rows of an endpoint are in which state.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct DeliveryStatus {
    /// The endpoint.
    pub endpoint: String,
    /// Rows that wait for their time, for their turn or for a process.
    pub waiting: u64,
    /// How many of these are behind a dead letter of their key.
    pub parked: u64,
    /// Dead letters.
    pub dead: u64,
    /// For how long the row that is due longest could have been leased, in seconds; parked ones do not count.
    pub overdue_seconds: Option<f64>,
}
