//! What `build()` checks before it takes any handler in.

use std::any::TypeId;
use std::collections::{HashMap, HashSet};

use super::MediatorBuilder;
use crate::broker::{EventRoute, HeaderCodec, MessageType, is_header_name};
use crate::container::{Container, Enlisted, Lifetime, Misregistered};
use crate::event::EventDescriptor;
use crate::registry::{
    Dependency, HandlerDescriptor, HandlerRole, LinkedCrate, Location, Problem, ProblemKind, short_name,
};
use crate::request::RequestDescriptor;

/// What the checks found out on the way.
pub(super) struct Checked {
    /// The events that can arrive, by kind and name.
    pub(super) names: HashMap<(MessageType, &'static str), TypeId>,
}

/// Sorts the handlers and adds a problem for everything that is wrong.
pub(super) fn check(builder: &mut MediatorBuilder) -> Checked {
    // The linker decides on the order of the registry; nothing else should depend on it.
    builder.handlers.sort_by_key(|handler| (handler.message(), handler.handler(), handler.location()));
    let mut problems = std::mem::take(&mut builder.problems);
    empty_registry(builder, &mut problems);
    linked_crates(builder, &mut problems);
    unhandled_requests(builder, &mut problems);
    registered_twice(builder, &mut problems);
    several_handlers(builder, &mut problems);
    dependencies(builder, &mut problems);
    let events = events(builder);
    handler_ids(builder, &mut problems);
    unhandled_events(builder, &events, &mut problems);
    no_broker(builder, &events, &mut problems);
    not_accepted(builder, &events, &mut problems);
    headers(&builder.headers, &mut problems);
    let names = names(&events, &mut problems);
    builder.problems = problems;
    Checked { names }
}

pub(super) fn except_without_effect(handler: &str, location: Location) -> Problem {
    let text = format!("`.except::<{handler}>()` leaves nothing out: this mediator has no such handler");
    let remedy = "remove the call: the handler is not registered, or an earlier call has left it out already";
    Problem::new(ProblemKind::NoEffect, location, text, remedy)
}

fn empty_registry(builder: &MediatorBuilder, problems: &mut Vec<Problem>) {
    if !builder.handlers.is_empty() || !builder.replacements.is_empty() || !builder.left_out.is_empty() {
        return;
    }
    let remedy = match builder.from_registry {
        true => {
            "put `#[request_handler(…)]` or `#[event_handler(…)]` on a handler; if the handlers are in another crate, \
             name it once: `diator::link!(that_crate);`\n\
             on wasm and in static libraries nothing is registered: list them with `.handlers(handlers![…])`"
        }
        false => "list the handlers with `.handlers(handlers![…])`, or start with `Mediator::from_registry()`",
    };
    problems.push(Problem::new(ProblemKind::EmptyRegistry, None, "no handler is registered", remedy));
}

fn linked_crates(builder: &MediatorBuilder, problems: &mut Vec<Problem>) {
    if !builder.from_registry {
        return;
    }
    let registered = inventory::iter::<crate::registry::HandlerSet>.into_iter().flat_map(|set| set.0);
    let listed = builder.handlers.iter();
    let found: HashSet<_> = registered.chain(listed).map(|handler| handler.location().crate_name()).collect();
    for linked in inventory::iter::<LinkedCrate>.into_iter().filter(|linked| !found.contains(linked.own_name())) {
        let LinkedCrate { name, .. } = linked;
        problems.push(Problem::new(
            ProblemKind::NothingLinked,
            linked.location,
            format!("`link!` names the crate `{}`, but no handler of it is registered", linked.own_name()),
            format!(
                "name the crate that holds the handlers, not one that re-exports it; if its handlers say `unregistered`, \
                 list them with `.handlers(handlers![…])`\n\
                 if `Cargo.toml` renames it, say its own name too: `diator::link!({name} = its_own_name);`\n\
                 if it depends on another version of `diator` (`cargo tree --duplicates`), let both have one\n\
                 on wasm and in static libraries nothing is registered: list them with `.handlers(handlers![…])`"
            ),
        ));
    }
}

fn unhandled_requests(builder: &MediatorBuilder, problems: &mut Vec<Problem>) {
    if !builder.from_registry {
        return;
    }
    let mut excused = handled(builder);
    excused.extend(builder.left_out.iter().map(HandlerDescriptor::message_id));
    excused.extend(&builder.allowed);
    excused.extend(builder.replacements.keys());
    for request in inventory::iter::<RequestDescriptor> {
        let (id, crate_name) = ((request.id)(), request.location.crate_name());
        if excused.contains(&id) || builder.remote.iter().any(|remote| remote == crate_name) {
            continue;
        }
        let name = short_name((request.name)());
        problems.push(Problem::new(
            ProblemKind::NoHandler,
            request.location,
            format!("the {} `{name}` has no handler", request.kind.as_str()),
            format!(
                "put `#[request_handler({name})]` on a handler; if it has one in another crate, name that crate: \
                 `diator::link!(that_crate);`\n\
                 if its handler says `unregistered`, list it: `.handlers(handlers![…])`\n\
                 if another process handles it, say `.remote(\"{crate_name}\")` or `.allow_unhandled::<{name}>()`\n\
                 in a test binary, all its modules' messages are registered: list those that you want with \
                 `Mediator::builder().handlers(handlers![…])`"
            ),
        ));
    }
}

/// Handlers that name a message more than once: by its name and its path, say, which the attributes cannot see through.
fn registered_twice(builder: &MediatorBuilder, problems: &mut Vec<Problem>) {
    let mut seen = HashSet::new();
    for handler in &builder.handlers {
        let is_first = seen.insert((handler.message_id(), handler.handler_id()));
        if is_first && !handler.repeated {
            continue;
        }
        let (name, message) = (handler.handler(), short_name(handler.message()));
        problems.push(Problem::new(
            ProblemKind::RegisteredTwice,
            handler.location(),
            format!("the handler `{name}` is registered for `{message}` more than once"),
            "keep one of its attributes: a path or an alias names the same message as the name alone",
        ));
    }
}

fn several_handlers(builder: &MediatorBuilder, problems: &mut Vec<Problem>) {
    // By type: what two requests are called may read the same.
    let mut by_request: HashMap<TypeId, Vec<&HandlerDescriptor>> = HashMap::new();
    for handler in requests(builder).filter(|handler| !builder.replacements.contains_key(&handler.message_id())) {
        let handlers = by_request.entry(handler.message_id()).or_default();
        if handlers.iter().all(|other| other.handler_id() != handler.handler_id()) {
            handlers.push(handler);
        }
    }
    for handlers in by_request.into_values() {
        let [first, second, ..] = &*handlers else { continue };
        let places: Vec<_> = handlers.iter().map(|h| format!("`{}` at {}", h.handler(), h.location())).collect();
        let request = short_name(first.message());
        problems.push(Problem::new(
            ProblemKind::SeveralHandlers,
            first.location(),
            format!("the request `{request}` has {} handlers: {}", handlers.len(), places.join(", ")),
            linked_twice(first, second).unwrap_or_else(|| {
                "keep one of them, or leave the others out of this process with `.except::<…>()`\n\
                 if several parts of the program are to react, let the handler emit a domain event: \
                 it may have any number of handlers"
                    .to_owned()
            }),
        ));
    }
}

/// What to do about two handlers that are one and the same in the source, if they are.
fn linked_twice(one: &HandlerDescriptor, other: &HandlerDescriptor) -> Option<String> {
    let written = |handler: &HandlerDescriptor| (handler.handler(), handler.location());
    written_once(written(one), written(other))
}

/// The same of two types of one name, declared at one place.
fn written_once(one: (&str, Location), other: (&str, Location)) -> Option<String> {
    (one == other).then(|| {
        let name = one.1.crate_name();
        format!(
            "both are written at one place: the crate `{name}` is linked twice, as a crate is whose tests depend on one \
             that depends on it, or of which there are two versions\n\
             list the handlers that you want: `Mediator::builder().handlers(handlers![…])`\n\
             if a macro writes both there, keep one of them, or give them names or ids of their own"
        )
    })
}

fn dependencies(builder: &MediatorBuilder, problems: &mut Vec<Problem>) {
    let container: &dyn Container = &*builder.container;
    for error in container.validate().err().into_iter().flatten() {
        let remedy = "correct that service's registration, or what its factory needs";
        let location = error.downcast_ref::<Misregistered>().map(|misregistered| misregistered.location);
        problems.push(Problem::new(ProblemKind::Container, location, error.to_string(), remedy));
    }
    for handler in builder.handlers.iter().filter(|handler| !is_replaced(builder, handler)) {
        for dependency in handler.dependencies() {
            problems.extend(never_commits(container, handler, dependency));
            let (name, field, service) = (handler.handler(), dependency.field, dependency.key.name());
            let (has, remedy) = match container.lifetime(&dependency.key) {
                Lifetime::Missing if !dependency.optional => ("none", how_to_register(&short_name(service))),
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
        "`{service}` is a unit of work, and is registered in a way in which it never commits; the handler `{name}` has it \
         in its field `{field}`"
    );
    let remedy =
        "register it with `Services::new().unit_of_work(|scope| async move { … })`, or with `unit_of_work_sync`";
    Some(Problem::new(ProblemKind::NeverCommits, registered.unwrap_or(handler.location()), text, remedy))
}

fn how_to_register(service: &str) -> String {
    let example = format!(
        "register it as this very type, for example with `Services::new().singleton::<{service}>(Arc::new(…))`"
    );
    match service.starts_with("dyn ") {
        true => format!(
            "{example}\nif it is registered as the concrete type, add `.alias::<{service}, ThatType>(|service| service)`"
        ),
        false => example,
    }
}

fn handler_ids(builder: &MediatorBuilder, problems: &mut Vec<Problem>) {
    let mut seen: HashMap<_, &HandlerDescriptor> = HashMap::new();
    for handler in builder.handlers.iter().filter(|handler| handler.role() != HandlerRole::Request) {
        let id = handler.id();
        if id.as_str().is_empty() {
            problems.push(Problem::new(
                ProblemKind::HandlerId,
                handler.location(),
                format!("the handler `{}` has an empty id", handler.handler()),
                "give it a name that outlives its type, such as `id = \"billing.charge\"`, or leave `id` out",
            ));
        }
        if let Some(other) = seen.insert((handler.message_id(), id), handler)
            && other.handler_id() != handler.handler_id()
        {
            problems.push(Problem::new(
                ProblemKind::HandlerId,
                handler.location(),
                format!(
                    "the handlers `{}` at {} and `{}` of one event have the same id: `{}`",
                    other.handler(),
                    other.location(),
                    handler.handler(),
                    id.as_str().escape_debug()
                ),
                linked_twice(other, handler).unwrap_or_else(|| {
                    "give one of them another id: redelivery and replay could not tell them apart".to_owned()
                }),
            ));
        }
    }
}

fn unhandled_events(builder: &MediatorBuilder, events: &[EventDescriptor], problems: &mut Vec<Problem>) {
    let mut excused = handled(builder);
    excused.extend(builder.left_out.iter().map(HandlerDescriptor::message_id));
    for event in events.iter().filter(|event| event.must_be_handled && !excused.contains(&(event.id)())) {
        let name = short_name((event.type_name)());
        problems.push(Problem::new(
            ProblemKind::UnhandledEvent,
            event.location,
            format!("the event `{name}` must be handled, and has no handler"),
            format!(
                "put `#[event_handler({name})]` on a handler; if it has one in another crate, name that crate: \
                 `diator::link!(that_crate);`"
            ),
        ));
    }
}

fn no_broker(builder: &MediatorBuilder, events: &[EventDescriptor], problems: &mut Vec<Problem>) {
    if builder.broker.is_some() || builder.outbox.is_some() || builder.without_broker {
        return;
    }
    for event in events.iter().filter(|event| event.message_type.is_some()) {
        problems.push(Problem::new(
            ProblemKind::NoBroker,
            event.location,
            format!(
                "the event `{}` goes to a message broker, and the mediator has none",
                short_name((event.type_name)())
            ),
            "add one, for example `.broker(InMemoryBroker::new())`\n\
             if this process only receives such events, say `.without_broker()`",
        ));
    }
}

fn not_accepted(builder: &MediatorBuilder, events: &[EventDescriptor], problems: &mut Vec<Problem>) {
    let Some(broker) = &builder.broker else { return };
    for event in events {
        let Some(message_type) = event.message_type else { continue };
        let route = EventRoute { topic: event.topic, ..EventRoute::new(message_type, event.name) };
        if let Err(refusal) = broker.accepts(&route) {
            let text = format!("the broker does not take the event `{}`: {refusal}", event.name);
            problems.push(Problem::new(ProblemKind::NotAccepted, event.location, text, refusal.remedy()));
        }
    }
}

fn headers(headers: &[HeaderCodec], problems: &mut Vec<Problem>) {
    for (number, header) in headers.iter().enumerate() {
        let mut problem = |text: String, remedy: &str| {
            problems.push(Problem::new(ProblemKind::Header, header.location, text, remedy));
        };
        if !is_header_name(header.name) {
            problem(
                format!("no message can carry a header of the name `{}`", header.name.escape_debug()),
                "take 1 to 20 lower-case letters and digits, and no name that a message uses already, such as `id`",
            );
        }
        for other in headers[..number].iter().filter(|other| other.name == header.name) {
            let (name, one, two) = (header.name.escape_debug(), other.type_name, header.type_name);
            problem(
                format!("the header `{name}` is registered twice: for `{one}` at {} and for `{two}`", other.location),
                "give one of them another name, or remove it",
            );
        }
    }
}

fn names(events: &[EventDescriptor], problems: &mut Vec<Problem>) -> HashMap<(MessageType, &'static str), TypeId> {
    let mut names: HashMap<_, &EventDescriptor> = HashMap::new();
    let written = |event: &EventDescriptor| ((event.type_name)(), event.location);
    for event in events {
        let Some(message_type) = event.message_type else { continue };
        for name in std::iter::once(&event.name).chain(event.aliases) {
            match names.insert((message_type, *name), event) {
                Some(other) if (other.id)() != (event.id)() => problems.push(Problem::new(
                    ProblemKind::AmbiguousName,
                    event.location,
                    format!(
                        "the events `{}` and `{}` at {} have the same name on the wire: `{name}`",
                        (event.type_name)(),
                        (other.type_name)(),
                        other.location
                    ),
                    written_once(written(event), written(other)).unwrap_or_else(|| {
                        "give one of them another name with `#[event(name = \"…\")]`, or remove the alias".to_owned()
                    }),
                )),
                _ => {}
            }
        }
    }
    names.into_iter().map(|(name, event)| (name, (event.id)())).collect()
}

/// Every event that the registry or a handler knows, once each, in a stable order.
fn events(builder: &MediatorBuilder) -> Vec<EventDescriptor> {
    let linked = inventory::iter::<EventDescriptor>.into_iter().filter(|_| builder.from_registry).copied();
    // The registry's come first: they know where the event was declared, the handlers' only where the handler was.
    let handlers = builder.handlers.iter().chain(&builder.left_out);
    let mut events: Vec<_> = linked.chain(handlers.filter_map(|handler| handler.handled_event().copied())).collect();
    let mut seen = HashSet::new();
    events.retain(|event| seen.insert((event.id)()));
    events.sort_by_key(|event| (event.location, (event.type_name)()));
    events
}

fn requests(builder: &MediatorBuilder) -> impl Iterator<Item = &HandlerDescriptor> {
    builder.handlers.iter().filter(|handler| handler.role() == HandlerRole::Request)
}

fn is_replaced(builder: &MediatorBuilder, handler: &HandlerDescriptor) -> bool {
    handler.role() == HandlerRole::Request && builder.replacements.contains_key(&handler.message_id())
}

fn handled(builder: &MediatorBuilder) -> HashSet<TypeId> {
    builder.handlers.iter().map(HandlerDescriptor::message_id).collect()
}
