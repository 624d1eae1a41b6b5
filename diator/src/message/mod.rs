//! What is known of messages, requests and events alike, their types forgotten.

mod cause;
mod info;
mod type_name;

use crate::event::EventDescriptor;
use crate::location::Location;
use crate::request::RequestDescriptor;
use crate::{Event, Request};

pub use self::cause::Cause;
pub use self::info::{MessageInfo, MessageKind};
pub(crate) use self::type_name::TypeName;

/// What a handler handles. Where it was declared it cannot know: the location is the handler's.
#[derive(Clone, Copy)]
pub(crate) enum MessageDescriptor {
    Request(RequestDescriptor),
    Event(EventDescriptor),
}

impl MessageDescriptor {
    /// A request whose place is not known.
    pub(crate) fn request<R: Request>() -> Self {
        Self::Request(RequestDescriptor::of::<R>(Location::UNKNOWN))
    }

    /// An event whose place is not known.
    pub(crate) fn event<E: Event>() -> Self {
        Self::Event(EventDescriptor::of::<E>(Location::UNKNOWN))
    }

    /// The message's type, with its path.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Request(request) => (request.name)(),
            Self::Event(event) => (event.type_name)(),
        }
    }
}
