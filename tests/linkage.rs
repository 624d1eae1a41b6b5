//! Handlers in another crate, and the choice of those that a process runs.
//!
//! This program links the crate `orders` with `link!` and has handlers of its own. Programs with another registry are
//! the files of `linkage/`. Mistakes that the compiler finds are in `linkage/mistakes`; what it says about them is
//! written anew with `TRYBUILD=overwrite cargo test -p diator-tests --test linkage mistakes`.

use std::sync::Arc;

use diator::broker::{InboundMessage, MessageType};
use diator::prelude::*;
use diator::registry::ProblemKind;
use diator::{MediatorBuilder, Received};
use orders_contracts::{CountOrders, Log, OrderPlaced, PlaceOrder, ReserveStock, Reserved};
use serde_json::json;

diator::link!(orders);

// --- What the program has itself. ---------------------------------------------------------------

#[derive(Debug, Command)]
struct ShipOrder;

#[request_handler(ShipOrder)]
struct ShipOrderHandler;

impl RequestHandler<ShipOrder> for ShipOrderHandler {
    async fn handle(&self, _: ShipOrder, _: &mut RequestContext<'_, ShipOrder>) -> Result<(), BoxError> {
        Ok(())
    }
}

/// A second handler of an event that `orders` handles.
#[event_handler(OrderPlaced, order = 1)]
struct AuditOrder {
    log: Arc<Log>,
}

impl EventHandler<OrderPlaced> for AuditOrder {
    async fn handle(&self, event: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.log.write(format!("audit {}", event.number));
        Ok(())
    }
}

/// A builder, and the log of what its handlers do.
struct Shop {
    log: Arc<Log>,
    builder: MediatorBuilder,
}

impl Shop {
    fn new(builder: MediatorBuilder) -> Self {
        let log = Arc::new(Log::default());
        let services = Services::new().singleton(log.clone());
        Self { log, builder: builder.container(services).broker(InMemoryBroker::new()) }
    }

    fn from_registry() -> Self {
        Self::new(Mediator::from_registry())
    }

    fn change(self, change: impl FnOnce(MediatorBuilder) -> MediatorBuilder) -> Self {
        Self { builder: change(self.builder), ..self }
    }

    fn open(self) -> (Mediator, Arc<Log>) {
        (self.builder.build().unwrap(), self.log)
    }
}

fn place_order() -> PlaceOrder {
    PlaceOrder { article: "tea".to_owned() }
}

fn reserve_stock() -> ReserveStock {
    ReserveStock { article: "tea".to_owned() }
}

#[track_caller]
fn assert_unhandled<T: std::fmt::Debug>(sent: Result<T, SendError<BoxError>>, expected: &str) {
    match sent {
        Err(SendError::Unhandled { request }) => assert_eq!(request, expected),
        other => panic!("{other:?}"),
    }
}

// --- Linked by `link!`. -------------------------------------------------------------------------

const PLACED: [&str; 5] =
    ["reserved tea", "reserved tea", "placed: InTheWarehouse, InTheWarehouse", "receipt 1", "audit 1"];

#[tokio::test]
async fn private_handlers_of_a_linked_crate_answer_send() {
    let (mediator, log) = Shop::from_registry().open();
    assert_eq!(mediator.send(place_order()).await.unwrap(), 1);
    assert_eq!(log.lines(), PLACED);
    assert_eq!(mediator.send(CountOrders).await.unwrap(), 1);
}

#[tokio::test]
async fn private_handlers_of_a_linked_crate_answer_send_dyn() {
    let (mediator, log) = Shop::from_registry().open();
    assert_eq!(mediator.send_dyn(place_order()).await.unwrap(), 1);
    assert_eq!(log.lines(), PLACED);
    assert_eq!(mediator.send_dyn(CountOrders).await.unwrap(), 1);
}

