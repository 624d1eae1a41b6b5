//! CQRS for Rust: annotate handlers, build the mediator from the link-time registry, send.
//!
//! A program declares messages with derives, puts [`#[request_handler]`](macro@request_handler) or
//! [`#[event_handler]`](macro@event_handler) on the structs that handle them, and asks one [`Mediator`] to deliver. The compiler refuses
//! to send a request that nobody handles; [`build`](MediatorBuilder::build) reports everything else that it can see, at once.
//!
//! | message | what it is for | who handles it |
//! |---|---|---|
//! | [`Command`](macro@Command) | changes something | one handler, in this process |
//! | [`Query`](macro@Query) | reads | one handler, which can neither emit events nor send commands |
//! | [`DomainEvent`](macro@DomainEvent) | tells this process what has happened | any number of handlers, in the unit of work of the command |
//! | [`NotificationEvent`](macro@NotificationEvent), [`EcstEvent`](macro@EcstEvent) | tells other processes, through the message broker | handlers where it **arrives**, and not where it is emitted |
//!
//! ```standalone_crate
//! use diator::prelude::*;
//!
//! #[derive(Debug, Query)]
//! #[request(response = String)]
//! struct Greet { name: String }
//!
//! #[request_handler(Greet)]
//! struct GreetHandler;
//!
//! impl RequestHandler<Greet> for GreetHandler {
//!     async fn handle(&self, query: Greet, _: &mut RequestContext<'_, Greet>) -> Result<String, BoxError> {
//!         Ok(format!("hello, {}", query.name))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let mediator = Mediator::from_registry().build()?;
//! let greeting = mediator.send(Greet { name: "Ada".to_owned() }).await?;
//! assert_eq!(greeting, "hello, Ada");
//! # Ok(())
//! # }
//! ```
//!
//! # The whole
//!
//! A program needs the mediator; it adds the other parts when events must reach other processes.
//!
//! <div role="img" aria-label="The program sends to the mediator; its unit of work commits rows and events in one transaction; the relay
//! publishes the events of the outbox to the broker; an endpoint of the next process gives them to its mediator, whose inbox notes
//! them; the command line replays and discards dead letters.">
#![cfg_attr(doc, doc = include_str!("overview.svg"))]
//! </div>
//!
//! | part | where it is | guide in the repository |
//! |---|---|---|
//! | mediator, middleware | [`Mediator`], [`MediatorBuilder`], [`middleware`] | `docs/messages.md`, `docs/middleware.md`, `docs/web.md` |
//! | services, unit of work | [`container`] | `docs/services.md`, `docs/unit-of-work.md` |
//! | outbox, relay | [`outbox`], [`relay`] | `docs/outbox.md` |
//! | message broker | [`broker`], and what can be consumed: [`subscription`] | `docs/engines.md`, `docs/redis.md`, `docs/azure.md` |
//! | endpoint, inbox, dead letters | [`endpoint`], [`inbox`], [`deliveries`] | `docs/consuming.md` |
//! | all parts in one process | [`host`] | `docs/two-services.md` |
//! | command line | the package `diator-catalog` | `docs/operating.md` |
//! | tests of all that | the package `diator-testkit` | `docs/testing.md` |
//!
//! `docs/README.md` is the index of all guides.
//!
//! # The life of a message
//!
//! 1. [`Mediator::send`] takes the request; [`Meta`] says what travels with it.
//! 2. [`Middleware`] wraps all that follows.
//! 3. The [`container`]'s scope is opened when the first service is asked for that belongs to the message alone.
//! 4. The handler runs. If it fails, its events are dropped and the scope rolls back.
//! 5. Domain events are handled, first in, first out; the first handler that fails fails the message.
//! 6. Notification and ECST events are written as messages; with an [`Outbox`] they join the transaction.
//! 7. The scope commits. Before this, dropping the future undoes the message; from here on nothing does.
//! 8. The [`broker`] gets the messages, while the `after_commit` handlers run. What fails here is
//!    [`SendError::Undelivered`]: it carries the response, and what has to be delivered again.
//!
//! # What follows a commit, and where it runs
//!
//! Steps 7 and 8 come to their end also if the sender goes away: a task of the tokio runtime in which the message was sent goes on
//! with them. A sender that is no task, and so may outlive the runtime, has that task from the start.
//!
//! | what happens | what becomes of the unit of work, its messages and its `after_commit` handlers |
//! |---|---|
//! | the runtime ends before the commit begins | nothing was done |
//! | the runtime ends during the commit | nobody knows whether it is committed: [`SendError::Commit`]; the log has what it would have published |
//! | the runtime ends after the commit | what was not delivered is [`SendError::Undelivered`] |
//! | there is no tokio runtime | both steps run in the future of `send`; dropping that is like the end of a runtime |
//! | the runtime is entered, but nobody runs it | the commit waits for ever: a current-thread runtime must be in its `block_on` |
//! | the process dies | without an [`Outbox`], the messages that the broker has not taken are lost |
//!
//! What failed goes to the hook of [`MediatorBuilder::on_undelivered`]; without one to the sender, if it still waits, on another
//! executor say; or else to the log, as errors, with each message whole. Nothing of it is lost silently.
//!
//! # Handlers in other crates
//!
//! A crate that nothing names is not linked, and its handlers are absent. [`link!`] names it, and
//! [`MediatorBuilder::build`] reports it if the crate contributed nothing. A test binary holds the handlers of all its
//! modules; list those that you want with [`handlers!`] instead. A program that holds two versions of this library has a
//! registry for each.
//!
//! # Features
//!
//! None is on by default.
//!
//! | feature | what it adds |
//! |---|---|
//! | none | the core, the built-in container, the in-memory broker |
//! | `axum` | each [`SendError`] as an answer of axum, and [`Meta`] as an extractor |
//! | `dill` | handlers resolved from a `dill::Catalog` |
//! | `froodi` | handlers resolved from a `froodi` container; unstable, as that crate is |
//! | `http` | [`Meta`] from and to the headers of HTTP |
//! | `in-place` | [`Mediator::send`] without an allocation, for a longer compilation |
//! | `metrics` | counters and durations, through the facade of that name |
//! | `more-di` | handlers resolved from a `di::ServiceCollection` |
//! | `signal` | `host::shutdown_signal`, which ends at SIGTERM or Ctrl-C |
//! | `tower` | [`Mediator::send`] as a `tower_service::Service` |
//!
//! # Packages
//!
//! | package | what it adds |
//! |---|---|
//! | [`diator-redis`](https://docs.rs/diator-redis) | Redis Pub/Sub in the Python library's scheme, and Streams; publishes and consumes |
//! | [`diator-azure`](https://docs.rs/diator-azure) | Azure Service Bus topics and queues; publishes |
//! | [`diator-sqlx`](https://docs.rs/diator-sqlx) | unit of work, outbox, inbox and dead letters on PostgreSQL and SQLite |
//! | [`diator-catalog`](https://docs.rs/diator-catalog) | shows what is wired; the command line for operators |
//! | [`diator-testkit`](https://docs.rs/diator-testkit) | a host for the tests of programs that consume; the conformance suites for drivers, stores and containers |

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

