use serde::{Deserialize, Serialize};

use super::clean::clean;
use super::schema;
use diator::broker::Guarantees;
use diator::container::Lifetime;
use diator::middleware::MessageKind;
use diator::registry::Location;
use diator::wiring::{WiredBroker, WiredDependency, WiredEvent, WiredHandler, WiredMiddleware, WiredRequest};

/// A command or a query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RequestEntry {
    /// Its type's name without the path.
    pub name: String,
    /// Its type, with the path.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Command or query.
    pub kind: MessageKind,
    /// The type of the handler's answer, with its path.
    #[serde(default = "unknown")]
    pub response: String,
    /// The type of the handler's error, with its path.
    #[serde(default = "unknown")]
    pub error: String,
    /// Whether it may be handled twice.
    #[serde(default)]
    pub idempotent: bool,
    /// The marks of `#[request(mark = …)]`, in the order given.
    #[serde(default)]
    pub marks: Vec<String>,
    /// Whether `.remote(…)` names its crate: another process handles it.
    #[serde(default)]
    pub remote: bool,
    /// Where it was declared, if the registry knows it: as in
    /// [`WiredRequest::location`](diator::wiring::WiredRequest::location).
    #[serde(default)]
    pub source: Option<Source>,
    /// One, if all is well.
    #[serde(default)]
    pub handlers: Vec<HandlerEntry>,
}

/// An event of any kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EventEntry {
    /// The event's name; for a notification or ECST event, the name on the wire.
    pub name: String,
    /// Its type, with the path.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The kind of the event.
    pub kind: MessageKind,
    /// Where a broker publishes it, if `#[event(topic = "…")]` says so.
    #[serde(default)]
    pub topic: Option<String>,
    /// The field that decides which events a broker keeps in order, as `#[event(key = …)]` names it.
    #[serde(default)]
    pub key: Option<String>,
    /// Other names under which it is accepted.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Whether `build()` insists on a handler.
    #[serde(default)]
    pub must_be_handled: bool,
    /// The marks of `#[event(mark = …)]`, in the order given.
    #[serde(default)]
    pub marks: Vec<String>,
    /// Its own fields as they are written, as JSON Schema, draft 7; `None` without `#[event(schema)]`.
    #[serde(default)]
    pub schema: Option<serde_json::Value>,
    /// Its own fields as they can be read when it arrives: a field with a default may be missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_read: Option<serde_json::Value>,
    /// Where it was declared, if the registry knows it: as in
    /// [`WiredRequest::location`](diator::wiring::WiredRequest::location).
    #[serde(default)]
    pub source: Option<Source>,
    /// The event's handlers, in the order in which they run; handlers that run after the commit come last.
    #[serde(default)]
    pub handlers: Vec<HandlerEntry>,
}

impl EventEntry {
    /// Whether it goes to the message broker.
    #[must_use]
    pub fn is_on_the_wire(&self) -> bool {
        self.kind != MessageKind::DomainEvent
    }

    /// Whether it comes from the message broker.
    pub(super) fn arrives(&self) -> bool {
        self.is_on_the_wire() && !self.handlers.is_empty()
    }
}

/// A handler of one message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HandlerEntry {
    /// Its type, with the path.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Identifies the handler among those of its event, also across versions of the program; empty if an earlier
    /// catalog did not have it.
    #[serde(default)]
    pub id: String,
    /// Its place among the handlers of an event; 0 for the handler of a request.
    #[serde(default)]
    pub order: i32,
    /// Whether it runs only after the commit.
    #[serde(default)]
    pub after_commit: bool,
    /// The dependencies that the container gives it.
    #[serde(default)]
    pub dependencies: Vec<DependencyEntry>,
    /// The middleware that wraps it, outermost first, by [name](MiddlewareEntry::name), whether or not it is
    /// [active](diator::middleware::Middleware::is_active) at present.
    #[serde(default)]
    pub middleware: Vec<String>,
    /// The types of the messages that it emits and sends, with their paths, as far as they were
    /// [observed](super::ObservedCauses); `None` if it never ran under an observer.
    #[serde(default)]
    pub causes: Option<Vec<String>>,
    /// Where it was declared; `None` for a handler that replaces another.
    #[serde(default)]
    pub source: Option<Source>,
}

