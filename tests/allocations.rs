//! How often the ways of sending allocate.
//!
//! What is counted is what the thread of the test allocates, in a runtime with one thread, after one message of the
//! same sort has warmed everything up.

use std::future::Future;
use std::sync::Arc;

use diator::middleware::{Answered, Call, Next, TracingMiddleware, middleware_fn};
use diator::prelude::*;
use diator::{MediatorBuilder, Middleware};
use tokio::runtime::Builder;

// --- Messages and handlers; none of the handlers allocates. -------------------------------------

#[derive(Debug, Clone, Command)]
#[request(response = u64)]
struct Add(u64);

#[request_handler(Add)]
struct AddHandler;

impl RequestHandler<Add> for AddHandler {
    async fn handle(&self, command: Add, _: &mut RequestContext<'_, Add>) -> Result<u64, BoxError> {
        Ok(command.0 + 1)
    }
}

/// Its handler has dependencies that live as long as the program.
#[derive(Debug, Command)]
#[request(response = u64)]
struct AddConfigured(u64);

struct Step(u64);
struct Offset(u64);

#[request_handler(AddConfigured)]
struct AddConfiguredHandler {
    step: Arc<Step>,
    offset: Arc<Offset>,
}

impl RequestHandler<AddConfigured> for AddConfiguredHandler {
    async fn handle(&self, command: AddConfigured, _: &mut RequestContext<'_, AddConfigured>) -> Result<u64, BoxError> {
        Ok(command.0 + self.step.0 + self.offset.0)
    }
}

/// Its handler has dependencies that live as long as the message.
#[derive(Debug, Command)]
#[request(response = u64)]
struct AddInTransaction(u64);

struct Transaction(u64);
struct Audit(u64);

#[request_handler(AddInTransaction)]
struct AddInTransactionHandler {
    transaction: Arc<Transaction>,
    audit: Arc<Audit>,
}

impl RequestHandler<AddInTransaction> for AddInTransactionHandler {
    async fn handle(
        &self,
        command: AddInTransaction,
        _: &mut RequestContext<'_, AddInTransaction>,
    ) -> Result<u64, BoxError> {
        Ok(command.0 + self.transaction.0 + self.audit.0)
    }
}

/// Its handler sends another request.
#[derive(Debug, Command)]
#[request(response = u64)]
struct AddNested(u64);

#[request_handler(AddNested)]
struct AddNestedHandler;

impl RequestHandler<AddNested> for AddNestedHandler {
    async fn handle(&self, command: AddNested, cx: &mut RequestContext<'_, AddNested>) -> Result<u64, BoxError> {
        Ok(cx.send(Add(command.0)).await?)
    }
}

/// Its handler sends another request, with two services of the message at hand.
#[derive(Debug, Command)]
#[request(response = u64)]
struct AddNestedInTransaction(u64);

#[request_handler(AddNestedInTransaction)]
struct AddNestedInTransactionHandler {
    transaction: Arc<Transaction>,
    audit: Arc<Audit>,
}

impl RequestHandler<AddNestedInTransaction> for AddNestedInTransactionHandler {
    async fn handle(
        &self,
        command: AddNestedInTransaction,
        cx: &mut RequestContext<'_, AddNestedInTransaction>,
    ) -> Result<u64, BoxError> {
        Ok(cx.send(Add(command.0)).await? + self.transaction.0 + self.audit.0)
    }
}

/// Its handler emits so many events, each of which has one handler.
#[derive(Debug, Command)]
#[request(response = u64)]
struct Emit(u64);

#[derive(Debug, DomainEvent)]
struct Added(u64);

#[request_handler(Emit)]
struct EmitHandler;

impl RequestHandler<Emit> for EmitHandler {
    async fn handle(&self, command: Emit, cx: &mut RequestContext<'_, Emit>) -> Result<u64, BoxError> {
        (0..command.0).for_each(|number| cx.emit(Added(number)));
        Ok(command.0)
    }
}

#[event_handler(Added)]
struct NoteAdded;

impl EventHandler<Added> for NoteAdded {
    async fn handle(&self, event: &Added, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        std::hint::black_box(event.0);
        Ok(())
    }
}

/// Its handler emits an event that is handled after the commit.
#[derive(Debug, Command)]
#[request(response = u64)]
struct Settle(u64);

#[derive(Debug, DomainEvent)]
struct Settled(u64);

#[request_handler(Settle)]
struct SettleHandler;

impl RequestHandler<Settle> for SettleHandler {
    async fn handle(&self, command: Settle, cx: &mut RequestContext<'_, Settle>) -> Result<u64, BoxError> {
        cx.emit(Settled(command.0));
        Ok(command.0)
    }
}

#[event_handler(Settled, after_commit)]
struct NoteSettled;

impl EventHandler<Settled> for NoteSettled {
    async fn handle(&self, event: &Settled, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        std::hint::black_box(event.0);
        Ok(())
    }
}

struct Pass;

#[diator::async_trait]
impl Middleware for Pass {
    async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
        next.run(call).await
    }
}

// --- Counting. ----------------------------------------------------------------------------------

fn builder() -> MediatorBuilder {
    let services = Services::new()
        .value(Step(1))
        .value(Offset(10))
        .scoped(|_| Ok(Transaction(1)))
        .scoped(|scope| Ok(Audit(scope.get::<Transaction>()?.0)));
    Mediator::from_registry().container(services)
}

fn mediator() -> Mediator {
    builder().build().unwrap()
}

