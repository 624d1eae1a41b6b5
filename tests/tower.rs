//! A mediator as tower's service: existing layers work around it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use diator::RequestService;
use diator::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tower::limit::ConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower::load_shed::error::Overloaded;
use tower::timeout::TimeoutLayer;
use tower::timeout::error::Elapsed;
use tower::{Service, ServiceBuilder, ServiceExt};

#[derive(Debug, Clone, Command)]
#[request(response = u32, error = Odd)]
struct Halve(u32);

#[derive(Debug, PartialEq)]
struct Odd(u32);

impl std::fmt::Display for Odd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is odd", self.0)
    }
}

impl std::error::Error for Odd {}

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
struct Halved {
    half: u32,
}

/// Lets a test see that a handler has begun, and say when it goes on.
struct Gate {
    begun: Semaphore,
    open: Semaphore,
    /// Who asked, each time.
    tenants: Mutex<Vec<Option<&'static str>>>,
}

#[request_handler(Halve)]
struct HalveHandler {
    gate: Arc<Gate>,
}

impl RequestHandler<Halve> for HalveHandler {
    async fn handle(&self, command: Halve, cx: &mut RequestContext<'_, Halve>) -> Result<u32, Odd> {
        let (half, rest) = (command.0 / 2, command.0 % 2);
        cx.emit(Halved { half });
        let tenant = cx.meta().get::<Tenant>().map(|tenant| tenant.0);
        self.gate.tenants.lock().expect("nobody panics").push(tenant);
        self.gate.begun.add_permits(1);
        self.gate.open.acquire().await.expect("it is never closed").forget();
        if rest == 0 { Ok(half) } else { Err(Odd(command.0)) }
    }
}

struct World {
    mediator: Mediator,
    broker: InMemoryBroker,
    gate: Arc<Gate>,
}

impl World {
    /// So many handlers may go on without being told.
    fn new(open: usize) -> Self {
        let broker = InMemoryBroker::new();
        let gate = Arc::new(Gate { begun: Semaphore::new(0), open: Semaphore::new(open), tenants: Mutex::default() });
        let services = Services::new().singleton::<Gate>(gate.clone());
        let builder = Mediator::builder().handlers(handlers![HalveHandler]).container(services);
        Self { mediator: builder.broker(broker.clone()).build().expect("it is complete"), broker, gate }
    }

    async fn begun(&self) {
        self.gate.begun.acquire().await.expect("it is never closed").forget();
    }

    fn let_go_on(&self, handlers: usize) {
        self.gate.open.add_permits(handlers);
    }
}

#[tokio::test]
async fn it_sends() {
    let world = World::new(2);
    // Inferred from the type too.
    let service: RequestService<Halve> = world.mediator.service();
    assert_eq!(service.clone().oneshot(Halve(42)).await.expect("it is even"), 21);
    assert!(matches!(service.oneshot(Halve(7)).await, Err(SendError::Handler(Odd(7)))));
    world.broker.assert_published::<Halved>(|event| event.half == 21);
    assert_eq!(world.broker.len(), 1, "what failed published nothing");
}

#[tokio::test]
async fn a_combinator_changes_request_and_answer() {
    let world = World::new(1);
    let service = world.mediator.service::<Halve, _>().map_request(Halve).map_response(|half| half.to_string());
    assert_eq!(service.oneshot(42).await.expect("it is even"), "21");
}

#[tokio::test(start_paused = true)]
async fn a_timeout_leaves_nothing_half_done() {
    let world = World::new(0);
    let layers = ServiceBuilder::new().layer(TimeoutLayer::new(Duration::from_secs(1)));
    let mut service = layers.service(world.mediator.service::<Halve, _>());
    let error = service.ready().await.expect("it is ready").call(Halve(42)).await.expect_err("nobody opens the gate");
    assert!(error.is::<Elapsed>(), "{error}");
    world.broker.assert_nothing_published();

    world.let_go_on(1);
    assert_eq!(service.ready().await.expect("it still is").call(Halve(42)).await.expect("it is even"), 21);
}

#[tokio::test]
async fn a_limit_holds_back_what_is_too_much() {
    let world = World::new(0);
    let service = ConcurrencyLimitLayer::new(1);
    let service = ServiceBuilder::new().layer(service).service(world.mediator.service::<Halve, _>());
    let sending = |request| tokio::spawn(service.clone().oneshot(request));
    let (first, second) = (sending(Halve(2)), sending(Halve(4)));
    world.begun().await;
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.gate.begun.available_permits(), 0, "one is running, and no other");
    world.let_go_on(1);
    world.begun().await;
    world.let_go_on(1);
    let answers = [first.await, second.await].map(|answer| answer.expect("it does not panic").expect("it is even"));
    assert_eq!(answers, [1, 2]);
}

#[tokio::test]
async fn load_is_shed_above_the_limit() {
    let world = World::new(0);
    let layers = ServiceBuilder::new().layer(LoadShedLayer::new()).layer(ConcurrencyLimitLayer::new(1));
    let service = layers.service(world.mediator.service::<Halve, _>());
    let running = tokio::spawn(service.clone().oneshot(Halve(2)));
    world.begun().await;
    let shed = service.clone().oneshot(Halve(4)).await.expect_err("one is running");
    assert!(shed.is::<Overloaded>(), "{shed}");
    world.let_go_on(1);
    assert_eq!(running.await.expect("it does not panic").expect("it is even"), 1);
}

#[tokio::test]
async fn a_layer_hands_the_typed_error_on() {
    let world = World::new(1);
    let layers = ServiceBuilder::new().layer(TimeoutLayer::new(Duration::from_secs(60)));
    let error = layers.service(world.mediator.service::<Halve, _>()).oneshot(Halve(7)).await.expect_err("it is odd");
    assert!(matches!(error.downcast_ref(), Some(SendError::Handler(Odd(7)))), "{error:?}");
}

/// Who asks.
#[derive(Debug, PartialEq)]
struct Tenant(&'static str);

#[tokio::test]
async fn a_request_brings_what_it_carries() {
    let world = World::new(1);
    let service = world.mediator.service::<Halve, _>().with_meta();
    service.oneshot((Meta::new().with(Tenant("acme")), Halve(2))).await.expect("it is even");
    assert_eq!(*world.gate.tenants.lock().expect("nobody panics"), [Some("acme")]);
}

#[tokio::test]
async fn after_a_shutdown_it_is_never_ready_again() {
    let world = World::new(0);
    let mut service = world.mediator.service::<Halve, _>();
    service.ready().await.expect("it runs");
    let called = tokio::spawn(service.call(Halve(2)));
    world.begun().await;
    assert!(!world.mediator.shutdown(Duration::ZERO).await.is_clean(), "one is running");
    assert!(matches!(service.ready().await.map(drop), Err(SendError::ShuttingDown)));
    // Who was told that it is ready before, learns it from the answer.
    assert!(matches!(service.call(Halve(4)).await, Err(SendError::ShuttingDown)));
    world.let_go_on(1);
    assert_eq!(called.await.expect("it does not panic").expect("what was running goes on"), 1);
}
