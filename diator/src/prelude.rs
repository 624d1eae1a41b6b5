//! What a program that writes messages and handlers imports.
//!
//! It holds no derive of serde's: those need serde in the program's own `Cargo.toml`.

pub use crate::{
    BoxError, Command, DomainEvent, EcstEvent, Event, EventContext, EventHandler, HandledBy, InMemoryBroker, Mediator,
    Meta, NotificationEvent, Query, Request, RequestContext, RequestHandler, SendError, Services, event_handler,
    handlers, request_handler,
};
