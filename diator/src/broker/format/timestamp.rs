// Times come from outside.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use std::time::SystemTime;

use jiff::SignedDuration;
use jiff::civil::{self, DateTime};
use jiff::fmt::temporal::{DateTimePrinter, Pieces};
use jiff::tz::Offset;

const EPOCH: DateTime = civil::date(1970, 1, 1).at(0, 0, 0, 0);
const WHOLE_SECONDS: DateTimePrinter = DateTimePrinter::new().precision(Some(0));
const MICROSECONDS: DateTimePrinter = DateTimePrinter::new().precision(Some(6));

/// Writes a time in UTC without saying so, as Python's `datetime.isoformat` does: six digits, or none at zero.
///
/// `None` outside the years 0 to 9999, which the form cannot hold.
pub(super) fn to_text(time: SystemTime) -> Option<String> {
    let since_epoch = SignedDuration::system_until(SystemTime::UNIX_EPOCH, time).ok()?;
    let time = EPOCH.checked_add(since_epoch).ok().filter(|time| time.year() >= 0)?;
    let printer = if time.subsec_nanosecond() < 1_000 { WHOLE_SECONDS } else { MICROSECONDS };
    Some(printer.datetime_to_string(&time))
}

/// Reads ISO 8601 with date and time; a time that names no offset is in UTC.
///
/// It computes with civil time because `jiff::Timestamp` ends a day before Python's `datetime.max`.
pub(super) fn from_text(text: &str) -> Option<SystemTime> {
    let pieces = Pieces::parse(text).ok()?;
    if pieces.time_zone_annotation().is_some() {
        return None;
    }
    let offset = pieces.to_numeric_offset().map_or(0, Offset::seconds);
    let local = pieces.date().to_datetime(pieces.time()?);
    from_epoch(local.duration_since(EPOCH).checked_sub(SignedDuration::from_secs(offset.into()))?)
}

fn from_epoch(elapsed: SignedDuration) -> Option<SystemTime> {
    let distance = elapsed.unsigned_abs();
    if elapsed.is_negative() {
        SystemTime::UNIX_EPOCH.checked_sub(distance)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(distance)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECONDS: u64 = 1_795_386_713;

    fn at(nanoseconds: u32) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::new(SECONDS, nanoseconds)
    }

    #[test]
    fn six_digits_or_none_are_written() {
        let cases = [
            (997_858_000, "2026-11-22T22:31:53.997858"),
            (0, "2026-11-22T22:31:53"),
            (999, "2026-11-22T22:31:53"),
            (1_000, "2026-11-22T22:31:53.000001"),
            (1_000_000, "2026-11-22T22:31:53.001000"),
            (999_999_999, "2026-11-22T22:31:53.999999"),
        ];
        for (nanoseconds, text) in cases {
            assert_eq!(to_text(at(nanoseconds)).as_deref(), Some(text));
        }
    }

    #[test]
    fn times_before_the_epoch_are_written_and_read() {
        let before = SystemTime::UNIX_EPOCH - Duration::new(0, 500);
        assert_eq!(to_text(before).as_deref(), Some("1969-12-31T23:59:59.999999"));
        for text in ["0001-01-01T00:00:00", "0000-01-01T00:00:00.000001", "9999-12-31T23:59:59.999999"] {
            let time = from_text(text).expect("it is a time");
            assert_eq!(to_text(time).as_deref(), Some(text));
        }
    }

    #[test]
    fn years_that_do_not_fit_are_not_written() {
        let year = Duration::from_secs(366 * 24 * 60 * 60);
        assert_eq!(to_text(SystemTime::UNIX_EPOCH + 8_100 * year), None);
        assert_eq!(to_text(SystemTime::UNIX_EPOCH - 2_000 * year), None);
        if let Some(far) = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(i64::MAX as u64)) {
            assert_eq!(to_text(far), None);
        }
    }

    #[test]
    fn many_ways_of_writing_a_time_are_read() {
        let cases = [
            ("2026-11-22T22:31:53.997858", 997_858_000),
            ("2026-11-22 22:31:53.997858", 997_858_000),
            ("2026-11-22T22:31:53.997858Z", 997_858_000),
            ("2026-11-22T22:31:53.997858+00:00", 997_858_000),
            ("2026-11-23T00:31:53.997858+02:00", 997_858_000),
            ("2026-11-22 17:01:53.997858-05:30", 997_858_000),
            ("2026-11-22T22:31:53", 0),
            ("2026-11-22T22:31:53Z", 0),
            ("2026-11-22T22:31:53.9", 900_000_000),
            ("2026-11-22T22:31:53.123456789", 123_456_789),
        ];
        for (text, nanoseconds) in cases {
            assert_eq!(from_text(text), Some(at(nanoseconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_point_in_time_is_not_read() {
        let cases = [
            "",
            " ",
            "yesterday",
            "2026-11-22",
            "22:31:53",
            "2026-13-22T22:31:53",
            "2026-02-30T22:31:53",
            "2026-11-22T25:31:53",
            "2026-11-22T22:31:53.",
            "2026-11-22T22:31:53.1234567890",
            "2026-11-22T22:31:53 +02:00",
            "2026-11-22T22:31:53+99:00",
            "2026-11-22T22:31:53[Europe/Berlin]",
            "2026-11-22T22:31:53 and more",
            "1795386713",
            "99999-11-22T22:31:53",
            "２０２６-11-22T22:31:53",
        ];
        for text in cases {
            assert_eq!(from_text(text), None, "{text}");
        }
        assert_eq!(from_text(&"9".repeat(100_000)), None);
    }
}
