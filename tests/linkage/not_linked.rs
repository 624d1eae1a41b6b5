//! A program that depends on the crate of the handlers in its `Cargo.toml`, but never names it.

use diator::prelude::*;
use diator::registry::{Problem, ProblemKind};
use diator::{BuildError, MediatorBuilder};
use orders_contracts::{CountOrders, PlaceOrder, ReserveStock};

/// The program's own handler, so that the registry is not empty.
#[derive(Debug, Command)]
struct ShipOrder;

#[request_handler(ShipOrder)]
struct ShipOrderHandler;

impl RequestHandler<ShipOrder> for ShipOrderHandler {
    async fn handle(&self, _: ShipOrder, cx: &mut RequestContext<'_, ShipOrder>) -> Result<(), BoxError> {
        cx.send_dyn(ReserveStock { article: "tea".to_owned() }).await?;
        Ok(())
    }
}

fn builder() -> MediatorBuilder {
    Mediator::from_registry().broker(InMemoryBroker::new())
}

fn unhandled(error: &BuildError) -> Vec<&str> {
    assert!(error.problems().iter().all(|problem| problem.kind() == ProblemKind::NoHandler), "{error}");
    error.problems().iter().map(Problem::text).collect()
}

#[test]
fn build_reports_every_request_with_its_place_and_the_remedy() {
    let error = builder().build().unwrap_err();
    let expected = [
        "the command `PlaceOrder` has no handler",
        "the command `ReserveStock` has no handler",
        "the query `CountOrders` has no handler",
    ];
    assert_eq!(unhandled(&error), expected);
    assert_eq!(error.crates(), ["linkage_not_linked"]);
    for problem in error.problems() {
        let location = problem.location().unwrap();
        assert_eq!(location.crate_name(), "orders_contracts");
        assert!(location.to_string().replace('\\', "/").contains("contracts/src/lib.rs:"), "{error}");
        assert!(problem.remedy().contains("diator::link!(that_crate);"), "{error}");
        assert!(problem.remedy().contains(".remote(\"orders_contracts\")"), "{error}");
    }
}

#[tokio::test]
async fn the_requests_of_a_remote_crate_may_go_unhandled() {
    for name in ["orders_contracts", "orders-contracts"] {
        let mediator = builder().remote(name).build().unwrap();
        let error = mediator.send_dyn(CountOrders).await.unwrap_err();
        assert!(matches!(error, SendError::Unhandled { request: "orders_contracts::CountOrders" }), "{error:?}");
    }
}

#[tokio::test]
async fn a_nested_request_that_is_remote_fails_its_sender() {
    let mediator = builder().remote("orders_contracts").build().unwrap();
    let error = mediator.send(ShipOrder).await.unwrap_err();
    assert_eq!(error.to_string(), "the request `orders_contracts::ReserveStock` has no handler in this process");
}

#[test]
fn another_crates_requests_are_not_remote() {
    let error = builder().remote("orders").build().unwrap_err();
    assert_eq!(error.problems().len(), 3, "{error}");
}

#[test]
fn only_the_requests_that_are_named_are_allowed_to_go_unhandled() {
    let error = builder().allow_unhandled::<PlaceOrder>().allow_unhandled::<CountOrders>().build().unwrap_err();
    assert_eq!(unhandled(&error), ["the command `ReserveStock` has no handler"]);
}

#[tokio::test]
async fn a_fake_handles_a_request_that_nobody_else_does() {
    struct Fake;

    impl RequestHandler<CountOrders> for Fake {
        async fn handle(&self, _: CountOrders, _: &mut RequestContext<'_, CountOrders>) -> Result<usize, BoxError> {
            Ok(99)
        }
    }

    let error = builder().replace::<CountOrders>(Fake).build().unwrap_err();
    assert_eq!(unhandled(&error).len(), 2, "{error}");
    let mediator = builder().replace::<CountOrders>(Fake).remote("orders_contracts").build().unwrap();
    assert_eq!(mediator.send_dyn(CountOrders).await.unwrap(), 99);
}
