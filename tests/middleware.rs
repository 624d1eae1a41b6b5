//! Middleware: what it wraps, in which order, and what it can do to a message.
//!
//! Below is what the pipeline promises to all of them; the files hold the built-in ones, a file each.

mod middleware {
    mod afterwards;
    mod attempts;
    mod commit_dropped;
    mod commit_unknown;
    mod functions;
    mod marks;
    mod panics;
    mod retry;
    mod seats;
    mod skipped;
    mod spans;
    mod timeout;
}

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use diator::middleware::{Answered, Call, MessageInfo, MessageKind, Middleware, Next};
use diator::prelude::*;
use diator::{MediatorBuilder, async_trait};

#[derive(Debug, Clone, Command)]
#[request(response = u32, idempotent)]
struct Add(u32);

#[derive(Debug, Command)]
#[request(response = u32)]
struct AddTwice(u32);

#[derive(Debug, DomainEvent)]
struct Added(u32);

/// What happened, in order.
#[derive(Clone, Default)]
struct Journal(Arc<Mutex<Vec<String>>>);

impl Journal {
    fn note(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }

    fn read(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

#[request_handler(Add)]
struct AddHandler {
    journal: Arc<Journal>,
    failures: Arc<AtomicUsize>,
}

impl RequestHandler<Add> for AddHandler {
    async fn handle(&self, command: Add, cx: &mut RequestContext<'_, Add>) -> Result<u32, BoxError> {
        self.journal.note(format!("add {}", command.0));
        cx.emit(Added(command.0));
        tokio::task::yield_now().await;
        let left = self.failures.load(Ordering::SeqCst);
        if left > 0 {
            self.failures.store(left - 1, Ordering::SeqCst);
            return Err("not yet".into());
        }
        Ok(command.0 + 1)
    }
}

#[request_handler(AddTwice)]
struct AddTwiceHandler;

impl RequestHandler<AddTwice> for AddTwiceHandler {
    async fn handle(&self, command: AddTwice, cx: &mut RequestContext<'_, AddTwice>) -> Result<u32, BoxError> {
        let once = cx.send(Add(command.0)).await?;
        Ok(cx.send(Add(once)).await?)
    }
}

#[event_handler(Added)]
struct NoteAdded {
    journal: Arc<Journal>,
}

impl EventHandler<Added> for NoteAdded {
    async fn handle(&self, event: &Added, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.journal.note(format!("added {}", event.0));
        Ok(())
    }
}

/// Notes when it is entered and left, and how the message fared.
struct Trace(&'static str, Journal);

#[async_trait]
impl Middleware for Trace {
    async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
        let (name, message) = (self.0, call.info().message);
        self.1.note(format!("{name}> {message}"));
        let handled = next.run(call).await;
        let outcome = if call.error().is_some() { "failed" } else { "done" };
        self.1.note(format!("<{name} {message} {outcome}"));
        handled
    }
}

struct Fixture {
    journal: Journal,
    failures: Arc<AtomicUsize>,
}

impl Fixture {
    fn new() -> Self {
        Self { journal: Journal::default(), failures: Arc::default() }
    }

    fn builder(&self) -> MediatorBuilder {
        let services = Services::new()
            .singleton::<Journal>(Arc::new(self.journal.clone()))
            .singleton::<AtomicUsize>(self.failures.clone());
        Mediator::builder().handlers(handlers![AddHandler, AddTwiceHandler, NoteAdded]).container(services)
    }

    fn trace(&self, name: &'static str) -> Trace {
        Trace(name, self.journal.clone())
    }

    fn with(&self, middleware: impl Middleware) -> Mediator {
        self.builder().middleware(middleware).build().unwrap()
    }
}

#[tokio::test]
async fn the_first_that_was_added_sees_the_message_first_and_wraps_all_that_follows() {
    let fixture = Fixture::new();
    let mediator = fixture.builder().middleware(fixture.trace("a")).middleware(fixture.trace("b")).build().unwrap();

    assert_eq!(mediator.send(Add(1)).await.unwrap(), 2);

    let expected = [
        "a> Add",
        "b> Add",
        "add 1",
        "a> Added",
        "b> Added",
        "added 1",
        "<b Added done",
        "<a Added done",
        "<b Add done",
        "<a Add done",
    ];
    assert_eq!(fixture.journal.read(), expected);
}

#[tokio::test]
async fn send_and_send_dyn_go_through_the_same_middleware() {
    let (one, other) = (Fixture::new(), Fixture::new());
    one.with(one.trace("a")).send(Add(1)).await.unwrap();
    other.with(other.trace("a")).send_dyn(Add(1)).await.unwrap();
    assert_eq!(one.journal.read(), other.journal.read());
}

#[tokio::test]
async fn a_nested_request_is_wrapped_without_the_events_that_follow_its_root() {
    let fixture = Fixture::new();
    let mediator = fixture.with(fixture.trace("a"));

    assert_eq!(mediator.send(AddTwice(1)).await.unwrap(), 3);

    let expected = [
        "a> AddTwice",
        "a> Add",
        "add 1",
        "<a Add done",
        "a> Add",
        "add 2",
        "<a Add done",
        "a> Added",
        "added 1",
        "<a Added done",
        "a> Added",
        "added 2",
        "<a Added done",
        "<a AddTwice done",
    ];
    assert_eq!(fixture.journal.read(), expected);
}

#[tokio::test]
async fn code_after_a_failure_runs() {
    let fixture = Fixture::new();
    fixture.failures.store(1, Ordering::SeqCst);
    fixture.with(fixture.trace("a")).send(Add(1)).await.unwrap_err();
    assert_eq!(fixture.journal.read(), ["a> Add", "add 1", "<a Add failed"]);
}

struct OnlyEvents(Trace);

#[async_trait]
impl Middleware for OnlyEvents {
    fn applies_to(&self, info: &MessageInfo) -> bool {
        info.kind == MessageKind::DomainEvent && info.handler.ends_with("NoteAdded")
    }

    async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
        self.0.handle(call, next).await
    }
}

#[tokio::test]
async fn one_that_does_not_apply_sees_nothing() {
    let fixture = Fixture::new();
    fixture.with(OnlyEvents(fixture.trace("a"))).send(Add(1)).await.unwrap();
    assert_eq!(fixture.journal.read(), ["add 1", "a> Added", "added 1", "<a Added done"]);
}

/// Raises what is added by ten, and doubles the answer that it reads.
struct Inflate;

#[async_trait]
impl Middleware for Inflate {
    async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
        if let Some(add) = call.message_mut::<Add>() {
            add.0 += 10;
        }
        let handled = next.run(call).await;
        assert!(call.message::<Add>().is_none(), "the handler took the request");
        match call.reply::<Add>() {
            Some(Ok(sum)) => {
                let doubled = sum * 2;
                call.answer(doubled)
            }
            _ => handled,
        }
    }
}

