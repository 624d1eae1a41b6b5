use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Capabilities, ConsumeError, DeliveryTag, Observation, Ownership, Settled, Settlement, Taken, Wanted};
use crate::broker::NotAccepted;

/// The engine's side of an endpoint: a configuration that opens connections.
///
/// The [module](crate::subscription) says who calls which method, and when.
///
/// # Guarantees
///
/// - After a failure the endpoint calls [`open`](Self::open) again, and after a crash another process does. The engine
///   must keep everything that is needed then. There is one exception: if each process gets all messages
///   ([`Share::Broadcast`](super::Share)), the subscription itself must remember, for the next opening of this process,
///   how far it has settled.
/// - Several processes may open the same endpoint; [`Wanted::share`] says how they share its messages.
/// - A dropped future must leave nothing behind that the next call could meet.
#[async_trait]
pub trait Subscription: Send + Sync + 'static {
    /// The capabilities of the engine as it is configured; it must give the same answer each time.
    ///
    /// The endpoint supplies what is missing, or refuses to start and names the capability. Every stated capability
    /// must hold: the conformance suite, `diator_testkit::subscription`, checks it.
    fn capabilities(&self) -> Capabilities;

    /// Lists what this subscription cannot do for an endpoint; an empty list means that nothing is wrong.
    ///
    /// The start of the host reports the whole list at once. The method must look at the configuration alone and
    /// connect to nothing.
    fn validate(&self, _wanted: &Wanted<'_>) -> Vec<NotAccepted> {
        Vec::new()
    }

    /// Connects, and begins to receive for the endpoint.
    ///
    /// - If the engine has no position of an endpoint or a partition, it must begin at the **oldest** message that is
    ///   kept.
    /// - Deliveries that were given out before and not settled must come first, oldest first, before anything later of
    ///   their keys.
    /// - The driver must compare the settings of the server with its stated capabilities: the lock, the limit of
    ///   deliveries, the place of dead letters. A server that promises less is a fatal error.
    /// - The call must end in a time of the driver's own, even if the server does not answer.
    ///
    /// # Errors
    ///
    /// The endpoint logs the error, shows it in its health, and tries again after a pause, even after a fatal error,
    /// because an operator may mend the server.
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

/// Yields the deliveries of one opening.
///
/// # Guarantees
///
/// - One task calls it, all the time, from `open` to `close`. The driver must read in a task of its own: dropping the
///   future of [`next`](Self::next) must lose nothing, neither deliveries nor news.
/// - Deliveries of one owner, and of one key if the engine orders by key, must come in the order in which they were
///   published.
/// - After `Revoking` or `Lost` of an owner it must yield no delivery of that owner; the driver drops what it has read
///   of that owner. An owner may first be revoked, and then lost.
/// - A message that the driver cannot read must be a delivery too, with [`unreadable`](super::Delivery::unreadable):
///   one message must never make `next` fail.
/// - Dropping the source stops the reading. A delivery that was read and not yielded goes back, at the latest when its
///   lock is over.
#[async_trait]
pub trait Source: Send {
    /// Waits for deliveries, at most `credit` of them, or for news: of owners, and of the end of this opening.
    ///
    /// `credit` is how many deliveries the endpoint can take now, on top of those that it has; with 0 it waits for news
    /// alone. News must come within a second, whatever the credit is.
    ///
    /// If deliveries have locks, the driver must ask the engine for no more than it has credit for, and must itself
    /// extend the locks of deliveries that it has read and not yielded. If they have none, it may read up to
    /// [`Wanted::max_ahead`] ahead. If the engine pushes and keeps nothing, a setting of the driver must limit how much
    /// waits, and the driver must count and report what finds no room.
    ///
    /// # Errors
    ///
    /// This opening is over, and its locks may be lost. The endpoint lets running handlers end, and opens anew. A
    /// driver that reconnects by itself need not end the opening, if it keeps its deliveries and owners or reports
    /// which of them are lost. While it cannot reach the engine, it must let [`Observation::heard`] grow, so that the
    /// endpoint can open anew.
    async fn next(&mut self, credit: usize) -> Result<Taken, ConsumeError>;
}

