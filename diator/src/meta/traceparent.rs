/// Whether a text is a `traceparent` that W3C Trace Context lets a participant go on with.
///
/// Of a version that is not known yet, the four parts that every version begins with are checked, and the rest is
/// only kept from growing without bound or leaving its line.
pub(crate) fn is_traceparent(text: &str) -> bool {
    const KNOWN: usize = 55;
    const LONGEST: usize = 255;
    let Some((known, more)) = text.split_at_checked(KNOWN) else { return false };
    let parts: Vec<_> = known.split('-').collect();
    let [version, trace_id, parent_id, flags] = parts[..] else { return false };
    let is_id = |id: &str, length| is_hex(id, length) && id.bytes().any(|digit| digit != b'0');
    let is_known = is_hex(version, 2) && is_id(trace_id, 32) && is_id(parent_id, 16) && is_hex(flags, 2);
    is_known
        && match version {
            "ff" => false,
            "00" => more.is_empty(),
            _ => more.is_empty() || more.starts_with('-') && more.bytes().all(|byte| byte.is_ascii_graphic()),
        }
        && text.len() <= LONGEST
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn what_the_recommendation_shows_is_valid() {
        let examples = [
            VALID,
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff",
            // Of a later version, also with more to it.
            "cc-12345678901234567890123456789012-1234567890123456-01",
            "cc-12345678901234567890123456789012-1234567890123456-01-what-the-future-will-be-like",
            "01-12345678901234567890123456789012-1234567890123456-01-",
        ];
        for example in examples {
            assert!(is_traceparent(example), "{example}");
        }
    }

    #[test]
    fn what_the_recommendation_forbids_is_not() {
        let trace = "12345678901234567890123456789012";
        let wrong = [
            String::new(),
            format!("ff-{trace}-1234567890123456-01"),
            format!("ff-{trace}-1234567890123456-01-more"),
            format!("00-{}-1234567890123456-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            format!("00-{trace}-1234567890123456-01-"),
            format!("00-{trace}-1234567890123456-01-what-the-future"),
            format!("cc-{trace}-1234567890123456-01.what-the-future"),
            format!("cc-{trace}-1234567890123456-01-\r\nx: y"),
            format!("cc-{trace}-1234567890123456-01-{}", "a".repeat(300)),
            format!("0-{trace}-1234567890123456-01"),
            format!("000-{trace}-1234567890123456-01"),
            format!("0g-{trace}-1234567890123456-01"),
            format!(".0-{trace}-1234567890123456-01"),
            format!("00-{}-1234567890123456-01", &trace[1..]),
            format!("00-{trace}1-1234567890123456-01"),
            format!("00-{}-1234567890123456-01", trace.replace('1', ".")),
            format!("00-{}-1234567890123456-01", trace.replace('1', "A")),
            format!("00-{trace}-123456789012345-01"),
            format!("00-{trace}-12345678901234567-01"),
            format!("00-{trace}-123456789012345.-01"),
            format!("00-{trace}-1234567890123456-1"),
            format!("00-{trace}-1234567890123456-001"),
            format!("00-{trace}-1234567890123456-.0"),
            format!("00_{trace}_1234567890123456_01"),
            format!(" 00-{trace}-1234567890123456-01"),
            // A boundary that is none.
            format!("00-{trace}-1234567890123456-0ü"),
        ];
        for text in wrong {
            assert!(!is_traceparent(&text), "{text:?}");
        }
        for length in 0..VALID.len() {
            assert!(!is_traceparent(&VALID[..length]), "{}", &VALID[..length]);
        }
    }
}