#[tokio::test]
async fn message_and_reply_can_be_read_and_changed() {
    let fixture = Fixture::new();
    assert_eq!(fixture.with(Inflate).send(Add(1)).await.unwrap(), 24);
    assert_eq!(fixture.journal.read(), ["add 11", "added 11"]);
}

#[tokio::test]
async fn an_event_can_be_read_but_not_changed() {
    struct Look;

    #[async_trait]
    impl Middleware for Look {
        async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
            if call.info().kind == MessageKind::DomainEvent {
                assert_eq!(call.message::<Added>().unwrap().0, 5);
                assert!(call.message_mut::<Added>().is_none());
                assert!(call.clone_request().is_none());
            }
            next.run(call).await
        }
    }

    let fixture = Fixture::new();
    fixture.with(Look).send(Add(5)).await.unwrap();
    assert_eq!(fixture.journal.read(), ["add 5", "added 5"]);
}

enum Shortcut {
    Answer(u32),
    AnswerWithText,
    Reject,
}

#[async_trait]
impl Middleware for Shortcut {
    async fn handle(&self, call: &mut Call<'_>, _: Next<'_>) -> Answered {
        match self {
            Self::Answer(sum) => call.answer(*sum),
            Self::AnswerWithText => call.answer("not a number"),
            Self::Reject => call.reject("closed on Sundays"),
        }
    }
}

#[tokio::test]
async fn a_middleware_can_answer_in_the_handlers_place() {
    let fixture = Fixture::new();
    assert_eq!(fixture.with(Shortcut::Answer(99)).send(Add(1)).await.unwrap(), 99);
    assert!(fixture.journal.read().is_empty());
}

#[tokio::test]
async fn an_answer_of_the_wrong_type_is_an_error_that_names_the_middleware() {
    let error = Fixture::new().with(Shortcut::AnswerWithText).send(Add(1)).await.unwrap_err();
    let SendError::WrongAnswer { middleware, expected, .. } = error else { panic!("{error:?}") };
    assert_eq!((middleware, expected), (std::any::type_name::<Shortcut>(), "u32"));
}

#[tokio::test]
async fn a_middleware_can_reject() {
    let fixture = Fixture::new();
    let error = fixture.with(Shortcut::Reject).send(Add(1)).await.unwrap_err();
    let SendError::Rejected { middleware, source } = error else { panic!("{error:?}") };
    assert_eq!((middleware, &*source.to_string()), (std::any::type_name::<Shortcut>(), "closed on Sundays"));
    assert!(fixture.journal.read().is_empty());
}

/// Tries again until it works, at most five times.
struct Retry;

