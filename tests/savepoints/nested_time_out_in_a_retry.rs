//! What happens when a nested request times out inside a retry whose commit is under way?
//!
//! Each attempt is told from the others by what it writes. The nested request of the first one times out and is undone
//! alone; the attempt goes on, and commits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use diator::Committed;
use diator::middleware::{
    Answered, Call, MessageInfo, Middleware, Next, RetryMiddleware, RetryPolicy, TimeoutMiddleware,
};
use diator::prelude::*;
use diator::{MediatorBuilder, SendErrorKind};
use serde::{Deserialize, Serialize};
use tokio::time::{sleep, timeout};

use super::ledger::{Bank, Delay, Ledger};

const LIMIT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(60);

/// What each attempt does, and what became of them.
struct Plan {
    /// How long the nested request takes, attempt after attempt.
    nested: [Duration; 2],
    /// Whether the second attempt swallows that its nested request failed, as the first one does.
    swallows: bool,
    attempts: AtomicU32,
}

/// The message from outside.
#[derive(Clone, Debug, Command)]
#[request(idempotent)]
struct Book;

/// The nested request, with the number of the attempt.
#[derive(Clone, Debug, Command)]
#[request(idempotent)]
struct Part(usize);

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
struct Booked {
    attempt: usize,
}

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
struct PartDone {
    attempt: usize,
}

/// Answered after the commit.
#[derive(Debug, DomainEvent)]
struct Settled(usize);

#[request_handler(Book)]
struct BookHandler {
    ledger: Arc<Ledger>,
    plan: Arc<Plan>,
}

impl RequestHandler<Book> for BookHandler {
    async fn handle(&self, _: Book, cx: &mut RequestContext<'_, Book>) -> Result<(), BoxError> {
        let attempt = self.plan.attempts.fetch_add(1, Ordering::Relaxed) as usize;
        self.ledger.write(["outer 1", "outer 2"][attempt]);
        let sent = cx.send(Part(attempt)).await;
        if attempt == 0 || self.plan.swallows {
            drop(sent);
        } else {
            sent?;
        }
        cx.emit(Booked { attempt });
        cx.emit(Settled(attempt));
        Ok(())
    }
}

#[request_handler(Part)]
struct PartHandler {
    ledger: Arc<Ledger>,
    plan: Arc<Plan>,
}

impl RequestHandler<Part> for PartHandler {
    async fn handle(&self, Part(attempt): Part, cx: &mut RequestContext<'_, Part>) -> Result<(), BoxError> {
        self.ledger.write(["nested 1", "nested 2"][attempt]);
        cx.emit(PartDone { attempt });
        sleep(self.plan.nested[attempt]).await;
        Ok(())
    }
}

/// Sends the nested request once more, after the commit.
#[event_handler(Settled, after_commit)]
struct Follow;

impl EventHandler<Settled> for Follow {
    async fn handle(&self, event: &Settled, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        cx.send(Part(event.0)).await?;
        Ok(())
    }
}

struct World {
    bank: Arc<Bank>,
    broker: InMemoryBroker,
    mediator: Mediator,
}

impl World {
    /// Without the handler after the commit.
    fn new(nested: [Duration; 2], swallows: bool) -> Self {
        Self::with(nested, swallows, |builder| builder.except::<Follow>().middleware(retry()))
    }

    fn with(nested: [Duration; 2], swallows: bool, configure: impl FnOnce(MediatorBuilder) -> MediatorBuilder) -> Self {
        let (bank, broker) = (Arc::<Bank>::default(), InMemoryBroker::new());
        let plan = Plan { nested, swallows, attempts: AtomicU32::new(0) };
        let services = super::ledger::services(&bank).value(plan);
        let builder = Mediator::builder().handlers(handlers![BookHandler, PartHandler, Follow]);
        let builder = configure(builder.container(services).broker(broker.clone()));
        let limit = TimeoutMiddleware::new(LIMIT).expect("it is in order");
        let mediator = builder.middleware(limit.only(|info| info.message == Part::NAME)).build();
        Self { bank, broker, mediator: mediator.expect("it is in order") }
    }

