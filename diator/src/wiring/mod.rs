//! The parts of a mediator as plain data, for programs that show, compare or check them.
//!
//! Registration at link time hides what is wired; [`Mediator::wiring`](crate::Mediator::wiring) shows it. Every type
//! here implements [`serde::Serialize`]. The package `diator-catalog` renders this data, and compares it between two
//! versions of a program.

mod collect;
mod observer;

use serde::Serialize;

use crate::broker::Guarantees;
use crate::container::Lifetime;
use crate::event::EventSchema;
use crate::location::Location;
use crate::message::MessageKind;
use crate::subscription::Order;

pub(crate) use self::collect::{Added, Parts, Replaced};
pub use self::observer::Observer;
pub use crate::message::Cause;

/// The messages of a program, their handlers, and the handlers' dependencies.
///
/// # Guarantees
///
/// Requests and events are sorted by kind, name and type; the handlers of an event stand in the order in which they run. The
/// order does not depend on the linker.
///
/// # Example
///
/// ```
/// use diator::prelude::*;
///
/// #[derive(Debug, Query)]
/// #[request(response = u64)]
/// struct Double(u64);
///
/// #[request_handler(Double)]
/// struct DoubleHandler;
///
/// impl RequestHandler<Double> for DoubleHandler {
///     async fn handle(&self, query: Double, _: &mut RequestContext<'_, Double>) -> Result<u64, BoxError> {
///         Ok(query.0 * 2)
///     }
/// }
///
/// # fn main() -> Result<(), BoxError> {
/// let mediator = Mediator::builder().handlers(handlers![DoubleHandler]).build()?;
/// let wiring = mediator.wiring();
/// assert_eq!(wiring.requests[0].name, "Double");
/// assert!(wiring.requests[0].handlers[0].type_name.ends_with("::DoubleHandler"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Wiring {
    /// The commands, then the queries.
    pub requests: Vec<WiredRequest>,
    /// The domain events, then the notification events, then the ECST events.
    pub events: Vec<WiredEvent>,
    /// All middleware, outermost first; handlers name the middleware that applies to them.
    pub middleware: Vec<WiredMiddleware>,
    /// Where notification and ECST events go; `None` if the program has neither a broker nor an outbox.
    pub broker: Option<WiredBroker>,
    /// The endpoints, which run handlers for the messages that arrive; a [`Host`](crate::host::Host) knows them, a
    /// mediator alone does not.
    pub endpoints: Vec<WiredEndpoint>,
}

impl Wiring {
    /// Lists what is linked into this program, without a mediator.
    ///
    /// The lifetimes of dependencies, the middleware and the broker are then unknown.
    #[must_use]
    pub fn linked() -> Self {
        Parts::linked().wiring_of_registry()
    }
}

/// A command or a query.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct WiredRequest {
    /// The name of its type, without the path.
    pub name: &'static str,
    /// Its type, with the path.
    #[serde(rename = "type")]
    pub type_name: &'static str,
    /// Command or query.
    pub kind: MessageKind,
    /// The type of the handler's answer, with its path.
    pub response: &'static str,
    /// The type of the handler's error, with its path.
    pub error: &'static str,
    /// Whether it may be handled twice.
    pub idempotent: bool,
    /// The marks of `#[request(mark = …)]`, in the order given.
    pub marks: Vec<&'static str>,
    /// Whether `.remote(…)` names its crate: another process handles it.
    pub remote: bool,
    /// Where it was declared; `None` if the registry does not know it: an instance of a generic type, a message that is
    /// `unregistered`, any message of a mediator that does not start from the registry.
    pub location: Option<Location>,
    /// One, unless `build()` reports a problem.
    pub handlers: Vec<WiredHandler>,
}

/// An event of any kind.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct WiredEvent {
    /// The event's name; for a notification or ECST event, the name on the wire.
    pub name: &'static str,
    /// Its type, with the path.
    #[serde(rename = "type")]
    pub type_name: &'static str,
    /// The kind of the event.
    pub kind: MessageKind,
    /// Where a broker publishes it, if `#[event(topic = "…")]` says so.
    pub topic: Option<&'static str>,
    /// The field that decides which events a broker keeps in order, as `#[event(key = …)]` names it.
    pub key: Option<&'static str>,
    /// Other names under which it is accepted.
    pub aliases: Vec<&'static str>,
    /// Whether `build()` insists on a handler.
    pub must_be_handled: bool,
    /// The marks of `#[event(mark = …)]`, in the order given.
    pub marks: Vec<&'static str>,
    /// The schema of the event's fields; `None` without `#[event(schema)]`.
    pub schema: Option<EventSchema>,
    /// Where it was declared; `None` if the registry does not know it: an instance of a generic type, a message that is
    /// `unregistered`, any message of a mediator that does not start from the registry.
    pub location: Option<Location>,
    /// The event's handlers, in the order in which they run; handlers that run after the commit come last.
    pub handlers: Vec<WiredHandler>,
}

