use std::any::type_name;
use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::iter;
use std::panic::Location;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use diator::deliveries::DeliveryFilter;
use diator::endpoint::EndpointState;
use diator::event::EventKind;
use diator::host::{Health, Host, HostError, HostMonitor};
use diator::subscription::InMemoryDeadLetter;
use diator::{Event, InMemoryBroker, Mediator};
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, sleep, timeout};

use super::attempts::Attempts;
use super::clock::rest;
use super::kept::{Kept, Letter};
use super::report::{InFlight, Report};
use super::sender::sender;
use super::{DeadLetters, Handled};

/// The longest time that the delays of a policy may add up to, and as long again for what runs in between.
const PATIENCE: Duration = Duration::from_secs(2 * 3_600);
const OPENING: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A [`TestHost`](super::TestHost) that runs.
///
/// Its `Display` is what a failed assertion prints: a table of all attempts, the published messages, and the dead
/// letters.
///
/// # Example
///
/// ```
/// use std::time::Duration;
///
/// use diator::endpoint::Endpoint;
/// use diator::prelude::*;
/// use diator_testkit::{RunningTestHost, TestHost};
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
///         Ok(tokio::time::sleep(Duration::from_secs(10)).await)
///     }
/// }
///
/// async fn started(broker: &InMemoryBroker) -> RunningTestHost {
///     let mediator = Mediator::builder().handlers(handlers![Charge]).without_broker().build().unwrap();
///     let billing = Endpoint::new("billing", broker.clone()).topics(["orders"]).concurrency(1);
///     TestHost::new(mediator, broker.clone()).endpoint(billing).start().await
/// }
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let broker = InMemoryBroker::new();
/// let mut before = started(&broker).await;
/// before.publish(OrderPlaced).await;
/// before.publish(OrderPlaced).await;
/// before.advance(Duration::from_secs(5)).await;
/// before.stop().await; // a deployment: what runs comes to its end, and what waits is left
/// before.handled::<OrderPlaced>().succeeded().once();
///
/// let after = started(&broker).await;
/// after.settle().await;
/// after.handled::<OrderPlaced>().succeeded().once();
/// # }
/// ```
pub struct RunningTestHost {
    broker: InMemoryBroker,
    sender: Mediator,
    monitor: HostMonitor,
    host: Option<Running>,
    endpoints: Vec<String>,
    /// The type of an event and the id of a handler, for all that the endpoints run.
    handlers: Vec<(&'static str, &'static str)>,
    attempts: Arc<Attempts>,
    kept: Kept,
}

/// Dropping it is a crash.
struct Running {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), HostError>>,
}

