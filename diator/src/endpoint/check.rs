//! Whether endpoints can run: everything that is wrong with them, before any of them starts.

use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Endpoint;
use super::bound::{Bound, EventsHandled, Kept};
use super::needs::{Help, capabilities};
use super::report::EndpointError;
use super::settings::OwnMessages;
use super::store::Store;
use super::warnings::{warn_of_events, warn_of_no_endpoint, warn_of_what_is_missing};
use crate::Mediator;
use crate::broker::EventRoute;
use crate::event::EventDescriptor;
use crate::inbox::Inbox;
use crate::registry::{HandlerDescriptor, HandlerId, Problem, ProblemKind, short_name};
use crate::subscription::Share;

/// A handler of an event that can arrive.
type Handled = (TypeId, HandlerId);

/// Binds endpoints to the mediator whose handlers they run.
pub(crate) fn bind(endpoints: Vec<Endpoint>, mediator: &Mediator) -> Result<Vec<Arc<Bound>>, EndpointError> {
    let known: Vec<_> = mediator.0.parts.handlers.iter().filter(|handler| arriving(handler).is_some()).collect();
    if endpoints.is_empty() {
        warn_of_no_endpoint(&known);
        return Ok(Vec::new());
    }
    let mut problems = Vec::new();
    names(&endpoints, &mut problems);
    let assigned: Vec<_> = endpoints.iter().map(|endpoint| assign(endpoint, &known, &mut problems)).collect();
    one_endpoint_each(&endpoints, &known, &assigned, &mut problems);
    let mut bound = Vec::new();
    for (endpoint, handled) in endpoints.into_iter().zip(assigned) {
        let location = endpoint.location;
        let help = Help::of(&endpoint, mediator);
        let wrong = endpoint.settings.problems(help.retention);
        let as_problem = |(text, remedy)| problem(ProblemKind::Endpoint, &endpoint, text, remedy);
        problems.extend(wrong.into_iter().map(as_problem));
        if endpoint.settings.own_messages == OwnMessages::Skip && mediator.0.sender.is_none() {
            let text = "it skips the program's own messages, but the program has no name by which it could know them";
            let remedy = "name the program where the mediator is built: `.sender(\"…\")`; or remove `.own_messages(…)`";
            problems.push(problem(ProblemKind::Endpoint, &endpoint, text, remedy));
        }
        capabilities(&endpoint, help, &mut problems);
        warn_of_what_is_missing(&endpoint, help);
        warn_of_events(&endpoint, known.iter().filter(|handler| handled.contains(&of(handler))));
        let one = bind_one(endpoint, &handled, &known, mediator);
        for refusal in one.subscription.validate(&one.wanted()) {
            let text = format!("endpoint `{}`: the subscription cannot do it: {refusal}", one.settings.name);
            problems.push(Problem::new(ProblemKind::Endpoint, location, text, refusal.remedy()));
        }
        let beside = one.beside();
        bound.push(Arc::new(one));
        bound.extend(beside.map(Arc::new));
    }
    EndpointError::check(problems)?;
    Ok(bound)
}

/// The inbox that an endpoint enters, if there is one; what is for all of its processes is none of the inbox's.
pub(super) fn inbox_of(share: Share, mediator: &Mediator) -> Option<&dyn Inbox> {
    mediator.0.inbox.as_deref().filter(|_| share == Share::Group)
}

fn bind_one(
    endpoint: Endpoint,
    handled: &BTreeSet<Handled>,
    known: &[&HandlerDescriptor],
    mediator: &Mediator,
) -> Bound {
    let mut handlers = EventsHandled::default();
    for (event, route) in &mediator.0.events {
        let ours = route.all().map(|entry| entry.id).filter(|id| handled.contains(&(*event, *id)));
        let ours: Vec<_> = ours.collect();
        if !ours.is_empty() {
            handlers.0.insert(*event, ours);
        }
    }
    let mut events: BTreeMap<&str, EventRoute<'static>> = BTreeMap::new();
    for event in
        known.iter().filter_map(|handler| arriving(handler)).filter(|event| handlers.0.contains_key(&(event.id)()))
    {
        if let Some(message_type) = event.message_type {
            events.insert(event.name, EventRoute { topic: event.topic, ..EventRoute::new(message_type, event.name) });
        }
    }
    let topics = topics(&endpoint, events.values());
    let Endpoint { settings, subscription, attempt_log, on_attempt, on_decision, monitor, .. } = endpoint;
    let inbox = inbox_of(settings.share, mediator);
    let deliveries = inbox.and_then(Inbox::deliveries);
    let log = attempt_log.or_else(|| inbox.and_then(Inbox::attempt_log));
    Bound {
        capabilities: subscription.capabilities(),
        events: events.into_values().collect(),
        mediator: mediator.clone(),
        kept: Kept::default(),
        store: deliveries
            .map(|deliveries| Arc::new(Store::new(deliveries, settings.formerly.clone(), settings.concurrency))),
        of_rows: false,
        settings,
        subscription,
        handlers: Arc::new(handlers),
        topics,
        log,
        on_attempt,
        on_decision,
        monitor,
    }
}

/// The topics that were named, or else those of the events.
fn topics<'e>(endpoint: &Endpoint, events: impl Iterator<Item = &'e EventRoute<'e>>) -> Vec<String> {
    if !endpoint.topics.is_empty() {
        return endpoint.topics.clone();
    }
    let topics: BTreeSet<_> = events.filter_map(|event| event.topic).collect();
    topics.into_iter().map(str::to_owned).collect()
}

fn of(handler: &HandlerDescriptor) -> Handled {
    (handler.message_id(), handler.id())
}

