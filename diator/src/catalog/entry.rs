use super::labels::clean;
use crate::broker::Guarantees;
use crate::container::Lifetime;
use crate::middleware::MessageKind;
use crate::registry::Location;

/// A command or a query.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RequestEntry {
    /// Its type's name without the path.
    pub name: &'static str,
    /// Its type, with the path.
    pub type_name: &'static str,
    /// Command or query.
    pub kind: MessageKind,
    /// What the handler answers: a type, with its path.
    pub response: &'static str,
    /// How the handler fails: a type, with its path.
    pub error: &'static str,
    /// Whether it may be handled twice.
    pub idempotent: bool,
    /// What `#[request(mark = …)]` says of it, in the order given.
    pub marks: Vec<&'static str>,
    /// Whether `.remote(…)` names its crate: another process handles it.
    pub remote: bool,
    /// Where it was declared, if that is known: not for an instance of a generic type.
    pub source: Option<Source>,
    /// One, if all is well.
    pub handlers: Vec<HandlerEntry>,
}

/// An event of any kind.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct EventEntry {
    /// Its name, for a notification or ECST event the one on the wire.
    pub name: &'static str,
    /// Its type, with the path.
    pub type_name: &'static str,
    /// Which of the three kinds it is.
    pub kind: MessageKind,
    /// Where a broker publishes it, if `#[event(topic = "…")]` says so.
    pub topic: Option<&'static str>,
    /// The field that decides which events a broker keeps in order, as `#[event(key = …)]` names it.
    pub key: Option<&'static str>,
    /// Other names under which it is accepted.
    pub aliases: Vec<&'static str>,
    /// Whether `build()` insists on a handler.
    pub must_be_handled: bool,
    /// What `#[event(mark = …)]` says of it, in the order given.
    pub marks: Vec<&'static str>,
    /// Its own fields as they are written, as JSON Schema, draft 7; `None` without `#[event(schema)]`.
    pub schema: Option<serde_json::Value>,
    /// Its own fields as they can be read when it arrives: one with a default need not be there.
    pub schema_read: Option<serde_json::Value>,
    /// Where it was declared, if that is known: not for an instance of a generic type.
    pub source: Option<Source>,
    /// Its handlers in the order in which they run, those after the commit last.
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
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct HandlerEntry {
    /// Its type, with the path.
    pub type_name: &'static str,
    /// Where it stands among the handlers of an event; 0 for that of a request.
    pub order: i32,
    /// Whether it runs only after the commit.
    pub after_commit: bool,
    /// What it gets injected.
    pub dependencies: Vec<DependencyEntry>,
    /// The middleware that wraps it, outermost first, by [name](MiddlewareEntry::name), whether or not it is
    /// [active](crate::middleware::Middleware::is_active) at present.
    pub middleware: Vec<&'static str>,
    /// What it emits and sends, as far as it was [observed](super::Edges): types, with their paths; `None` if it never
    /// ran while somebody observed.
    pub causes: Option<Vec<&'static str>>,
    /// Where it was declared; `None` for one that stands in another's place.
    pub source: Option<Source>,
}

impl HandlerEntry {
    /// What it is known to cause.
    pub(super) fn causes(&self) -> impl Iterator<Item = &'static str> {
        self.causes.iter().flatten().copied()
    }
}

/// What a handler gets injected into one field.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DependencyEntry {
    /// The field's name.
    pub field: &'static str,
    /// What is asked of the container: a type, with its path.
    pub type_name: &'static str,
    /// How long it lives; [`Lifetime::Unknown`] where no container was asked.
    pub lifetime: Lifetime,
    /// Whether the handler also works without it.
    pub optional: bool,
}

/// A middleware, whichever messages it applies to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MiddlewareEntry {
    /// What it calls itself: its type, with the path, unless it was given another name.
    pub name: &'static str,
    /// Where it was added.
    pub source: Option<Source>,
}

/// Where broker events go, and what is promised for them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokerEntry {
    /// The broker's type, with its path; `None` if there is an outbox alone.
    pub type_name: Option<&'static str>,
    /// What the broker promises beyond the contract.
    pub guarantees: Guarantees,
    /// The media type of what is written.
    pub content_type: &'static str,
    /// The source that cloud events name; `None` in the Python library's format.
    pub cloud_events_source: Option<String>,
    /// Whether messages join the transaction first.
    pub outbox: bool,
    /// Where the broker was added.
    pub source: Option<Source>,
}

/// Where something was declared, in words that are the same on every machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Source {
    /// The crate, as `use` knows it; empty for what a program adds to its builder: that knows only file and line.
    pub crate_name: &'static str,
    /// The file, with `/` between its parts; that of a crate outside the workspace begins with the crate's directory.
    pub file: String,
    /// The line, counted from 1.
    pub line: u32,
}

impl Source {
    pub(super) fn of(location: Location) -> Option<Self> {
        let file = portable(location.file());
        (!file.is_empty()).then(|| Self { crate_name: location.crate_name(), file, line: location.line() })
    }
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
    fn a_place_that_nobody_gave_is_none() {
        assert_eq!(Source::of(Location::new("", "", 0)), None);
        let source = Source::of(Location::new("orders::join", "src/join.rs", 7)).expect("it has a file");
        assert_eq!((source.crate_name, source.to_string().as_str()), ("orders", "src/join.rs:7"));
    }
}