// Lets the code that the macros generate name this crate from inside it too.
extern crate self as diator;

#[cfg(feature = "axum")]
mod axum;
pub mod broker;
mod builder;
mod cascade;
pub mod container;
pub mod deliveries;
pub mod endpoint;
mod error;
pub mod event;
mod handler;
pub mod host;
mod in_flight;
pub mod inbox;
mod inject;
mod invalid_config;
mod join;
mod location;
mod maybe_ready;
mod mediator;
mod message;
mod meta;
#[cfg(feature = "metrics")]
#[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
pub mod metrics;
pub mod middleware;
pub mod outbox;
mod panic;
pub mod prelude;
mod race;
pub mod registry;
pub mod relay;
mod request;
mod retry_policy;
mod shown;
mod stop;
pub mod subscription;
#[cfg(feature = "tower")]
mod tower;
mod undelivered;
pub mod wiring;

use std::error::Error;
use std::future::Future;
use std::pin::Pin;

/// Any error, boxed: what a request's error is unless it says otherwise.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// A boxed future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

pub use async_trait::async_trait;
pub use diator_macros::{Command, DomainEvent, EcstEvent, NotificationEvent, Query, event_handler, request_handler};

pub use self::broker::{InMemoryBroker, InboundMessage, MessageBroker, OutboundMessage, PublishError};
pub use self::builder::MediatorBuilder;
pub use self::cascade::{CascadeLimit, CascadeLimits};
pub use self::container::{Container, Scope, Services};
pub use self::error::{Committed, ResolveError, SendError, SendErrorKind};
pub use self::event::{DomainEvent, EcstEvent, Event, NotificationEvent};
pub use self::handler::{EventContext, EventHandler, HandledBy, RequestContext, RequestHandler};
pub use self::inbox::Inbox;
pub use self::inject::InjectField;
pub use self::invalid_config::InvalidConfig;
pub use self::mediator::{
    Arrival, EmitError, EmittedEvent, HandlerFailure, Handling, Mediator, MediatorWith, ReceiveError, Received,
    ShutdownReport,
};
pub use self::message::MessageKind;
pub use self::meta::Meta;
pub use self::middleware::Middleware;
pub use self::outbox::Outbox;
pub use self::registry::{BuildError, Handlers, Inject};
pub use self::request::{Changes, Command, KindOfRequest, Mark, Query, Reads, Request, RequestKind, SentFrom};
pub use self::shown::ForeignError;
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub use self::tower::{RequestService, RequestServiceWithMeta};
pub use self::undelivered::{DeliveryFailure, DeliveryState, Undelivered, UndeliveredMessage};

/// What the macros' code calls. It may change with every version: write nothing against it.
#[doc(hidden)]
pub mod __private {
    pub use diator_macros::Glue;
    pub use inventory;

    pub use crate::__dependencies as dependencies;
    pub use crate::__event_schema as event_schema;
    pub use crate::__in_place as in_place;
    pub use crate::BoxError;
    pub use crate::container::Slot;
    pub use crate::event::{EventDescriptor, key_text};
    #[cfg(feature = "in-place")]
    pub use crate::handler::{Dispatch, SlotIndex};
    pub use crate::handler::{HandledBy, SendResult};
    pub use crate::inject::{Cloned, Dependency, Field, PerhapsUnitOfWork, Service, Shared, Slots, filled};
    #[cfg(feature = "froodi")]
    pub use crate::inject::{PerhapsSized, sized_or};
    pub use crate::location::Location;
    pub use crate::registry::{HandlerDescriptor, HandlerSet, Inject, LinkedCrate, Registered, With, own_name};
    pub use crate::request::{Derived, RequestDescriptor, SentAs, copied};
}

/// The programs of the README and of the guides that have no steps, compiled and run.
#[cfg(doctest)]
mod guides {
    #[doc = include_str!("../../README.md")]
    struct Readme;
    #[doc = include_str!("../../docs/messages.md")]
    struct Messages;
    #[doc = include_str!("../../docs/services.md")]
    struct Services;
    #[doc = include_str!("../../docs/middleware.md")]
    struct Middleware;
}
