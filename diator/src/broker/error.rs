use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::BoxError;
use crate::shown::{self, ForeignError};

/// Why a broker did not publish a message, or is not known to have done so.
///
/// Branch on [`kind`](Self::kind), not on the text: the text and the [`code`](Self::code) are the broker's.
///
/// # Guarantees
///
/// - `Display` and `Debug` are one line each. The text is cut at 1,000 characters and the code at 100, and control characters in
///   them are escaped.
/// - `Display` is the text and, in parentheses, the code; it does not repeat the source.
/// - `source()` is a [`ForeignError`]; [`source_as`](Self::source_as) gives the error in it by its type.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use diator::broker::{PublishError, PublishErrorKind};
///
/// let error = PublishError::transient("service bus is busy").with_code("503").with_retry_after(Duration::from_secs(4));
/// assert_eq!(error.kind(), PublishErrorKind::Transient { retry_after: Some(Duration::from_secs(4)) });
/// assert_eq!(error.to_string(), "service bus is busy (503)");
/// ```
#[derive(thiserror::Error)]
pub struct PublishError {
    kind: PublishErrorKind,
    message: Cow<'static, str>,
    code: Option<Cow<'static, str>>,
    source: Option<ForeignError>,
    concerns_destination: bool,
}

/// What the caller can do about a message that was not published.
///
/// # Units
///
/// `retry_after` is the time the broker asked for; `None` means that it named none, and the caller chooses.
///
/// # Guarantees
///
/// | kind | the broker has the message | a retry | what [`Undelivered`](crate::Undelivered) says of the message |
/// |---|---|---|---|
/// | transient | no | can help, and makes no duplicate | [`NotTaken`](crate::DeliveryState::NotTaken) |
/// | ambiguous | perhaps | can help, and consumers may see the message twice | [`Ambiguous`](crate::DeliveryState::Ambiguous) |
/// | fatal | no | does not help until somebody changes the broker, its configuration or the message | [`NotTaken`](crate::DeliveryState::NotTaken) |
///
/// Code outside of this crate must have a `_` arm. It should treat a kind that it does not know as ambiguous.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PublishErrorKind {
    /// The broker has not taken it: refused for now, or never reached. Try again.
    Transient {
        /// How long to wait before that.
        retry_after: Option<Duration>,
    },
    /// The broker may have taken it: the answer timed out or got lost. Try again with the same id.
    Ambiguous,
    /// The broker has not taken it, and will not: no permission, no such topic, too large.
    Fatal,
}

impl PublishErrorKind {
    /// The name for logs and metrics: `transient`, `ambiguous` or `fatal`; it does not change.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transient { .. } => "transient",
            Self::Ambiguous => "ambiguous",
            Self::Fatal => "fatal",
        }
    }
}