/// Tells the engine what became of the deliveries of one opening.
///
/// # Guarantees
///
/// - Its methods may be called from several tasks at once, also while the source waits; but calls of
///   [`settle`](Self::settle) do not overlap.
/// - If the engine does not [settle out of order](Capabilities::settles_out_of_order), the settlements of an owner come
///   in the order of its deliveries, without gaps, and a batch begins only when all earlier batches of the owner were
///   answered with `Done`. Within a batch the driver must stop an owner at its first failure, and answer the rest of it
///   with the same error.
/// - After [`revoked`](Self::revoked), after `by`, after `Lost`, and once the opening is over, the driver must answer
///   [`Settled::LockLost`] without asking the engine.
/// - The endpoint settles a delivery with [`Verdict::Ack`](super::Verdict::Ack) only if its handlers are done, if a
///   store has the rest of it, or if the program wants no dead letters.
#[async_trait]
pub trait Settle: Send + Sync {
    /// Settles deliveries; it must return as many answers, in the same order.
    ///
    /// A batch holds everything that waits to be settled: the driver should send it in one go, and wait for the answers
    /// together. The call must end in a time of the driver's own.
    ///
    /// # Errors
    ///
    /// There is one for each delivery:
    ///
    /// - Transient: nothing is known about the delivery, and the endpoint asks again, after a pause. The driver must
    ///   answer a delivery that was settled before with [`Settled::Done`] or [`Settled::LockLost`].
    /// - Fatal: the engine will not take this verdict. The endpoint shows it in its health, and keeps the delivery. If
    ///   the engine does not settle out of order, the endpoint instead gives up the delivery's owner, or the opening if
    ///   there is no owner.
    /// - Closed: the opening is over, as if `next` had reported it.
    async fn settle(&self, batch: &[Settlement]) -> Vec<Result<Settled, ConsumeError>>;

    /// Extends the locks of these deliveries; it must return as many answers, in the same order.
    ///
    /// The endpoint calls it only if the engine [extends](Capabilities::extends), for every delivery that it holds,
    /// from its receipt on, and well before the lock is over. The new lock counts from before the call. The driver
    /// itself must keep the locks of owners, such as that of a session or a lease.
    ///
    /// # Errors
    ///
    /// There is one for each delivery: nothing is known about it. The endpoint asks again until the lock is over, and
    /// then forgets the delivery.
    async fn extend(&self, held: &[DeliveryTag]) -> Vec<Result<Settled, ConsumeError>>;

    /// Learns that the endpoint has given these owners up: the engine may give their partitions to others.
    ///
    /// If the engine settles in order, the endpoint also gives up an owner unasked, when a delivery of it cannot be
    /// settled any more. Deliveries of that owner that were not settled must then come again under a higher epoch, here
    /// or in another process; a driver that cannot do that must end the opening.
    fn revoked(&self, owners: &[Ownership]);

    /// Tells how many messages wait for the endpoint, and when the engine was last heard of.
    ///
    /// Health shows it. If an endpoint gets nothing for a while, it opens anew, if [`due`](Observation::due) says that
    /// it should get something, or if the engine was not [heard](Observation::heard) of.
    ///
    /// # Errors
    ///
    /// The engine could not be asked. The call must end in a time of the driver's own.
    async fn observe(&self) -> Result<Observation, ConsumeError>;

    /// Releases what is still held, and ends the connection; it must end in a time of the driver's own.
    ///
    /// The source is dropped just before.
    async fn close(&self);
}

/// Both sides of a subscription that is open.
pub struct Opened {
    /// Yields the deliveries.
    pub source: Box<dyn Source>,
    /// Takes the verdicts.
    pub settle: Arc<dyn Settle>,
}

impl Opened {
    /// Joins both sides of one opening.
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
