//! The imports of a program that writes messages and handlers.
//!
//! It contains `async_trait` of another crate, for the traits of services: a program that imports that macro itself
//! uses its own. It contains none of serde's derives, because these need serde in the program's own `Cargo.toml`.

pub use crate::{
    BoxError, Command, DomainEvent, EcstEvent, Event, EventContext, EventHandler, HandledBy, InMemoryBroker, Mediator,
    Meta, NotificationEvent, Query, Request, RequestContext, RequestHandler, SendError, Services, async_trait,
    event_handler, handlers, request_handler,
};
