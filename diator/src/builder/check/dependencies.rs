//! Services that handlers ask for and do not get.

use crate::builder::MediatorBuilder;
use crate::container::{Container, Enlisted, Lifetime, Misregistered};
use crate::inject::Dependency;
use crate::registry::{HandlerDescriptor, Problem, ProblemKind, short_name};

pub(super) fn dependencies(builder: &MediatorBuilder, problems: &mut Vec<Problem>) {
    let container: &dyn Container = &*builder.container;
    for error in container.validate().err().into_iter().flatten() {
        let remedy = "correct that service's registration, or what its factory needs";
        let location = error.downcast_ref::<Misregistered>().map(|misregistered| misregistered.location);
        problems.push(Problem::new(ProblemKind::Container, location, error.to_string(), remedy));
    }
    for handler in builder.handlers.iter().filter(|handler| !builder.is_replaced(handler)) {
        for dependency in handler.dependencies() {
            problems.extend(never_commits(container, handler, dependency));
            let (name, field, service) = (handler.handler(), dependency.field, dependency.key.name());
            let (has, remedy) = match container.lifetime(&dependency.key) {
                Lifetime::Missing if !dependency.optional => {
                    let hint = builder.outbox.as_ref().filter(|outbox| outbox.unit_of_work() == Some(dependency.key));
                    let hint = hint.and_then(|outbox| outbox.how_to_register()).map(str::to_owned);
                    let hint = hint.or_else(|| container.hint(&dependency.key));
                    ("none", hint.unwrap_or_else(|| how_to_register(dependency)))
                }
                Lifetime::Ambiguous => ("several", format!("register one `{}` only", short_name(service))),
                _ => continue,
            };
            problems.push(Problem::new(
                ProblemKind::MissingDependency,
                handler.location(),
                format!("the handler `{name}` needs `{service}` for its field `{field}`, and the container has {has}"),
                remedy,
            ));
        }
    }
}

/// A unit of work that its container only drops.
fn never_commits(container: &dyn Container, handler: &HandlerDescriptor, dependency: &Dependency) -> Option<Problem> {
    if !dependency.unit_of_work {
        return None;
    }
    let Enlisted::No { registered } = container.enlisted(&dependency.key) else { return None };
    let (name, field, service) = (handler.handler(), dependency.field, dependency.key.name());
    let text = format!(
        "`{service}` is a unit of work, but its registration never commits it; the handler `{name}` has it in its field \
         `{field}`"
    );
    Some(Problem::new(ProblemKind::NeverCommits, registered.unwrap_or(handler.location()), text, AS_UNIT_OF_WORK))
}

pub(super) const AS_UNIT_OF_WORK: &str =
    "register it with `Services::new().unit_of_work(|scope| async move { … })`, or with `unit_of_work_sync`";

fn how_to_register(dependency: &Dependency) -> String {
    let service = short_name(dependency.key.name());
    let example = match dependency.unit_of_work {
        true => AS_UNIT_OF_WORK.to_owned(),
        false => format!(
            "register it as this very type, for example with `Services::new().singleton::<{service}>(Arc::new(…))`"
        ),
    };
    match service.starts_with("dyn ") {
        true => format!(
            "{example}\nif it is registered as the concrete type, add `.alias::<{service}, ThatType>(|service| service)`"
        ),
        false => example,
    }
}
