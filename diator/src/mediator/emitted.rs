use crate::broker::MessageType;
use crate::message::MessageKind;

/// An event, as an [`on_emitted`](crate::MediatorBuilder::on_emitted) hook sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EmittedEvent {
    /// The kind of the event.
    pub kind: MessageKind,
    /// The name of the event; for a notification or ECST event, the name on the wire.
    pub name: &'static str,
}

impl EmittedEvent {
    pub(super) fn new(message_type: Option<MessageType>, name: &'static str) -> Self {
        Self { kind: MessageKind::of_event(message_type), name }
    }
}
