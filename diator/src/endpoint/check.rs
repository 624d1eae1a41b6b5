//! Whether endpoints can run: everything that is wrong with them, before any of them starts.

use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::Endpoint;
use super::bound::{Bound, EventsHandled, Kept};
use super::report::EndpointError;
use super::settings::{OwnMessages, Unknown};
use super::store::Store;
use crate::Mediator;
use crate::broker::EventRoute;
use crate::event::EventDescriptor;
use crate::inbox::Inbox;
use crate::registry::{HandlerDescriptor, HandlerId, Problem, ProblemKind, short_name};
use crate::subscription::{Capabilities, Order, Release, Share};

/// What waits longer than this is worth a warning where the engine only knows how far an endpoint has come.
const LONG: Duration = Duration::from_secs(60);

/// Extending begins when a third of a lock has gone, and the engine has a third of it for its answer.
const SHORTEST_LOCK: Duration = Duration::from_secs(1);

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
            let text = "it skips the program's own messages, and the program has no name to know them by";
            let remedy = "name it where the mediator is built: `.sender(\"…\")`; or take `.own_messages(…)` out";
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

/// What the inbox of the mediator does for an endpoint.
#[derive(Clone, Copy)]
struct Help {
    /// It keeps what waits and what is dead; and remembers for so long what was handled.
    retention: Option<Duration>,
    attempt_log: bool,
}

impl Help {
    fn of(endpoint: &Endpoint, mediator: &Mediator) -> Self {
        let inbox = inbox_of(endpoint.settings.share, mediator);
        let store = inbox.filter(|inbox| inbox.deliveries().is_some());
        let log = inbox.is_some_and(|inbox| inbox.attempt_log().is_some());
        Self { retention: store.map(Inbox::retention), attempt_log: endpoint.attempt_log.is_some() || log }
    }