impl PublishError {
    /// Makes an error of a kind known only at run time; the text must be lower case and name the broker.
    #[must_use]
    pub fn new(kind: PublishErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), code: None, source: None, concerns_destination: false }
    }

    /// Makes an error of a message that was certainly not taken; a retry can help.
    #[must_use]
    pub fn transient(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(PublishErrorKind::Transient { retry_after: None }, message)
    }

    /// Makes an error of a message that may or may not have been taken.
    #[must_use]
    pub fn ambiguous(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(PublishErrorKind::Ambiguous, message)
    }

    /// Makes an error of a message that was certainly not taken; a retry cannot help.
    #[must_use]
    pub fn fatal(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(PublishErrorKind::Fatal, message)
    }

    /// Adds the error of the layer below, which becomes [`source()`](Error::source); it replaces an earlier one.
    ///
    /// [`ForeignError`] tells how its text is shown.
    ///
    /// # Example
    ///
    /// ```
    /// use std::error::Error;
    /// use std::io::{self, ErrorKind};
    /// use diator::broker::PublishError;
    ///
    /// let error = PublishError::ambiguous("redis did not answer").with_source(io::Error::from(ErrorKind::ConnectionReset));
    /// assert_eq!(error.source_as::<io::Error>().map(io::Error::kind), Some(ErrorKind::ConnectionReset));
    /// assert!(error.source().is_some_and(|source| !source.is::<io::Error>()), "there it is wrapped");
    /// ```
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(ForeignError::new(source));
        self
    }

    /// The error of the layer below, if it is of this type.
    #[must_use]
    pub fn source_as<E: Error + 'static>(&self) -> Option<&E> {
        self.source.as_ref()?.get_ref().downcast_ref()
    }

    /// Adds the broker's own code, such as `OOM` or `503`.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Sets how long the broker asked to wait; an error that is not transient stays as it is.
    ///
    /// # Units
    ///
    /// Zero asks for nothing: a [`RetryingBroker`](super::RetryingBroker) then waits as its own policy says. There is no upper
    /// limit, but a time beyond the policy's `give_up_after` means that there is no further attempt.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        if let PublishErrorKind::Transient { retry_after } = &mut self.kind {
            *retry_after = Some(wait);
        }
        self
    }

    /// Marks an error that every message to the same [destination](super::MessageBroker::destination) would get, until
    /// somebody changes the broker or its configuration; an error that is not fatal stays as it is.
    ///
    /// A driver must mark the refusal of a login or a permission, a wrong server, an account that is used up, and a
    /// topic that does not exist. It must not mark the refusal of a message that is too large or malformed: that
    /// message would keep all others waiting.
    ///
    /// # Example
    ///
    /// ```
    /// use diator::broker::{PublishError, PublishErrorKind};
    ///
    /// let error = PublishError::fatal("redis refused the login").with_code("WRONGPASS").concerning_destination();
    /// assert!(error.concerns_destination());
    /// assert_eq!(error.kind(), PublishErrorKind::Fatal, "a retry does not help its sender");
    /// assert!(!PublishError::fatal("the message is too large").concerns_destination());
    /// ```
    #[must_use]
    pub fn concerning_destination(mut self) -> Self {
        self.concerns_destination = self.kind == PublishErrorKind::Fatal;
        self
    }

    /// Whether every message to the same destination would get the error; if not, the error concerns this message
    /// alone.
    ///
    /// The sender sees no difference. A relay keeps its messages until such a destination takes messages again; a
    /// message that is refused for its own sake becomes a dead letter.
    #[must_use]
    pub fn concerns_destination(&self) -> bool {
        self.concerns_destination
    }

    /// What the caller can do about it.
    #[must_use]
    pub fn kind(&self) -> PublishErrorKind {
        self.kind
    }

    /// The broker's own code, if it gave one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown::text(&self.message))?;
        self.code.as_ref().map_or(Ok(()), |code| write!(f, " ({})", shown::name(code)))
    }
}

impl fmt::Debug for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublishError")
            .field("kind", &self.kind)
            .field("message", &format_args!("{}", shown::text(&self.message)))
            .field("code", &self.code.as_deref().map(shown::name))
            .field("source", &self.source)
            .field("concerns_destination", &self.concerns_destination)
            .finish()
    }
}

