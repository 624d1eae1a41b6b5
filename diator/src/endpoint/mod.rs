//! Handles the messages that a subscription delivers.
//!
//! An [`Endpoint`] runs as a part of a [`Host`](crate::host::Host). It opens a [`Subscription`], lets the handlers of
//! the program handle the messages, and tells the engine what became of each delivery.
//!
//! | part | file |
//! |---|---|
//! | one opening, and its loop: events in, deliveries begun, time passed | `opening`, `run` |
//! | the life of a delivery: it comes, begins, ends; what follows; is settled, given back or lost | `deliveries`, `decisions`, `verdicts` |
//! | what waits, or is dead, in the store: which rows, how they get there, how they come back | `store`, `keeping` and `keeper`, `rows` and `leased` |
//! | how an opening ends: stop, failure, revocation, loss | `ending` |
//! | the tasks beside the loop: reading and observing; settling and extending; running deliveries | `reader`, `settler`, `workers`; `ask`, `work`, `handling`, `attempt` |
//! | which delivery may begin | `lanes`, `pause`, `suspects` |
//! | what becomes of a handler that failed | `failure`, `policy`, `step`, `outcome`, `memory` |
//! | how many deliveries to take, and how long they are ours | `credit`, `locks`, `gone`, `watermark`, `watchdog` |
//! | whether an endpoint can run at all, and what is shown of it | `check`, `needs`, `warnings`, `settings`, `topics`; `wired`, `telling` |
//!
//! The files of the last four rows know no clock, no task and no engine: the moment is a parameter.

mod ask;
mod attempt;
mod bound;
mod check;
mod credit;
mod decisions;
mod deliveries;
mod ending;
mod event;
mod failure;
mod gone;
mod handling;
mod health;
mod held;
mod jitter;
mod keeper;
mod keeping;
mod lanes;
mod lease;
mod leased;
mod locks;
mod memory;
mod needs;
mod opening;
mod outcome;
mod pause;
mod policy;
mod reader;
mod report;
mod rows;
mod run;
mod settings;
mod settler;
mod step;
mod store;
mod stuck;
mod suspects;
mod tag_map;
mod telling;
#[cfg(test)]
mod tests;
mod told;
mod topics;
mod verdicts;
mod warnings;
mod watchdog;
mod watermark;
mod wired;
mod work;
mod workers;

use std::any::type_name_of_val;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::location::Location;
use crate::mediator::Mediator;
use crate::registry::Handlers;
use crate::subscription::{Share, Subscription};

pub(crate) use self::bound::Bound;
pub(crate) use self::check::bind;
pub(crate) use self::health::EndpointMonitor;
pub use self::health::{EndpointHealth, EndpointState};
pub use self::policy::{ErrorPolicy, OnDead, OnError};
pub use self::report::EndpointError;
use self::settings::Settings;
pub use self::settings::{OwnMessages, Unknown};
pub use self::topics::Topics;
#[doc(hidden)]
pub use self::work::{AttemptEnded, OnAttempt, OnDecision};
pub use crate::deliveries::{AttemptLog, Attempts, Ended, InMemoryAttemptLog};
pub use crate::subscription::Order;

