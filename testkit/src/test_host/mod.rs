//! A host for the tests of programs that consume: see [`TestHost`].
//!
//! | part | file |
//! |---|---|
//! | what a test sets up | `mod` |
//! | what a test does: publish, settle, move the clock, stop | `running` |
//! | the clock, which has to be paused | `clock` |
//! | who publishes | `sender` |
//! | what the endpoints tell of each attempt | `attempts` |
//! | what the endpoints keep in a delivery store | `kept` |
//! | what a test asserts | `handled`, `dead_letters` |
//! | what a failed assertion prints | `report` |

mod attempts;
mod clock;
mod dead_letters;
mod handled;
mod kept;
mod report;
mod running;
mod sender;

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use diator::endpoint::Endpoint;
use diator::host::Host;
use diator::relay::Relay;
use diator::{InMemoryBroker, Mediator};

use self::attempts::Attempts;
pub use self::attempts::{Attempt, AttemptOutcome};
pub use self::dead_letters::DeadLetters;
pub use self::handled::Handled;
use self::kept::Kept;
pub use self::running::RunningTestHost;

/// Runs the endpoints of a program in a test, on a broker in memory and a clock that the test moves.
///
/// It is a [`Host`] with the same parts as the program's own. The test publishes events as another service would, waits until all of
/// them are done, and asks what was handled, by whom, how often and with which outcome. A failed assertion prints all of that as a
/// table. To test a handler alone, without an endpoint, call [`Mediator::receive`]; to test a driver, use
/// [`subscription`](crate::subscription).
///
/// # Guarantees
///
/// - **Nothing is short-circuited.** An event that the test publishes is encoded, goes to the topic and the key of its
///   event, waits in the broker, and is decoded by the endpoint. Order, retries, pauses and dead letters are those of
///   the endpoint.
/// - **Only the clock's time passes.** A retry after ten minutes takes no real time. The clock moves when the test
///   waits, in [`settle`](RunningTestHost::settle), in [`advance`](RunningTestHost::advance) or elsewhere, and nothing
///   else can go on.
/// - Dropping the running host has the effect of a crash of the process; [`stop`](RunningTestHost::stop) ends it in
///   order. Both leave the broker as it is, so that the next host goes on from there.
///
/// The clock is tokio's. It does not know of sockets: a handler that waits for a real server loses to its own time-outs. Give the
/// services of the program fakes instead.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
/// use std::time::Duration;
///
/// use diator::endpoint::{Endpoint, ErrorPolicy};
/// use diator::prelude::*;
/// use diator::subscription::Subscription;
/// use diator_testkit::TestHost;
///
/// #[derive(Debug, serde::Serialize, serde::Deserialize, NotificationEvent)]
/// #[event(topic = "orders", key = order_id)]
/// struct OrderPlaced { order_id: u64 }
///
/// #[event_handler(OrderPlaced, id = "billing.charge")]
/// struct Charge { bank: Arc<Bank> }
///
/// # impl EventHandler<OrderPlaced> for Charge {
/// #     async fn handle(&self, _: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
/// #         match self.bank.busy.fetch_sub(1, Relaxed) { 0 => Ok(()), _ => Err("the bank is busy".into()) }
/// #     }
/// # }
/// # struct Bank { busy: AtomicU32 }
/// # impl Bank { fn busy(times: u32) -> Arc<Self> { Arc::new(Self { busy: AtomicU32::new(times) }) } }
/// // The program has these two functions; `main` calls them with a driver, and the test with a broker in memory.
/// fn mediator(bank: Arc<Bank>) -> Mediator {
///     let services = Services::new().singleton::<Bank>(bank);
///     Mediator::builder().handlers(handlers![Charge]).container(services).without_broker().build().unwrap()
/// }
///
/// fn endpoint(subscription: impl Subscription) -> Endpoint {
///     let policy = ErrorPolicy::new().immediately(1).later([Duration::from_secs(600)]);
///     Endpoint::new("billing", subscription).topics(["orders"]).errors(policy)
/// }
///
/// # #[allow(unused)]
/// #[tokio::test(start_paused = true)]
/// async fn a_busy_bank_is_asked_again() {
///     let broker = InMemoryBroker::new();
///     let test = TestHost::new(mediator(Bank::busy(2)), broker.clone()).endpoint(endpoint(broker)).start().await;
///     test.publish(OrderPlaced { order_id: 7 }).await;
///     test.settle().await;
///     test.handled::<OrderPlaced>().by("billing.charge").failed_with("the bank is busy").times(2);
///     test.handled::<OrderPlaced>().by("billing.charge").succeeded().once();
///     test.assert_no_dead_letters();
/// }
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// #     let broker = InMemoryBroker::new();
/// #     let test = TestHost::new(mediator(Bank::busy(2)), broker.clone()).endpoint(endpoint(broker)).start().await;
/// #     test.publish(OrderPlaced { order_id: 7 }).await;
/// #     test.settle().await;
/// #     test.handled::<OrderPlaced>().by("billing.charge").failed_with("the bank is busy").times(2);
/// #     test.handled::<OrderPlaced>().by("billing.charge").succeeded().once();
/// #     test.assert_no_dead_letters();
/// # }
/// ```
#[must_use = "a test host does nothing until it is started"]
pub struct TestHost {
    mediator: Mediator,
    broker: InMemoryBroker,
    host: Host,
    attempts: Arc<Attempts>,
}