/// Why something that arrived is not a message, or not the expected event.
///
/// No retry helps: the same bytes fail again.
///
/// # Guarantees
///
/// - Every text is one line, whatever arrived: what it quotes of the message is escaped, and cut at 100 characters.
/// - `source()` is a [`ForeignError`] for [`Json`](Self::Json) and [`Payload`](Self::Payload), and holds the `serde_json::Error`;
///   for the other variants it is `None`.
///
/// # Example
///
/// ```
/// use diator::InboundMessage;
/// use diator::broker::DecodeError;
///
/// let decode = |body: &[u8]| InboundMessage::decode(body, None, []).unwrap_err();
/// assert!(matches!(decode(b"oops"), DecodeError::Json(_)));
/// assert!(matches!(decode(b"{}"), DecodeError::UnknownFormat));
/// let nameless = decode(br#"{"message_type": "ecst_event", "message_name": null}"#);
/// assert_eq!(nameless.to_string(), "message lacks the field `message_name`");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The body is larger than the [`Decoder`](super::Decoder) reads.
    #[error("message has {bytes} bytes, and at most {limit} are read")]
    TooLarge {
        /// How large it is, in bytes.
        bytes: usize,
        /// How large it may be, in bytes.
        limit: usize,
    },
    /// The bytes are not JSON; the source names line and column.
    #[error("message is not json")]
    Json(#[source] ForeignError),
    /// An object of the message has one field twice, and nobody could tell which of them is meant.
    #[error("message has the field `{field}` twice")]
    Repeated {
        /// The field, with the fields that it stands in, shortened: `payload.id`.
        field: String,
    },
    /// The message is JSON, but not an object.
    #[error("message is {found}, expected an object")]
    NotAnObject {
        /// The kind of value that it is.
        found: String,
    },
    /// The message is an object in none of the known formats.
    #[error("message has neither `message_type` nor `specversion`: its format is unknown")]
    UnknownFormat,
    /// A field that the format requires is absent or null.
    #[error("message lacks the field `{field}`")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// A field is there, with a value that it must not have.
    #[error("message field `{field}` is {found}, expected {expected}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// The value that it has, shortened.
        found: String,
        /// The values that it may have.
        expected: &'static str,
    },
    /// The payload does not fit the event's type; the source says how.
    #[error("message payload does not fit the event")]
    Payload(#[source] ForeignError),
}

impl DecodeError {
    pub(super) fn not_an_object(found: &Value) -> Self {
        Self::NotAnObject { found: describe(found) }
    }

    pub(crate) fn invalid(field: &'static str, found: &Value, expected: &'static str) -> Self {
        Self::Invalid { field, found: describe(found), expected }
    }
}

/// Names a value in an error text, at a length that does not depend on who sent it.
fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(_) => "a number".to_owned(),
        Value::String(text) => quote(text),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

fn quote(text: &str) -> String {
    format!("`{}`", shown::name(text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_constructor_has_its_kind() {
        assert_eq!(PublishError::transient("busy").kind(), PublishErrorKind::Transient { retry_after: None });
        assert_eq!(PublishError::ambiguous("no answer").kind(), PublishErrorKind::Ambiguous);
        assert_eq!(PublishError::fatal("no such topic").kind(), PublishErrorKind::Fatal);
    }

    #[test]
    fn only_a_transient_error_can_ask_to_wait() {
        let wait = Duration::from_secs(3);
        let transient = PublishError::transient("busy").with_retry_after(wait);
        assert_eq!(transient.kind(), PublishErrorKind::Transient { retry_after: Some(wait) });
        assert_eq!(PublishError::fatal("gone").with_retry_after(wait).kind(), PublishErrorKind::Fatal);
    }

    #[test]
    fn only_a_fatal_error_can_concern_its_destination() {
        assert!(PublishError::fatal("no login").concerning_destination().concerns_destination());
        assert!(!PublishError::fatal("too large").concerns_destination());
        assert!(!PublishError::transient("busy").concerning_destination().concerns_destination());
        assert!(!PublishError::ambiguous("no answer").concerning_destination().concerns_destination());
    }

    #[test]
    fn the_text_has_the_code_but_not_the_source() {
        let error =
            PublishError::fatal("redis refused the password").with_code("WRONGPASS").with_source("bad password");
        assert_eq!(error.to_string(), "redis refused the password (WRONGPASS)");
        assert_eq!(error.code(), Some("WRONGPASS"));
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("bad password"));
        let plain = PublishError::transient("redis is loading");
        assert_eq!((plain.to_string().as_str(), plain.code()), ("redis is loading", None));
        assert!(plain.source().is_none());
    }

    #[test]
    fn a_value_is_named_shortly() {
        let cases = [
            (json!(null), "null"),
            (json!(true), "true"),
            (json!(1.5), "a number"),
            (json!("a\n`b"), "`a\\n`b`"),
            (json!([1]), "an array"),
            (json!({}), "an object"),
        ];
        for (value, text) in cases {
            assert_eq!(describe(&value), text);
        }
        assert_eq!(describe(&json!("ü".repeat(100))), format!("`{}`", "ü".repeat(100)));
        assert_eq!(describe(&json!("ü".repeat(5000))), format!("`{}…`", "ü".repeat(100)));
    }
}
