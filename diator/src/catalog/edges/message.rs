use crate::catalog::{EventEntry, RequestEntry, collect};
use crate::event::EventDescriptor;
use crate::registry::MessageDescriptor;
use crate::request::RequestDescriptor;

/// What is emitted or sent, as whoever does it knows it: the registry has no instance of a generic type.
#[derive(Clone, Debug)]
pub(super) enum Message {
    Request(RequestEntry),
    Event(EventEntry),
}

impl Message {
    pub(super) fn of(descriptor: &MessageDescriptor) -> Self {
        match descriptor {
            MessageDescriptor::Request(request) => Self::Request(collect::request_of(request, None)),
            // Nothing here reads it.
            MessageDescriptor::Event(event) => {
                Self::Event(EventEntry { schema_read: None, ..collect::event_of(event, None) })
            }
        }
    }

    /// The message of this type, if the registry has it.
    pub(super) fn linked(type_name: &str) -> Option<Self> {
        let mut requests = inventory::iter::<RequestDescriptor>.into_iter();
        let mut events = inventory::iter::<EventDescriptor>.into_iter();
        let request = requests.find(|request| (request.name)() == type_name).map(collect::declared_request);
        let mut event = || events.find(|event| (event.type_name)() == type_name).map(collect::declared_event);
        request.map(Self::Request).or_else(|| event().map(Self::Event))
    }

    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Request(request) => request.type_name,
            Self::Event(event) => event.type_name,
        }
    }
}