impl RunningTestHost {
    pub(super) async fn start(
        test: &Location<'_>,
        host: Host,
        broker: InMemoryBroker,
        attempts: Arc<Attempts>,
        kept: Kept,
    ) -> Self {
        let monitor = host.monitor();
        let run = host.wiring().endpoints.into_iter().flat_map(|endpoint| endpoint.handlers);
        let handlers = run.map(|run| (run.event, run.id)).collect();
        let (stop, stopped) = oneshot::channel();
        attempts.begin();
        let mut task = tokio::spawn(host.run_until(stopped));
        let (deadline, mut pause) = (Instant::now() + OPENING, FIRST_PAUSE);
        loop {
            let health = monitor.health().await;
            if is_open(&health) {
                break;
            }
            if task.is_finished() {
                panic!("{test}: the test host does not start: {}", end((&mut task).await));
            }
            if Instant::now() > deadline {
                panic!("{test}: the endpoints did not open within {OPENING:?} of the clock: {:#?}", health.endpoints);
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        let endpoints: Vec<_> = monitor.health().await.endpoints.into_keys().collect();
        for endpoint in &endpoints {
            assert!(
                broker.unsettled(endpoint).is_some(),
                "{test}: endpoint `{endpoint}` reads from another broker than the test publishes to: build it over a \
                 clone of the one that `TestHost::new` gets"
            );
        }
        let sender = sender(broker.clone());
        let host = Some(Running { stop: Some(stop), task });
        Self { broker, sender, monitor, host, endpoints, handlers, attempts, kept }
    }

    /// Publishes an event, as another service with the same contract would.
    ///
    /// It goes to the event's topic, with the event's key. To publish with a [`Meta`](diator::Meta), or to publish what
    /// a command causes, use a mediator that publishes to a clone of the broker. To publish a message that is not an
    /// event of the program, give it to the broker.
    ///
    /// # Panics
    ///
    /// If the broker does not take it. A call with a domain event does not build: such an event is handled, not
    /// published.
    #[track_caller]
    pub fn publish<E: Event>(&self, event: E) -> impl Future<Output = ()> {
        const {
            assert!(<E::Kind as EventKind>::MESSAGE_TYPE.is_some(), "a domain event is handled, not published");
        }
        let test = Location::caller();
        async move {
            if let Err(error) = self.sender.emit(event).await {
                panic!("{test}: `{}` was not published: {}", E::NAME, chain(&error));
            }
        }
    }

    /// Waits until nothing is in flight any more, for at most two hours of the clock, which take no real time.
    ///
    /// A message is in flight if it waits for an endpoint, runs, or rests until another attempt is due, also in a
    /// delivery store, or if it waits for the relay. An event that was emitted for later is not in flight before its
    /// time, and a message behind a dead letter of its key never is. The host does not know what the program's own
    /// tasks do.
    ///
    /// # Panics
    ///
    /// - If something is still in flight then; the panic lists it, as that of [`settle_within`](Self::settle_within)
    ///   does.
    /// - If a handler was tried 10,000 times on one message: a rule that says
    ///   [`Again`](diator::endpoint::OnError::Again) never gives up.
    #[track_caller]
    pub fn settle(&self) -> impl Future<Output = ()> {
        self.settle_within(PATIENCE)
    }

    /// Waits until nothing is in flight any more, for at most this time of the clock.
    ///
    /// Use it if the limit of [`settle`](Self::settle) is too long or too short: for a pause that nothing ends, or a
    /// message that must be done within a second.
    ///
    /// # Panics
    ///
    /// - If something is still in flight then; the panic lists it, and everything that was handled.
    /// - If a handler was tried 10,000 times on one message.
    #[track_caller]
    pub fn settle_within(&self, limit: Duration) -> impl Future<Output = ()> {
        let test = Location::caller();
        async move {
            self.expect_running(test);
            let (mut quiet, mut endless) = (pin!(timeout(limit, self.quiet())), pin!(self.attempts.are_endless()));
            let settled = poll_fn(|cx| match endless.as_mut().poll(cx) {
                Poll::Ready(why) => panic!("{test}: {why}"),
                Poll::Pending => quiet.as_mut().poll(cx),
            });
            if settled.await.is_err() {
                let health = self.monitor.health().await;
                panic!("{test}: {}\n{self}", InFlight { host: self, health: &health, limit });
            }
        }
    }

    /// Moves the clock by this time; everything that becomes due meanwhile happens in its turn.
    ///
    /// Use it instead of [`settle`](Self::settle) to look at a program while something waits. It takes a millisecond
    /// more, in which everything that is due at the end happens.
    ///
    /// # Panics
    ///
    /// If the host was stopped.
    #[track_caller]
    pub fn advance(&self, time: Duration) -> impl Future<Output = ()> {
        let test = Location::caller();
        async move {
            self.expect_running(test);
            sleep(time).await;
            rest().await;
            self.kept.look().await;
        }
    }

    /// Lets the endpoints handle dead letters of the mediator's [delivery store](diator::Inbox::deliveries) once more,
    /// as an operator does, and counts them. [`settle`](Self::settle) waits until that is done.
    ///
    /// # Panics
    ///
    /// If there is no such store, or it fails.
    #[track_caller]
    pub fn replay(&self, filter: &DeliveryFilter) -> impl Future<Output = u64> {
        let test = Location::caller();
        async move {
            let Some(store) = self.kept.store() else {
                panic!("{test}: the mediator has no inbox with a delivery store")
            };
            let replayed = store.replay(filter).await;
            replayed.unwrap_or_else(|error| panic!("{test}: nothing was replayed: {}", chain(&*error)))
        }
    }

    /// Stops the host in order, as a deployment does; messages that have not begun stay for the next host.
    ///
    /// The mediator takes no more messages. Assertions still work.
    ///
    /// # Panics
    ///
    /// If the host was stopped before, or does not end in order within its deadline of 30 s of the clock.
    #[track_caller]
    pub fn stop(&mut self) -> impl Future<Output = ()> {
        let test = Location::caller();
        async move {
            self.expect_running(test);
            let Some(mut host) = self.host.take() else { return };
            // It waits for this end of the channel to go.
            drop(host.stop.take());
            match (&mut host.task).await {
                Ok(Ok(())) => {}
                ended => panic!("{test}: the test host did not end in order: {}\n{self}", end(ended)),
            }
            self.kept.look().await;
        }
    }

    /// The attempts of handlers on events of one type: narrow them down, and assert how many there must be.
    ///
    /// # Panics
    ///
    /// If no endpoint handles the event: an assertion that it was never handled would prove nothing.
    #[track_caller]
    pub fn handled<E: Event>(&self) -> Handled<'_, E> {
        assert!(
            !self.handlers_of::<E>().is_empty(),
            "no endpoint of the test host handles `{}`: add the endpoint that does; what was published is the broker's to assert",
            E::NAME
        );
        Handled::new(self)
    }

    /// The dead letters of one type of event: narrow them down, and assert how many there must be.
    pub fn dead_letters<E: Event>(&self) -> DeadLetters<'_, E> {
        DeadLetters::new(self)
    }

