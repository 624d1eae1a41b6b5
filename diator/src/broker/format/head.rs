use std::time::SystemTime;

use uuid::Uuid;

use crate::broker::{Headers, MessageType};

/// What stands around an event on the wire.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    pub(crate) message_type: MessageType,
    pub(crate) name: &'static str,
    pub(crate) id: Uuid,
    pub(crate) timestamp: SystemTime,
    pub(crate) key: Option<&'a str>,
    pub(crate) correlation_id: Option<Uuid>,
    pub(crate) causation_id: Option<Uuid>,
    pub(crate) traceparent: Option<&'a str>,
    pub(crate) headers: &'a Headers,
}
