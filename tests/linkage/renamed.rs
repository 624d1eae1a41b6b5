//! A program that calls the crate of the handlers by another name than that crate does itself.

use std::sync::Arc;

use diator::prelude::*;
use diator::registry::ProblemKind;
use orders_contracts::{Log, OrderPlaced};

// In the place of what follows, `diator::link!(old_billing = billing);` is to stand: the name as `use` knows it, and the
// crate's own.
diator::link!(old_billing);

fn builder(log: &Arc<Log>) -> diator::MediatorBuilder {
    let services = Services::new().singleton(log.clone());
    Mediator::from_registry().container(services).broker(InMemoryBroker::new()).remote("orders_contracts")
}

/// Broken: a crate that has contributed handlers is not missed.
#[tokio::test]
#[should_panic(expected = "no handler of it is registered")]
async fn a_crate_under_another_name_has_contributed() {
    let log = Arc::<Log>::default();
    let mediator = builder(&log).build().unwrap();
    mediator.emit(OrderPlaced { number: 3 }).await.unwrap();
    assert_eq!(log.lines(), ["bill 3"]);
}

/// Broken: a problem's remedy says what to write. Without the crate's own name nobody can know that its handlers are there.
#[test]
#[should_panic(expected = "the remedy does not help")]
fn without_its_own_name_the_remedy_says_how_to_write_it() {
    let Err(error) = builder(&Arc::default()).build() else { return };
    let [problem] = error.problems() else { panic!("{error}") };
    assert_eq!(problem.kind(), ProblemKind::NothingLinked);
    assert!(problem.remedy().contains("link!(old_billing = "), "the remedy does not help: {error}");
}