/// Runs the handlers of a program for the messages that a subscription delivers, as a part of a
/// [`Host`](crate::host::Host).
///
/// # Guarantees
///
/// - **At least once.** A delivery is acknowledged when all its handlers are done or the rest of it is in the
///   [delivery store](crate::deliveries::DeliveryStore), and never before;
///   [`without_dead_letters`](Self::without_dead_letters) is the one exception. After a crash, a lost lock or a lost
///   answer the delivery comes again, if the engine [redelivers](crate::subscription::Capabilities::redelivery).
/// - **Takes effect once**, if the mediator has an [inbox](crate::MediatorBuilder::inbox): the writes of a handler in
///   its own transaction, its events included, happen once for each message within the inbox's retention. An older
///   message is a dead letter. An endpoint that [broadcasts](Self::broadcast) does not use the inbox.
/// - **Each handler by itself.** Each handler has a unit of work of its own. A retry runs only the handlers that have
///   failed, as long as the message comes back to this process.
/// - **Order.** With [`Order::PerKey`], the messages of one key in one topic are handled one after the other. A message
///   that fails keeps those behind it waiting until it is done or a dead letter; other keys go on. The next message of
///   a key begins when the handler of the previous one has ended, even if that handler was cut off or its delivery was
///   lost.
/// - **Once at a time.** While a delivery of a message runs or waits for another attempt, this process handles no
///   second delivery of that message. A second delivery that was to begin meanwhile shares the end of the first: it is
///   acknowledged as soon as the first is handled, and is a dead letter if the first is one. A delivery that begins
///   later is handled again, unless there is an inbox.
/// - **An outage counts for nothing**, if the [`ErrorPolicy`] recognises it by its error: [`OnError::Pause`]. An engine
///   that counts deliveries that are given back, and takes a message away after a number of deliveries, can still use
///   up that number if its lock cannot be extended; the host warns of it at the start.
/// - **Nothing is lost silently.** A message becomes a dead letter if it cannot be read, has failed for good, or ends
///   the process three times in a row after its first delivery (with an attempt log: that of the inbox, or
///   [`attempt_log`](Self::attempt_log)).
/// - **Locks** are extended from the receipt of a delivery on, whether it waits or runs.
/// - **Stop.** An endpoint that stops takes no more messages, gives back those that have not begun, lets handlers run
///   until the deadline, and settles. It does not acknowledge a message whose handler it cuts off at the deadline.
/// - The endpoint opens a subscription anew that fails, or that yields nothing although messages wait.
///
/// The guide `docs/consuming.md` makes a service with an endpoint. `TestHost` of `diator-testkit` runs an endpoint in a
/// test.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use diator::endpoint::{Endpoint, ErrorPolicy, Order};
/// use diator::host::Host;
/// use diator::prelude::*;
/// use diator::subscription::Subscription;
///
/// #[derive(Debug, serde::Serialize, serde::Deserialize, NotificationEvent)]
/// #[event(topic = "orders", key = order_id)]
/// struct OrderPlaced { order_id: u64 }
///
/// #[event_handler(OrderPlaced, id = "billing.charge")]
/// struct Charge;
///
/// impl EventHandler<OrderPlaced> for Charge {
///     async fn handle(&self, event: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
///         Ok(println!("order {}", event.order_id))
///     }
/// }
///
/// async fn run(subscription: impl Subscription, stop: impl Future) -> Result<(), BoxError> {
///     let mediator = Mediator::builder().handlers(handlers![Charge]).without_broker().build()?;
///     let billing = Endpoint::new("billing", subscription)
///         .topics(["orders"])
///         .concurrency(32)
///         .order(Order::PerKey)
///         .errors(ErrorPolicy::new().immediately(2).later([Duration::from_secs(10)]));
///     Host::new(mediator).endpoint(billing).run_until(stop).await?;
///     Ok(())
/// }
/// ```
///
/// # Source
///
/// The patterns Message Endpoint, Competing Consumers and Dead Letter Channel of G. Hohpe and B. Woolf, "Enterprise Integration
/// Patterns".
#[must_use = "an endpoint does nothing until a host runs it"]
pub struct Endpoint {
    settings: Settings,
    subscription: Arc<dyn Subscription>,
    topics: Vec<String>,
    handlers: Option<Handlers>,
    attempt_log: Option<Arc<dyn AttemptLog>>,
    on_attempt: Option<OnAttempt>,
    on_decision: Option<OnDecision>,
    /// The subscription's type.
    engine: &'static str,
    location: Location,
    monitor: EndpointMonitor,
}

impl Endpoint {
    /// Makes an endpoint of this name, which all its processes must have in common; it names their consumer group, for
    /// example.
    #[track_caller]
    pub fn new(name: impl Into<Arc<str>>, subscription: impl Subscription) -> Self {
        let name = name.into();
        Self {
            monitor: EndpointMonitor::new(name.clone()),
            settings: Settings::new(name),
            engine: type_name_of_val(&subscription),
            subscription: Arc::new(subscription),
            topics: Vec::new(),
            handlers: None,
            attempt_log: None,
            on_attempt: None,
            on_decision: None,
            location: Location::caller(),
        }
    }

    /// Sets the topics that the endpoint reads. It runs all handlers of the events of these topics, and of events that
    /// name no topic, unless [`handlers`](Self::handlers) names some.
    pub fn topics(mut self, topics: impl Topics) -> Self {
        self.topics = topics.into_vec();
        self
    }

    /// Sets the handlers that the endpoint runs; it runs no others. Endpoints that share a topic must each name their
    /// own handlers.
    ///
    /// The endpoint then reads the topics of their events, unless [`topics`](Self::topics) names others.
    pub fn handlers(mut self, handlers: Handlers) -> Self {
        self.handlers.get_or_insert_default().0.extend(handlers.0);
        self
    }

    /// Sets how many messages the endpoint handles at once.
    ///
    /// # Units
    ///
    /// 16 by default, 1 to 100,000.
    pub fn concurrency(mut self, messages: usize) -> Self {
        self.settings.concurrency = messages;
        self
    }

    /// Sets the order in which the endpoint handles messages; [`Order::None`] by default.
    pub fn order(mut self, order: Order) -> Self {
        self.settings.order = order;
        self
    }

