use serde::{Deserialize, Serialize};

use super::clean::clean;
use super::entry::{Source, entries};
use super::{Catalog, EventEntry, HandlerEntry};
use diator::endpoint::Order;
use diator::registry::short_name;
use diator::wiring::{WiredEndpoint, WiredRun};

/// An endpoint, which runs handlers for the messages that a subscription delivers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EndpointEntry {
    /// The name that its processes have in common.
    pub name: String,
    /// The endpoint's former names.
    #[serde(default)]
    pub formerly: Vec<String>,
    /// The subscription's type, with its path.
    #[serde(rename = "type", default)]
    pub type_name: String,
    /// The topics that it reads: those that it names, or else those of its events.
    #[serde(default)]
    pub topics: Vec<String>,
    /// Whether it also reads events that name no topic.
    #[serde(default)]
    pub default_topic: bool,
    /// The handlers that it runs, sorted by event, in the order in which they run.
    #[serde(default)]
    pub handlers: Vec<RunEntry>,
    /// How many messages it handles at once.
    #[serde(default)]
    pub concurrency: usize,
    /// The order in which it handles them.
    #[serde(default)]
    pub order: Order,
    /// Whether each of its processes gets each message.
    #[serde(default)]
    pub broadcast: bool,
    /// How it deals with a handler that fails, in words.
    #[serde(default)]
    pub errors: String,
    /// How it deals with messages whose name the program does not know, in words.
    #[serde(default)]
    pub unknown: String,
    /// Whether the endpoint has an attempt log of its own, which finds messages that end the process.
    #[serde(default)]
    pub attempt_log: bool,
    /// Whether it acknowledges messages that the program itself has published, without handling them.
    #[serde(default)]
    pub skips_own: bool,
    /// Where it was made.
    #[serde(default)]
    pub source: Option<Source>,
}

/// A handler that an endpoint runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunEntry {
    /// The event's type, with its path.
    pub event: String,
    /// The handler's type, with its path.
    pub handler: String,
    /// The handler's id.
    pub id: String,
}

impl From<WiredEndpoint> for EndpointEntry {
    fn from(endpoint: WiredEndpoint) -> Self {
        Self {
            name: endpoint.name,
            formerly: endpoint.formerly,
            type_name: endpoint.type_name.to_owned(),
            topics: endpoint.topics,
            default_topic: endpoint.default_topic,
            handlers: entries(endpoint.handlers),
            concurrency: endpoint.concurrency,
            order: endpoint.order,
            broadcast: endpoint.broadcast,
            errors: endpoint.errors,
            unknown: endpoint.unknown.to_owned(),
            attempt_log: endpoint.attempt_log,
            skips_own: endpoint.skips_own,
            source: endpoint.location.map(Source::from),
        }
    }
}

impl From<WiredRun> for RunEntry {
    fn from(run: WiredRun) -> Self {
        Self { event: run.event.to_owned(), handler: run.handler.to_owned(), id: run.id.to_owned() }
    }
}

impl EndpointEntry {
    /// What is said of it, each with a heading; its handlers are another matter.
    pub(super) fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![("reads", format!("{}, through {}", self.reads(), clean(&short_name(&self.type_name))))];
        lines.push(("handles", self.handles()));
        lines.push(("failures", clean(&self.errors)));
        lines.push(("unknown", format!("messages whose name the program does not know: {}", clean(&self.unknown))));
        if self.attempt_log {
            lines.push(("poison", "a message that ends the process three times in a row is found".to_owned()));
        }
        if self.skips_own {
            lines.push(("skips", "messages that this program has published itself".to_owned()));
        }
        if !self.formerly.is_empty() {
            lines.push(("formerly", clean(&self.formerly.join(", "))));
        }
        lines
    }

    /// The topics.
    pub(super) fn reads(&self) -> String {
        let mut topics: Vec<_> = self.topics.iter().map(|topic| format!("\"{}\"", clean(topic))).collect();
        topics.extend(self.default_topic.then(|| "the default topic".to_owned()));
        if topics.is_empty() { "nothing".to_owned() } else { topics.join(", ") }
    }

    /// How many messages, and in which order.
    pub(super) fn handles(&self) -> String {
        let order = if self.order == Order::PerKey { "in order per key" } else { "in any order" };
        let each = if self.broadcast { ", each message in each process" } else { "" };
        format!("{} at once, {order}{each}", self.concurrency)
    }

    fn runs(&self, event: &EventEntry, handler: &HandlerEntry) -> bool {
        self.handlers.iter().any(|run| run.event == event.type_name && run.id == handler.id)
    }
}

impl Catalog {
    /// The names of the endpoints that run a handler: one, if all is well.
    pub(super) fn endpoints_of<'a>(
        &'a self,
        event: &'a EventEntry,
        handler: &'a HandlerEntry,
    ) -> impl Iterator<Item = String> + 'a {
        self.endpoints.iter().filter(|endpoint| endpoint.runs(event, handler)).map(|endpoint| clean(&endpoint.name))
    }

    /// The names of the endpoints that run any handler of an event.
    pub(super) fn endpoints_for(&self, event: &EventEntry) -> Vec<String> {
        let runs = |endpoint: &&EndpointEntry| event.handlers.iter().any(|one| endpoint.runs(event, one));
        self.endpoints.iter().filter(runs).map(|endpoint| clean(&endpoint.name)).collect()
    }

    /// Whether the event is consumed here. Where no endpoint is known, a handler is meant to.
    pub(super) fn is_received(&self, event: &EventEntry) -> bool {
        event.arrives() && (self.endpoints.is_empty() || !self.endpoints_for(event).is_empty())
    }

    /// Whether an event for the broker is published here, consumed here, both or neither.
    pub(super) fn here(&self, event: &EventEntry) -> String {
        let published = self.is_sent(event).then(|| match self.is_caused(&event.type_name) {
            true => "published".to_owned(),
            false => "published (was not observed)".to_owned(),
        });
        let consumed = self.is_received(event).then(|| match &*self.endpoints_for(event) {
            [] => "consumed".to_owned(),
            [one] => format!("consumed by the endpoint {one}"),
            several => format!("consumed by the endpoints {}", several.join(", ")),
        });
        match (published, consumed) {
            (Some(published), Some(consumed)) => format!("{published}, and {consumed}"),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) if event.arrives() => {
                "neither published nor consumed: no endpoint runs its handlers".to_owned()
            }
            (None, None) => "neither published nor consumed".to_owned(),
        }
    }
}
