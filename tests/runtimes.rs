//! What follows a commit when its runtime ends meanwhile, or when there is none: it is lost, but never in silence.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use diator::MediatorBuilder;
use diator::container::CommitOutcome;
use diator::prelude::*;
use diator::{DeliveryFailure, DeliveryState, SendError, Undelivered};
use diator_tests::{Ending, Entry, Journal, Log, Pace, Recorder, RecordingBroker, SideLedger};
use serde::Serialize;
use tokio::runtime::{Builder, Handle, Runtime};
use tracing::Level;

// --- A command whose event goes to the broker, and another one to a handler after the commit. ----

#[derive(Debug, Command)]
#[request(response = u32)]
struct Place {
    /// Whether a handler after the commit has to settle it too.
    settle: bool,
}

#[derive(Debug, Serialize, NotificationEvent)]
#[event(key = order)]
struct Placed {
    order: &'static str,
}

#[derive(Debug, DomainEvent)]
struct Settled;

#[request_handler(Place)]
struct PlaceHandler {
    _ledger: Arc<SideLedger>,
}

impl RequestHandler<Place> for PlaceHandler {
    async fn handle(&self, command: Place, cx: &mut RequestContext<'_, Place>) -> Result<u32, BoxError> {
        cx.emit(Placed { order: "first" });
        cx.emit(Placed { order: "second" });
        if command.settle {
            cx.emit(Settled);
        }
        Ok(7)
    }
}

/// Never ends.
#[event_handler(Settled, after_commit)]
struct Settle {
    journal: Arc<Journal>,
}

impl EventHandler<Settled> for Settle {
    async fn handle(&self, _: &Settled, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.journal.note("settling");
        std::future::pending().await
    }
}

/// Never begins, because the one before it never ends.
#[event_handler(Settled, after_commit, order = 10)]
struct Archive;

