//! What a mediator consists of, as plain data: for programs that show, compare or check it.
//!
//! Registration at link time hides what is wired; [`Mediator::wiring`](crate::Mediator::wiring) tells it. Every type here
//! implements [`serde::Serialize`]. The package `diator-catalog` renders this data, and compares it between two versions of a
//! program.

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

/// The messages of a program, their handlers, and what those need.
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
    /// What lets handlers run for what arrives; a [`Host`](crate::host::Host) knows them, a mediator alone does not.
    pub endpoints: Vec<WiredEndpoint>,
}

impl Wiring {
    /// What is linked into this program, without a mediator.
    ///
    /// The lifetimes of dependencies, the middleware and the broker are not known then.
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
    /// Where it was declared; `None` where the registry does not know it: an instance of a generic type, a message that is
    /// `unregistered`, any message of a mediator that does not start from the registry.
    pub location: Option<Location>,
    /// One, unless `build()` reports a problem.
    pub handlers: Vec<WiredHandler>,
}

/// An event of any kind.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct WiredEvent {
    /// Its name: for a notification or ECST event, the name on the wire.
    pub name: &'static str,
    /// Its type, with the path.
    #[serde(rename = "type")]
    pub type_name: &'static str,
    /// Which of the three kinds of event it is.
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
    /// The form of its own fields; `None` without `#[event(schema)]`.
    pub schema: Option<EventSchema>,
    /// Where it was declared; `None` where the registry does not know it: an instance of a generic type, a message that is
    /// `unregistered`, any message of a mediator that does not start from the registry.
    pub location: Option<Location>,
    /// Its handlers in the order in which they run; handlers that run after the commit stand last.
    pub handlers: Vec<WiredHandler>,
}

/// A message, without its handlers: what somebody sends or emits.
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
    /// What tells it from other handlers of its event, also in the next version of the program.
    pub id: &'static str,
    /// Its place among the handlers of an event; 0 for the handler of a request.
    pub order: i32,
    /// Whether it runs only after the commit.
    pub after_commit: bool,
    /// What the container gives it.
    pub dependencies: Vec<WiredDependency>,
    /// The middleware that wraps it, outermost first, by [name](WiredMiddleware::name), whether or not it is
    /// [active](crate::middleware::Middleware::is_active) at present.
    pub middleware: Vec<&'static str>,
    /// Where it was declared; `None` for a handler that replaces another.
    pub location: Option<Location>,
}

/// What the container gives a handler for one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WiredDependency {
    /// The field's name.
    pub field: &'static str,
    /// What is asked of the container: a type, with its path.
    #[serde(rename = "type")]
    pub type_name: &'static str,
    /// How long it lives; [`Lifetime::Unknown`] where no container was asked.
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

/// What lets handlers run for what a subscription delivers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WiredEndpoint {
    /// What its processes have in common.
    pub name: String,
    /// Names that it had before.
    pub formerly: Vec<String>,
    /// The subscription's type, with its path.
    #[serde(rename = "type")]
    pub type_name: &'static str,
    /// Where it reads: the topics that it names, or else those of its events.
    pub topics: Vec<String>,
    /// Whether it reads events, too, that name no topic.
    pub default_topic: bool,
    /// The handlers that it runs, sorted by event, in the order in which they run.
    pub handlers: Vec<WiredRun>,
    /// How many messages it handles at once.
    pub concurrency: usize,
    /// In which order it handles them.
    pub order: Order,
    /// Whether each of its processes gets each message.
    pub broadcast: bool,
    /// What it does when a handler fails, in words.
    pub errors: String,
    /// What it does with messages whose name the program does not know, in words.
    pub unknown: &'static str,
    /// Whether it finds messages that end the process.
    pub attempt_log: bool,
    /// Whether it acknowledges what the program itself has published without handling it.
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

/// Where notification and ECST events go, and what is promised for them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WiredBroker {
    /// The broker's type, with its path; `None` if there is an outbox alone.
    #[serde(rename = "type")]
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
    pub location: Option<Location>,
}
