use std::any::TypeId;
use std::fmt;
use std::sync::Arc;

use super::Inject;
use crate::event::{EventDescriptor, ReceivedAs};
use crate::handler::{AnyValue, Attach, RequestFunctions, attach};
use crate::inject::{Dependency, Slots};
use crate::location::Location;
use crate::message::{MessageDescriptor, MessageInfo, TypeName};
use crate::request::RequestDescriptor;
use crate::{Event, EventHandler, HandledBy, RequestHandler};

/// Describes one handler of one message: its id, its dependencies, and how the mediator adds it.
///
/// It is a constant: describing a handler runs nothing, and builds no handler. The attributes write one for each message that a
/// type handles; [`handlers!`](crate::handlers) collects them by hand.
#[derive(Clone, Copy)]
pub struct HandlerDescriptor {
    pub(crate) handler: TypeName,
    pub(crate) message: MessageDescriptor,
    pub(crate) role: HandlerRole,
    pub(crate) id: Option<&'static str>,
    pub(crate) location: Location,
    pub(crate) dependencies: &'static [Dependency],
    pub(crate) build: Build,
    pub(crate) functions: HandlerFunctions,
    /// Whether the type's attributes name the message more than once.
    pub(crate) repeated: bool,
}

/// What the compiler writes for each handler, its types forgotten.
#[derive(Clone, Copy)]
pub(crate) enum HandlerFunctions {
    Request(RequestFunctions),
    Event(Attach),
}

/// Identifies a handler of an event, also across versions of the program.
///
/// `#[event_handler(OrderPlaced, id = "billing.charge")]` sets it; by default it is the handler's type with its path. A
/// handler without an id of its own gets another id when its type is moved or renamed.
///
/// # Example
///
/// ```
/// use diator::prelude::*;
/// use diator::registry::Registered;
///
/// #[derive(Debug, DomainEvent)]
/// struct OrderPlaced;
///
/// #[event_handler(OrderPlaced, id = "billing.charge")]
/// struct Charge;
///
/// # impl EventHandler<OrderPlaced> for Charge {
/// #     async fn handle(&self, _: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> { Ok(()) }
/// # }
/// assert_eq!(Charge::DESCRIPTORS[0].id().as_str(), "billing.charge");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HandlerId(pub(crate) &'static str);

impl HandlerId {
    /// The id as text.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        self.0
    }
}

impl fmt::Display for HandlerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

/// The role of a handler for its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandlerRole {
    /// The handler answers a request.
    Request,
    /// The handler reacts to an event.
    Event {
        /// Lower runs first; the default is 0.
        order: i32,
        /// Whether the handler runs only once the unit of work is committed.
        after_commit: bool,
    },
}

impl HandlerDescriptor {
    /// Describes `H` as the handler of the request `R`, with the marker `M` of the two.
    #[must_use]
    pub const fn request<R, H, M>(location: Location) -> Self
    where
        R: HandledBy<M>,
        H: RequestHandler<R> + Inject,
    {
        let functions = RequestFunctions::of::<R, H>();
        #[cfg(feature = "in-place")]
        let functions = functions.in_place::<R, M>();
        Self {
            handler: TypeName::of::<H>(),
            message: MessageDescriptor::Request(RequestDescriptor::of::<R>(location)),
            role: HandlerRole::Request,
            id: None,
            location,
            dependencies: H::DEPENDENCIES,
            build: build::<H>(),
            functions: HandlerFunctions::Request(functions),
            repeated: false,
        }
    }

    /// Describes `H` as a handler of the event `E`.
    #[must_use]
    pub const fn event<E, H>(order: i32, after_commit: bool, location: Location) -> Self
    where
        E: Event + ReceivedAs<<E as Event>::Kind>,
        H: EventHandler<E> + Inject,
    {
        Self {
            handler: TypeName::of::<H>(),
            message: MessageDescriptor::Event(EventDescriptor::handled::<E>(location)),
            role: HandlerRole::Event { order, after_commit },
            id: None,
            location,
            dependencies: H::DEPENDENCIES,
            build: build::<H>(),
            functions: HandlerFunctions::Event(attach::<E, H>),
            repeated: false,
        }
    }

    /// Gives the handler a name that outlives its type: `#[event_handler(OrderPlaced, id = "billing.charge")]`.
    #[must_use]
    pub const fn named(mut self, id: &'static str) -> Self {
        self.id = Some(id);
        self
    }

    /// The handler's id among the handlers of its message: the name that it was given, or else its type, with its path.
    #[must_use]
    pub fn id(&self) -> HandlerId {
        HandlerId(self.id.unwrap_or_else(self.handler.name))
    }

    /// Whether the handler was given a name.
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.id.is_some()
    }

    /// The handler's type, with its path.
    #[must_use]
    pub fn handler(&self) -> &'static str {
        (self.handler.name)()
    }

    /// The message's type, with its path.
    #[must_use]
    pub fn message(&self) -> &'static str {
        self.message.type_name()
    }

    /// The role of the handler for its message.
    #[must_use]
    pub fn role(&self) -> HandlerRole {
        self.role
    }

    /// Where the handler was declared.
    #[must_use]
    pub fn location(&self) -> Location {
        self.location
    }

    /// The dependencies that the mediator injects.
    #[must_use]
    pub fn dependencies(&self) -> &'static [Dependency] {
        self.dependencies
    }

    /// What middleware learns of the message.
    pub(crate) fn info(&self) -> MessageInfo {
        MessageInfo::of(&self.message, self.handler(), Some(self.location))
    }

    pub(crate) fn handler_id(&self) -> TypeId {
        (self.handler.id)()
    }

    pub(crate) fn message_id(&self) -> TypeId {
        match &self.message {
            MessageDescriptor::Request(request) => (request.id)(),
            MessageDescriptor::Event(event) => (event.id)(),
        }
    }

    /// The event, if it handles one.
    pub(crate) fn handled_event(&self) -> Option<&EventDescriptor> {
        match &self.message {
            MessageDescriptor::Request(_) => None,
            MessageDescriptor::Event(event) => Some(event),
        }
    }
}

impl fmt::Debug for HandlerDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerDescriptor")
            .field("handler", &self.handler())
            .field("message", &self.message())
            .field("role", &self.role)
            .field("location", &self.location)
            .finish_non_exhaustive()
    }
}

/// Of the type of a handler: what is made of its slots, and they themselves.
pub(crate) type Build = (fn() -> Box<dyn Slots>, fn(Box<dyn Slots>) -> Arc<AnyValue>);

pub(crate) const fn build<H: Inject + Send + Sync>() -> Build {
    (H::__diator_slots, build_of::<H>)
}

fn build_of<H: Inject + Send + Sync>(slots: Box<dyn Slots>) -> Arc<AnyValue> {
    Arc::new(H::__diator_build(slots))
}
