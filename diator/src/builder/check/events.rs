//! Events: who handles them, how they leave and arrive.

use std::any::TypeId;
use std::collections::{HashMap, HashSet};

use super::duplicate_handlers::written_once;
use crate::broker::{EventRoute, HeaderCodec, MessageType, SENDER, is_header_name, sender_problem};
use crate::builder::MediatorBuilder;
use crate::event::EventDescriptor;
use crate::registry::{HandlerDescriptor, Problem, ProblemKind, short_name};

pub(super) fn unhandled_events(builder: &MediatorBuilder, events: &[EventDescriptor], problems: &mut Vec<Problem>) {
    let mut excused = builder.handled();
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

pub(super) fn no_broker(builder: &MediatorBuilder, events: &[EventDescriptor], problems: &mut Vec<Problem>) {
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

pub(super) fn not_accepted(builder: &MediatorBuilder, events: &[EventDescriptor], problems: &mut Vec<Problem>) {
    let Some(broker) = &builder.broker else { return };
    for event in events {
        let Some(message_type) = event.message_type else { continue };
        let route = EventRoute { topic: event.topic, ..EventRoute::new(message_type, event.name) };
        if let Err(refusal) = broker.accepts(&route) {
            let text = format!("the broker does not accept the event `{}`: {refusal}", event.name);
            problems.push(Problem::new(ProblemKind::NotAccepted, event.location, text, refusal.remedy()));
        }
    }
}

pub(super) fn headers(headers: &[HeaderCodec], problems: &mut Vec<Problem>) {
    for (number, header) in headers.iter().enumerate() {
        let mut problem = |text: String, remedy: &str| {
            problems.push(Problem::new(ProblemKind::Header, header.location, text, remedy));
        };
        if !is_header_name(header.name) {
            problem(
                format!("no message can carry a header named `{}`", header.name.escape_debug()),
                "use 1 to 20 lower-case letters and digits, and no name that a message uses already, such as `id`",
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

pub(super) fn sender(builder: &MediatorBuilder, problems: &mut Vec<Problem>) {
    let Some((name, location)) = &builder.sender else { return };
    let mut problem = |text: String, remedy: &str| {
        problems.push(Problem::new(ProblemKind::Header, *location, text, remedy));
    };
    if let Some(why) = sender_problem(name) {
        let text = format!("no message can name `{}` as its sender: {why}", name.escape_debug());
        problem(text, "use 1 to 1,024 characters of printable ASCII");
    }
    for header in builder.headers.iter().filter(|header| header.name == SENDER) {
        let text =
            format!("the header `{SENDER}` is also registered for `{}` at {}", header.type_name, header.location);
        problem(text, "give that header another name, or remove `.sender(…)`");
    }
}

pub(super) fn names(
    events: &[EventDescriptor],
    problems: &mut Vec<Problem>,
) -> HashMap<(MessageType, &'static str), TypeId> {
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
pub(super) fn events(builder: &MediatorBuilder) -> Vec<EventDescriptor> {
    let linked = inventory::iter::<EventDescriptor>.into_iter().filter(|_| builder.from_registry).copied();
    // The registry's come first: they know where the event was declared, the handlers' only where the handler was.
    let handlers = builder.handlers.iter().chain(&builder.left_out);
    let mut events: Vec<_> = linked.chain(handlers.filter_map(|handler| handler.handled_event().copied())).collect();
    let mut seen = HashSet::new();
    events.retain(|event| seen.insert((event.id)()));
    events.sort_by_key(|event| (event.location, (event.type_name)()));
    events
}
