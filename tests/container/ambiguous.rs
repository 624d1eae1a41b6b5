//! A catalog of dill may hold several components of one interface.

use diator::Mediator;
use diator::container::{Container, DependencyKey, Lifetime};
use diator::registry::ProblemKind;
use diator_testkit::container::{Clock, Probe, handlers};
use dill::{Catalog, component, interface};

use crate::dill::DillClock;

#[component]
#[interface(dyn Clock)]
struct StoppedClock {}

impl Clock for StoppedClock {
    fn number(&self) -> usize {
        12
    }
}

#[test]
fn build_reports_that_the_container_has_several() {
    let mut catalog = Catalog::builder();
    let catalog = catalog.add_value(Probe::default()).add::<DillClock>().add::<StoppedClock>().build();
    assert_eq!(catalog.lifetime(&DependencyKey::of::<dyn Clock>()), Lifetime::Ambiguous);
    let error = Mediator::builder().handlers(handlers()).container(catalog).build().unwrap_err();
    let text =
        "needs `dyn diator_testkit::container::services::Clock` for its field `clock`, and the container has several";
    let problem = error.problems().iter().find(|problem| problem.to_string().contains(text));
    let problem = problem.unwrap_or_else(|| panic!("{error}"));
    assert_eq!(problem.kind(), ProblemKind::MissingDependency);
    assert_eq!(problem.remedy(), "register one `dyn Clock` only");
}
