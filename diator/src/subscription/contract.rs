use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Capabilities, ConsumeError, DeliveryTag, Observation, Ownership, Settled, Settlement, Taken, Wanted};
use crate::broker::NotAccepted;

/// An engine's side of an endpoint: its configuration, from which connections are opened.
///
/// The [module](crate::subscription) says who calls what, and when.
///
/// # Guarantees
///
/// - After a failure the endpoint calls [`open`](Self::open) again, and after a crash another process does. Everything that is
///   needed then must be at the engine. Only where each process gets all messages ([`Share::Broadcast`](super::Share)) the
///   subscription itself keeps, for the next opening of this process, how far it has settled.
/// - Several processes may open the same endpoint; [`Wanted::share`] says what they want of each other.
/// - Dropping a future leaves nothing behind that the next call could meet.
#[async_trait]
pub trait Subscription: Send + Sync + 'static {
    /// What the engine can do, as it is configured; the same answer each time.
    ///
    /// The endpoint supplies what is missing, or refuses to start and names the capability. What is stated here must hold: the
    /// conformance suite, `diator_testkit::subscription`, checks it.
    fn capabilities(&self) -> Capabilities;

    /// What of an endpoint this subscription cannot do; nothing is wrong if it is empty.
    ///
    /// The start of the host reports all of it at once. It looks at the configuration alone and connects to nothing.
    fn validate(&self, _wanted: &Wanted<'_>) -> Vec<NotAccepted> {
        Vec::new()
    }

    /// Connects, and begins to receive for the endpoint.
    ///
    /// - An endpoint, or a partition, of which the engine has no position begins at the **oldest** message that is kept.
    /// - What was given out before and not settled comes first, oldest first, before anything later of its key.
    /// - The driver must compare what the server is set to with what its capabilities state: the lock, the limit of deliveries,
    ///   where dead letters go. Where the server promises less, that is a fatal error.
    /// - It must end in a time of the driver's own, also where the server does not answer.
    ///
    /// # Errors
    ///
    /// The endpoint logs it, shows it in its health, and tries again after a pause; so it does after a fatal error too, because
    /// an operator may mend the server.
    async fn open(&self, wanted: &Wanted<'_>) -> Result<Opened, ConsumeError>;
}

/// A shared subscription is the subscription itself.
#[async_trait]
impl<S: Subscription + ?Sized> Subscription for Arc<S> {
    fn capabilities(&self) -> Capabilities {
        (**self).capabilities()
    }

    fn validate(&self, wanted: &Wanted<'_>) -> Vec<NotAccepted> {
        (**self).validate(wanted)
    }

    async fn open(&self, wanted: &Wanted<'_>) -> Result<Opened, ConsumeError> {
        (**self).open(wanted).await
    }
}

/// Where the deliveries of one opening come from.
///
/// # Guarantees
///
/// - One task calls it, and always does, from `open` to `close`. The driver reads in a task of its own: dropping the future of
///   [`next`](Self::next) loses nothing, neither deliveries nor news.
/// - Deliveries of one owner, and of one key where the engine orders by key, come in the order in which they were published.
/// - After `Revoking` or `Lost` of an owner it yields no delivery of that owner; what was read of it is dropped. An owner may
///   first be revoked, and then lost.
/// - A message that the driver cannot read is a delivery too, with [`unreadable`](super::Delivery::unreadable): one message never
///   makes `next` fail.
/// - Dropping it stops the reading. What was read and not yielded goes back, at the latest when its lock is over.
#[async_trait]
pub trait Source: Send {
    /// Waits for deliveries, at most `credit` of them, or for news: of owners, and of the end of this opening.
    ///
    /// `credit` is how many the endpoint can take now, on top of those that it has; with 0 it waits for news alone. News must come
    /// within a second, whatever the credit is.
    ///
    /// Where a lock runs, the driver must ask the engine for no more than it has credit for, and must itself extend what it has
    /// read and not yielded. Where no lock runs it may read up to [`Wanted::max_ahead`] ahead. Where the engine pushes and keeps nothing, a
    /// setting of the driver's own bounds what waits, and the driver counts and tells what finds no room.
    ///
    /// # Errors
    ///
    /// This opening is over, and its locks may be lost. The endpoint lets what runs come to its end, and opens anew. A driver that
    /// connects anew by itself, and keeps its deliveries and owners or says which are lost, need not end it. While the engine cannot be
    /// reached it then lets [`Observation::heard`] grow, so that the endpoint can open anew.
    async fn next(&mut self, credit: usize) -> Result<Taken, ConsumeError>;
}