#[tokio::test]
async fn private_handlers_of_a_linked_crate_handle_events() {
    let (mediator, log) = Shop::from_registry().open();
    mediator.emit(OrderPlaced { number: 7 }).await.unwrap();
    let id = "82a0b10e-1b3d-4c3c-9bdd-3934f8f824c2".parse().unwrap();
    let arrived = InboundMessage::new(MessageType::Notification, "OrderConfirmed", id, json!({ "number": 8 }));
    assert_eq!(mediator.receive(arrived).await.unwrap(), Received::Handled);
    assert_eq!(log.lines(), ["receipt 7", "audit 7", "confirmation 8"]);
}

#[tokio::test]
async fn the_futures_of_foreign_requests_can_be_spawned() {
    let (mediator, _log) = Shop::from_registry().open();
    let sent = tokio::spawn(async move { mediator.send(place_order()).await });
    assert_eq!(sent.await.unwrap().unwrap(), 1);
}

// --- Listed by hand. ----------------------------------------------------------------------------

#[tokio::test]
async fn handlers_that_are_listed_by_hand_are_all_that_there_is() {
    let (mediator, log) = Shop::new(Mediator::builder().handlers(orders::handlers())).open();
    assert_eq!(mediator.send(place_order()).await.unwrap(), 1);
    assert_eq!(log.lines(), PLACED[..4], "the registry's `AuditOrder` is not there");
    assert_unhandled(mediator.send(ShipOrder).await, "linkage::ShipOrder");
}

#[tokio::test]
async fn a_handler_that_is_linked_and_listed_runs_once() {
    let (mediator, log) = Shop::from_registry().change(|builder| builder.handlers(orders::handlers())).open();
    mediator.send(place_order()).await.unwrap();
    assert_eq!(log.lines(), PLACED);
}

// --- The choice of what this process runs. ------------------------------------------------------

#[tokio::test]
async fn only_leaves_all_other_handlers_out() {
    let (mediator, log) = Shop::from_registry().change(|builder| builder.only(orders::writers())).open();
    assert_eq!(mediator.send(place_order()).await.unwrap(), 1);
    assert_eq!(log.lines(), PLACED[..4]);
    assert_unhandled(mediator.send(CountOrders).await, "orders_contracts::CountOrders");
    assert_unhandled(mediator.send_dyn(CountOrders).await, "orders_contracts::CountOrders");
}

#[tokio::test]
async fn except_leaves_one_handler_out() {
    let shop = Shop::from_registry();
    let (mediator, log) = shop.change(|builder| builder.except::<AuditOrder>().except::<ShipOrderHandler>()).open();
    mediator.send(place_order()).await.unwrap();
    assert_eq!(log.lines(), PLACED[..4]);
    assert_unhandled(mediator.send(ShipOrder).await, "linkage::ShipOrder");
}

#[test]
fn except_of_a_handler_that_is_not_there_is_a_problem() {
    let shop = Shop::new(Mediator::builder().handlers(orders::handlers()));
    let error = shop.builder.except::<AuditOrder>().build().unwrap_err();
    let [problem] = error.problems() else { panic!("{error}") };
    assert_eq!(problem.kind(), ProblemKind::NoEffect);
    assert!(problem.text().contains("linkage::AuditOrder"), "{error}");
}

#[tokio::test]
async fn what_only_leaves_out_can_be_added_again() {
    let shop = Shop::from_registry();
    let (mediator, log) = shop.change(|builder| builder.only(orders::writers()).handlers(handlers![AuditOrder])).open();
    mediator.send(place_order()).await.unwrap();
    assert_eq!(log.lines(), PLACED);
}

// --- Fakes. -------------------------------------------------------------------------------------

/// Needs no attribute, and is in no registry.
struct ReserveOnPaper;

impl RequestHandler<ReserveStock> for ReserveOnPaper {
    async fn handle(&self, _: ReserveStock, _: &mut RequestContext<'_, ReserveStock>) -> Result<Reserved, BoxError> {
        Ok(Reserved::OnPaper)
    }
}

