use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::groups::Setup;
use super::opening::Opening;
use super::settle::InMemorySettle;
use super::source::InMemorySource;
use crate::InMemoryBroker;
use crate::subscription::{Capabilities, ConsumeError, Opened, Release, Subscription, Wanted};

/// The consuming half of an [`InMemoryBroker`], with as many capabilities as a test or a program wants.
///
/// To have all capabilities, use the broker itself, which is a [`Subscription`] too. Leave some out to see how
/// endpoints behave on an engine that lacks them.
///
/// # Guarantees
///
/// - It reads the topics that the endpoint names, and the messages that name no topic if the endpoint wants the
///   [default topic](Wanted::default_topic).
/// - An endpoint that comes for the first time gets the messages that were published before, unless
///   [`take_published`](InMemoryBroker::take_published) took them. Messages that wait for an endpoint stay when its
///   openings end.
/// - It does nothing that is not stated. Without `ordered_by_key`, pairs of messages change places. Without
///   `redelivers`, a message that was taken never comes again. A caller that asks for what is not stated gets a fatal
///   error that names the capability.
/// - If the processes of an endpoint do not share its messages, as with
///   [`Share::Broadcast`](crate::subscription::Share), each subscription gets all messages. A subscription stands for a
///   process: [`InMemoryBroker::subscription`] makes one, clones are the same one, and its next opening takes over what
///   an earlier one left. The broker with its clones is one subscription too.
/// - Its clock is tokio's: if that is paused, locks and delays move with it.
/// - A held message does not count as [waiting](crate::subscription::Observation::lag), nor does a message that comes
///   again after a time, until that time.
/// - All openings of an endpoint must have equal capabilities and partitions.
///
/// # Units
///
/// [`partitions`](Self::partitions) is 8 by default, and [`handover`](Self::handover) 10 s.
///
/// # Example
///
/// ```
/// use diator::InMemoryBroker;
/// use diator::subscription::{Capabilities, Subscription};
///
/// let broker = InMemoryBroker::new();
/// let like_a_log = Capabilities::none().ordered_by_key().exclusive_keys().competing().redelivers().durable();
/// let subscription = broker.subscription().capabilities(like_a_log);
/// assert!(!Subscription::capabilities(&subscription).settles_out_of_order);
/// assert!(Subscription::capabilities(&broker).settles_out_of_order);
/// ```
#[derive(Clone, Debug)]
pub struct InMemorySubscription {
    broker: InMemoryBroker,
    setup: Setup,
    /// `None` is the broker's own, which everybody can open again.
    _subscribed: Option<Arc<Subscribed>>,
}

/// Tells the engine when nobody has a subscription any more.
#[derive(Debug)]
struct Subscribed {
    broker: InMemoryBroker,
    subscription: u64,
}

impl Drop for Subscribed {
    fn drop(&mut self) {
        self.broker.engine(|groups, _| groups.unsubscribe(self.subscription));
    }
}

impl InMemorySubscription {
    /// All capabilities of an engine, with locks of 30 s.
    ///
    /// A delay is at most a week. The broker survives a [`restart`](InMemoryBroker::restart), but not the end of the process.
    pub const CAPABILITIES: Capabilities = Capabilities::none()
        .ordered_by_key()
        .exclusive_keys()
        .competing()
        .broadcasts()
        .redelivers()
        .counts()
        .retry_counts()
        .releases(Release::Uncounted)
        .fenced_owners()
        .locks_for(Duration::from_secs(30))
        .extends()
        .delayed_retry(Duration::from_secs(7 * 24 * 60 * 60))
        .dead_letters()
        .settles_out_of_order()
        .durable()
        .replayable();

    /// Sets the capabilities; it then has no others.
    #[must_use]
    pub fn capabilities(mut self, capabilities: Capabilities) -> Self {
        self.setup.capabilities = capabilities;
        self
    }

    /// Sets the number of partitions among which it divides the keys, if partitions have owners.
    #[must_use]
    pub fn partitions(mut self, partitions: NonZeroUsize) -> Self {
        self.setup.partitions = partitions.get();
        self
    }

    /// Sets how long an owner has to give up a partition that somebody else is to have.
    #[must_use]
    pub fn handover(mut self, within: Duration) -> Self {
        self.setup.handover = within;
        self
    }
}

impl InMemoryBroker {
    /// Makes a subscription of the broker, with all capabilities.
    #[must_use]
    pub fn subscription(&self) -> InMemorySubscription {
        let subscription = self.engine(|groups, _| groups.subscribe());
        self.subscription_of(subscription, Some(Arc::new(Subscribed { broker: self.clone(), subscription })))
    }

    fn subscription_of(&self, subscription: u64, subscribed: Option<Arc<Subscribed>>) -> InMemorySubscription {
        let setup = Setup {
            capabilities: InMemorySubscription::CAPABILITIES,
            partitions: 8,
            handover: Duration::from_secs(10),
            subscription,
        };
        InMemorySubscription { broker: self.clone(), setup, _subscribed: subscribed }
    }
}

#[async_trait]
impl Subscription for InMemorySubscription {
    fn capabilities(&self) -> Capabilities {
        self.setup.capabilities
    }

    async fn open(&self, wanted: &Wanted<'_>) -> Result<Opened, ConsumeError> {
        let mut setup = self.setup;
        if !setup.capabilities.exclusive_keys {
            setup.partitions = 1;
        }
        let place = self.broker.engine(|groups, log| {
            if groups.faults.fails_opening() {
                return Err(ConsumeError::transient("in-memory broker is set to fail the opening"));
            }
            groups.open(wanted, setup, log, Instant::now())
        })?;
        let opening = Arc::new(Opening::new(self.broker.clone(), place));
        Ok(Opened::new(InMemorySource::new(opening.clone()), Arc::new(InMemorySettle::new(opening))))
    }
}

/// The broker has all the capabilities that an engine can have: [`InMemorySubscription::CAPABILITIES`].
#[async_trait]
impl Subscription for InMemoryBroker {
    fn capabilities(&self) -> Capabilities {
        InMemorySubscription::CAPABILITIES
    }

    async fn open(&self, wanted: &Wanted<'_>) -> Result<Opened, ConsumeError> {
        self.subscription_of(0, None).open(wanted).await
    }
}
