//! What an answer, or the lack of one, means for the message.

use std::time::{Duration, SystemTime};

use jiff::fmt::rfc2822::DateTimeParser;

use diator::broker::{PublishError, PublishErrorKind};

/// An answer other than 201.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", if .detail.is_empty() { "no reason was given" } else { .detail })]
pub(super) struct Refusal {
    status: u16,
    retry_after: Option<Duration>,
    detail: String,
}

impl Refusal {
    pub(super) fn new(status: u16, retry_after: Option<&str>, body: &[u8]) -> Self {
        let retry_after = retry_after.and_then(|text| wait(text, SystemTime::now()));
        Self { status, retry_after, detail: detail(&String::from_utf8_lossy(body)) }
    }

    fn kind(&self) -> PublishErrorKind {
        match self.status {
            408 | 429 | 500 | 503 => PublishErrorKind::Transient { retry_after: self.retry_after },
            403 if self.is_quota() => PublishErrorKind::Transient { retry_after: self.retry_after },
            300..=499 => PublishErrorKind::Fatal,
            // Something between the service and us has answered: who knows what it passed on.
            _ => PublishErrorKind::Ambiguous,
        }
    }

    /// Whether the entity is full for now; the other reasons for a 403 stay.
    fn is_quota(&self) -> bool {
        let detail = self.detail.to_ascii_lowercase();
        (detail.contains("quota") || detail.contains("entity size")) && !self.is_too_large()
    }

    fn is_too_large(&self) -> bool {
        let detail = self.detail.to_ascii_lowercase();
        detail.contains("message size") || detail.contains("request size") || detail.contains("too large")
    }

    /// Whether the entity would refuse every message so: the key or its permission, the entity, or the whole address is wrong.
    fn concerns_destination(&self) -> bool {
        match self.status {
            300..=399 | 401 | 402 | 404 | 405 | 407 | 410 => true,
            403 => !self.is_too_large(),
            _ => false,
        }
    }
}

impl From<Refusal> for PublishError {
    fn from(refusal: Refusal) -> Self {
        let text = match refusal.kind() {
            PublishErrorKind::Ambiguous => "service bus gave an unexpected answer",
            _ => "service bus refused the message",
        };
        let concerns_destination = refusal.concerns_destination();
        let error = Self::new(refusal.kind(), text).with_code(refusal.status.to_string()).with_source(refusal);
        if concerns_destination { error.concerning_destination() } else { error }
    }
}

/// Reads what the client reports: an answer, a failure of the connection, or a request that could not be made.
pub(super) fn publish_error(error: azure_core::Error) -> PublishError {
    let error = match error.into_downcast::<Refusal>() {
        Ok(refusal) => return refusal.into(),
        Err(error) => error,
    };
    match error.into_downcast::<reqwest::Error>() {
        Ok(cause) if cause.is_connect() => {
            PublishError::transient("service bus could not be reached").with_source(cause)
        }
        Ok(cause) if cause.is_builder() => PublishError::fatal(NO_REQUEST).with_source(cause),
        Ok(cause) => PublishError::ambiguous("service bus went away before it answered").with_source(cause),
        Err(error) => PublishError::fatal(NO_REQUEST).with_source(error),
    }
}

const NO_REQUEST: &str = "the request to service bus could not be made";

pub(super) fn no_client(error: reqwest::Error) -> PublishError {
    PublishError::fatal(NO_REQUEST).with_source(error).concerning_destination()
}

pub(super) fn timed_out(deadline: Duration) -> PublishError {
    PublishError::ambiguous(format!("service bus did not answer within {deadline:?}"))
}

pub(super) fn not_begun(deadline: Duration) -> PublishError {
    PublishError::transient(format!("the batch took longer than {deadline:?}, and the message was not sent"))
}

/// Reads a Retry-After header: seconds, or a date.
fn wait(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = SystemTime::from(DateTimeParser::new().parse_timestamp(text).ok()?);
    Some(then.duration_since(now).unwrap_or_default())
}

