use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::InMemoryDeadLetter;
use super::groups::InMemoryGroups;
use crate::InMemoryBroker;
use crate::broker::OutboundMessage;
use crate::race::either;

/// How long a test waits for an endpoint to open.
const OPENING: Duration = Duration::from_secs(60);

/// What the consuming half was told to get wrong.
#[derive(Default)]
pub(super) struct Faults {
    deaf: Option<Instant>,
    pub(super) settling_hangs: bool,
    openings: usize,
    settlements: usize,
    answers: usize,
}

impl Faults {
    pub(super) fn is_deaf(&self) -> bool {
        self.deaf.is_some()
    }

    /// How long nothing was heard.
    pub(super) fn unheard(&self) -> Duration {
        self.deaf.map(|since| since.elapsed()).unwrap_or_default()
    }

    pub(super) fn fails_opening(&mut self) -> bool {
        one_of(&mut self.openings)
    }

    pub(super) fn fails_settlement(&mut self) -> bool {
        one_of(&mut self.settlements)
    }

    pub(super) fn loses_answer(&mut self) -> bool {
        one_of(&mut self.answers)
    }
}

fn one_of(left: &mut usize) -> bool {
    let some = *left > 0;
    *left = left.saturating_sub(1);
    some
}

/// What endpoints left behind, for tests.
impl InMemoryBroker {
    /// The messages that an endpoint gave up, oldest first. A letter stays listed after a [replay](Self::replay).
    #[must_use]
    pub fn dead_letters(&self, endpoint: &str) -> Vec<InMemoryDeadLetter> {
        self.engine(|groups, _| groups.dead_letters(endpoint, Instant::now()))
    }

    /// The messages that an endpoint has not settled, oldest first: those that wait for it, those that wait for another
    /// attempt, and those that its processes hold; `None` if no endpoint of this name was ever open.
    #[must_use]
    pub fn unsettled(&self, endpoint: &str) -> Option<Vec<OutboundMessage>> {
        let kept = self.engine(|groups, _| groups.unsettled(endpoint, Instant::now()))?;
        Some(kept.iter().map(|kept| kept.message.clone()).collect())
    }

    /// Waits until an endpoint has settled everything that was published to its topics, including messages that are
    /// published while it waits.
    ///
    /// A dead letter counts as settled. A message for a [broadcast](crate::endpoint::Endpoint::broadcast) must be
    /// settled by all processes, except those that have gone with their subscription. Dropping the future is harmless.
    ///
    /// # Panics
    ///
    /// If no endpoint of this name was open, and none opens within a minute; the panic lists those that were.
    ///
    /// # Example
    ///
    /// ```
    /// use diator::endpoint::Endpoint;
    /// use diator::host::Host;
    /// use diator::prelude::*;
    ///
    /// #[derive(Debug, serde::Serialize, serde::Deserialize, NotificationEvent)]
    /// #[event(topic = "orders")]
    /// struct OrderPlaced;
    ///
    /// #[event_handler(OrderPlaced, id = "billing.charge")]
    /// struct Charge;
    ///
    /// impl EventHandler<OrderPlaced> for Charge {
    ///     async fn handle(&self, _: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
    ///         Err("no money".into())
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let broker = InMemoryBroker::new();
    /// let mediator = Mediator::builder().handlers(handlers![Charge]).broker(broker.clone()).build()?;
    /// mediator.emit(OrderPlaced).await?;
    /// let billing = Endpoint::new("billing", broker.clone()).topics(["orders"]);
    /// Host::new(mediator).endpoint(billing).run_until(broker.all_settled("billing")).await?;
    /// assert_eq!(&*broker.dead_letters("billing")[0].reason, "billing.charge: no money");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn all_settled(&self, endpoint: &str) {
        let opens_by = Instant::now() + OPENING;
        loop {
            let (settled, stirred) = (self.changed().notified(), self.deliverable().notified());
            let news = either(settled, stirred);
            match self.engine(|groups, _| groups.has_settled_all(endpoint, Instant::now())) {
                Some(true) => return,
                Some(false) => _ = news.await,
                None if timeout_at(opens_by, news).await.is_ok() => {}
                None => {
                    let names = self.engine(|groups, _| groups.names());
                    panic!("no endpoint `{endpoint}` has opened within {OPENING:?}; there are {names:?}");
                }
            }
        }
    }

    /// Delivers to an endpoint once more what it has settled, dead letters included; returns how many messages that
    /// are.
    ///
    /// Only messages that [`published`](Self::published) still has are replayed. The call does nothing for an endpoint
    /// whose subscription is not [`replayable`](crate::subscription::Capabilities::replayable).
    /// [`replayable`](crate::subscription::Capabilities::replayable).
    pub fn replay(&self, endpoint: &str) -> usize {
        self.engine(|groups, log| groups.replay(endpoint, log, Instant::now()))
    }
}

/// Faults for consumers, for tests.
impl InMemoryBroker {
    /// Lets the next `count` openings fail.
    pub fn fail_openings(&self, count: usize) {
        self.tell(|faults| faults.openings = count);
    }

    /// Lets the next `count` settlements fail, without doing what they ask for.
    pub fn fail_settlements(&self, count: usize) {
        self.tell(|faults| faults.settlements = count);
    }

    /// Does what the next `count` settlements ask for, and nevertheless answers with an error.
    pub fn lose_answers(&self, count: usize) {
        self.tell(|faults| faults.answers = count);
    }

    /// Leaves settlements without an answer while `hang` is true, and does not do what they ask for meanwhile.
    pub fn hang_settlements(&self, hang: bool) {
        self.tell(|faults| faults.settling_hangs = hang);
    }

    /// Lets the broker's sources yield nothing while `deaf` is true, no news of owners either.
    ///
    /// An observation still counts the waiting messages, and shows that nothing was
    /// [heard](crate::subscription::Observation::heard) since then.
    pub fn deaf(&self, deaf: bool) {
        self.tell(|faults| faults.deaf = deaf.then(|| faults.deaf.unwrap_or_else(Instant::now)));
    }

    /// Ends all connections: sources fail, and held deliveries go back when their locks are over.
    ///
    /// On an engine without locks, they go back at once. Partitions get a new owner when their owner's lock is over.
    pub fn cut(&self) {
        self.engine(|groups, _| groups.cut(Instant::now()));
    }

    /// Ends all connections and forgets all locks, as a server does that restarts.
    ///
    /// An endpoint whose subscription is not [`durable`](crate::subscription::Capabilities::durable) loses the messages
    /// that wait for it.
    pub fn restart(&self) {
        self.engine(|groups, log| groups.restart(log, Instant::now()));
    }

    /// Ends all locks of an endpoint now.
    pub fn expire_locks(&self, endpoint: &str) {
        self.engine(|groups, _| groups.of(endpoint, Instant::now()).for_each(|group| group.unlock(|_| true)));
    }

    /// Asks the owners of an endpoint's partitions to give up all of them, and shares them out anew.
    pub fn revoke(&self, endpoint: &str) {
        let now = Instant::now();
        self.engine(|groups, _| groups.of(endpoint, now).for_each(|group| group.revoke(now)));
    }

    /// Takes an endpoint's partitions from their owners without asking, and shares them out anew.
    pub fn take_partitions(&self, endpoint: &str) {
        let now = Instant::now();
        self.engine(|groups, _| groups.of(endpoint, now).for_each(|group| group.take_partitions(now)));
    }

    fn tell(&self, change: impl FnOnce(&mut Faults)) {
        self.engine(|groups: &mut InMemoryGroups, _| change(&mut groups.faults));
        self.deliverable().notify_waiters();
    }
}