#[async_trait]
impl Middleware for Retry {
    async fn handle(&self, call: &mut Call<'_>, mut next: Next<'_>) -> Answered {
        let Some(kept) = call.clone_request() else { return next.run(call).await };
        let mut handled = next.retry(call, &kept).await;
        for _ in 1..5 {
            if call.error().is_none() {
                break;
            }
            handled = next.retry(call, &kept).await;
        }
        handled
    }
}

#[tokio::test]
async fn each_attempt_of_a_retry_has_its_own_events() {
    let fixture = Fixture::new();
    fixture.failures.store(2, Ordering::SeqCst);
    assert_eq!(fixture.with(Retry).send(Add(1)).await.unwrap(), 2);
    assert_eq!(fixture.journal.read(), ["add 1", "add 1", "add 1", "added 1"]);
}

#[tokio::test]
async fn a_retry_within_a_nested_request_keeps_the_events_of_the_last_attempt_only() {
    let fixture = Fixture::new();
    fixture.failures.store(2, Ordering::SeqCst);
    assert_eq!(fixture.with(Retry).send(AddTwice(1)).await.unwrap(), 3);
    assert_eq!(fixture.journal.read(), ["add 1", "add 1", "add 1", "add 2", "added 1", "added 2"]);
}

#[tokio::test]
async fn only_idempotent_requests_are_kept() {
    struct LookAll(Mutex<Vec<(&'static str, bool)>>);

    #[async_trait]
    impl Middleware for LookAll {
        async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
            let (info, kept) = (call.info(), call.clone_request().is_some());
            assert_eq!(info.idempotent, kept);
            self.0.lock().unwrap().push((info.message, kept));
            next.run(call).await
        }
    }

    let look = Arc::new(LookAll(Mutex::default()));
    Fixture::new().with(look.clone()).send(AddTwice(1)).await.unwrap();
    let seen = look.0.lock().unwrap().clone();
    assert_eq!(seen[..2], [("AddTwice", false), ("Add", true)]);
}

/// Gives up at once, and then lets the request be handled after all.
struct DropThenRetry;

#[async_trait]
impl Middleware for DropThenRetry {
    async fn handle(&self, call: &mut Call<'_>, mut next: Next<'_>) -> Answered {
        let Some(kept) = call.clone_request() else { return next.run(call).await };
        tokio::select! {
            biased;
            _ = next.retry(call, &kept) => panic!("the handler yields, so this loses"),
            () = std::future::ready(()) => {}
        }
        next.retry(call, &kept).await
    }
}

#[tokio::test]
async fn an_attempt_whose_future_is_dropped_is_cancelled_and_leaves_nothing() {
    for nested in [false, true] {
        let fixture = Fixture::new();
        let mediator = fixture.with(DropThenRetry);
        if nested {
            mediator.send(AddTwice(1)).await.unwrap();
            assert_eq!(fixture.journal.read(), ["add 1", "add 1", "add 2", "add 2", "added 1", "added 2"]);
        } else {
            mediator.send(Add(1)).await.unwrap();
            assert_eq!(fixture.journal.read(), ["add 1", "add 1", "added 1"]);
        }
    }
}

/// The same, but it forgets what it gave up.
struct ForgetThenRetry;

#[async_trait]
impl Middleware for ForgetThenRetry {
    async fn handle(&self, call: &mut Call<'_>, mut next: Next<'_>) -> Answered {
        let Some(kept) = call.clone_request() else { return next.run(call).await };
        let mut first = Box::pin(next.retry(call, &kept));
        tokio::select! {
            biased;
            _ = first.as_mut() => panic!("the handler yields, so this loses"),
            () = std::future::ready(()) => {}
        }
        std::mem::forget(first);
        next.retry(call, &kept).await
    }
}

/// Each attempt has its own scope and its own events.
#[tokio::test]
async fn an_attempt_whose_future_is_forgotten_is_cancelled_before_the_next() {
    let fixture = Fixture::new();
    fixture.with(ForgetThenRetry).send(Add(1)).await.unwrap();
    assert_eq!(fixture.journal.read(), ["add 1", "add 1", "added 1"], "the next attempt is none of its own");
}

#[tokio::test]
async fn the_proof_of_another_message_does_not_pass_for_an_answer() {
    struct Smuggle(Mutex<Option<Answered>>);

    #[async_trait]
    impl Middleware for Smuggle {
        async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
            if let Some(stale) = self.0.lock().unwrap().take() {
                return stale;
            }
            *self.0.lock().unwrap() = Some(call.answer(1_u32));
            next.run(call).await
        }
    }

    let fixture = Fixture::new();
    let mediator = fixture.builder().except::<NoteAdded>().middleware(Smuggle(Mutex::default())).build().unwrap();
    mediator.send(Add(1)).await.unwrap();
    let error = mediator.send(Add(1)).await.unwrap_err();
    assert!(matches!(error, SendError::Rejected { .. }), "{error:?}");
}
