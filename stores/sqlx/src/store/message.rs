use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use diator::BoxError;
use diator::broker::{Headers, OutboundMessage};
use diator::outbox::{OutboxRow, Place};
use uuid::Uuid;

/// The columns of a message, in the order of the fields of [`StoredMessage`].
pub(crate) const MESSAGE: &str =
    "id, message_type, name, topic, key, correlation_id, causation_id, traceparent, content_type, headers, body";

/// A message as its columns hold it.
pub(crate) struct StoredMessage<'r> {
    pub(crate) id: Uuid,
    pub(crate) message_type: &'r str,
    pub(crate) name: String,
    pub(crate) topic: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) correlation_id: Option<Uuid>,
    pub(crate) causation_id: Option<Uuid>,
    pub(crate) traceparent: Option<&'r str>,
    pub(crate) content_type: &'r str,
    pub(crate) headers: &'r str,
    pub(crate) body: &'r [u8],
}

impl StoredMessage<'_> {
    pub(crate) fn decode(self) -> Result<OutboundMessage, BoxError> {
        let mut message = OutboundMessage::new(self.id, self.message_type.parse()?, self.name, self.body);
        message.topic = self.topic.map(Cow::Owned);
        message.key = self.key;
        message.correlation_id = self.correlation_id;
        message.causation_id = self.causation_id;
        message.traceparent = self.traceparent.map(Into::into);
        if self.content_type != message.content_type {
            message.content_type = Cow::Owned(self.content_type.to_owned());
        }
        if self.headers != NO_HEADERS {
            let headers: BTreeMap<String, String> = serde_json::from_str(self.headers)?;
            message.headers = headers.into_iter().fold(Headers::new(), |all, (name, value)| all.with(name, value));
        }
        Ok(message)
    }
}

const NO_HEADERS: &str = "{}";

pub(crate) fn headers_text(headers: &Headers) -> Cow<'static, str> {
    if headers.is_empty() {
        return Cow::Borrowed(NO_HEADERS);
    }
    let headers: BTreeMap<_, _> = headers.iter().collect();
    Cow::Owned(serde_json::to_string(&headers).expect("texts by name can be written"))
}

/// Limits a duration to some ten thousand years, because the database cannot add more.
pub(crate) fn micros(duration: Duration) -> i64 {
    const A_THOUSAND_YEARS: i64 = 1_000 * 366 * 24 * 3_600 * 1_000_000;
    i64::try_from(duration.as_micros()).map_or(A_THOUSAND_YEARS, |micros| micros.min(A_THOUSAND_YEARS))
}

/// Returns the readable rows, in order. The rows after an unreadable one wait in its partition, because its key is unknown.
///
/// A newer program has written such a row, or somebody has changed it by hand. The other partitions go on.
pub(crate) fn readable(rows: impl IntoIterator<Item = (Place, Result<OutboxRow, BoxError>)>) -> Vec<OutboxRow> {
    static TOLD: Seldom = Seldom::new();
    let mut stuck = None;
    let mut readable = Vec::new();
    for (place, row) in rows {
        match row {
            _ if stuck == Some(place.partition) => {}
            Ok(row) => readable.push(row),
            Err(error) => {
                stuck = Some(place.partition);
                if !TOLD.is_time() {
                    continue;
                }
                tracing::error!(
                    partition = place.partition,
                    seq = place.seq,
                    error = &*error as &dyn std::error::Error,
                    "the relay cannot read a row of the outbox; the rows after it in its partition wait"
                );
            }
        }
    }
    readable
}

/// Keeps a log line that would be written in every turn to one in half a minute.
pub(crate) struct Seldom(Mutex<Option<Instant>>);

impl Seldom {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(None))
    }

    pub(crate) fn is_time(&self) -> bool {
        const PAUSE: Duration = Duration::from_secs(30);
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = last.is_none_or(|last| last.elapsed() >= PAUSE);
        if is_time {
            *last = Some(Instant::now());
        }
        is_time
    }
}