#[tokio::test]
async fn a_fake_is_reached_by_every_way_of_sending() {
    let (mediator, log) = Shop::from_registry().change(|builder| builder.replace(ReserveOnPaper)).open();
    assert_eq!(mediator.send(reserve_stock()).await.unwrap(), Reserved::OnPaper);
    assert_eq!(mediator.send_dyn(reserve_stock()).await.unwrap(), Reserved::OnPaper);
    mediator.send(place_order()).await.unwrap();
    assert_eq!(log.lines(), ["placed: OnPaper, OnPaper", "receipt 1", "audit 1"]);
}

#[tokio::test]
async fn a_fake_in_one_mediator_is_not_seen_by_another() {
    let (faked, _) = Shop::from_registry().change(|builder| builder.replace(ReserveOnPaper)).open();
    let (real, _) = Shop::from_registry().open();
    assert_eq!(real.send(reserve_stock()).await.unwrap(), Reserved::InTheWarehouse);
    assert_eq!(faked.send(reserve_stock()).await.unwrap(), Reserved::OnPaper);
}

struct ShipNothing;

impl RequestHandler<ShipOrder> for ShipNothing {
    async fn handle(&self, _: ShipOrder, _: &mut RequestContext<'_, ShipOrder>) -> Result<(), BoxError> {
        Err("nothing is shipped in tests".into())
    }
}

#[tokio::test]
async fn a_fake_can_be_put_in_the_place_of_a_handler_that_was_left_out() {
    let shop = Shop::from_registry();
    let (mediator, _log) =
        shop.change(|builder| builder.except::<ShipOrderHandler>().replace::<ShipOrder>(ShipNothing)).open();
    let error = mediator.send(ShipOrder).await.unwrap_err();
    assert_eq!(error.to_string(), "nothing is shipped in tests");
}

#[tokio::test]
async fn of_two_fakes_the_last_one_stays() {
    struct NeverAsked;

    impl RequestHandler<ReserveStock> for NeverAsked {
        async fn handle(
            &self,
            _: ReserveStock,
            _: &mut RequestContext<'_, ReserveStock>,
        ) -> Result<Reserved, BoxError> {
            Err("the first fake was asked".into())
        }
    }

    let shop = Shop::from_registry();
    let (mediator, _log) = shop.change(|builder| builder.replace(NeverAsked).replace(ReserveOnPaper)).open();
    assert_eq!(mediator.send(reserve_stock()).await.unwrap(), Reserved::OnPaper);
}

// --- Without a broker. --------------------------------------------------------------------------

fn without_a_broker() -> (MediatorBuilder, Arc<Log>) {
    let log = Arc::new(Log::default());
    (Mediator::from_registry().container(Services::new().singleton(log.clone())), log)
}

#[test]
fn linked_broker_events_need_a_broker() {
    let error = without_a_broker().0.build().unwrap_err();
    let [problem] = error.problems() else { panic!("{error}") };
    assert_eq!(problem.kind(), ProblemKind::NoBroker);
    assert_eq!(problem.location().unwrap().crate_name(), "orders_contracts");
}

#[tokio::test]
async fn without_broker_receives_and_fails_what_it_would_have_to_publish() {
    let (builder, log) = without_a_broker();
    let mediator = builder.without_broker().build().unwrap();
    let error = mediator.send(place_order()).await.unwrap_err();
    assert!(matches!(error, SendError::NoBroker { event: "OrderConfirmed" }), "{error:?}");

    let id = "82a0b10e-1b3d-4c3c-9bdd-3934f8f824c2".parse().unwrap();
    let arrived = InboundMessage::new(MessageType::Notification, "OrderConfirmed", id, json!({ "number": 8 }));
    assert_eq!(mediator.receive(arrived).await.unwrap(), Received::Handled);
    assert_eq!(log.lines().last().unwrap(), "confirmation 8");
}

// --- What the compiler says. --------------------------------------------------------------------

#[rustversion::attr(not(stable(1.95)), ignore = "the texts are those of rustc 1.95")]
#[test]
fn mistakes_are_explained() {
    trybuild::TestCases::new().compile_fail("linkage/mistakes/*.rs");
}
