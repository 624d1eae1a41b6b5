use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

/// Tells Service Bus how to treat a message.
///
/// Give one to [`ServiceBusConfig::options`](super::ServiceBusConfig::options) for all messages, and change it for
/// some with [`ServiceBusConfig::customise`](super::ServiceBusConfig::customise).
///
/// # Units
///
/// - `time_to_live`: more than zero, at most 29,227 years; by default the topic's or queue's own.
/// - `scheduled_for`: rounded up to a full second; the default, and a time that is past, mean at once.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use diator_azure::MessageOptions;
///
/// let options = MessageOptions::new().time_to_live(Duration::from_secs(3600)).property("tenant", "acme");
/// assert_ne!(options, MessageOptions::default());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "options do nothing until the broker has them"]
pub struct MessageOptions {
    pub(super) time_to_live: Option<Duration>,
    pub(super) scheduled_for: Option<SystemTime>,
    pub(super) session_id: Option<String>,
    pub(super) properties: BTreeMap<String, String>,
}

impl MessageOptions {
    /// Makes options that leave everything to the service's defaults.
    pub const fn new() -> Self {
        Self { time_to_live: None, scheduled_for: None, session_id: None, properties: BTreeMap::new() }
    }

    /// Lets the message expire if nobody takes it in time.
    pub fn time_to_live(mut self, time: Duration) -> Self {
        self.time_to_live = Some(time);
        self
    }

    /// Hides the message from consumers until this time.
    pub fn scheduled_for(mut self, time: SystemTime) -> Self {
        self.scheduled_for = Some(time);
        self
    }

    /// Sets the session and partition key, in place of the message's key.
    pub fn session_id(mut self, id: impl Into<String>) -> Self {
        self.session_id = Some(id.into());
        self
    }

    /// Adds a custom property, which rules of subscriptions can look at.
    ///
    /// The property travels as an HTTP header. The name must begin with a letter and have at most 128 lower-case
    /// letters, digits and `.`, `_`, `-`; it must not be a name of HTTP's own, nor one that the driver sets
    /// (`causationid`, `messagetype`, `traceparent`). The value must be printable ASCII without `"` and `\`.
    pub fn property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.insert(name.into(), value.into());
        self
    }

    /// Everything that Service Bus would not take, or would take for something else.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.time_to_live.is_some_and(|time| time.is_zero() || time > LONGEST_LIFE) {
            problems.push("the time to live must be more than zero and at most 29,227 years".to_owned());
        }
        if self.scheduled_for.is_some_and(|time| full_second(time).is_none()) {
            problems.push("the scheduled time must be between the years 1970 and 9999".to_owned());
        }
        problems.extend(self.session_id.as_deref().and_then(session_problem));
        problems.extend(self.properties.iter().flat_map(|(name, value)| property_problems(name, value)));
        problems
    }
}

/// The longest that .NET's `TimeSpan` holds, in whole days.
const LONGEST_LIFE: Duration = Duration::from_secs(10_675_199 * 24 * 60 * 60);

/// The first full second that is not before this time.
pub(super) fn full_second(time: SystemTime) -> Option<Timestamp> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let seconds = since.as_secs().checked_add(u64::from(since.subsec_nanos() > 0))?;
    Timestamp::from_second(i64::try_from(seconds).ok()?).ok()
}

pub(super) fn session_problem(id: &str) -> Option<String> {
    let legal = (1..=128).contains(&id.encode_utf16().count());
    (!legal).then(|| "the session and partition key must have 1 to 128 characters".to_owned())
}

fn property_problems(name: &str, value: &str) -> Vec<String> {
    let shown = name.escape_debug();
    let mut problems = Vec::new();
    if !is_property_name(name) {
        problems.push(format!(
            "the property `{shown}` must begin with a letter and have 1 to 128 lower-case letters, digits and `.`, `_`, `-`"
        ));
    } else if is_reserved(name) {
        problems.push(format!("the property `{shown}` would be taken for a header of HTTP or of the driver"));
    }
    if !is_property_value(value) {
        problems.push(format!("the value of the property `{shown}` must be printable ASCII without `\"` and `\\`"));
    }
    problems
}

