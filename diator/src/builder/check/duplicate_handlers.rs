//! Two handlers where one is meant: for one request, of one id, or one that is registered twice.

use std::any::TypeId;
use std::collections::{HashMap, HashSet};

use crate::builder::MediatorBuilder;
use crate::location::Location;
use crate::registry::{HandlerDescriptor, HandlerRole, Problem, ProblemKind, short_name};

/// Handlers that name a message more than once: by its name and its path, say, which the attributes cannot see through.
pub(super) fn registered_twice(builder: &MediatorBuilder, problems: &mut Vec<Problem>) {
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

pub(super) fn several_handlers(builder: &MediatorBuilder, problems: &mut Vec<Problem>) {
    // By type: what two requests are called may read the same.
    let mut by_request: HashMap<TypeId, Vec<&HandlerDescriptor>> = HashMap::new();
    for handler in builder.requests().filter(|handler| !builder.replacements.contains_key(&handler.message_id())) {
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
pub(super) fn written_once(one: (&str, Location), other: (&str, Location)) -> Option<String> {
    (one == other).then(|| {
        let name = one.1.crate_name();
        format!(
            "both come from one place in the source: the crate `{name}` is linked twice, because its tests depend on a crate \
             that depends on it, or because the program has two versions of it\n\
             list the handlers that you want: `Mediator::builder().handlers(handlers![…])`\n\
             if a macro writes both at that place, keep one of them, or give them names or ids of their own"
        )
    })
}

pub(super) fn handler_ids(builder: &MediatorBuilder, problems: &mut Vec<Problem>) {
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