impl TestHost {
    /// Makes a host for this mediator; the test publishes to the broker, and the endpoints read from it.
    ///
    /// A mediator whose handlers emit events must publish to a clone of the same broker.
    pub fn new(mediator: Mediator, broker: InMemoryBroker) -> Self {
        Self { host: Host::new(mediator.clone()), attempts: Arc::new(Attempts::new()), mediator, broker }
    }

    /// Adds an endpoint of the program, over a clone of the broker or over a
    /// [subscription](InMemoryBroker::subscription) of it that lacks capabilities.
    pub fn endpoint(mut self, endpoint: Endpoint) -> Self {
        let (attempted, decided) = self.attempts.observers();
        self.host = self.host.endpoint(endpoint.on_attempt(attempted).on_decision(decided));
        self
    }

    /// Adds the relay of a mediator with an outbox; without its own broker it publishes to the mediator's.
    ///
    /// # Example
    ///
    /// ```
    /// use diator::endpoint::Endpoint;
    /// use diator::outbox::InMemoryOutbox;
    /// use diator::prelude::*;
    /// use diator::relay::Relay;
    /// use diator_testkit::TestHost;
    ///
    /// #[derive(Debug, serde::Serialize, serde::Deserialize, NotificationEvent)]
    /// #[event(topic = "orders")]
    /// struct OrderPlaced;
    ///
    /// #[event_handler(OrderPlaced, id = "billing.charge")]
    /// struct Charge;
    ///
    /// # impl EventHandler<OrderPlaced> for Charge {
    /// #     async fn handle(&self, _: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), BoxError> {
    /// let (broker, outbox) = (InMemoryBroker::new(), InMemoryOutbox::new());
    /// let mediator = Mediator::builder()
    ///     .handlers(handlers![Charge])
    ///     .container(outbox.services())
    ///     .broker(broker.clone())
    ///     .outbox(outbox.clone())
    ///     .build()?;
    /// let test = TestHost::new(mediator.clone(), broker.clone())
    ///     .endpoint(Endpoint::new("billing", broker).topics(["orders"]))
    ///     .relay(Relay::new(outbox))
    ///     .start()
    ///     .await;
    /// mediator.emit(OrderPlaced).await?; // into the outbox; the relay publishes it, and the endpoint handles it
    /// test.settle().await;
    /// test.handled::<OrderPlaced>().succeeded().once();
    /// # Ok(())
    /// # }
    /// ```
    pub fn relay(mut self, relay: Relay) -> Self {
        self.host = self.host.relay(relay);
        self
    }

    /// Starts the host, and waits until its endpoints are open.
    ///
    /// # Panics
    ///
    /// - If tokio's clock is not paused, or the runtime has several threads: the test must say
    ///   `#[tokio::test(start_paused = true)]`.
    /// - If the host does not start; the panic has its report.
    /// - If an endpoint reads from another broker, or cannot open within a minute of the clock.
    /// - If the mediator publishes to another broker in memory: the events of its handlers would reach no endpoint.
    #[track_caller]
    pub fn start(self) -> impl Future<Output = RunningTestHost> {
        let test = Location::caller();
        async move {
            clock::check(test);
            let Self { mediator, broker, host, attempts } = self;
            assert!(
                !mediator.publishes_elsewhere(&broker),
                "{test}: the mediator publishes to another broker than the endpoints read from, so nothing that it emits reaches them: \
                 build it over a clone of the one that `TestHost::new` gets"
            );
            let kept = Kept::new(mediator.deliveries(), &host.wiring().endpoints);
            RunningTestHost::start(test, host, broker, attempts, kept).await
        }
    }
}

impl fmt::Debug for TestHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestHost").field("host", &self.host).finish_non_exhaustive()
    }
}
