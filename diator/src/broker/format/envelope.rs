use std::time::SystemTime;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::timestamp;
use crate::broker::{DecodeError, MessageType};

/// The fields of a message that arrived, checked when they are read; null counts as absent.
pub(super) struct Envelope(pub(super) Map<String, Value>);

impl Envelope {
    pub(super) fn has(&self, field: &str) -> bool {
        self.get(field).is_some()
    }

    pub(super) fn take_object(&mut self, field: &'static str) -> Result<Option<Self>, DecodeError> {
        match self.0.remove(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(Self(fields))),
            Some(other) => Err(DecodeError::invalid(field, &other, "an object")),
        }
    }

    pub(super) fn text(&self, field: &'static str) -> Result<Option<String>, DecodeError> {
        self.read(field, "a text that is not empty", |text| (!text.is_empty()).then(|| text.to_owned()))
    }

    pub(super) fn id(&self, field: &'static str) -> Result<Option<Uuid>, DecodeError> {
        self.read(field, "a uuid", |text| Uuid::try_parse(text).ok())
    }

    pub(super) fn time(&self, field: &'static str) -> Result<Option<SystemTime>, DecodeError> {
        self.read(field, "a time such as `2026-11-22T22:31:53.997858`", timestamp::from_text)
    }

    pub(super) fn message_type(&self, field: &'static str) -> Result<Option<MessageType>, DecodeError> {
        self.read(field, MessageType::EXPECTED, |text| text.parse().ok())
    }

    pub(super) fn read<T>(
        &self,
        field: &'static str,
        expected: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, DecodeError> {
        let Some(value) = self.get(field) else { return Ok(None) };
        value.as_str().and_then(read).ok_or_else(|| DecodeError::invalid(field, value, expected)).map(Some)
    }

    pub(super) fn get(&self, field: &str) -> Option<&Value> {
        self.0.get(field).filter(|value| !value.is_null())
    }
}

/// Turns the absence of a field into an error.
pub(super) fn require<T>(field: &'static str, value: Option<T>) -> Result<T, DecodeError> {
    value.ok_or(DecodeError::Missing { field })
}
