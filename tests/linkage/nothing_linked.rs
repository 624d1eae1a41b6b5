//! A program whose `link!` names a crate without handlers beside one that has some.

use diator::prelude::*;
use diator::registry::ProblemKind;
use orders_contracts::Log;

diator::link!(orders, orders_contracts);

fn builder() -> diator::MediatorBuilder {
    Mediator::from_registry().container(Services::new().value(Log::default())).broker(InMemoryBroker::new())
}

#[test]
fn the_crate_without_handlers_is_a_problem() {
    let error = builder().build().unwrap_err();
    let [problem] = error.problems() else { panic!("{error}") };
    assert_eq!(problem.kind(), ProblemKind::NothingLinked);
    assert!(problem.text().contains("`orders_contracts`"), "{error}");
    assert!(problem.location().unwrap().file().ends_with("nothing_linked.rs"), "{error}");
    assert_eq!(error.crates(), ["orders"]);
}

#[test]
fn a_crate_whose_handlers_are_left_out_on_purpose_has_contributed() {
    let error = builder().only(handlers![]).build().unwrap_err();
    let [problem] = error.problems() else { panic!("{error}") };
    assert!(problem.text().contains("`orders_contracts`"), "{error}");
}

#[test]
fn handlers_that_are_listed_by_hand_need_no_linked_crate() {
    let services = Services::new().value(Log::default());
    let builder = Mediator::builder().handlers(orders::handlers()).container(services).broker(InMemoryBroker::new());
    assert!(builder.build().is_ok());
}