/// How often a future allocates until it has succeeded, its making included.
fn count<T, E: std::fmt::Debug, F: Future<Output = Result<T, E>>>(send: impl Fn() -> F) -> u64 {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let run = || drop(runtime.block_on(send()).unwrap());
    run();
    let info = allocation_counter::measure(run);
    assert_eq!(info.count_current, 0, "what was allocated is still there");
    info.count_total
}

#[test]
fn the_runtime_allocates_nothing_and_a_box_is_counted() {
    assert_eq!(count(async || Ok::<_, BoxError>(1)), 0);
    assert_eq!(count(async || Ok::<_, BoxError>(*std::hint::black_box(Box::new(1)))), 1);
}

// --- Sending. -----------------------------------------------------------------------------------

/// The handler's future; none where it has its place in the sender's frame.
const SEND: u64 = if cfg!(feature = "in-place") { 0 } else { 1 };
/// In place, what does not go in place goes in a box.
const DETOUR: u64 = 1 - SEND;

#[test]
fn send_allocates_once_and_in_place_nothing() {
    let mediator = mediator();
    assert_eq!(count(|| mediator.send(Add(1))), SEND);
    assert_eq!(count(|| mediator.with(Meta::new()).send(Add(1))), SEND);
}

#[test]
fn send_dyn_allocates_once() {
    let mediator = mediator();
    assert_eq!(count(|| mediator.send_dyn(Add(1))), 1);
    assert_eq!(count(|| mediator.with(Meta::new()).send_dyn(Add(1))), 1);
}

#[test]
fn dependencies_that_live_as_long_as_the_program_cost_nothing() {
    let mediator = mediator();
    assert_eq!(count(|| mediator.send(AddConfigured(1))), SEND);
    assert_eq!(count(|| mediator.send_dyn(AddConfigured(1))), 1);
}

/// The two services, their scope in two parts, the handler, its slots, and its future.
#[test]
fn two_scoped_dependencies_cost_seven() {
    let mediator = mediator();
    assert_eq!(count(|| mediator.send(AddInTransaction(1))), 7 + DETOUR);
    assert_eq!(count(|| mediator.send_dyn(AddInTransaction(1))), 7);
}

/// The future of the request, the engine's, and that of its handler.
#[test]
fn a_nested_request_costs_three_on_top_of_its_parent() {
    let mediator = mediator();
    assert_eq!(count(|| mediator.send(AddNested(1))), SEND + 3);
    assert_eq!(count(|| mediator.send_dyn(AddNested(1))), 1 + 3);
}

#[test]
fn so_it_does_in_a_scope_that_offers_no_savepoints() {
    let mediator = mediator();
    assert_eq!(count(|| mediator.send(AddNestedInTransaction(1))), count(|| mediator.send(AddInTransaction(1))) + 3);
}

// --- Events. ------------------------------------------------------------------------------------

/// The event, its handler's future, and the future of what follows the request's handler.
#[test]
fn a_domain_event_costs_three() {
    let mediator = mediator();
    assert_eq!(count(|| mediator.send(Emit(0))), SEND);
    assert_eq!(count(|| mediator.send(Emit(1))), SEND + 3);
}

/// The handler's future; the event stays where it is.
#[test]
fn an_event_from_outside_costs_one_for_each_handler() {
    let mediator = mediator();
    assert_eq!(count(|| mediator.emit(Added(1))), 1);
}

/// The queue grows by doubling; the rest is the event and its handler's future.
#[test]
fn many_domain_events_cost_two_each() {
    let mediator = mediator();
    let growth = 1 + u64::from(100_u64.ilog2());
    assert!(count(|| mediator.send(Emit(100))) <= SEND + 1 + 2 * 100 + growth);
}

/// With and without middleware; the task that handles it ends after its sender has read the answer.
#[test]
fn an_event_that_is_handled_after_the_commit_leaves_nothing() {
    for mediator in [mediator(), wrapped(1)] {
        count(async || {
            let sent = mediator.send(Settle(1)).await;
            diator_testkit::yields(20).await;
            sent
        });
    }
}

// --- Middleware. --------------------------------------------------------------------------------

fn wrapped(layers: usize) -> Mediator {
    (0..layers).fold(builder(), |builder, _| builder.middleware(Pass)).build().unwrap()
}

#[test]
fn three_middlewares_cost_four() {
    let mediator = wrapped(3);
    assert_eq!(count(|| mediator.send(Add(1))), 4 + DETOUR);
    assert_eq!(count(|| mediator.send_dyn(Add(1))), 4);
}

/// Where nobody listens, the message goes past it, on the fast path too.
#[test]
fn tracing_without_a_subscriber_costs_nothing_of_its_own() {
    let mediator = builder().middleware(TracingMiddleware::new()).build().unwrap();
    assert_eq!(count(|| mediator.send(Add(1))), SEND);
    let (with, without) = (builder().middleware(Pass).middleware(TracingMiddleware::new()), wrapped(1));
    let with = with.build().unwrap();
    assert_eq!(count(|| with.send(Add(1))), count(|| without.send(Add(1))));
}

/// The function's own future is the middleware's.
#[test]
fn a_function_costs_what_a_middleware_costs() {
    let function = middleware_fn(|call, next| Box::pin(next.run(call)));
    let (function, pass) = (builder().middleware(function.only(|_| true)).build().unwrap(), wrapped(1));
    assert_eq!(count(|| function.send(Add(1))), count(|| pass.send(Add(1))));
}

#[test]
fn each_middleware_costs_one() {
    for layers in 1..5 {
        let (some, one_more) = (wrapped(layers), wrapped(layers + 1));
        assert_eq!(count(|| one_more.send(Add(1))), count(|| some.send(Add(1))) + 1);
    }
}
