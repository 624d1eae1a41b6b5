//! Shows what a [`diator`] program has wired, before anything runs: for people and for tools to read.
//!
//! ```standalone_crate
//! use diator::prelude::*;
//! use diator_catalog::Catalog;
//!
//! #[derive(Debug, Query)]
//! #[request(response = u64)]
//! struct Double(u64);
//!
//! #[request_handler(Double)]
//! struct DoubleHandler;
//!
//! impl RequestHandler<Double> for DoubleHandler {
//!     async fn handle(&self, query: Double, _: &mut RequestContext<'_, Double>) -> Result<u64, BoxError> {
//!         Ok(query.0 * 2)
//!     }
//! }
//!
//! # fn main() -> Result<(), BoxError> {
//! let mediator = Mediator::from_registry().build()?;
//! let catalog = Catalog::from(mediator.wiring());
//! assert!(catalog.to_string().contains("DoubleHandler"));
//! println!("{catalog}");
//! # Ok(())
//! # }
//! ```
//!
//! Registration at link time hides the wiring; the catalog shows it. [`Catalog::linked`] reads the registry alone; a catalog
//! of [`MediatorBuilder::wiring`](diator::MediatorBuilder::wiring) or [`Mediator::wiring`](diator::Mediator::wiring) also
//! knows lifetimes, middleware and broker. Nothing is computed for it until somebody asks.
//!
//! | rendering | for |
//! |---|---|
//! | `to_string()`, a table | the terminal |
//! | [`Catalog::describe`] | one message, and what it causes |
//! | [`Catalog::mermaid`] | a diagram in a Markdown file |
//! | [`Catalog::to_json`] | tools |
//! | [`Catalog::html`] | one page to open in a browser |
//! | [`Catalog::asyncapi`] | other services |
//! | [`Catalog::assert_matches`] | a test that sees what changed |
//!
//! Each is the same, byte for byte, as long as the program is: it can be committed and read in a review.
//!
//! # What causes what
//!
//! Which events a handler emits stands in its code alone. [`Edges`] notes it down while the program's own tests run,
//! and [`Catalog::with_edges`] puts it into the catalog. The catalog says of a handler that no test ran that it was not
//! observed.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | none | the catalog and its renderings |
//! | `cli` | the catalog on the command line: the module `cli` |

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod asyncapi;
mod changes;
#[cfg(feature = "cli")]
#[cfg_attr(docsrs, doc(cfg(feature = "cli")))]
pub mod cli;
mod consequences;
mod describe;
mod edges;
mod entry;
mod html;
mod ids;
mod json;
mod labels;
mod mermaid;
mod notes;
mod phrases;
mod schema;
mod shape;
mod table;

use diator::wiring::Wiring;

use self::entry::entries;

pub use self::changes::{Change, Changes, Impact};
pub use self::describe::Description;
pub use self::edges::{Edges, StaleEdges};
pub use self::entry::{BrokerEntry, DependencyEntry, EventEntry, HandlerEntry, MiddlewareEntry, RequestEntry, Source};
pub use self::html::Html;

/// The messages of a program, who handles them, and what that takes.
///
/// # Guarantees
///
/// Requests and events are sorted by kind, name and type; handlers of an event stand in the order in which they run.
///
/// # Example
///
/// ```standalone_crate
/// use diator::prelude::*;
/// use diator_catalog::Catalog;
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
/// # fn main() {
/// let catalog = Catalog::linked();
/// assert_eq!(catalog.requests[0].name, "Double");
/// assert!(catalog.requests[0].handlers[0].type_name.ends_with("::DoubleHandler"));
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Catalog {
    /// The commands, then the queries.
    pub requests: Vec<RequestEntry>,
    /// The domain events, then the notification events, then the ECST events.
    pub events: Vec<EventEntry>,
    /// All middleware, outermost first; handlers name those that apply to them.
    pub middleware: Vec<MiddlewareEntry>,
    /// Where broker events go; `None` if that is not known or nowhere.
    pub broker: Option<BrokerEntry>,
}

impl Catalog {
    /// What is linked into this program, without a mediator.
    ///
    /// The lifetimes of dependencies, the middleware and the broker are not known then.
    #[must_use]
    pub fn linked() -> Self {
        Wiring::linked().into()
    }
}

impl From<Wiring> for Catalog {
    fn from(wiring: Wiring) -> Self {
        Self {
            requests: entries(wiring.requests),
            events: entries(wiring.events),
            middleware: entries(wiring.middleware),
            broker: wiring.broker.map(BrokerEntry::from),
        }
    }
}

impl Catalog {
    fn handlers(&self) -> impl Iterator<Item = &HandlerEntry> {
        let requests = self.requests.iter().flat_map(|request| &request.handlers);
        requests.chain(self.events.iter().flat_map(|event| &event.handlers))
    }

    /// Whether it is known of any handler what it causes; without handlers there is nothing to know.
    fn is_observed(&self) -> bool {
        self.handlers().next().is_none() || self.handlers().any(|handler| handler.causes.is_some())
    }

    /// Whether the event leaves for the broker. One that is not handled here is meant to, unless every handler was observed,
    /// and none emits it.
    fn is_sent(&self, event: &EventEntry) -> bool {
        let assumed = || event.handlers.is_empty() && self.handlers().any(|handler| handler.causes.is_none());
        event.is_on_the_wire() && (self.handlers().next().is_none() || self.is_caused(&event.type_name) || assumed())
    }

    /// The event's own fields: as they are read, if it is only received.
    fn shape<'a>(&self, event: &'a EventEntry) -> Option<&'a serde_json::Value> {
        match event.arrives() && !self.is_sent(event) {
            true => event.schema_read.as_ref(),
            false => event.schema.as_ref(),
        }
    }

    fn is_caused(&self, type_name: &str) -> bool {
        self.handlers().flat_map(HandlerEntry::causes).any(|cause| cause == type_name)
    }
}

/// The README's programs, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