/// Tells the engine what became of the deliveries of one opening.
///
/// # Guarantees
///
/// - Its methods may be called from several tasks at once, also while the source waits; but calls of [`settle`](Self::settle) do
///   not overlap.
/// - Where the engine does not [settle out of order](Capabilities::settles_out_of_order), the settlements of an owner come in
///   the order of its deliveries, without gaps, and a batch begins only when all earlier batches of the owner were answered with
///   `Done`. Within a batch the driver must stop an owner at its first failure, and answer the rest of it with the same error.
/// - After [`revoked`](Self::revoked), after `by`, after `Lost`, and once the opening is over, the driver answers
///   [`Settled::LockLost`] without asking the engine.
/// - The endpoint settles a delivery with [`Verdict::Ack`](super::Verdict::Ack) only when its handlers are done or a store has what is
///   left of it, or where the program wants no dead letters.
#[async_trait]
pub trait Settle: Send + Sync {
    /// Settles deliveries; the answers are as many, and in the same order.
    ///
    /// A batch holds as much as there was to settle: the driver should send it in one go, and wait for the answers together.
    /// It must end in a time of the driver's own.
    ///
    /// # Errors
    ///
    /// Per delivery. Transient: nothing is known of it, and the endpoint asks again, after a pause; the driver must answer a
    /// delivery that was settled before with [`Settled::Done`] or [`Settled::LockLost`]. Fatal: this verdict will not be taken; the
    /// endpoint shows it in its health, and keeps the delivery; where the engine does not settle out of order, the endpoint gives
    /// its owner up instead, or the opening if there is no owner. Closed: the opening is over, as if `next` had said it.
    async fn settle(&self, batch: &[Settlement]) -> Vec<Result<Settled, ConsumeError>>;

    /// Lets the locks of these deliveries begin anew; the answers are as many, and in the same order.
    ///
    /// It is called only where the engine [extends](Capabilities::extends), for everything that is held, from its receipt on, and
    /// well before the lock is over. The new lock counts from before the call. Locks of owners, such as a session's or a lease, are
    /// the driver's own care.
    ///
    /// # Errors
    ///
    /// Per delivery: nothing is known of it. The endpoint asks again until the lock is over, and then forgets the delivery.
    async fn extend(&self, held: &[DeliveryTag]) -> Vec<Result<Settled, ConsumeError>>;

    /// The endpoint has given these owners up: the engine may give their partitions to others.
    ///
    /// Where the engine settles in order, the endpoint also gives up an owner unasked, when a delivery of it cannot be settled any more.
    /// What was not settled of the owner must then come again under a higher epoch, here or in another process; a driver that cannot do that ends the opening.
    fn revoked(&self, owners: &[Ownership]);

    /// How much waits for the endpoint, and when the engine was last heard of.
    ///
    /// Health shows it. An endpoint that is given nothing for a while, though [`due`](Observation::due) says that it should be, or
    /// though the engine was not [heard](Observation::heard) of, opens anew.
    ///
    /// # Errors
    ///
    /// The engine could not be asked. It must end in a time of the driver's own.
    async fn observe(&self) -> Result<Observation, ConsumeError>;

    /// Releases what is still held, and ends the connection; it must end in a time of the driver's own.
    ///
    /// The source is dropped just before.
    async fn close(&self);
}

/// Both sides of a subscription that is open.
pub struct Opened {
    /// Where deliveries come from.
    pub source: Box<dyn Source>,
    /// Where the verdicts go.
    pub settle: Arc<dyn Settle>,
}

impl Opened {
    /// Both sides of one opening.
    #[must_use]
    pub fn new(source: impl Source + 'static, settle: Arc<dyn Settle>) -> Self {
        Self { source: Box::new(source), settle }
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").finish_non_exhaustive()
    }
}
