//! A shutdown that a handler awaits would wait for that handler, and so for itself.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use diator::broker::{InboundMessage, MessageType};
use diator::middleware::middleware_fn;
use diator::prelude::*;
use diator::{Received, SendError, ShutdownReport};
use diator_tests::Log;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tracing::Level;

const DEADLINE: Duration = Duration::from_secs(60);

/// Which mediator a handler shuts down, and what it is answered.
struct Switch {
    mediator: OnceLock<Mediator>,
    deadline: Duration,
    report: OnceLock<ShutdownReport>,
}

impl Default for Switch {
    fn default() -> Self {
        Self { mediator: OnceLock::new(), deadline: DEADLINE, report: OnceLock::new() }
    }
}

impl Switch {
    async fn off(&self) -> Result<(), BoxError> {
        let mediator = self.mediator.get().expect("the test has given one");
        let report = mediator.shutdown(self.deadline).await;
        Ok(self.report.set(report).map_err(|_| "it was shut down already")?)
    }
}

// --- Those who switch off. ------------------------------------------------------------------------

#[derive(Debug, Command)]
struct SwitchOff;

#[derive(Debug, Command)]
struct Stop;

#[derive(Debug, DomainEvent)]
struct Stopped;

/// Is stopped after the commit, by a command of its own.
#[derive(Debug, DomainEvent)]
struct StoppedByCommand;

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
struct StopElsewhere;

/// Its handlers belong to the unit of work.
#[derive(Debug, DomainEvent)]
struct Halting;

/// Emits it.
#[derive(Debug, Command)]
struct EmitHalting;

/// Its handler emits `Halting`.
#[derive(Debug, DomainEvent)]
struct Tiring;

/// Has a handler in the unit of work, and one after the commit.
#[derive(Debug, DomainEvent)]
struct HaltingForGood;

/// Sends `SwitchOff` to the mediator of the switch.
#[derive(Debug, Command)]
struct SwitchOffElsewhere;

/// Awaits a task that switches off.
#[derive(Debug, Command)]
struct AwaitTask;

#[request_handler(SwitchOff, SwitchOffElsewhere, AwaitTask)]
#[event_handler(Halting)]
#[event_handler(HaltingForGood)]
#[event_handler(Stopped, after_commit)]
#[event_handler(StopElsewhere)]
struct Off {
    switch: Arc<Switch>,
}

impl RequestHandler<SwitchOff> for Off {
    async fn handle(&self, _: SwitchOff, _: &mut RequestContext<'_, SwitchOff>) -> Result<(), BoxError> {
        self.switch.off().await
    }
}

impl RequestHandler<SwitchOffElsewhere> for Off {
    async fn handle(
        &self,
        _: SwitchOffElsewhere,
        _: &mut RequestContext<'_, SwitchOffElsewhere>,
    ) -> Result<(), BoxError> {
        let other = self.switch.mediator.get().expect("the test has given one");
        Ok(other.send_dyn(SwitchOff).await?)
    }
}

impl RequestHandler<AwaitTask> for Off {
    async fn handle(&self, _: AwaitTask, _: &mut RequestContext<'_, AwaitTask>) -> Result<(), BoxError> {
        let switch = self.switch.clone();
        tokio::spawn(async move { switch.off().await }).await?
    }
}

impl EventHandler<Stopped> for Off {
    async fn handle(&self, _: &Stopped, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.switch.off().await
    }
}

impl EventHandler<StopElsewhere> for Off {
    async fn handle(&self, _: &StopElsewhere, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.switch.off().await
    }
}

impl EventHandler<Halting> for Off {
    async fn handle(&self, _: &Halting, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.switch.off().await
    }
}

impl EventHandler<HaltingForGood> for Off {
    async fn handle(&self, _: &HaltingForGood, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.switch.off().await
    }
}

/// Sends `SwitchOff`.
#[derive(Debug, Command)]
struct Relay;

#[request_handler(Stop, EmitHalting, Relay)]
#[event_handler(Tiring)]
#[event_handler(HaltingForGood, after_commit)]
#[event_handler(StoppedByCommand, after_commit)]
struct Stopping;

impl EventHandler<Tiring> for Stopping {
    async fn handle(&self, _: &Tiring, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        cx.emit(Halting);
        Ok(())
    }
}