    fn has_store(self) -> bool {
        self.retention.is_some()
    }
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
fn arriving(handler: &HandlerDescriptor) -> Option<&EventDescriptor> {
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
                "give one of them another name: it is what their processes share messages by",
            ));
        }
        for former in &endpoint.settings.formerly {
            let has_it = |other: &&Endpoint| {
                !std::ptr::eq(*other, endpoint)
                    && (*other.settings.name == **former || other.settings.formerly.contains(former))
            };
            let (text, remedy) = if former.is_empty() || **former == *endpoint.settings.name {
                (format!("its former name `{former}` is no other name"), "take that `.formerly(…)` out")
            } else if let Some(other) = endpoints.iter().find(has_it) {
                (
                    format!(
                        "the endpoint at {} has its former name `{former}`, too, and would lose messages to it",
                        other.location
                    ),
                    "let one endpoint take over what waits under that name, and let no endpoint bear it",
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
                        "take it out: requests and domain events are handled where they are sent",
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
        let remedy = "name the topics of events that have handlers, or take the endpoint out";
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
                format!("no endpoint runs `{name}`, so what arrives of `{event}`{} is not handled", from(handler)),
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

/// What the endpoint needs of its engine.
fn capabilities(endpoint: &Endpoint, help: Help, problems: &mut Vec<Problem>) {
    let settings = &endpoint.settings;
    let capabilities = endpoint.subscription.capabilities();
    let Capabilities { delayed_retry, delivery_limit, .. } = capabilities;
    let mut missing = |capability: &str, text: String, remedy: &str| {
        let text = format!("{text}, and the subscription lacks `{capability}`");
        problems.push(problem(ProblemKind::Capability, endpoint, text, remedy));
    };
    let holds = capabilities.lock.is_none() || capabilities.extends;
    if settings.order == Order::PerKey {
        let remedy = "configure the engine so that it does, or say `.order(Order::None)`";
        if !capabilities.ordered_by_key {
            missing("ordered_by_key", "it handles in order per key".to_owned(), remedy);
        }
        if settings.share == Share::Group && !capabilities.exclusive_keys {
            missing(
                "exclusive_keys",
                "its processes share messages, and it handles in order per key".to_owned(),
                remedy,
            );
        }
        if !holds && !help.has_store() && !settings.errors.delays().is_empty() {
            let text = "a message that waits for another attempt keeps its key waiting".to_owned();
            missing("extends", text, "take `.later(…)` out of the error policy, or the order");
        }
    } else if !holds && !help.has_store() {
        for delay in
            settings.errors.delays().iter().filter(|&&delay| delayed_retry.is_none_or(|longest| delay > longest))
        {
            let text = format!("a message waits {delay:?} for another attempt, and cannot be held so long");
            missing("delayed_retry", text, "take shorter delays for `.later(…)`, or a longer lock that extends");
        }
    }
    if settings.share == Share::Group && !capabilities.competing {
        let remedy = "take a subscription whose processes share messages, or say `.broadcast()`";
        missing("competing", "each message is for one of its processes".to_owned(), remedy);
    }
    if settings.share == Share::Broadcast && !capabilities.broadcasts {
        let remedy = "take a subscription of which each process can get all messages, or take `.broadcast()` out";
        missing("broadcasts", "each message is for all of its processes".to_owned(), remedy);
    }
    if settings.dead_letters && !capabilities.dead_letters && !help.has_store() {
        let remedy =
            "configure a place for dead letters; or say `.without_dead_letters()`: they are logged then, and gone";
        missing("dead_letters", "messages that fail for good are dead letters".to_owned(), remedy);
    }
    if let Some(lock) = capabilities.lock.filter(|&lock| lock < SHORTEST_LOCK) {
        let text = format!(
            "the engine locks a delivery for {lock:?}, its `lock`, and the endpoint could not handle or extend it in time"
        );
        let remedy = "configure a lock of 1 s at least at the engine";
        problems.push(problem(ProblemKind::Capability, endpoint, text, remedy));
    }
    if let (Unknown::Stop, Some(limit)) =
        (settings.unknown, delivery_limit.filter(|_| costs_to_give_back(&capabilities)))
    {
        let text = format!(
            "it stops at a message of an unknown name until a program comes that knows it, and each time that it opens anew counts \
             against the engine's limit of {limit} deliveries, its `delivery_limit`"
        );
        let remedy = "take the limit away at the engine; or say `.unknown(Unknown::DeadLetter)`, and replay them";
        problems.push(problem(ProblemKind::Capability, endpoint, text, remedy));
    }
    if settings.unknown == Unknown::DeadLetter && !settings.dead_letters {
        let remedy = "take one of `.unknown(Unknown::DeadLetter)` and `.without_dead_letters()` out";
        let text = "messages of unknown names are dead letters, and there are none";
        problems.push(problem(ProblemKind::Endpoint, endpoint, text, remedy));
    }
    if let Some(limit) = delivery_limit {
        let attempts = if holds || help.has_store() { 1 } else { settings.errors.delays().len() + 1 };
        let crashes = if help.attempt_log { 3 } else { 0 };
        if limit as usize <= attempts + crashes {
            let text = format!(
                "the engine takes a message away after {limit} deliveries, its `delivery_limit`, and the endpoint needs more"
            );
            let remedy = format!("raise the engine's limit above {}", attempts + crashes);
            problems.push(problem(ProblemKind::Capability, endpoint, text, remedy));
        }
    }
}

/// Whether the engine counts a delivery that comes back, given back or not, as one more.
fn costs_to_give_back(capabilities: &Capabilities) -> bool {
    capabilities.release != Release::Uncounted
}

/// A process may leave what arrives to others, as one that only relays; or the endpoint was forgotten.
fn warn_of_no_endpoint(known: &[&HandlerDescriptor]) {
    let Some(handler) = known.first() else { return };
    let (handler, place) = (short_name(handler.handler()), handler.location());
    tracing::warn!(
        target: "diator",
        { handlers = known.len(), first = handler, %place },
        "the host has no endpoint, so nothing that arrives reaches these handlers in this process: say `.endpoint(…)`, unless \
         others handle it"
    );
}

/// What makes an endpoint weaker than one would think, and is nevertheless allowed.
fn warn_of_what_is_missing(endpoint: &Endpoint, help: Help) {
    let capabilities = endpoint.subscription.capabilities();
    let warn = |what: &str| tracing::warn!(target: "diator", endpoint = &*endpoint.settings.name, "{what}");
    if !capabilities.redelivery {
        warn("the engine delivers nothing again: what a crash or a lost lock interrupts is lost");
    } else if !help.attempt_log {
        warn(match endpoint.settings.share {
            Share::Group => {
                "there is no attempt log, so a message that ends the process is delivered again and again: give the builder an \
                     inbox, which has one (`.inbox(store.inbox())`), or the endpoint an `.attempt_log(…)`"
            }
            Share::Broadcast => {
                "there is no attempt log, so a message that ends the process is delivered again and again: give the endpoint one \
                     with `.attempt_log(…)`"
            }
        });
    }
    if !help.has_store()
        && !capabilities.settles_out_of_order
        && endpoint.settings.errors.delays().iter().any(|&delay| delay > LONG)
    {
        warn(
            "while a message waits for another attempt, the engine learns of nothing that is done after it in its partition",
        );
    }
    if let (Some(lock), Some(limit), false) = (capabilities.lock, capabilities.delivery_limit, capabilities.extends)
        && costs_to_give_back(&capabilities)
    {
        // What waits goes back when two thirds of its lock have gone.
        let lasts = (lock / 3).saturating_mul(2).saturating_mul(limit);
        let text = "an outage uses the engine's `delivery_limit` up, because a lock cannot be extended and what is given back counts: \
                    what waits for so long is the engine's dead letter, though nothing was wrong with it; raise the limit, or the lock";
        tracing::warn!(target: "diator", endpoint = &*endpoint.settings.name, limit, ?lasts, "{text}");
    }
    if capabilities.lock.is_some_and(|lock| !capabilities.extends && lock < endpoint.settings.max_handling) {
        warn("a handler may take longer than a lock that cannot be extended: its message can be handled twice at once");
    }
}

/// What of its events is probably a mistake: a topic that none of them names, and order without a key.
fn warn_of_events<'h>(endpoint: &Endpoint, handled: impl Iterator<Item = &'h &'h HandlerDescriptor>) {
    let settings = &endpoint.settings;
    let mut unused: BTreeSet<_> = endpoint.topics.iter().map(String::as_str).collect();
    let mut without_topic = BTreeSet::new();
    for handler in handled {
        let Some(event) = arriving(handler) else { continue };
        let (name, place) = (short_name(handler.message()), handler.location());
        if settings.order == Order::PerKey && event.key.is_none() {
            let text = "the endpoint keeps the order per key, and the event names no key: its messages have no order";
            tracing::warn!(target: "diator", endpoint = &*settings.name, event = name, handler = %place, "{text}");
        }
        let Some(topic) = event.topic else {
            without_topic.insert(name);
            continue;
        };
        unused.remove(topic);
        if !endpoint.topics.is_empty() && !endpoint.reads(event.topic) {
            let text = "the endpoint does not read the topic that the event names";
            let (read, name) = (&endpoint.topics, name);
            tracing::warn!(target: "diator", endpoint = &*settings.name, event = name, topic, ?read, handler = %place, "{text}");
        }
    }
    for topic in unused {
        let text = "the endpoint reads a topic that none of its handlers' events names";
        if without_topic.is_empty() {
            tracing::warn!(target: "diator", endpoint = &*settings.name, topic, "{text}");
        } else {
            let hint =
                "these events name none, and are read from the default topic: `#[event(topic = \"…\")]` gives them one";
            tracing::warn!(target: "diator", endpoint = &*settings.name, topic, ?without_topic, "{text}; {hint}");
        }
    }
}

fn problem(kind: ProblemKind, endpoint: &Endpoint, text: impl AsRef<str>, remedy: impl Into<String>) -> Problem {
    let text = format!("endpoint `{}`: {}", endpoint.settings.name, text.as_ref());
    Problem::new(kind, endpoint.location, text, remedy)
}
