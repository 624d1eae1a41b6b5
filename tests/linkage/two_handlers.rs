//! A program that links two crates with handlers for one request, and sends it unseen by the compiler.

use diator::prelude::*;
use diator::registry::ProblemKind;
use orders_contracts::{CountOrders, Log};

diator::link!(orders, old_orders);

fn builder() -> diator::MediatorBuilder {
    Mediator::from_registry().container(Services::new().value(Log::default())).broker(InMemoryBroker::new())
}

#[test]
fn build_names_both_with_their_places() {
    let error = builder().build().unwrap_err();
    let [problem] = error.problems() else { panic!("{error}") };
    assert_eq!(problem.kind(), ProblemKind::SeveralHandlers);
    for part in [
        "`CountOrders` has 2 handlers",
        "`old_orders::count::CountOldOrders`",
        "tests/linkage/crates/old_orders/src/count.rs:5",
        "`orders::count::CountOrdersHandler`",
        "tests/linkage/crates/orders/src/count.rs:7",
    ] {
        assert!(problem.text().replace('\\', "/").contains(part), "{part} is not in: {error}");
    }
    assert_eq!(error.crates(), ["old_orders", "orders"]);
}

#[tokio::test]
async fn one_of_them_can_be_chosen() {
    let mediator = builder().only(orders::handlers()).build().unwrap();
    assert_eq!(mediator.send_dyn(CountOrders).await.unwrap(), 0);
}

#[tokio::test]
async fn a_fake_replaces_both() {
    struct Fake;

    impl RequestHandler<CountOrders> for Fake {
        async fn handle(&self, _: CountOrders, _: &mut RequestContext<'_, CountOrders>) -> Result<usize, BoxError> {
            Ok(99)
        }
    }

    let mediator = builder().replace::<CountOrders>(Fake).build().unwrap();
    assert_eq!(mediator.send_dyn(CountOrders).await.unwrap(), 99);
}