impl EventHandler<Settled> for Archive {
    async fn handle(&self, _: &Settled, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

struct World {
    journal: Journal,
    container: Recorder,
    broker: RecordingBroker,
    mediator: Mediator,
}

impl World {
    fn new() -> Self {
        Self::with(|builder| builder)
    }

    fn with(configure: impl FnOnce(MediatorBuilder) -> MediatorBuilder) -> Self {
        let journal = Journal::default();
        let (container, broker) = (Recorder::new(journal.clone()), RecordingBroker::new(journal.clone()));
        let builder = Mediator::builder().handlers(handlers![PlaceHandler, Settle, Archive]);
        let mediator = configure(builder.container(container.clone()).broker(broker.clone())).build().unwrap();
        Self { journal, container, broker, mediator }
    }

    fn is_committed(&self) -> bool {
        self.journal.count(&Entry::Ended(0, Ending::Committed)) == 1
    }

    /// Sends from a task of a runtime, which ends as soon as `so_far` holds.
    fn send_on_a_runtime_that_ends(&self, command: Place, so_far: impl Fn() -> bool) {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let mediator = self.mediator.clone();
        runtime.block_on(async {
            tokio::spawn(async move { mediator.send(command).await });
            within_a_minute(&so_far).await;
            diator_testkit::yields(10).await;
        });
        drop(runtime);
    }
}

async fn within_a_minute(holds: impl Fn() -> bool) {
    tokio::time::timeout(Duration::from_secs(60), diator_tests::eventually(holds)).await.expect("it comes to this");
}

// --- An executor of another make, on which only the tasks belong to a tokio runtime. ---------------

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future on this thread, within a runtime that it does not belong to.
fn block_on_elsewhere<F: Future>(runtime: &Handle, future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        let within = runtime.enter();
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        drop(within);
        match polled {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park_timeout(Duration::from_secs(60)),
        }
    }
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

type Sent = Result<u32, SendError<BoxError>>;

/// Sends from elsewhere, and ends the runtime as soon as `so_far` holds.
fn send_from_elsewhere(world: &World, command: Place, so_far: impl Fn() -> bool) -> Sent {
    let runtime = multi_thread();
    let handle = runtime.handle().clone();
    thread::scope(|scope| {
        let sending = scope.spawn(|| block_on_elsewhere(&handle, world.mediator.send(command)));
        while !so_far() {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_millis(20));
        runtime.shutdown_background();
        sending.join().unwrap()
    })
}

// --- What must come of it. ------------------------------------------------------------------------

#[track_caller]
fn undelivered(sent: Sent) -> Undelivered {
    match sent {
        Err(SendError::Undelivered(undelivered)) => *undelivered,
        other => panic!("it is committed, and something is lost: {other:?}"),
    }
}

/// A hook that keeps what it is told.
fn hears(told: &Arc<Mutex<Vec<Undelivered>>>) -> impl FnOnce(MediatorBuilder) -> MediatorBuilder {
    let told = told.clone();
    |builder| builder.on_undelivered(move |undelivered| told.lock().unwrap().push(undelivered))
}

fn messages(undelivered: &Undelivered) -> Vec<(&str, DeliveryState)> {
    undelivered.messages().iter().map(|again| (again.message.key.as_deref().unwrap(), again.state)).collect()
}

fn unfinished(undelivered: &Undelivered) -> Vec<&str> {
    let handler = |failure| match failure {
        &DeliveryFailure::AfterCommit { handler, .. } => Some(handler),
        _ => None,
    };
    undelivered.failures().iter().filter_map(handler).collect()
}

/// The keys and states of the messages that the log has whole.
fn logged(log: &Log) -> Vec<String> {
    let lines = log.beginning("ERROR a message has to be delivered again");
    let part = |line: &str, name: &str| line.split(", ").find_map(|part| Some(part.strip_prefix(name)?.to_owned()));
    lines.iter().map(|line| part(line, "diator.key=").unwrap() + " " + &part(line, "diator.state=").unwrap()).collect()
}

// --- The runtime ends, and the sender is elsewhere. -----------------------------------------------

#[test]
fn a_sender_elsewhere_gets_the_messages_that_were_under_way() {
    let world = World::new();
    world.broker.memory().hang();
    let undelivered = undelivered(send_from_elsewhere(&world, Place { settle: false }, || world.is_committed()));
    assert_eq!(messages(&undelivered), [("first", DeliveryState::Ambiguous), ("second", DeliveryState::Ambiguous)]);
}

#[test]
fn a_runtime_that_has_ended_already_takes_no_message_with_it() {
    let (world, runtime) = (World::new(), multi_thread());
    let handle = runtime.handle().clone();
    drop(runtime);
    let undelivered = undelivered(block_on_elsewhere(&handle, world.mediator.send(Place { settle: false })));
    assert!(world.is_committed());
    assert_eq!(messages(&undelivered), [("first", DeliveryState::NotTaken), ("second", DeliveryState::NotTaken)]);
}

#[test]
fn handlers_after_the_commit_that_did_not_come_to_their_end_are_named() {
    let world = World::new();
    let so_far = || world.journal.notes() == ["settling"] && world.journal.published().len() == 2;
    let undelivered = undelivered(send_from_elsewhere(&world, Place { settle: true }, so_far));
    assert_eq!(messages(&undelivered), [], "the broker has taken them");
    assert_eq!(unfinished(&undelivered), ["runtimes::Settle", "runtimes::Archive"]);
}

// --- The sender has gone too. ---------------------------------------------------------------------

#[test]
fn with_its_sender_the_runtime_ends_and_the_log_has_the_messages() {
    let (world, log) = (World::new(), Log::new(Level::ERROR));
    let _logging = tracing::subscriber::set_default(log.clone());
    world.broker.memory().hang();
    world.send_on_a_runtime_that_ends(Place { settle: false }, || world.is_committed());
    assert_eq!(logged(&log), [r#""first" "ambiguous""#, r#""second" "ambiguous""#]);
}

#[test]
fn with_its_sender_the_runtime_ends_and_the_hook_gets_the_messages() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let world = World::with(hears(&told));
    world.broker.memory().hang();
    world.send_on_a_runtime_that_ends(Place { settle: false }, || world.is_committed());
    let told = told.lock().unwrap();
    let [undelivered] = &**told else { panic!("{told:?}") };
    assert_eq!(messages(undelivered), [("first", DeliveryState::Ambiguous), ("second", DeliveryState::Ambiguous)]);
}

#[test]
fn a_commit_that_is_cut_short_is_logged_with_what_it_would_have_published() {
    let (world, log) = (World::new(), Log::new(Level::ERROR));
    let _logging = tracing::subscriber::set_default(log.clone());
    world.container.close(Pace::Yielding(usize::MAX));
    let begun = || world.journal.count(&Entry::CommitBegun(0)) == 1;
    world.send_on_a_runtime_that_ends(Place { settle: false }, begun);
    assert_eq!(world.journal.endings(), [Ending::Interrupted]);
    let lines = log.beginning("ERROR a message has to be delivered if its unit of work is committed");
    assert_eq!(lines.len(), 2, "{log:?}");
}

#[test]
fn without_a_runtime_a_sender_that_goes_leaves_its_messages_in_the_log() {
    let (world, log) = (World::new(), Log::new(Level::ERROR));
    let _logging = tracing::subscriber::set_default(log.clone());
    world.broker.memory().hang();
    let mut sending = Box::pin(world.mediator.send(Place { settle: false }));
    assert!(sending.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert!(world.is_committed());
    drop(sending);
    assert_eq!(logged(&log), [r#""first" "ambiguous""#, r#""second" "ambiguous""#]);
}

#[test]
fn the_response_is_there_all_the_same() {
    let world = World::new();
    world.broker.memory().hang();
    let error = send_from_elsewhere(&world, Place { settle: false }, || world.is_committed()).unwrap_err();
    assert_eq!(error.into_committed_response::<u32>().unwrap(), 7);
}

#[test]
fn with_a_hook_a_sender_elsewhere_gets_its_response() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let world = World::with(hears(&told));
    world.broker.memory().hang();
    assert_eq!(send_from_elsewhere(&world, Place { settle: false }, || world.is_committed()).unwrap(), 7);
    assert_eq!(told.lock().unwrap().len(), 1);
}

#[test]
fn the_threads_of_a_runtime_end_and_the_hook_gets_the_messages() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let world = World::with(hears(&told));
    world.broker.memory().hang();
    let (runtime, mediator) = (multi_thread(), world.mediator.clone());
    runtime.spawn(async move { mediator.send(Place { settle: false }).await });
    runtime.block_on(within_a_minute(|| world.is_committed()));
    drop(runtime);
    let told = told.lock().unwrap();
    assert_eq!(told[0].messages().len(), 2, "{told:?}");
}

// --- What else a sender sees. ---------------------------------------------------------------------

#[test]
fn a_sender_elsewhere_learns_that_the_outcome_of_a_commit_is_unknown() {
    let world = World::new();
    world.container.close(Pace::Yielding(usize::MAX));
    let begun = || world.journal.count(&Entry::CommitBegun(0)) == 1;
    let sent = send_from_elsewhere(&world, Place { settle: false }, begun);
    assert!(matches!(sent, Err(SendError::Commit { outcome: CommitOutcome::Unknown, .. })), "{sent:?}");
}

#[test]
fn on_another_executor_and_without_a_runtime_all_comes_to_its_end() {
    let world = World::new();
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut sending = pin!(world.mediator.send(Place { settle: false }));
    let Poll::Ready(sent) = sending.as_mut().poll(&mut Context::from_waker(&waker)) else { panic!("nothing waits") };
    assert_eq!(sent.unwrap(), 7);
    assert_eq!(world.journal.published(), ["first", "second"]);
}
