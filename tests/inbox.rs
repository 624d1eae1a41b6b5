//! What a mediator and its endpoints do with an inbox.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use diator::broker::{InboundMessage, MessageType};
use diator::container::{DependencyKey, Scope};
use diator::deliveries::DeliveryFilter;
use diator::endpoint::{Endpoint, ErrorPolicy};
use diator::host::Host;
use diator::inbox::{Entry, InMemoryInbox, Inbox, Seen};
use diator::middleware::middleware_fn;
use diator::outbox::{InMemoryOutbox, InMemoryTransaction};
use diator::prelude::*;
use diator::subscription::{Capabilities, Release};
use diator::{Arrival, Handling, MediatorBuilder, MessageBroker, OutboundMessage, SendError, SendErrorKind};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::sleep;
use uuid::{NoContext, Timestamp, Uuid};

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(topic = "orders")]
struct OrderPlaced;

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
struct Charged;

/// What the handler is to do, and how often it did.
#[derive(Default)]
struct Script {
    conducts: Mutex<Vec<Conduct>>,
    runs: AtomicU32,
    built: AtomicU32,
    go_on: Notify,
}

#[derive(Clone, Copy)]
enum Conduct {
    Fail,
    Panic,
    Wait,
}

impl Script {
    fn runs(&self) -> u32 {
        self.runs.load(Ordering::SeqCst)
    }
}

/// It is built for each message: that counts too.
struct Built;

#[event_handler(OrderPlaced, id = "billing.charge")]
struct Charge {
    script: Arc<Script>,
    _built: Arc<Built>,
    _transaction: Arc<InMemoryTransaction>,
}

impl EventHandler<OrderPlaced> for Charge {
    async fn handle(&self, _: &OrderPlaced, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.script.runs.fetch_add(1, Ordering::SeqCst);
        cx.emit(Charged);
        let conduct = self.script.conducts.lock().unwrap().pop();
        match conduct {
            None => Ok(()),
            Some(Conduct::Fail) => Err("it fails".into()),
            Some(Conduct::Panic) => panic!("it panics"),
            Some(Conduct::Wait) => {
                self.script.go_on.notified().await;
                Ok(())
            }
        }
    }
}

struct World {
    script: Arc<Script>,
    outbox: InMemoryOutbox,
    broker: InMemoryBroker,
}

impl World {
    fn new() -> Self {
        Self { script: Arc::default(), outbox: InMemoryOutbox::new(), broker: InMemoryBroker::new() }
    }

    fn builder(&self) -> MediatorBuilder {
        let script = self.script.clone();
        let services = Services::new().extend(self.outbox.services()).singleton::<Script>(script.clone());
        let services = services.scoped(move |_| {
            script.built.fetch_add(1, Ordering::SeqCst);
            Ok(Built)
        });
        let builder = Mediator::builder().handlers(handlers![Charge]).container(services);
        builder.outbox(self.outbox.clone()).relayed_elsewhere()
    }

    fn with(&self, inbox: impl Inbox) -> Mediator {
        self.builder().inbox(inbox).build().unwrap()
    }

    fn conducts(&self, conducts: impl IntoIterator<Item = Conduct>) {
        self.script.conducts.lock().unwrap().extend(conducts);
    }

    fn events(&self) -> usize {
        self.outbox.pending().len()
    }