impl HandlerEntry {
    /// The id, if it was given one: else it is the type.
    pub(super) fn given_id(&self) -> Option<&str> {
        Some(&*self.id).filter(|id| !id.is_empty() && *id != self.type_name)
    }

    /// What it is known to cause.
    pub(super) fn causes(&self) -> impl Iterator<Item = &str> {
        self.causes.iter().flatten().map(String::as_str)
    }
}

/// A dependency that the container gives a handler for one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DependencyEntry {
    /// The field's name.
    #[serde(default)]
    pub field: String,
    /// The type that the container resolves, with its path.
    #[serde(rename = "type")]
    pub type_name: String,
    /// How long the dependency lives; [`Lifetime::Unknown`] if no container was asked.
    #[serde(default = "unknown_lifetime")]
    pub lifetime: Lifetime,
    /// Whether the handler also works without it.
    #[serde(default)]
    pub optional: bool,
}

/// A middleware, whichever messages it applies to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MiddlewareEntry {
    /// Its name: its type, with the path, unless it was given another name.
    pub name: String,
    /// Where it was added.
    #[serde(default)]
    pub source: Option<Source>,
}

/// The broker that gets notification and ECST events, and its promises.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BrokerEntry {
    /// The broker's type, with its path; `None` if the program has only an outbox.
    #[serde(rename = "type")]
    pub type_name: Option<String>,
    /// The broker's promises beyond the contract.
    #[serde(default)]
    pub guarantees: Guarantees,
    /// The media type of the messages.
    #[serde(default)]
    pub content_type: String,
    /// The source that cloud events name; `None` in the Python library's format.
    #[serde(default)]
    pub cloud_events_source: Option<String>,
    /// Whether an outbox writes the messages in the transaction first.
    #[serde(default)]
    pub outbox: bool,
    /// Where the broker was added.
    #[serde(default)]
    pub source: Option<Source>,
}

/// Where something was declared, in words that are the same on every machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Source {
    /// The crate, as `use` knows it; empty for a part that a program adds to its builder, of which only file and line
    /// are known.
    #[serde(rename = "crate", default)]
    pub crate_name: String,
    /// The file, with `/` between its parts; that of a crate outside the workspace begins with the crate's directory.
    pub file: String,
    /// The line, counted from 1.
    pub line: u32,
}

/// What an earlier version of a catalog did not say.
pub(super) const UNTOLD: &str = "?";

fn unknown() -> String {
    UNTOLD.to_owned()
}

fn unknown_lifetime() -> Lifetime {
    Lifetime::Unknown
}

impl From<Location> for Source {
    fn from(location: Location) -> Self {
        let (crate_name, file) = (location.crate_name().to_owned(), portable(location.file()));
        Self { crate_name, file, line: location.line() }
    }
}

impl From<WiredRequest> for RequestEntry {
    fn from(request: WiredRequest) -> Self {
        Self {
            name: request.name.to_owned(),
            type_name: request.type_name.to_owned(),
            kind: request.kind,
            response: request.response.to_owned(),
            error: request.error.to_owned(),
            idempotent: request.idempotent,
            marks: texts(&request.marks),
            remote: request.remote,
            source: request.location.map(Source::from),
            handlers: entries(request.handlers),
        }
    }
}

impl From<WiredEvent> for EventEntry {
    fn from(event: WiredEvent) -> Self {
        Self {
            name: event.name.to_owned(),
            type_name: event.type_name.to_owned(),
            kind: event.kind,
            topic: event.topic.map(str::to_owned),
            key: event.key.map(str::to_owned),
            aliases: texts(&event.aliases),
            must_be_handled: event.must_be_handled,
            marks: texts(&event.marks),
            schema: event.schema.map(|schema| schema::in_envelope(schema.written())),
            schema_read: event.schema.map(|schema| schema::in_envelope(schema.read())),
            source: event.location.map(Source::from),
            handlers: entries(event.handlers),
        }
    }
}

