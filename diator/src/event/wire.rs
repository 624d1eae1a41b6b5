use std::any::Any;
use std::time::SystemTime;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use super::contract::sealed::Sealed;
use super::{Decode, Emitted, Event, EventKind, Pending, ReceivedAs, WrittenAs};
use crate::broker::{DecodeError, Format, Head, Headers, MessageType, OutboundMessage, decode_payload};
use crate::{BoxError, Meta};

/// A kind of event that goes to the message broker.
pub trait WireKind: Sealed + 'static {
    const WIRE_TYPE: MessageType;
}

impl<K: WireKind> EventKind for K {
    const MESSAGE_TYPE: Option<MessageType> = Some(K::WIRE_TYPE);
}

// So that the error speaks of the event, and not of serde alone.
#[diagnostic::do_not_recommend]
impl<K: WireKind, E: Event + Serialize> WrittenAs<K> for E {
    fn __diator_emitted(self) -> Emitted {
        Emitted::new(OnTheWire::new(K::WIRE_TYPE, self))
    }
}

// As above.
#[diagnostic::do_not_recommend]
impl<K: WireKind, E: Event + DeserializeOwned> ReceivedAs<K> for E {
    const DECODE: Option<Decode> = Some(decode::<E>);
}

/// An event of such a kind, stamped when it was emitted.
struct OnTheWire<E> {
    message_type: MessageType,
    id: Uuid,
    timestamp: SystemTime,
    event: E,
}

impl<E> OnTheWire<E> {
    fn new(message_type: MessageType, event: E) -> Self {
        Self { message_type, id: Uuid::now_v7(), timestamp: SystemTime::now(), event }
    }
}

impl<E: Event + Serialize> Pending for OnTheWire<E> {
    fn name(&self) -> &'static str {
        E::NAME
    }

    fn event(&self) -> &(dyn Any + Send + Sync) {
        &self.event
    }

    fn message_type(&self) -> Option<MessageType> {
        Some(self.message_type)
    }

    fn message(&self, format: &Format, meta: &Meta, headers: &Headers) -> Option<Result<OutboundMessage, BoxError>> {
        let key = self.event.key();
        let head = Head {
            message_type: self.message_type,
            name: E::NAME,
            id: self.id,
            timestamp: self.timestamp,
            key: key.as_deref(),
            correlation_id: Some(meta.correlation_id()),
            causation_id: Some(meta.message_id()),
            traceparent: meta.traceparent(),
            headers,
        };
        Some(
            format
                .encode(&head, &self.event)
                .map(|body| OutboundMessage { topic: E::TOPIC.map(Into::into), ..format.message(&head, body) })
                .map_err(Into::into),
        )
    }
}

/// Reads an event from a payload, for the handlers of what arrives.
fn decode<E: Event + DeserializeOwned>(payload: Value) -> Result<Box<dyn Any + Send + Sync>, DecodeError> {
    Ok(Box::new(decode_payload::<E>(payload)?))
}
