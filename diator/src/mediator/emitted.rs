use crate::broker::MessageType;
use crate::message::MessageKind;

/// What an [`on_emitted`](crate::MediatorBuilder::on_emitted) hook learns of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EmittedEvent {
    /// Which of the three kinds it is.
    pub kind: MessageKind,
    /// Its name: for a notification or ECST event, the one on the wire.
    pub name: &'static str,
}

impl EmittedEvent {
    pub(super) fn new(message_type: Option<MessageType>, name: &'static str) -> Self {
        Self { kind: MessageKind::of_event(message_type), name }
    }
}
