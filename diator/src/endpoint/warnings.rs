//! What makes endpoints weaker than one would think, or is probably a mistake, and is nevertheless allowed.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Endpoint;
use super::check::arriving;
use super::needs::{Help, costs_to_give_back};
use crate::registry::{HandlerDescriptor, short_name};
use crate::subscription::{Order, Share};

/// What waits longer than this is worth a warning where the engine only knows how far an endpoint has come.
const LONG: Duration = Duration::from_secs(60);

/// A process may leave what arrives to others, as one that only relays; or the endpoint was forgotten.
pub(super) fn warn_of_no_endpoint(known: &[&HandlerDescriptor]) {
    let Some(handler) = known.first() else { return };
    let (handler, place) = (short_name(handler.handler()), handler.location());
    tracing::warn!(
        target: "diator",
        { handlers = known.len(), first = handler, %place },
        "the host has no endpoint, so these handlers get no message in this process: say `.endpoint(…)`, unless \
         another process handles the messages"
    );
}

/// What makes an endpoint weaker than one would think, and is nevertheless allowed.
pub(super) fn warn_of_what_is_missing(endpoint: &Endpoint, help: Help) {
    let capabilities = endpoint.subscription.capabilities();
    let warn = |what: &str| tracing::warn!(target: "diator", endpoint = &*endpoint.settings.name, "{what}");
    if !capabilities.redelivery {
        warn("the engine delivers nothing again: a message that a crash or a lost lock interrupts is lost");
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
            "while a message waits for another attempt, the engine does not learn that later messages of its partition are done",
        );
    }
    if let (Some(lock), Some(limit), false) = (capabilities.lock, capabilities.delivery_limit, capabilities.extends)
        && costs_to_give_back(&capabilities)
    {
        // What waits goes back when two thirds of its lock have gone.
        let lasts = (lock / 3).saturating_mul(2).saturating_mul(limit);
        let text = "an outage uses up the engine's `delivery_limit`, because a lock cannot be extended and a delivery that is given back counts: \
                    a message that waits for so long becomes the engine's dead letter, though nothing was wrong with it; raise the limit, or the lock";
        tracing::warn!(target: "diator", endpoint = &*endpoint.settings.name, limit, ?lasts, "{text}");
    }
    if capabilities.lock.is_some_and(|lock| !capabilities.extends && lock < endpoint.settings.max_handling) {
        warn("a handler may take longer than a lock that cannot be extended: its message can be handled twice at once");
    }
}

/// What of its events is probably a mistake: a topic that none of them names, and order without a key.
pub(super) fn warn_of_events<'h>(endpoint: &Endpoint, handled: impl Iterator<Item = &'h &'h HandlerDescriptor>) {
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
            let hint = "these events name no topic, and are read from the default topic: `#[event(topic = \"…\")]` gives an event a topic";
            tracing::warn!(target: "diator", endpoint = &*settings.name, topic, ?without_topic, "{text}; {hint}");
        }
    }
}