    /// Delivers each message to each process that runs the endpoint, instead of to one of them: to renew a cache, to
    /// tell connected clients.
    ///
    /// Such an endpoint does not ask the mediator's [inbox](crate::MediatorBuilder::inbox), which would let only one
    /// process handle a message.
    pub fn broadcast(mut self) -> Self {
        self.settings.share = Share::Broadcast;
        self
    }

    /// Sets what the endpoint does when a handler fails; by default it retries twice at once.
    pub fn errors(mut self, policy: ErrorPolicy) -> Self {
        self.settings.errors = policy;
        self
    }

    /// Sets what the endpoint does with messages whose name the program does not know; [`Unknown::Ignore`] by default.
    pub fn unknown(mut self, unknown: Unknown) -> Self {
        self.settings.unknown = unknown;
        self
    }

    /// Sets what the endpoint does with messages that this program has published itself; [`OwnMessages::Handle`] by
    /// default.
    ///
    /// To skip them, the mediator's builder must [name the program](crate::MediatorBuilder::sender): the host does not start otherwise.
    pub fn own_messages(mut self, own: OwnMessages) -> Self {
        self.settings.own_messages = own;
        self
    }

    /// Limits how long one call of a handler may take. After this time the handler's future is dropped, its work is
    /// rolled back, and it has failed, as [`SendErrorKind::TimedOut`](crate::SendErrorKind::TimedOut).
    ///
    /// The limit does not stop a handler that blocks its thread, a commit that has begun, or what follows the commit:
    /// the endpoint waits for the outcome.
    ///
    /// # Units
    ///
    /// 5 minutes by default, more than zero, a day at most.
    pub fn max_handling(mut self, time: Duration) -> Self {
        self.settings.max_handling = time;
        self
    }

    /// Limits how many messages the endpoint holds: those that run, those that could, and those that wait for another
    /// attempt or for others of their key.
    ///
    /// # Units
    ///
    /// 256 by default, no less than [`concurrency`](Self::concurrency), at most 1,000,000. The endpoint takes fewer
    /// messages if their locks would not last.
    pub fn max_ahead(mut self, messages: usize) -> Self {
        self.settings.max_ahead = messages;
        self
    }

    /// Adds a former name of the endpoint: it also handles the messages that wait under that name.
    ///
    /// The endpoint also handles and counts what a delivery store keeps under that name; later messages of the same
    /// keys wait behind it. With [`Order::PerKey`] this costs a question to the store for each handler of a message.
    ///
    /// **The inbox does not know what was handled under the former name**: a message that the engine delivers again is
    /// handled again. All processes of the former name must therefore end before the first process of the new name
    /// starts: engines that keep a group for each name deliver to both.
    pub fn formerly(mut self, name: impl Into<String>) -> Self {
        self.settings.formerly.push(name.into());
        self
    }

    /// Finds messages that end the process: a message that was begun three times and never ended is a dead letter.
    pub fn attempt_log(mut self, log: impl AttemptLog) -> Self {
        self.attempt_log = Some(Arc::new(log));
        self
    }

    /// Counts and measures what the endpoint does, and describes the metrics to the recorder that is installed now.
    ///
    /// The documentation of [`metrics`](crate::metrics) lists the metrics.
    #[cfg(feature = "metrics")]
    #[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
    pub fn metrics(mut self) -> Self {
        self.monitor.measure();
        self
    }

    /// Keeps no dead letters: the endpoint logs each at `ERROR`, counts it, acknowledges it, **and loses it**.
    pub fn without_dead_letters(mut self) -> Self {
        self.settings.dead_letters = false;
        self
    }

    /// Fixes the seed of all random choices, for a simulation that has to repeat itself.
    #[doc(hidden)]
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = Some(seed);
        self
    }

    /// Checks the endpoints as a [`Host`](crate::host::Host) does before it starts anything; it opens nothing.
    ///
    /// # Errors
    ///
    /// One report lists every problem of the endpoints.
    pub fn check(endpoints: impl IntoIterator<Item = Self>, mediator: &Mediator) -> Result<(), EndpointError> {
        bind(endpoints.into_iter().collect(), mediator).map(drop)
    }

    /// Lets a test host see the attempts.
    #[doc(hidden)]
    pub fn on_attempt(mut self, begun: OnAttempt) -> Self {
        self.on_attempt = Some(begun);
        self
    }

    /// Lets a test host see what becomes of them.
    #[doc(hidden)]
    pub fn on_decision(mut self, decided: OnDecision) -> Self {
        self.on_decision = Some(decided);
        self
    }

    pub(crate) fn monitor(&self) -> EndpointMonitor {
        self.monitor.clone()
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("settings", &self.settings)
            .field("topics", &self.topics)
            .finish_non_exhaustive()
    }
}
