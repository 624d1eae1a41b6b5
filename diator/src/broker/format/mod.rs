mod checked;
mod cloud_events;
mod decoder;
mod envelope;
mod fields;
mod head;
mod python;
mod strict;
mod timestamp;

use std::sync::Arc;

use serde::Serialize;
use serde::ser::Error as _;
use serde_json::Error;

pub use self::decoder::Decoder;
pub(crate) use self::decoder::decode_payload;
use self::fields::fields;
pub(crate) use self::head::Head;
use super::OutboundMessage;
use super::message::JSON;
use crate::InvalidConfig;

/// The form in which messages are written; a message that arrives is read in either form.
///
/// Both forms are JSON without insignificant blanks and in a fixed order, in UTF-8 without escapes that JSON does
/// not require. An event's own fields come as its `Serialize` writes them.
///
/// # Guarantees
///
/// - [`python`](Self::python), the default: what the Python library diator 0.1.2 writes, field by field and in its order.
/// - [`cloud_events`](Self::cloud_events): the name of the message is `type`, its time is `time`, its key (unless
///   empty) is `subject`; the extension attributes `messagetype`, `correlationid`, `causationid` and `traceparent`
///   carry the rest, and further ones the program's own [headers](super::Headers). `data` holds the event's own fields alone, since id and time stand beside it already.
/// - A struct's fields stand in the payload itself; a struct without fields adds none; an enum stands as serde's
///   attributes say, by default as one field named after the variant, which is null for a variant without content.
/// - An event that is no object (a number, a text, a sequence), or that has a field `event_id` or
///   `event_timestamp` of its own, is an error in both forms.
/// - An event that this library could not read back is an error before the commit, which names the field. The causes
///   are: a name that would stand twice in one object, `NaN` and infinities, whole numbers beyond 64 bits, more than
///   127 objects and arrays within each other, and a map of unknown length whose keys are not texts, as maps with
///   `#[serde(flatten)]` are.
/// - The writer cannot detect what serde itself reads otherwise than it writes: maps with number keys and `i128` behind
///   `#[serde(untagged)]`, `tag` or `flatten`, `Some(None)`, fields that are skipped without a default, and the content
///   of a `serde_json::value::RawValue`.
/// - A message in which an object has one field twice is refused when it arrives.
///
/// # Units
///
/// Times are in UTC and cut to microseconds.
///
/// # Example
///
/// ```
/// use diator::broker::Format;
///
/// let format = Format::cloud_events("https://example.com/meetings")?;
/// assert_eq!(format.content_type(), "application/cloudevents+json");
/// assert_eq!(Format::default(), Format::python());
/// # Ok::<(), diator::InvalidConfig>(())
/// ```
///
/// # Source
///
/// `CloudEvents` 1.0.2, JSON event format, structured mode, with its extensions for correlation and distributed
/// tracing. Structured, because not every broker can carry the attributes as headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Format(Form);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Form {
    #[default]
    Python,
    CloudEvents(Arc<str>),
}

impl Format {
    /// `{ message_type, message_name, message_id, payload }`, as the Python library writes it.
    #[must_use]
    pub const fn python() -> Self {
        Self(Form::Python)
    }

    /// `CloudEvents` 1.0; `source` names where the events come from, best as an absolute URI.
    ///
    /// # Errors
    ///
    /// The source is empty, or is not a URI reference of RFC 3986.
    pub fn cloud_events(source: impl Into<Arc<str>>) -> Result<Self, InvalidConfig> {
        let source = source.into();
        cloud_events::check_source(&source)?;
        Ok(Self(Form::CloudEvents(source)))
    }

    /// What cloud events name as their source.
    pub(crate) fn source(&self) -> Option<&str> {
        match &self.0 {
            Form::Python => None,
            Form::CloudEvents(source) => Some(source),
        }
    }

    /// The media type of the messages that it writes.
    #[must_use]
    pub const fn content_type(&self) -> &'static str {
        match self.0 {
            Form::Python => JSON,
            Form::CloudEvents(_) => cloud_events::CONTENT_TYPE,
        }
    }

    /// Writes an event with its envelope.
    pub(crate) fn encode<E: Serialize + ?Sized>(&self, head: &Head<'_>, event: &E) -> Result<Arc<[u8]>, Error> {
        let mut out = Vec::with_capacity(512);
        let written = self.open(head, &mut out).and_then(|()| fields(&mut out, event));
        close(head, written, out)
    }

    /// The message for a body that was written with this head; it names no topic.
    pub(crate) fn message(&self, head: &Head<'_>, body: impl Into<Arc<[u8]>>) -> OutboundMessage {
        OutboundMessage {
            key: head.key.map(Into::into),
            correlation_id: head.correlation_id,
            causation_id: head.causation_id,
            traceparent: head.traceparent.map(Into::into),
            content_type: self.content_type().into(),
            headers: head.headers.clone(),
            ..OutboundMessage::new(head.id, head.message_type, head.name, body)
        }
    }

    fn open(&self, head: &Head<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
        let time = timestamp::to_text(head.timestamp)
            .ok_or_else(|| Error::custom("its time lies outside the years 0 to 9999"))?;
        match &self.0 {
            Form::Python => python::open(head, &time, out),
            Form::CloudEvents(source) => cloud_events::open(source, head, &time, out),
        }
    }
}

/// Both formats end in the event's fields, two objects deep.
fn close(head: &Head<'_>, written: Result<(), Error>, mut out: Vec<u8>) -> Result<Arc<[u8]>, Error> {
    written.map_err(|why| Error::custom(format_args!("event `{}` cannot be written: {why}", head.name)))?;
    out.extend(b"}}");
    Ok(out.into())
}

#[cfg(test)]
mod tests;
