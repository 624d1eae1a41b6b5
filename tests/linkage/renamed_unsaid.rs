//! A program that calls the crate of the handlers by another name than that crate does itself, and does not say so.

use std::sync::Arc;

use diator::prelude::*;
use diator::registry::ProblemKind;
use orders_contracts::Log;

diator::link!(old_billing);

fn builder(log: &Arc<Log>) -> diator::MediatorBuilder {
    let services = Services::new().singleton(log.clone());
    Mediator::from_registry().container(services).broker(InMemoryBroker::new()).remote("orders_contracts")
}

/// A problem's remedy says what to write. Without the crate's own name nobody can know that its handlers are there.
#[test]
fn without_its_own_name_the_remedy_says_how_to_write_it() {
    let error = builder(&Arc::default()).build().unwrap_err();
    let [problem] = error.problems() else { panic!("{error}") };
    assert_eq!(problem.kind(), ProblemKind::NothingLinked);
    assert!(problem.remedy().contains("link!(old_billing = "), "the remedy does not help: {error}");
}
