//! Shows what a [`diator`] program has wired, before anything runs: for people and for tools to read.
//!
//! Registration at link time hides the wiring; the catalog shows it, and says what a change to it breaks. With the feature `cli` it
//! is also the command line in the [picture of the whole](https://docs.rs/diator/latest/diator/#the-whole), which operates outbox,
//! inbox and dead letters.
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
//! [`Catalog::linked`] reads the registry alone. A catalog of [`MediatorBuilder::wiring`](diator::MediatorBuilder::wiring) or
//! [`Mediator::wiring`](diator::Mediator::wiring) also knows lifetimes, middleware and broker, and one of
//! [`Host::wiring`](diator::host::Host::wiring) the endpoints, too. Nothing is computed for it until somebody asks.
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
//! Which events a handler emits stands in its code alone. [`ObservedCauses`] notes it down while the program's own tests run,
//! and [`Catalog::with_edges`] puts it into the catalog. The catalog says of a handler that no test ran that it was not
//! observed.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | none | the catalog and its renderings |
//! | `cli` | the catalog on the command line, and what an operator does to outbox, inbox and dead letters: the module `cli` |
//!
//! In the repository, `docs/catalog` has every rendering of one program, and `docs/operating.md` the command for each question at
//! night.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod asyncapi;
mod catalog;
mod changes;
mod clean;
#[cfg(feature = "cli")]
#[cfg_attr(docsrs, doc(cfg(feature = "cli")))]
pub mod cli;
mod consequences;
mod describe;
mod edges;
mod endpoints;
mod entry;
mod html;
mod ids;
mod json;
mod labels;
mod mermaid;
mod notes;
mod parties;
mod phrases;
mod schema;
mod shape;
mod table;

pub use self::catalog::Catalog;
pub use self::changes::{Change, Changes, Impact};
pub use self::describe::Description;
pub use self::edges::{ObservedCauses, StaleEdges};
pub use self::endpoints::{EndpointEntry, RunEntry};
pub use self::entry::{BrokerEntry, DependencyEntry, EventEntry, HandlerEntry, MiddlewareEntry, RequestEntry, Source};
pub use self::html::Html;

/// The README's programs, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
