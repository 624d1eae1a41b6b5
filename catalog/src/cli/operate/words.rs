use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use super::redact::redact;
use crate::clean::clean;

/// How long it was, in its two greatest units.
pub(super) fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, 0) => "less than 1s".to_owned(),
        (0, 0, 0, seconds) => format!("{seconds}s"),
        (0, 0, minutes, seconds) => format!("{minutes}m {seconds}s"),
        (0, hours, minutes, _) => format!("{hours}h {minutes}m"),
        (days, hours, ..) => format!("{days}d {hours}h"),
    }
}

/// A time as in RFC 3339, in UTC, to the second.
pub(super) fn time(time: SystemTime) -> String {
    let time = Timestamp::try_from(time).and_then(|time| Timestamp::from_second(time.as_second()));
    time.map_or_else(|_| "out of range".to_owned(), |time| time.to_string())
}

/// So many of something.
pub(super) fn count(number: u64, one: &str) -> String {
    count_of(number, [one, &format!("{one}s")])
}

/// So many of something, with its word for one and for several.
pub(super) fn count_of(number: u64, [one, several]: [&str; 2]) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}

/// At most so many characters; one that ends early ends with `…`.
pub(super) fn short(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
    }
}

/// A text from outside in a table.
pub(super) fn cell(text: &str) -> String {
    short(&clean(text), 40)
}

/// The text of an error in a table, without its secrets.
pub(super) fn reason(text: &str) -> String {
    short(&clean(&redact(text)), 80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_its_two_greatest_units() {
        for (seconds, expected) in [
            (0, "less than 1s"),
            (59, "59s"),
            (60, "1m 0s"),
            (3_599, "59m 59s"),
            (3_600, "1h 0m"),
            (86_399, "23h 59m"),
            (90_000, "1d 1h"),
        ] {
            assert_eq!(age(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn a_time_has_no_fraction() {
        assert_eq!(time(SystemTime::UNIX_EPOCH + Duration::from_millis(1_500)), "1970-01-01T00:00:01Z");
        assert_eq!(time(SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40)), "out of range");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(short("naïve", 5), "naïve");
        assert_eq!(short("naïvely", 5), "naïv…");
    }
}