fn is_property_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    (1..=128).contains(&name.len()) && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(legal)
}

/// Quoted, it is a string literal that needs no escapes: Microsoft's own clients differ in how they write those.
pub(super) fn is_property_value(value: &str) -> bool {
    value.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\')
}

fn is_reserved(name: &str) -> bool {
    const NAMES: [&str; 26] = [
        "accept",
        "authorization",
        "brokerproperties",
        "cache-control",
        "causationid",
        "connection",
        "cookie",
        "date",
        "expect",
        "forwarded",
        "from",
        "host",
        "keep-alive",
        "max-forwards",
        "messagetype",
        "origin",
        "pragma",
        "range",
        "referer",
        "te",
        "traceparent",
        "trailer",
        "upgrade",
        "user-agent",
        "via",
        "warning",
    ];
    const PREFIXES: [&str; 7] = ["accept-", "content-", "if-", "proxy-", "sec-", "transfer-", "x-ms-"];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(options: &MessageOptions) -> usize {
        options.problems().len()
    }

    #[test]
    fn names_that_would_overwrite_headers_are_refused() {
        for name in [
            "authorization",
            "content-type",
            "content-length",
            "brokerproperties",
            "host",
            "transfer-encoding",
            "te",
            "user-agent",
            "x-ms-retrypolicy",
            "traceparent",
            "messagetype",
            "causationid",
        ] {
            let options = MessageOptions::new().property(name, "x");
            assert!(options.problems()[0].contains("would be taken for a header"), "{name}");
        }
    }

    #[test]
    fn names_that_are_no_headers_are_refused() {
        let long = "a".repeat(129);
        for name in ["", "a:b", "a b", "a\r\nb", "Tenant", "Authorization", "1a", "_a", "ü", "a\"", &long] {
            let options = MessageOptions::new().property(name, "x");
            assert!(options.problems()[0].contains("must begin with a letter"), "{name}");
        }
        for name in ["a", "tenant", "tenant_id.v-2"] {
            assert_eq!(problems(&MessageOptions::new().property(name, "")), 0);
        }
    }

    #[test]
    fn values_stay_on_their_line_and_in_their_quotes() {
        for value in ["a\nb", "a\r\nauthorization: b", "ü", "\"", "\\", "\t", "\u{7f}", "\0"] {
            assert_eq!(problems(&MessageOptions::new().property("a", value)), 1, "{value:?}");
        }
        assert_eq!(problems(&MessageOptions::new().property("a", " !#[]~:;,='")), 0);
        assert_eq!(problems(&MessageOptions::new().property("A", "\n").property("b", "\n")), 3);
    }

    #[test]
    fn times_have_limits() {
        let live = |time| problems(&MessageOptions::new().time_to_live(time));
        assert_eq!((live(Duration::ZERO), live(Duration::from_nanos(1)), live(LONGEST_LIFE)), (1, 0, 0));
        assert_eq!((live(LONGEST_LIFE + Duration::from_nanos(1)), live(Duration::MAX)), (1, 1));
        let at = |seconds| MessageOptions::new().scheduled_for(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!((problems(&at(0)), problems(&at(253_402_207_200)), problems(&at(253_402_207_201))), (0, 0, 1));
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(problems(&MessageOptions::new().scheduled_for(before)), 1);
    }

    #[test]
    fn a_time_is_never_early() {
        let second =
            |nanos| full_second(SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos)).map(Timestamp::as_second);
        assert_eq!([second(0), second(1), second(1_000_000_000)], [Some(0), Some(1), Some(1)]);
    }

    #[test]
    fn sessions_have_a_length() {
        let session = |id: &str| problems(&MessageOptions::new().session_id(id));
        assert_eq!([session(""), session("a"), session(&"ü".repeat(128)), session(&"ü".repeat(129))], [1, 0, 0, 1]);
        assert_eq!([session(&"🦀".repeat(64)), session(&"🦀".repeat(65))], [0, 1]);
    }
}