/// A message without its handlers, as an [`Observer`] gets it.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum WiredMessage {
    /// A command or a query.
    Request(WiredRequest),
    /// An event of any kind.
    Event(WiredEvent),
}

/// A handler of one message.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct WiredHandler {
    /// Its type, with the path.
    #[serde(rename = "type")]
    pub type_name: &'static str,
    /// Identifies the handler among those of its event, also across versions of the program.
    pub id: &'static str,
    /// Its place among the handlers of an event; 0 for the handler of a request.
    pub order: i32,
    /// Whether it runs only after the commit.
    pub after_commit: bool,
    /// The dependencies that the container gives it.
    pub dependencies: Vec<WiredDependency>,
    /// The middleware that wraps it, outermost first, by [name](WiredMiddleware::name), whether or not it is
    /// [active](crate::middleware::Middleware::is_active) at present.
    pub middleware: Vec<&'static str>,
    /// Where it was declared; `None` for a handler that replaces another.
    pub location: Option<Location>,
}

/// A dependency that the container gives a handler for one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WiredDependency {
    /// The field's name.
    pub field: &'static str,
    /// The type that the container resolves, with its path.
    #[serde(rename = "type")]
    pub type_name: &'static str,
    /// How long the dependency lives; [`Lifetime::Unknown`] if no container was asked.
    pub lifetime: Lifetime,
    /// Whether the handler also works without it.
    pub optional: bool,
}

/// A middleware, whichever messages it applies to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WiredMiddleware {
    /// Its name: its type, with the path, unless it was given another name.
    pub name: &'static str,
    /// Where it was added.
    pub location: Option<Location>,
}

/// An endpoint, which runs handlers for the messages that a subscription delivers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WiredEndpoint {
    /// The name that its processes have in common.
    pub name: String,
    /// The endpoint's former names.
    pub formerly: Vec<String>,
    /// The subscription's type, with its path.
    #[serde(rename = "type")]
    pub type_name: &'static str,
    /// The topics that it reads: those that it names, or else those of its events.
    pub topics: Vec<String>,
    /// Whether it also reads events that name no topic.
    pub default_topic: bool,
    /// The handlers that it runs, sorted by event, in the order in which they run.
    pub handlers: Vec<WiredRun>,
    /// How many messages it handles at once.
    pub concurrency: usize,
    /// The order in which it handles them.
    pub order: Order,
    /// Whether each of its processes gets each message.
    pub broadcast: bool,
    /// How it deals with a handler that fails, in words.
    pub errors: String,
    /// How it deals with messages whose name the program does not know, in words.
    pub unknown: &'static str,
    /// Whether the endpoint has an attempt log of its own, which finds messages that end the process.
    pub attempt_log: bool,
    /// Whether it acknowledges messages that the program itself has published, without handling them.
    pub skips_own: bool,
    /// Where it was made.
    pub location: Option<Location>,
}

/// A handler that an endpoint runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WiredRun {
    /// The event's type, with its path.
    pub event: &'static str,
    /// The handler's type, with its path.
    pub handler: &'static str,
    /// The handler's id.
    pub id: &'static str,
}

/// The broker that gets notification and ECST events, and its promises.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WiredBroker {
    /// The broker's type, with its path; `None` if the program has only an outbox.
    #[serde(rename = "type")]
    pub type_name: Option<&'static str>,
    /// The broker's promises beyond the contract.
    pub guarantees: Guarantees,
    /// The media type of the messages.
    pub content_type: &'static str,
    /// The source that cloud events name; `None` in the Python library's format.
    pub cloud_events_source: Option<String>,
    /// Whether an outbox writes the messages in the transaction first.
    pub outbox: bool,
    /// Where the broker was added.
    pub location: Option<Location>,
}