    /// Publishes a message with this id, and this time in its envelope.
    async fn publish(&self, id: Uuid, time: Option<&str>) {
        let time = time.map(|time| format!(r#""event_timestamp": "{time}""#)).unwrap_or_default();
        let body = format!(
            r#"{{"message_type": "notification_event", "message_name": "OrderPlaced", "message_id": "{id}", "payload": {{{time}}}}}"#
        );
        let message = OutboundMessage::new(id, MessageType::Notification, "OrderPlaced", body.into_bytes());
        self.broker.publish(&message.with_topic("orders")).await.unwrap();
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::new("billing", self.broker.clone()).topics(["orders"]).errors(ErrorPolicy::new().immediately(0))
    }

    /// Runs an endpoint for so long.
    async fn run(&self, mediator: Mediator, endpoint: Endpoint, time: Duration) {
        Host::new(mediator).endpoint(endpoint).run_until(sleep(time)).await.unwrap();
    }

    fn reasons(&self) -> Vec<String> {
        self.broker.dead_letters("billing").iter().map(|letter| letter.reason.to_string()).collect()
    }
}

fn arrives(mediator: &Mediator, id: Uuid) -> Arrival {
    let payload = serde_json::json!({});
    mediator.arrive(InboundMessage::new(MessageType::Notification, "OrderPlaced", id, payload)).unwrap()
}

async fn once(arrival: &Arrival) -> Result<Handling, SendErrorKind> {
    let handled = arrival.handle_once(&arrival.handlers()[0], "billing", 0).await;
    handled.map_err(|failure| failure.error.kind())
}

const HANDLED: Result<Handling, SendErrorKind> = Ok(Handling::Handled);
const BEFORE: Result<Handling, SendErrorKind> = Ok(Handling::Before);
const BUSY: Result<Handling, SendErrorKind> = Ok(Handling::Busy);

#[tokio::test]
async fn a_message_that_was_handled_runs_nothing() {
    let world = World::new();
    let calls = Arc::new(AtomicU32::new(0));
    let counted = calls.clone();
    let count = middleware_fn(move |call, next| {
        counted.fetch_add(1, Ordering::SeqCst);
        Box::pin(next.run(call))
    });
    let mediator = world.builder().middleware(count).inbox(InMemoryInbox::new()).build().unwrap();
    let message = Uuid::now_v7();
    for expected in [HANDLED, BEFORE, BEFORE] {
        assert_eq!(once(&arrives(&mediator, message)).await, expected);
    }
    let Script { built, .. } = &*world.script;
    assert_eq!((world.script.runs(), built.load(Ordering::SeqCst), calls.load(Ordering::SeqCst)), (1, 1, 1));
    assert_eq!(world.events(), 1);
    let arrival = arrives(&mediator, message);
    let charge = arrival.handlers()[0];
    assert_eq!(arrival.handle_once(&charge, "mailing", 0).await.unwrap(), Handling::Handled, "another endpoint");
    assert_eq!(arrival.handle_once(&charge, "billing", 1).await.unwrap(), Handling::Handled, "a replay");
    arrival.handle(&charge).await.unwrap();
    assert_eq!(world.script.runs(), 4, "who does not ask the inbox is not kept");
}

#[tokio::test]
async fn middleware_that_answers_counts_as_the_handler_unless_that_had_begun() {
    let begins = Arc::new(AtomicBool::new(true));
    let begin = begins.clone();
    let answer = middleware_fn(move |call, next| {
        let begins = begin.load(Ordering::SeqCst);
        Box::pin(async move {
            if begins {
                drop(next.run(call).await);
            }
            call.answer(())
        })
    });
    let world = World::new();
    let mediator = world.builder().middleware(answer).inbox(InMemoryInbox::new()).build().unwrap();
    world.conducts([Conduct::Fail]);
    let message = Uuid::now_v7();
    assert_eq!(once(&arrives(&mediator, message)).await, HANDLED);
    begins.store(false, Ordering::SeqCst);
    for expected in [HANDLED, BEFORE] {
        assert_eq!(once(&arrives(&mediator, message)).await, expected);
    }
    assert_eq!(world.script.runs(), 1, "it began once");
}

#[tokio::test]
async fn what_failed_is_handled_again() {
    let world = World::new();
    let mediator = world.with(InMemoryInbox::new());
    world.conducts([Conduct::Fail, Conduct::Panic]);
    let arrival = arrives(&mediator, Uuid::now_v7());
    let failed = Err(SendErrorKind::Handler);
    for expected in [failed, failed, HANDLED, BEFORE] {
        assert_eq!(once(&arrival).await, expected);
    }
    assert_eq!((world.script.runs(), world.events()), (3, 1));
}

#[tokio::test]
async fn what_is_being_handled_is_busy_until_it_ends() {
    let world = World::new();
    let mediator = world.with(InMemoryInbox::new());
    world.conducts([Conduct::Wait, Conduct::Wait]);
    let arrival = Arc::new(arrives(&mediator, Uuid::now_v7()));
    let running = |arrival: &Arc<Arrival>| {
        let arrival = arrival.clone();
        tokio::spawn(async move { once(&arrival).await })
    };
    let dropped = running(&arrival);
    tokio::task::yield_now().await;
    assert_eq!(once(&arrival).await, BUSY);
    dropped.abort();
    let _ = dropped.await;
    let ends = running(&arrival);
    tokio::task::yield_now().await;
    assert_eq!(once(&arrival).await, BUSY);
    world.script.go_on.notify_one();
    assert_eq!(ends.await.unwrap(), HANDLED);
    assert_eq!((once(&arrival).await, world.script.runs(), world.events()), (BEFORE, 2, 1));
}

#[tokio::test]
async fn without_an_inbox_it_is_handled_each_time() {
    let world = World::new();
    let mediator = world.builder().build().unwrap();
    let arrival = arrives(&mediator, Uuid::now_v7());
    assert_eq!((once(&arrival).await, once(&arrival).await), (HANDLED, HANDLED));
    assert_eq!(world.script.runs(), 2);
}

/// Fails so often, or panics, and then is in order.
struct Failing {
    inner: InMemoryInbox,
    left: AtomicU32,
    panics: bool,
}

#[diator::async_trait]
impl Inbox for Failing {
    fn unit_of_work(&self) -> Option<DependencyKey> {
        self.inner.unit_of_work()
    }

    fn retention(&self) -> Duration {
        self.inner.retention()
    }

    async fn enter(&self, scope: &dyn Scope, meta: &Meta, entry: &Entry<'_>) -> Result<Seen, BoxError> {
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            assert!(!self.panics, "it panics");
            return Err("the database is away".into());
        }
        self.inner.enter(scope, meta, entry).await
    }

    fn is_transient(&self, error: &(dyn std::error::Error + 'static)) -> bool {
        matches!(error.downcast_ref(), Some(SendError::<BoxError>::Handler(error)) if error.to_string() == "it fails")
    }
}

#[tokio::test(start_paused = true)]
async fn an_inbox_that_fails_costs_a_message_nothing() {
    for panics in [false, true] {
        let world = World::new();
        let inbox = Failing { inner: InMemoryInbox::new(), left: AtomicU32::new(20), panics };
        let mediator = world.with(inbox);
        // A failure that the inbox calls temporary is not counted either.
        world.conducts([Conduct::Fail; 10]);
        world.publish(Uuid::now_v7(), None).await;
        world.run(mediator, world.endpoint(), Duration::from_secs(1_800)).await;
        assert_eq!((world.script.runs(), world.events(), world.reasons()), (11, 1, vec![]));
    }
    let world = World::new();
    let mediator = world.with(Failing { inner: InMemoryInbox::new(), left: AtomicU32::new(1), panics: false });
    let arrival = arrives(&mediator, Uuid::now_v7());
    assert_eq!((once(&arrival).await, once(&arrival).await), (Err(SendErrorKind::Enter), HANDLED));
}

#[tokio::test(start_paused = true)]
async fn what_is_delivered_again_is_handled_once() {
    let world = World::new();
    let inbox = InMemoryInbox::new();
    let message = Uuid::now_v7();
    world.broker.lose_answers(3);
    for _ in 0..8 {
        world.publish(message, None).await;
    }
    world.run(world.with(inbox.clone()), world.endpoint(), Duration::from_secs(300)).await;
    // Another process, which remembers nothing.
    assert!(world.broker.replay("billing") > 0);
    world.run(world.with(inbox), world.endpoint(), Duration::from_secs(300)).await;
    assert_eq!((world.script.runs(), world.events(), world.reasons()), (1, 1, vec![]));
}

#[tokio::test(start_paused = true)]
async fn each_process_handles_what_is_for_all_of_them() {
    let world = World::new();
    let inbox = InMemoryInbox::new();
    for number in 1..=2 {
        let (mediator, process) = (world.with(inbox.clone()), world.broker.subscription());
        let capabilities = Capabilities::none()
            .broadcasts()
            .redelivers()
            .releases(Release::Uncounted)
            .dead_letters()
            .settles_out_of_order();
        let endpoint = Endpoint::new("cache", process.capabilities(capabilities)).topics(["orders"]).broadcast();
        if number == 1 {
            world.publish(Uuid::now_v7(), None).await;
        }
        world.run(mediator, endpoint, Duration::from_secs(60)).await;
        assert_eq!(world.script.runs(), number);
    }
}

fn id_made(ago: Duration) -> Uuid {
    let made = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap() - ago;
    Uuid::new_v7(Timestamp::from_unix(NoContext, made.as_secs(), 0))
}

#[tokio::test(start_paused = true)]
async fn what_is_older_than_the_memory_is_a_dead_letter() {
    const HOUR: Duration = Duration::from_secs(3_600);
    let world = World::new();
    let inbox = || InMemoryInbox::new().with_retention(24 * HOUR);
    let of_no_time = || Uuid::from_u128(0x82a0_b10e_1b3d_4c3c_9bdd_3934_f8f8_24c2);
    // Young; its id tells that, whatever its envelope says; or nothing tells its age.
    for (id, time) in [(id_made(23 * HOUR), None), (id_made(HOUR), Some("2020-01-01T00:00:00")), (of_no_time(), None)] {
        world.publish(id, time).await;
    }
    world.run(world.with(inbox()), world.endpoint(), Duration::from_secs(60)).await;
    assert_eq!((world.script.runs(), world.reasons()), (3, vec![]));

    world.publish(id_made(25 * HOUR), None).await;
    world.publish(of_no_time(), Some("2020-01-01T00:00:00")).await;
    let inbox = inbox();
    world.run(world.with(inbox.clone()), world.endpoint(), Duration::from_secs(60)).await;
    let mut too_old = DeliveryFilter::dead();
    too_old.kind = Some("TooOld".to_owned());
    let letters = inbox.deliveries().unwrap().list(&too_old).await.unwrap();
    assert_eq!((world.script.runs(), letters.len(), world.reasons()), (3, 2, vec![]));
    // Without an inbox, nothing is forgotten.
    let other = World::new();
    other.publish(id_made(25 * HOUR), None).await;
    other.run(other.builder().build().unwrap(), other.endpoint(), Duration::from_secs(60)).await;
    assert_eq!(other.script.runs(), 1);
}
