//! CQRS for Rust: annotate handlers, build the mediator from the link-time registry, send.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(clippy::print_stdout, clippy::print_stderr)]

// Lets the code that the macros generate name this crate from inside it too.
extern crate self as diator;

pub mod broker;
pub mod container;
mod context;
mod error;
pub mod event;
mod handler;
mod inject;
mod mediator;
mod meta;
pub mod middleware;
mod outbox;
mod panic;
pub mod prelude;
pub mod registry;
mod request;
mod undelivered;

use std::error::Error;
use std::future::Future;
use std::pin::Pin;

/// Any error, boxed: what a request's error is unless it says otherwise.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// A boxed future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

pub use async_trait::async_trait;
pub use diator_macros::{
    Command, DomainEvent, EcstEvent, NotificationEvent, Query, event_handler, request_handler,
};

pub use self::broker::{InMemoryBroker, InboundMessage, MessageBroker, OutboundMessage, PublishError};
pub use self::container::{Container, Scope, ServiceScope, Services};
pub use self::context::{EventContext, RequestContext};
pub use self::error::SendError;
pub use self::event::{DomainEvent, EcstEvent, Event, NotificationEvent};
pub use self::handler::{EventHandler, HandledBy, RequestHandler};
pub use self::inject::{Inject, InjectField, ResolveError, Resolver, Unresolved};
pub use self::mediator::{
    CascadeLimit, EmitError, HandlerFailure, Mediator, MediatorBuilder, MediatorWith, ReceiveError, Received,
    ShutdownReport,
};
pub use self::meta::Meta;
pub use self::middleware::Middleware;
pub use self::outbox::Outbox;
pub use self::registry::{BuildError, Handlers};
pub use self::request::{Command, Query, Request, RequestKind, SentFrom};
pub use self::undelivered::{DeliveryFailure, Undelivered};

/// What the macros' code calls. It may change with every version: write nothing against it.
#[doc(hidden)]
pub mod __private {
    pub use diator_macros::Glue;
    pub use inventory;

    pub use crate::event::EventDescriptor;
    pub use crate::handler::HandledBy;
    pub use crate::inject::{Cloned, Inject, Resolver, Unresolved};
    pub use crate::mediator::{Dispatch, send};
    pub use crate::registry::{Dependency, HandlerDescriptor, HandlerSet, LinkedCrate, Location, Registered, SlotIndex};
    pub use crate::request::RequestDescriptor;
    pub use crate::{BoxError, SendError};
}

/// The README's programs, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