/// What a body says, in one line: the service's own words are in an element `Detail`.
fn detail(body: &str) -> String {
    const SHOWN: usize = 400;
    let inner = body.split_once("<Detail>").and_then(|(_, rest)| rest.split_once("</Detail>"));
    let text = inner.map_or(body, |(detail, _)| detail);
    // A token is good for an hour; whoever echoes it must not get it into our logs.
    let cut = ["SharedAccessSignature", "sig="].into_iter().filter_map(|secret| text.find(secret)).min();
    let text = &text[..cut.unwrap_or(text.len())];
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut shown: String = line.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    if line.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    fn refused(status: u16, body: &str) -> PublishErrorKind {
        PublishError::from(Refusal::new(status, Some("3"), body.as_bytes())).kind()
    }

    #[test]
    fn every_status_has_its_kind() {
        let busy = PublishErrorKind::Transient { retry_after: Some(Duration::from_secs(3)) };
        for status in [408, 429, 500, 503] {
            assert_eq!(refused(status, ""), busy, "{status}");
        }
        for status in [301, 307, 400, 401, 402, 404, 405, 409, 410, 411, 413, 415, 431, 499] {
            assert_eq!(refused(status, ""), PublishErrorKind::Fatal, "{status}");
        }
        for status in [200, 202, 204, 502, 504, 599] {
            assert_eq!(refused(status, ""), PublishErrorKind::Ambiguous, "{status}");
        }
    }

    #[test]
    fn the_body_decides_about_a_403() {
        let busy = PublishErrorKind::Transient { retry_after: Some(Duration::from_secs(3)) };
        for body in [
            "The maximum entity size has been reached or exceeded for Queue: 'orders'.",
            "<Error><Code>403</Code><Detail>Quota exceeded for the topic.</Detail></Error>",
        ] {
            assert_eq!(refused(403, body), busy, "{body}");
        }
        for body in ["", "Send permission is required", "The message size exceeds the quota of 262144", "too large"] {
            assert_eq!(refused(403, body), PublishErrorKind::Fatal, "{body}");
        }
    }

    #[test]
    fn what_concerns_every_message_is_told_apart() {
        let concerns =
            |status, body: &str| PublishError::from(Refusal::new(status, None, body.as_bytes())).concerns_destination();
        for status in [301, 307, 401, 402, 404, 405, 407, 410] {
            assert!(concerns(status, ""), "{status}");
        }
        for status in [200, 400, 408, 409, 411, 413, 415, 429, 431, 500, 502] {
            assert!(!concerns(status, ""), "{status}");
        }
        assert!(concerns(403, "Send permission is required"));
        assert!(!concerns(403, "The message size exceeds the quota of 262144"), "the next message may be smaller");
        assert!(!concerns(403, "Quota exceeded for the topic."), "that is transient");
    }

    #[test]
    fn code_and_detail_are_kept() {
        let body = "<Error><Code>401</Code><Detail>Invalid authorization\r\n token signature</Detail></Error>";
        let error = PublishError::from(Refusal::new(401, None, body.as_bytes()));
        assert_eq!(error.to_string(), "service bus refused the message (401)");
        assert_eq!(error.source().expect("the reason").to_string(), "Invalid authorization token signature");
        assert_eq!(Refusal::new(404, None, b"").to_string(), "no reason was given");
    }

    #[test]
    fn a_detail_is_short_and_holds_no_token() {
        assert_eq!(detail(" a \u{1b}[31mb\n\tc "), "a [31mb c");
        assert_eq!(detail(&"ü".repeat(400)), "ü".repeat(400));
        assert_eq!(detail(&"ü".repeat(5000)), format!("{}…", "ü".repeat(400)));
        for token in ["SharedAccessSignature sr=a&sig=b", "sig=b"] {
            assert_eq!(detail(&format!("bad token {token}")), "bad token");
        }
    }

    #[test]
    fn the_time_to_wait_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_770);
        assert_eq!(wait(" 120 ", now), Some(Duration::from_secs(120)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::from_secs(7)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:00 GMT", now), Some(Duration::ZERO));
        for text in ["", "-1", "1.5", "soon", "99999999999999999999"] {
            assert_eq!(wait(text, now), None, "{text}");
        }
    }
}
