//! What a program that writes messages and handlers imports.
//!
//! Of other crates it holds `async_trait`, for the traits of services: a program that imports that itself has its own.
//! It holds no derive of serde's: those need serde in the program's own `Cargo.toml`.

pub use crate::{
    BoxError, Command, DomainEvent, EcstEvent, Event, EventContext, EventHandler, HandledBy, InMemoryBroker, Mediator,
    Meta, NotificationEvent, Query, Request, RequestContext, RequestHandler, SendError, Services, async_trait,
    event_handler, handlers, request_handler,
};
