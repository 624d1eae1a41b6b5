//! What `build()` checks before it takes any handler in.

mod dependencies;
mod duplicate_handlers;
mod events;
mod inbox;
mod lookups;
mod outbox;

use std::any::TypeId;
use std::collections::{HashMap, HashSet};

use self::dependencies::dependencies;
use self::duplicate_handlers::{handler_ids, registered_twice, several_handlers};
use self::events::{events, headers, names, no_broker, not_accepted, sender, unhandled_events};
use self::inbox::inbox;
pub(super) use self::inbox::warn_of_ids_by_type;
use self::outbox::outbox;
pub(super) use self::outbox::warn_if_not_durable;
use super::MediatorBuilder;
use crate::broker::MessageType;
use crate::location::Location;
use crate::registry::{HandlerDescriptor, LinkedCrate, Problem, ProblemKind, short_name};
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
    outbox(builder, &mut problems);
    inbox(builder, &mut problems);
    headers(&builder.headers, &mut problems);
    sender(builder, &mut problems);
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
    let mut excused = builder.handled();
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