impl From<WiredHandler> for HandlerEntry {
    fn from(handler: WiredHandler) -> Self {
        Self {
            type_name: handler.type_name.to_owned(),
            id: handler.id.to_owned(),
            order: handler.order,
            after_commit: handler.after_commit,
            dependencies: entries(handler.dependencies),
            middleware: texts(&handler.middleware),
            causes: None,
            source: handler.location.map(Source::from),
        }
    }
}

impl From<WiredDependency> for DependencyEntry {
    fn from(dependency: WiredDependency) -> Self {
        Self {
            field: dependency.field.to_owned(),
            type_name: dependency.type_name.to_owned(),
            lifetime: dependency.lifetime,
            optional: dependency.optional,
        }
    }
}

impl From<WiredMiddleware> for MiddlewareEntry {
    fn from(middleware: WiredMiddleware) -> Self {
        Self { name: middleware.name.to_owned(), source: middleware.location.map(Source::from) }
    }
}

impl From<WiredBroker> for BrokerEntry {
    fn from(broker: WiredBroker) -> Self {
        Self {
            type_name: broker.type_name.map(str::to_owned),
            guarantees: broker.guarantees,
            content_type: broker.content_type.to_owned(),
            cloud_events_source: broker.cloud_events_source,
            outbox: broker.outbox,
            source: broker.location.map(Source::from),
        }
    }
}

pub(super) fn entries<W, E: From<W>>(wired: Vec<W>) -> Vec<E> {
    wired.into_iter().map(E::from).collect()
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", clean(&self.file), self.line)
    }
}

/// The path without what differs between machines: the separator, and where a crate lies that does not belong to the
/// workspace, such as one that cargo has downloaded.
fn portable(file: &str) -> String {
    let file = file.replace('\\', "/");
    let is_absolute = file.starts_with('/') || file.get(1..2) == Some(":");
    let parts: Vec<_> = file.split('/').collect();
    let is_root = |place: &usize| SOURCES.contains(&parts[*place]) && !SOURCES.contains(&parts[place - 1]);
    match (1..parts.len()).rev().find(is_root).filter(|_| is_absolute) {
        Some(root) => parts[root - 1..].join("/"),
        None => file,
    }
}

/// The directories of a crate that hold its sources.
const SOURCES: [&str; 4] = ["src", "tests", "examples", "benches"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_the_same_on_every_machine() {
        assert_eq!(
            portable("/home/ada/.cargo/registry/src/index-1/orders-1.2.0/src/lib.rs"),
            "orders-1.2.0/src/lib.rs"
        );
        assert_eq!(portable(r"crates\orders\src\lib.rs"), "crates/orders/src/lib.rs");
        assert_eq!(portable("src/main.rs"), "src/main.rs");
        assert_eq!(portable("crates/orders/src/lib.rs"), "crates/orders/src/lib.rs");
        // Beside the workspace, and of a crate that cargo has from git.
        assert_eq!(portable("/home/ada/src/orders/src/join/mod.rs"), "orders/src/join/mod.rs");
        assert_eq!(portable(r"C:\work\orders\src\tests\join.rs"), "orders/src/tests/join.rs");
        assert_eq!(portable("/home/ada/.cargo/git/checkouts/shop-1/0a1b/orders/tests/join.rs"), "orders/tests/join.rs");
        assert_eq!(portable("/tmp/out/generated.rs"), "/tmp/out/generated.rs");
        assert_eq!((portable("/"), portable(""), portable("é")), ("/".to_owned(), String::new(), "é".to_owned()));
    }

    #[test]
    fn a_source_names_crate_file_and_line() {
        let source = Source::from(Location::new("orders::join", "src/join.rs", 7));
        assert_eq!((&*source.crate_name, &*source.to_string()), ("orders", "src/join.rs:7"));
    }
}