    /// Asserts that no endpoint gave up a message, whether or not it is an event of the program.
    ///
    /// An endpoint [`without_dead_letters`](diator::endpoint::Endpoint::without_dead_letters) keeps none: its
    /// [health](Self::monitor) counts them. Call [`settle`](Self::settle) before, because a handler may still be
    /// running.
    ///
    /// # Panics
    ///
    /// If an endpoint did; the panic lists all dead letters.
    #[track_caller]
    pub fn assert_no_dead_letters(&self) {
        let dead = self.letters().len();
        assert!(dead == 0, "expected no dead letter, found {dead}\n{self}");
    }

    /// The health of the endpoints and of the relay.
    #[must_use]
    pub fn monitor(&self) -> HostMonitor {
        self.monitor.clone()
    }

    pub(super) fn broker(&self) -> &InMemoryBroker {
        &self.broker
    }

    pub(super) fn kept(&self) -> &Kept {
        &self.kept
    }

    /// The dead letters of all endpoints, those of the engine first.
    pub(super) fn letters(&self) -> Vec<Letter> {
        let of = |endpoint: &String| {
            let letter = |letter: InMemoryDeadLetter| Letter {
                endpoint: endpoint.clone(),
                message: letter.message.id,
                name: Some(letter.message.name.to_string()),
                reason: letter.reason.into(),
            };
            let of_engine = self.broker.dead_letters(endpoint).into_iter().map(letter);
            of_engine.chain(self.kept.dead_letters(endpoint)).collect::<Vec<_>>()
        };
        self.endpoints.iter().flat_map(of).collect()
    }

    pub(super) fn attempts(&self) -> &Attempts {
        &self.attempts
    }

    pub(super) fn endpoints(&self) -> &[String] {
        &self.endpoints
    }

    /// The ids of the handlers of an event that the endpoints run.
    pub(super) fn handlers_of<E: Event>(&self) -> Vec<&'static str> {
        let event = type_name::<E>();
        self.handlers.iter().filter(|(name, _)| *name == event).map(|&(_, id)| id).collect()
    }

    async fn quiet(&self) {
        let mut pause = FIRST_PAUSE;
        loop {
            // What was sent just now may not have reached the broker.
            rest().await;
            for endpoint in &self.endpoints {
                self.broker.all_settled(endpoint).await;
            }
            rest().await;
            if self.nothing_is_kept().await && self.is_quiet(&self.monitor.health().await) {
                self.kept.look().await;
                return;
            }
            // It is the relay's turn, whose store cannot be waited for; or a handler runs whose message has gone.
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn nothing_is_kept(&self) -> bool {
        for endpoint in &self.endpoints {
            if self.kept.waiting(endpoint).await > 0 {
                return false;
            }
        }
        true
    }

    fn is_quiet(&self, health: &Health) -> bool {
        let published =
            health.relay.as_ref().is_none_or(|relay| relay.oldest_seconds.is_none() && relay.error.is_none());
        let settled = |endpoint: &String| self.broker.unsettled(endpoint).is_some_and(|unsettled| unsettled.is_empty());
        published && health.endpoints.values().all(|endpoint| endpoint.held == 0) && self.endpoints.iter().all(settled)
    }

    fn expect_running(&self, test: &Location<'_>) {
        match &self.host {
            None => panic!("{test}: the test host was stopped"),
            Some(running) => assert!(!running.task.is_finished(), "{test}: the test host has ended by itself\n{self}"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn is_open(health: &Health) -> bool {
    use EndpointState::{Open, Paused, Trial};
    health.running && health.endpoints.values().all(|endpoint| matches!(endpoint.state, Open | Paused | Trial))
}

/// An error with its causes.
fn chain(error: &dyn Error) -> String {
    let errors = iter::successors(Some(error), |&error| error.source());
    errors.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn end(ended: Result<Result<(), HostError>, JoinError>) -> String {
    match ended {
        Ok(Ok(())) => "it ended by itself".to_owned(),
        Ok(Err(error)) => chain(&error),
        Err(error) => chain(&error),
    }
}

impl fmt::Display for RunningTestHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Report::of(self).fmt(f)
    }
}

impl fmt::Debug for RunningTestHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningTestHost").field("monitor", &self.monitor).finish_non_exhaustive()
    }
}