impl EventHandler<HaltingForGood> for Stopping {
    async fn handle(&self, _: &HaltingForGood, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

impl RequestHandler<EmitHalting> for Stopping {
    async fn handle(&self, _: EmitHalting, cx: &mut RequestContext<'_, EmitHalting>) -> Result<(), BoxError> {
        cx.emit(Halting);
        Ok(())
    }
}

impl RequestHandler<Relay> for Stopping {
    async fn handle(&self, _: Relay, cx: &mut RequestContext<'_, Relay>) -> Result<(), BoxError> {
        Ok(cx.send(SwitchOff).await?)
    }
}

impl RequestHandler<Stop> for Stopping {
    async fn handle(&self, _: Stop, _: &mut RequestContext<'_, Stop>) -> Result<(), BoxError> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(())
    }
}

impl EventHandler<StoppedByCommand> for Stopping {
    async fn handle(&self, _: &StoppedByCommand, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(cx.send(SwitchOff).await?)
    }
}

// --- The tests. -----------------------------------------------------------------------------------

fn build(switch: &Arc<Switch>) -> Mediator {
    let services = Services::new().singleton(switch.clone());
    Mediator::builder().handlers(handlers![Off, Stopping]).container(services).without_broker().build().unwrap()
}

/// A mediator whose handlers can shut it down.
fn with_switch() -> (Mediator, Arc<Switch>) {
    let switch = Arc::new(Switch::default());
    let mediator = build(&switch);
    switch.mediator.set(mediator.clone()).unwrap();
    (mediator, switch)
}

/// The handler must have been told at once.
fn assert_told(switch: &Switch, begun: Instant) {
    let report = switch.report.get().expect("a handler has shut the mediator down");
    assert!(begun.elapsed() < DEADLINE, "the shutdown waited for itself until its deadline");
    assert!(report.from_within && !report.is_clean(), "{report:?}");
}

fn arriving() -> InboundMessage {
    InboundMessage::new(MessageType::Notification, "StopElsewhere", uuid::Uuid::now_v7(), serde_json::json!({}))
}

// --- Where it is noticed. -------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn a_handler_after_the_commit_is_told_at_once() {
    let ((mediator, switch), begun) = (with_switch(), Instant::now());
    mediator.emit(Stopped).await.unwrap();
    assert_told(&switch, begun);
}

#[tokio::test(start_paused = true)]
async fn a_handler_of_what_arrives_is_told_at_once() {
    let ((mediator, switch), begun) = (with_switch(), Instant::now());
    assert_eq!(mediator.receive(arriving()).await.unwrap(), Received::Handled);
    assert_told(&switch, begun);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_is_addressed_by_its_id_is_told_at_once() {
    let ((mediator, switch), begun) = (with_switch(), Instant::now());
    let arrival = mediator.arrive(arriving()).unwrap();
    arrival.handle(&arrival.handlers()[0]).await.unwrap();
    assert_told(&switch, begun);
}

#[tokio::test(start_paused = true)]
async fn a_command_that_such_a_handler_sends_is_told_at_once() {
    let ((mediator, switch), begun) = (with_switch(), Instant::now());
    mediator.emit(StoppedByCommand).await.unwrap();
    assert_told(&switch, begun);
}

#[tokio::test(start_paused = true)]
async fn it_is_logged_at_once_and_takes_no_more_messages() {
    let (mediator, switch) = with_switch();
    let log = Log::new(Level::ERROR);
    let (_logging, begun) = (tracing::subscriber::set_default(log.clone()), Instant::now());
    mediator.emit(Stopped).await.unwrap();
    assert_told(&switch, begun);
    let expected = "ERROR a handler awaits the shutdown of its own mediator, which would wait for that handler";
    assert_eq!(log.beginning(expected).len(), 1, "{log:?}");
    assert!(matches!(mediator.send(Stop).await, Err(SendError::ShuttingDown)));
    assert!(mediator.shutdown(DEADLINE).await.is_clean(), "outside of its handlers it waits");
}

#[tokio::test(start_paused = true)]
async fn without_a_deadline_a_handler_may_ask_what_is_left() {
    let switch = Arc::new(Switch { deadline: Duration::ZERO, ..Switch::default() });
    let mediator = build(&switch);
    switch.mediator.set(mediator.clone()).unwrap();
    mediator.emit(Stopped).await.unwrap();
    let report = switch.report.get().unwrap();
    assert_eq!((report.messages, report.from_within), (1, false), "the message that the handler follows");
    assert!(mediator.shutdown(DEADLINE).await.is_clean());
}

#[tokio::test(start_paused = true)]
#[cfg(not(feature = "in-place"))]
async fn the_handler_of_a_request_is_told_at_once() {
    let ((mediator, switch), begun) = (with_switch(), Instant::now());
    mediator.send(SwitchOff).await.unwrap();
    assert_told(&switch, begun);
}

#[tokio::test(start_paused = true)]
async fn the_handler_of_a_request_whose_handler_is_not_seen_is_told_at_once() {
    let ((mediator, switch), begun) = (with_switch(), Instant::now());
    mediator.send_dyn(SwitchOff).await.unwrap();
    assert_told(&switch, begun);
}

#[tokio::test(start_paused = true)]
async fn the_handler_of_a_nested_request_is_told_at_once() {
    let ((mediator, switch), begun) = (with_switch(), Instant::now());
    mediator.send(Relay).await.unwrap();
    assert_told(&switch, begun);
}

#[tokio::test(start_paused = true)]
async fn the_handler_of_a_domain_event_of_a_request_is_told_at_once() {
    let ((mediator, switch), begun) = (with_switch(), Instant::now());
    mediator.send(EmitHalting).await.unwrap();
    assert_told(&switch, begun);
}

#[tokio::test(start_paused = true)]
async fn the_handler_of_an_event_from_outside_is_told_at_once() {
    let ((mediator, switch), begun) = (with_switch(), Instant::now());
    mediator.emit(Halting).await.unwrap();
    assert_told(&switch, begun);
}

#[tokio::test(start_paused = true)]
async fn the_handler_of_an_event_that_such_a_handler_emits_is_told_at_once() {
    let ((mediator, switch), begun) = (with_switch(), Instant::now());
    mediator.emit(Tiring).await.unwrap();
    assert_told(&switch, begun);
}

#[tokio::test(start_paused = true)]
async fn the_handler_of_an_event_from_outside_that_others_handle_after_the_commit_is_told_at_once() {
    let ((mediator, switch), begun) = (with_switch(), Instant::now());
    mediator.emit(HaltingForGood).await.unwrap();
    assert_told(&switch, begun);
}

#[tokio::test(start_paused = true)]
async fn a_handler_of_another_mediator_that_such_a_handler_sends_to_is_told_at_once() {
    let (own, other) = (Arc::new(Switch::default()), Arc::new(Switch::default()));
    let (mediator, second) = (build(&own), build(&other));
    // The first one's handler sends to the second one, whose handler shuts the first one down.
    own.mediator.set(second).unwrap();
    other.mediator.set(mediator.clone()).unwrap();
    let begun = Instant::now();
    mediator.send_dyn(SwitchOffElsewhere).await.unwrap();
    assert_told(&other, begun);
    assert!(mediator.shutdown(DEADLINE).await.is_clean(), "outside of its handlers it waits");
}

#[tokio::test(start_paused = true)]
async fn a_middleware_is_told_at_once() {
    let (told, begun) = (Arc::new(Switch::default()), Instant::now());
    let switch = told.clone();
    let off = middleware_fn(move |call, next| {
        let switch = switch.clone();
        Box::pin(async move {
            switch.off().await.unwrap();
            next.run(call).await
        })
    });
    let services = Services::new().singleton(told.clone());
    let builder = Mediator::builder().handlers(handlers![Off, Stopping]).container(services).without_broker();
    let mediator = builder.middleware(off).build().unwrap();
    told.mediator.set(mediator.clone()).unwrap();
    mediator.send(Stop).await.unwrap();
    assert_told(&told, begun);
}

// --- Where it is not, which the documentation says. -----------------------------------------------

/// The handler waits until its deadline, and a warning says why.
async fn assert_warned(switch: &Switch, message: impl Future<Output = ()>) {
    let log = Log::new(Level::WARN);
    let _logging = tracing::subscriber::set_default(log.clone());
    message.await;
    let report = switch.report.get().unwrap();
    assert_eq!((report.messages, report.from_within), (1, false));
    let expected = "WARN the deadline of a shutdown passed before all was done; a handler that awaits the shutdown";
    assert_eq!(log.beginning(expected).len(), 1, "{log:?}");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_a_handler_awaits_waits_until_the_deadline_and_a_warning_says_why() {
    let (mediator, switch) = with_switch();
    assert_warned(&switch, async { mediator.send(AwaitTask).await.unwrap() }).await;
}

#[tokio::test(start_paused = true)]
#[cfg(feature = "in-place")]
async fn a_handler_that_is_called_in_place_waits_until_the_deadline_and_a_warning_says_why() {
    let (mediator, switch) = with_switch();
    assert_warned(&switch, async { mediator.send(SwitchOff).await.unwrap() }).await;
}

// --- What looks like it. --------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn another_mediator_is_waited_for() {
    let (other, _) = with_switch();
    let switch = Arc::new(Switch::default());
    let mediator = build(&switch);
    switch.mediator.set(other.clone()).unwrap();
    let (_, stopped) = tokio::join!(other.send(Stop), mediator.emit(Stopped));
    stopped.unwrap();
    assert!(switch.report.get().unwrap().is_clean(), "it had a second to wait for the other's message");
}

#[tokio::test(start_paused = true)]
async fn a_message_of_the_same_task_is_waited_for() {
    let (mediator, _) = with_switch();
    let (sent, report) = tokio::join!(mediator.send(Stop), mediator.shutdown(DEADLINE));
    sent.unwrap();
    assert!(report.is_clean(), "{report:?}");
}
