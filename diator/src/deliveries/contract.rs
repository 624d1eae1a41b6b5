use std::time::Duration;

use async_trait::async_trait;

use super::{DeadReason, DeliveryFilter, KeptDelivery, NewDelivery, Turn};
use crate::BoxError;
use crate::subscription::Settled;

/// Keeps deliveries that an endpoint cannot handle now: they wait for their time, or are dead letters.
///
/// An [`Inbox`](crate::Inbox) offers a store, and each endpoint that uses the inbox uses its store too. If a handler
/// must be retried [later](crate::endpoint::ErrorPolicy::later), or has failed for good, its delivery becomes a row for
/// that handler; only then does the endpoint tell the engine that the delivery is done. Endpoints of the same name, in
/// any process, handle the rows when they are due. An operator lists, replays and discards them.
///
/// A row is one delivery for one handler, in one generation. It is either waiting, and may then be leased, or dead. It
/// is gone when it is handled.
///
/// # Guarantees
///
/// An implementation must keep these; endpoints rely on them:
///
/// - **Durable.** A row for which [`put`](Self::put) has answered `Ok` must survive a crash.
/// - **Once.** There must be at most one row for each endpoint, handler and message. [`put`](Self::put) must change
///   nothing if there is one. It must also change nothing if the inbox of the same store knows, in any generation, that
///   the handler has handled the message or that the message is a dead letter.
/// - **Dead letters are known to the inbox.** When a row becomes dead, the inbox must remember in the same transaction,
///   for the row's generation, that the handler is done with the message: the engine may deliver it again.
/// - **In turn.** Of the rows with one endpoint, topic and key that [hold their key](NewDelivery::holds_key), only the
///   one with the lowest number may be leased. A dead row is never leased, and so parks those behind it. Other rows are
///   leased when they are due, those first that have been due longest.
/// - **The inbox sees them.** [`Inbox::enter`](crate::Inbox::enter) must answer
///   [`Seen::Behind`](crate::inbox::Seen::Behind) for an entry with a [turn](crate::inbox::Entry::turn) that a
///   committed row of this endpoint, topic and key holds.
/// - **Leases** end when they are settled, or when their period is over by the clock of the store. Each new lease of a
///   row must have a higher number; [`settle`](Self::settle) and [`extend`](Self::extend) with an old number must
///   change nothing, and answer `LockLost`.
/// - **Nothing else may end a row**: no retention, no cleaner.
/// - **Cancellation.** If a future is dropped, the store may have done its work or not. Calls may come from several
///   threads and processes at once: exactly one of them leases, replays or discards a row.
///
/// # Errors
///
/// Every method fails if the database fails. Endpoints then try again later, without a count. The text must repeat no
/// credential.
///
/// # Source
///
/// The patterns Dead Letter Channel and Guaranteed Delivery of G. Hohpe and B. Woolf, "Enterprise Integration Patterns".
#[async_trait]
pub trait DeliveryStore: Send + Sync + 'static {
    /// Keeps deliveries: all of them, or none.
    async fn put(&self, deliveries: &[NewDelivery]) -> Result<(), BoxError>;

    /// Leases rows of an endpoint that are due and whose turn it is, at most `most`, for the period.
    async fn lease(&self, endpoint: &str, most: u32, period: Duration) -> Result<Vec<LeasedDelivery>, BoxError>;

    /// Whether [`extend`](Self::extend) works while a handler's transaction is open.
    ///
    /// It does not work if one open transaction keeps all others from writing. Endpoints then lease a row for as long
    /// as a handler [may take](crate::endpoint::Endpoint::max_handling) and 30 s more; otherwise they lease it for 30
    /// s. If a process dies, the others wait for its rows until these leases end.
    fn extends_beside_handlers(&self) -> bool;

    /// Lets leases last for the period from now on; it must return as many answers, in the same order.
    async fn extend(&self, leases: &[DeliveryLease], period: Duration) -> Result<Vec<Settled>, BoxError>;

    /// Notes what became of leased rows; it must return as many answers, in the same order.
    ///
    /// After an error it may have noted some of them: a caller that repeats the call gets `LockLost` for these.
    async fn settle(&self, settlements: &[DeliverySettlement]) -> Result<Vec<Settled>, BoxError>;

    /// The time until the next row of an endpoint can be leased; `None` if there is no row to wait for. The call must
    /// be cheap.
    ///
    /// The end of a lease counts too: a process may have died with it. A row behind another row of its key does not
    /// count, and therefore parked rows do not.
    async fn next_due(&self, endpoint: &str) -> Result<Option<Duration>, BoxError>;

    /// Whether a committed row of an endpoint [holds](NewDelivery::holds_key) the key. The call must be cheap.
    ///
    /// Endpoints ask this for the names that they had [before](crate::endpoint::Endpoint::formerly); for the present
    /// name [`Inbox::enter`](crate::Inbox::enter) tells them.
    async fn is_held(&self, endpoint: &str, turn: Turn<'_>) -> Result<bool, BoxError>;

    /// Waits until a row has been put, replayed or hastened through this store object since the last call. It may answer late or without a
    /// reason, because the endpoint also polls. It must not be ready all the time.
    async fn woken(&self);

    /// Counts the rows of each endpoint by their state, by the name of the endpoint.
    async fn status(&self) -> Result<Vec<DeliveryStatus>, BoxError>;

    /// Lists the rows that match, oldest first. A row that [cannot be read](KeptDelivery::unreadable) must not hide
    /// others.
    async fn list(&self, filter: &DeliveryFilter) -> Result<Vec<KeptDelivery>, BoxError>;

    /// Lets endpoints handle dead letters once more, and counts them; it neither changes nor counts rows that are
    /// waiting.
    ///
    /// Each replayed row is due at once, without failures, in the next generation, for its handler alone. It keeps its
    /// number, and therefore its turn if it holds its key.
    async fn replay(&self, filter: &DeliveryFilter) -> Result<u64, BoxError>;

    /// Lets endpoints handle waiting rows at once, and counts them; it neither changes nor counts dead letters and rows
    /// that are leased at this moment.
    ///
    /// Each row keeps its failures and its turn: a row behind others of its key still waits for them.
    async fn hasten(&self, filter: &DeliveryFilter) -> Result<u64, BoxError>;

    /// Deletes rows for good, and counts them; rows that are leased at this moment stay.
    ///
    /// The inbox still remembers discarded dead letters: the engine may deliver one again.
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
    /// How often its lease has ended without a settlement since the row was put or replayed: a process may have died
    /// with it.
    pub lost: u32,
}

impl LeasedDelivery {
    /// Makes a row that no process has lost.
    #[must_use]
    pub fn new(lease: DeliveryLease, delivery: NewDelivery) -> Self {
        Self { lease, delivery, lost: 0 }
    }
}

/// What became of a leased row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliverySettlement {
    /// The lease that is settled.
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
    /// The row is due again after this time.
    Later {
        /// By the clock of the store.
        after: Duration,
        /// How often its handler has failed by now.
        failures: u32,
        /// Its handler's last failure, for an operator; `None` changes nothing.
        last_failure: Option<DeadReason>,
    },
    /// The row is due at once: this process does not handle it.
    Released,
    /// The row becomes a dead letter.
    Dead {
        /// The reason.
        reason: DeadReason,
        /// How often its handler has failed by now.
        failures: u32,
        /// Whether the row still holds its key.
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
    /// How many of the waiting rows are behind a dead letter of their key.
    pub parked: u64,
    /// Dead letters.
    pub dead: u64,
    /// For how long the row that has been due longest could have been leased, in seconds; parked rows do not count.
    pub overdue_seconds: Option<f64>,
}