    /// Which events left the process, with the attempts that they are of.
    fn published(&self) -> Vec<(String, String)> {
        let published = self.broker.published();
        let body = |body: &[u8]| serde_json::from_slice::<serde_json::Value>(body).expect("it is JSON");
        let attempt = |all: &serde_json::Value| all.pointer("/payload/attempt").or(all.get("attempt")).cloned();
        published
            .iter()
            .map(|message| {
                let attempt = attempt(&body(&message.body)).expect("it is of an attempt");
                (message.name.to_string(), attempt.to_string())
            })
            .collect()
    }

    async fn settle(&self) {
        assert!(self.mediator.shutdown(LONG).await.is_clean());
    }
}

fn retry() -> RetryMiddleware {
    RetryMiddleware::new(RetryPolicy::new().attempts(2)).expect("it is in order")
}

fn pair(name: &str, attempt: usize) -> (String, String) {
    (name.to_owned(), attempt.to_string())
}

const QUICK: Duration = Duration::ZERO;

// --- The second attempt succeeds. ---------------------------------------------------------------

/// What the first attempt committed stands; only the second one's events are known to belong to something.
#[tokio::test(start_paused = true)]
async fn the_commit_is_unknown_and_the_second_attempt_whole() {
    let world = World::new([LONG, QUICK], false);
    world.bank.lose_commit();
    world.mediator.send(Book).await.expect("the second attempt succeeds");
    assert_eq!(world.bank.committed(), ["outer 1", "outer 2", "nested 2"]);
    assert_eq!(world.published(), [pair("PartDone", 1), pair("Booked", 1)]);
}

#[tokio::test(start_paused = true)]
async fn the_commit_is_rolled_back_and_the_second_attempt_whole() {
    let world = World::new([LONG, QUICK], false);
    world.bank.fail_at("commit");
    world.mediator.send(Book).await.expect("the second attempt succeeds");
    assert_eq!(world.bank.committed(), ["outer 2", "nested 2"]);
    assert_eq!(world.published(), [pair("PartDone", 1), pair("Booked", 1)]);
}

#[tokio::test(start_paused = true)]
async fn the_commit_succeeds_and_there_is_no_second_attempt() {
    let world = World::new([LONG, QUICK], false);
    world.mediator.send(Book).await.expect("the time-out is swallowed");
    assert_eq!(world.bank.committed(), ["outer 1"]);
    assert_eq!(world.published(), [pair("Booked", 0)]);
}

#[tokio::test(start_paused = true)]
async fn in_both_attempts_the_nested_request_is_undone_alone() {
    let world = World::new([LONG, LONG], true);
    world.bank.lose_commit();
    world.mediator.send(Book).await.expect("the time-outs are swallowed");
    assert_eq!(world.bank.committed(), ["outer 1", "outer 2"]);
    assert_eq!(world.published(), [pair("Booked", 1)]);
}

/// The commit takes longer than the nested request may.
#[tokio::test(start_paused = true)]
async fn no_limit_of_a_nested_request_cuts_the_commit_short() {
    let world = World::new([LONG, QUICK], false);
    world.bank.take_time_at("commit", Delay::Before);
    world.mediator.send(Book).await.expect("the time-out is swallowed");
    assert_eq!(world.bank.committed(), ["outer 1"]);
}

// --- The second attempt fails. ------------------------------------------------------------------

/// Once it is unknown whether something is committed, the answer stays unknown.
#[tokio::test(start_paused = true)]
async fn the_commit_is_unknown_and_the_second_attempt_fails_with_its_nested_request() {
    let world = World::new([LONG, LONG], false);
    world.bank.lose_commit();
    let error = world.mediator.send(Book).await.expect_err("the second attempt fails");
    assert_eq!(world.bank.committed(), ["outer 1"]);
    assert_eq!(world.published(), []);
    assert_eq!(error.committed(), Committed::Unknown, "a commit that happened is denied: {error:?}");
}

