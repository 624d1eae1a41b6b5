use std::time::{Duration, SystemTime};

use jiff::{Span, SpanRelativeTo, Timestamp};

/// Reads a time, or how long ago it was; a day has 24 hours.
pub(super) fn parse(text: &str) -> Result<SystemTime, String> {
    match text.parse::<Timestamp>() {
        Ok(time) => Ok(time.into()),
        Err(_) => ago(text).and_then(|ago| SystemTime::now().checked_sub(ago)).ok_or_else(|| {
            "it is neither a time with its offset, such as 2026-01-31T12:00:00Z, nor a duration, such as 2h or 7d"
                .to_owned()
        }),
    }
}

/// Reads a duration; a day has 24 hours.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    ago(text).ok_or_else(|| "it is not a duration, such as 90s or 5m".to_owned())
}

fn ago(text: &str) -> Option<Duration> {
    let span: Span = text.parse().ok()?;
    span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_or_a_duration_is_read() {
        let hours = |hours: u64| Some(Duration::from_secs(hours * 3_600));
        for (text, expected) in [("2h", hours(2)), ("1h 30m", Some(Duration::from_secs(5_400))), ("7d", hours(7 * 24))]
        {
            assert_eq!(ago(text), expected, "{text}");
        }
        assert_eq!(ago("2 weeks"), hours(14 * 24));
        assert_eq!(ago("PT2H"), hours(2));
        let epoch = SystemTime::UNIX_EPOCH + Duration::from_secs(3_600);
        assert_eq!(parse("1970-01-01T01:00:00Z"), Ok(epoch));
        assert_eq!(parse("1970-01-01T02:00:00+01:00"), Ok(epoch));
        assert!(parse("2h").is_ok_and(|time| time < SystemTime::now()));
    }

    #[test]
    fn what_could_mean_several_times_is_refused() {
        for text in ["", "yesterday", "2", "-2h", "2h ago", "1mo", "2026-01-31", "2026-01-31T12:00:00", "999999999d"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
