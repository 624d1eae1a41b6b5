//! What an endpoint needs of its engine, as far as nothing else helps it.

use std::time::Duration;

use super::Endpoint;
use super::check::{inbox_of, problem};
use super::settings::Unknown;
use crate::Mediator;
use crate::inbox::Inbox;
use crate::registry::{Problem, ProblemKind};
use crate::subscription::{Capabilities, Order, Release, Share};

/// Extending begins when a third of a lock has gone, and the engine has a third of it for its answer.
const SHORTEST_LOCK: Duration = Duration::from_secs(1);

/// What the inbox of the mediator does for an endpoint.
#[derive(Clone, Copy)]
pub(super) struct Help {
    /// It keeps what waits and what is dead; and remembers for so long what was handled.
    pub(super) retention: Option<Duration>,
    pub(super) attempt_log: bool,
}

impl Help {
    pub(super) fn of(endpoint: &Endpoint, mediator: &Mediator) -> Self {
        let inbox = inbox_of(endpoint.settings.share, mediator);
        let store = inbox.filter(|inbox| inbox.deliveries().is_some());
        let log = inbox.is_some_and(|inbox| inbox.attempt_log().is_some());
        Self { retention: store.map(Inbox::retention), attempt_log: endpoint.attempt_log.is_some() || log }
    }

    pub(super) fn has_store(self) -> bool {
        self.retention.is_some()
    }
}

/// What the endpoint needs of its engine.
pub(super) fn capabilities(endpoint: &Endpoint, help: Help, problems: &mut Vec<Problem>) {
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
            missing("extends", text, "remove `.later(…)` from the error policy, or remove the order");
        }
    } else if !holds && !help.has_store() {
        for delay in
            settings.errors.delays().iter().filter(|&&delay| delayed_retry.is_none_or(|longest| delay > longest))
        {
            let text = format!("a message waits {delay:?} for another attempt, and cannot be held so long");
            missing(
                "delayed_retry",
                text,
                "use shorter delays for `.later(…)`, or an engine with a longer lock that extends",
            );
        }
    }
    if settings.share == Share::Group && !capabilities.competing {
        let remedy = "use a subscription whose processes share messages, or say `.broadcast()`";
        missing("competing", "each message is for one of its processes".to_owned(), remedy);
    }
    if settings.share == Share::Broadcast && !capabilities.broadcasts {
        let remedy = "use a subscription of which each process can get all messages, or remove `.broadcast()`";
        missing("broadcasts", "each message is for all of its processes".to_owned(), remedy);
    }
    if settings.dead_letters && !capabilities.dead_letters && !help.has_store() {
        let remedy =
            "configure a place for dead letters; or say `.without_dead_letters()`, which logs them and loses them";
        missing("dead_letters", "messages that fail for good are dead letters".to_owned(), remedy);
    }
    if let Some(lock) = capabilities.lock.filter(|&lock| lock < SHORTEST_LOCK) {
        let text = format!(
            "the engine locks a delivery for {lock:?}, its `lock`, which is too short to handle the delivery or to extend the lock"
        );
        let remedy = "configure a lock of at least 1 s at the engine";
        problems.push(problem(ProblemKind::Capability, endpoint, text, remedy));
    }
    if let (Unknown::Stop, Some(limit)) =
        (settings.unknown, delivery_limit.filter(|_| costs_to_give_back(&capabilities)))
    {
        let text = format!(
            "it stops at a message of an unknown name until a program comes that knows it, and each time that it opens anew counts \
             against the engine's limit of {limit} deliveries, its `delivery_limit`"
        );
        let remedy =
            "remove the limit at the engine; or say `.unknown(Unknown::DeadLetter)`, and replay the dead letters";
        problems.push(problem(ProblemKind::Capability, endpoint, text, remedy));
    }
    if settings.unknown == Unknown::DeadLetter && !settings.dead_letters {
        let remedy = "remove `.unknown(Unknown::DeadLetter)` or `.without_dead_letters()`";
        let text = "messages of unknown names are to be dead letters, and the endpoint keeps no dead letters";
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
pub(super) fn costs_to_give_back(capabilities: &Capabilities) -> bool {
    capabilities.release != Release::Uncounted
}