#[tokio::test(start_paused = true)]
async fn the_commit_is_unknown_and_the_second_attempt_cannot_undo_its_nested_request() {
    let world = World::new([LONG, LONG], true);
    world.bank.lose_commit();
    let sending = world.mediator.send(Book);
    let failing = async {
        sleep(LIMIT + LIMIT / 2).await;
        world.bank.fail_at("roll back to");
    };
    let error = tokio::join!(sending, failing).0.expect_err("the second attempt is rolled back");
    assert_eq!(world.bank.committed(), ["outer 1"]);
    assert_eq!(world.published(), []);
    assert_eq!(error.committed(), Committed::Unknown, "a commit that happened is denied: {error:?}");
}

#[tokio::test(start_paused = true)]
async fn the_commit_is_rolled_back_and_the_second_attempt_fails() {
    let world = World::new([LONG, LONG], false);
    world.bank.fail_at("commit");
    let error = world.mediator.send(Book).await.expect_err("the second attempt fails");
    assert_eq!(world.bank.committed(), [""; 0]);
    assert_eq!(world.published(), []);
    assert_eq!(error.committed(), Committed::No, "{error:?}");
}

// --- The first commit goes on beside the second attempt. ----------------------------------------

/// Tries again when the first attempt has taken as long as a commit may not.
struct Impatient;

#[diator::async_trait]
impl Middleware for Impatient {
    fn applies_to(&self, info: &MessageInfo) -> bool {
        info.message == Book::NAME
    }

    async fn handle(&self, call: &mut Call<'_>, mut next: Next<'_>) -> Answered {
        let kept = call.clone_request().expect("it is idempotent");
        match timeout(LIMIT * 2, next.retry(call, &kept)).await {
            Ok(handled) => handled,
            Err(_) => next.retry(call, &kept).await,
        }
    }
}

fn impatient(nested: [Duration; 2]) -> World {
    let world = World::with(nested, false, |builder| builder.except::<Follow>().middleware(Impatient));
    world.bank.take_time_at("commit", Delay::Before);
    world
}

/// The commit of the first attempt goes on.
#[tokio::test(start_paused = true)]
async fn the_commit_goes_on_and_the_second_attempt_fails_with_its_nested_request() {
    let world = impatient([LONG, LONG]);
    let error = world.mediator.send(Book).await.expect_err("the second attempt fails");
    world.settle().await;
    assert_eq!(world.bank.committed(), ["outer 1"]);
    assert_eq!(world.published(), [pair("Booked", 0)], "what follows the commit goes on");
    assert_ne!(error.committed(), Committed::No, "a commit that happened is denied: {error:?}");
}

#[tokio::test(start_paused = true)]
async fn the_commit_goes_on_and_the_second_attempt_succeeds() {
    let world = impatient([LONG, QUICK]);
    world.mediator.send(Book).await.expect("the second attempt succeeds");
    world.settle().await;
    let mut committed = world.bank.committed();
    committed.sort_unstable();
    assert_eq!(committed, ["nested 2", "outer 1", "outer 2"]);
    let mut published = world.published();
    published.sort();
    assert_eq!(published, [pair("Booked", 0), pair("Booked", 1), pair("PartDone", 1)]);
}

// --- The nested request is one of a handler after the commit. -----------------------------------

#[tokio::test(start_paused = true)]
async fn after_the_commit_it_is_undone_alone_and_nothing_is_tried_again() {
    let world = World::with([LONG, LONG], false, |builder| builder.middleware(retry()));
    let error = world.mediator.send(Book).await.expect_err("the handler after the commit fails");
    assert_eq!(error.kind(), SendErrorKind::Undelivered);
    assert_eq!(error.committed(), Committed::Yes);
    assert_eq!(world.bank.committed(), ["outer 1"]);
    assert_eq!(world.published(), [pair("Booked", 0)]);
}