/// The event of a handler, if it can arrive.
pub(super) fn arriving(handler: &HandlerDescriptor) -> Option<&EventDescriptor> {
    handler.handled_event().filter(|event| event.message_type.is_some())
}

fn names(endpoints: &[Endpoint], problems: &mut Vec<Problem>) {
    for (number, endpoint) in endpoints.iter().enumerate() {
        let names = |other: &&Endpoint| other.settings.name == endpoint.settings.name;
        if let Some(other) = endpoints[..number].iter().find(names) {
            problems.push(problem(
                ProblemKind::Endpoint,
                endpoint,
                format!("another endpoint, at {}, has the same name", other.location),
                "give one of them another name: processes share the messages of one name",
            ));
        }
        for former in &endpoint.settings.formerly {
            let has_it = |other: &&Endpoint| {
                !std::ptr::eq(*other, endpoint)
                    && (*other.settings.name == **former || other.settings.formerly.contains(former))
            };
            let (text, remedy) = if former.is_empty() || **former == *endpoint.settings.name {
                (format!("its former name `{former}` is empty or its present name"), "remove that `.formerly(…)`")
            } else if let Some(other) = endpoints.iter().find(has_it) {
                (
                    format!(
                        "the endpoint at {} has its former name `{former}`, too, and would lose messages to it",
                        other.location
                    ),
                    "let only one endpoint say `.formerly(…)` for that name, and let no endpoint have the name",
                )
            } else {
                continue;
            };
            problems.push(problem(ProblemKind::Endpoint, endpoint, text, remedy));
        }
    }
}

/// Which handlers an endpoint runs.
fn assign(endpoint: &Endpoint, known: &[&HandlerDescriptor], problems: &mut Vec<Problem>) -> BTreeSet<Handled> {
    let assigned: BTreeSet<_> = match &endpoint.handlers {
        Some(named) => {
            for handler in named.0.iter().filter(|named| !known.iter().any(|handler| of(handler) == of(named))) {
                let name = short_name(handler.handler());
                let (text, remedy) = match arriving(handler) {
                    None => (
                        format!("it names `{name}`, which handles no event that could arrive"),
                        "remove it: requests and domain events are handled where they are sent",
                    ),
                    Some(_) => (
                        format!("it names `{name}`, which the mediator does not have"),
                        "give it to the mediator too: `.handlers(handlers![…])`, or link its crate",
                    ),
                };
                problems.push(problem(ProblemKind::EndpointHandler, endpoint, text, remedy));
            }
            named.0.iter().map(of).collect()
        }
        None => {
            let is_here =
                |handler: &&&HandlerDescriptor| endpoint.reads(arriving(handler).and_then(|event| event.topic));
            known.iter().filter(is_here).map(|handler| of(handler)).collect()
        }
    };
    let of_known = known.iter().filter(|handler| assigned.contains(&of(handler)));
    // An event that names no topic comes from the default topic.
    let reads_somewhere = !endpoint.topics.is_empty() || of_known.clone().next().is_some();
    if !reads_somewhere {
        let remedy = "say where it reads: `.topics([…])`";
        problems.push(problem(ProblemKind::Endpoint, endpoint, "it has no topic", remedy));
    } else if of_known.count() == 0 {
        let remedy = "name the topics of events that have handlers, or remove the endpoint";
        problems.push(problem(ProblemKind::EndpointHandler, endpoint, "it has no handler", remedy));
    }
    assigned
}

/// Where the event of a handler comes from.
fn from(handler: &HandlerDescriptor) -> String {
    let topic = arriving(handler).and_then(|event| event.topic);
    topic.map_or_else(|| " on the default topic".to_owned(), |topic| format!(" on the topic `{topic}`"))
}

fn one_endpoint_each(
    endpoints: &[Endpoint],
    known: &[&HandlerDescriptor],
    assigned: &[BTreeSet<Handled>],
    problems: &mut Vec<Problem>,
) {
    for handler in known {
        let of_it = of(handler);
        let owners: Vec<_> = endpoints
            .iter()
            .zip(assigned)
            .filter(|(_, handled)| handled.contains(&of_it))
            .map(|(endpoint, _)| format!("`{}`", endpoint.settings.name))
            .collect();
        let (name, event) = (short_name(handler.handler()), short_name(handler.message()));
        // Every endpoint that names its topics reads the default one, too.
        let has_topic = arriving(handler).is_some_and(|event| event.topic.is_some());
        let (text, remedy) = match &owners[..] {
            [_] => continue,
            [] => (
                format!("no endpoint runs `{name}`, so a `{event}` that arrives{} is not handled", from(handler)),
                if has_topic {
                    "add its topic to an endpoint's `.topics([…])`, or the handler to its `.handlers(handlers![…])`"
                } else {
                    "add the handler to an endpoint's `.handlers(handlers![…])`; or let the event name a topic that an endpoint \
                     reads: `#[event(topic = \"…\")]`"
                },
            ),
            several => {
                let theirs = if has_topic { "" } else { ", because its event names no topic" };
                (
                    format!("the endpoints {} would all run `{name}`{theirs}", several.join(" and ")),
                    if has_topic {
                        "let each endpoint name its own: `.handlers(handlers![…])`"
                    } else {
                        "let the event name its topic: `#[event(topic = \"…\")]`; or each endpoint its own handlers: \
                         `.handlers(handlers![…])`"
                    },
                )
            }
        };
        problems.push(Problem::new(ProblemKind::EndpointHandler, handler.location().known(), text, remedy));
    }
}

pub(super) fn problem(
    kind: ProblemKind,
    endpoint: &Endpoint,
    text: impl AsRef<str>,
    remedy: impl Into<String>,
) -> Problem {
    let text = format!("endpoint `{}`: {}", endpoint.settings.name, text.as_ref());
    Problem::new(kind, endpoint.location, text, remedy)
}
