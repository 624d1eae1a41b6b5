use std::fmt;
use std::num::NonZeroUsize;
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
/// - An implementation keeps no state of an opening: after a failure the endpoint calls [`open`](Self::open) again, and after a
///   crash another process does.
/// - Several processes may open the same endpoint. Where [`competing`](Capabilities::competing) is stated they share its messages;
///   otherwise each gets all of them.
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
    /// It must end in a time of the driver's own, also where the server does not answer.
    ///
    /// # Errors
    ///
    /// The endpoint logs it, shows it in its health, and tries again after a pause; so it does after a fatal error too, because
    /// an operator may mend the server.
    async fn open(&self, wanted: &Wanted<'_>) -> Result<Opened, ConsumeError>;

    /// How much waits for the endpoint, and when the engine was last heard of.
    ///
    /// Health shows it. An endpoint that was given nothing for a while, though something waits, opens anew.
    ///
    /// # Errors
    ///
    /// The engine could not be asked. It must end in a time of the driver's own.
    async fn observe(&self, wanted: &Wanted<'_>) -> Result<Observation, ConsumeError>;
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

    async fn observe(&self, wanted: &Wanted<'_>) -> Result<Observation, ConsumeError> {
        (**self).observe(wanted).await
    }
}

/// Where the deliveries of one opening come from.
///
/// # Guarantees
///
/// - One task calls it. The driver reads in a task of its own: dropping the future of [`next`](Self::next) loses nothing.
/// - Deliveries of one owner, and of one key where the engine orders by key, come in the engine's order.
/// - Dropping it stops the reading. What was read and not yielded goes back, at the latest when its lock is over.
#[async_trait]
pub trait Source: Send {
    /// Waits for deliveries, or for news of their owners; at most `credit` deliveries.
    ///
    /// `credit` is how many the endpoint can take now, on top of those that it has. The driver must not hold more than
    /// that read and not yielded: nobody extends the lock of what lies there. While the endpoint can take none it does not call.
    /// That must neither stop the engine's heartbeats nor delay a revocation by more than the lock period.
    ///
    /// # Errors
    ///
    /// This opening is over, and its locks may be lost. The endpoint lets what runs come to its end, and opens anew.
    async fn next(&mut self, credit: NonZeroUsize) -> Result<Taken, ConsumeError>;

    /// Waits for news of owners alone, while the endpoint can take no delivery.
    ///
    /// As it stands here it waits for ever, which is right for an engine without owners.
    ///
    /// # Errors
    ///
    /// As of [`next`](Self::next).
    async fn revocation(&mut self) -> Result<Taken, ConsumeError> {
        std::future::pending().await
    }
}

/// Tells the engine what became of the deliveries of one opening.
///
/// # Guarantees
///
/// - It may be called from several tasks at once, also while the source waits. Each delivery is settled once.
/// - Where the engine does not [settle out of order](Capabilities::settles_out_of_order), the settlements of an owner come in
///   the order of its deliveries, without gaps.
/// - After [`revoked`](Self::revoked), nothing of that owner is settled any more.
#[async_trait]
pub trait Settle: Send + Sync {
    /// Settles deliveries; the answers are as many, and in the same order.
    ///
    /// A batch holds as much as there was to settle: the driver should send it in one go, and wait for the answers together.
    /// It must end in a time of the driver's own.
    ///
    /// # Errors
    ///
    /// Per delivery: nothing is known of it, and the endpoint asks again, after a pause. The driver must take a delivery that
    /// was settled before as [`Settled::Done`] or [`Settled::LockLost`].
    async fn settle(&self, batch: &[Settlement]) -> Vec<Result<Settled, ConsumeError>>;

    /// Lets the locks of these deliveries begin anew; the answers are as many, and in the same order.
    ///
    /// It is called only where the engine [extends](Capabilities::extends), for everything that is held, from its receipt on, and
    /// well before the lock is over.
    ///
    /// # Errors
    ///
    /// Per delivery: nothing is known of it. The endpoint asks again until the lock is over, and then forgets the delivery.
    async fn extend(&self, held: &[DeliveryTag]) -> Vec<Result<Settled, ConsumeError>>;

    /// The endpoint has given these owners up: the engine may give their partitions to others.
    fn revoked(&self, owners: &[Ownership]);

    /// Releases what is still held, and ends the connection; it must end in a time of the driver's own.
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
