use serde::Serialize;

use crate::{EventEntry, RequestEntry};
use diator::wiring::{WiredMessage, Wiring};

/// What is emitted or sent, as whoever does it knows it: the registry has no instance of a generic type.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Message {
    Request(RequestEntry),
    Event(EventEntry),
}

impl Message {
    pub(super) fn of(message: WiredMessage) -> Option<Self> {
        match message {
            WiredMessage::Request(request) => Some(Self::Request(request.into())),
            // Nothing here reads it.
            WiredMessage::Event(event) => Some(Self::Event(EventEntry { schema_read: None, ..event.into() })),
            _ => None,
        }
    }

    /// The message of this type, if the registry has it; without its handlers.
    pub(super) fn linked(wiring: &Wiring, type_name: &str) -> Option<Self> {
        let request = wiring.requests.iter().find(|request| request.type_name == type_name);
        let event = || wiring.events.iter().find(|event| event.type_name == type_name);
        let request = request.map(|request| RequestEntry { handlers: Vec::new(), ..request.clone().into() });
        request
            .map(Self::Request)
            .or_else(|| Some(Self::Event(EventEntry { handlers: Vec::new(), ..event()?.clone().into() })))
    }

    pub(super) fn type_name(&self) -> &str {
        match self {
            Self::Request(request) => &request.type_name,
            Self::Event(event) => &event.type_name,
        }
    }
}
