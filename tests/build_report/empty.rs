//! A program without any handler.

use diator::prelude::*;
use diator::registry::ProblemKind;

#[test]
fn a_registry_without_handlers_is_a_problem() {
    let error = Mediator::from_registry().build().unwrap_err();
    let [problem] = error.problems() else { panic!("{error}") };
    assert_eq!(problem.kind(), ProblemKind::EmptyRegistry);
    assert_eq!(problem.location(), None);
    assert!(problem.remedy().contains("diator::link!(that_crate);"), "{error}");
    assert!(problem.remedy().contains(".handlers(handlers![…])"), "{error}");
    assert!(error.crates().is_empty());
    assert!(error.to_string().ends_with("handlers were found in no crate"), "{error}");
}
