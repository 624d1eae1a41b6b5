use diator::deliveries::{DeliveryState, KeptDelivery};
use diator::outbox::DeadLetter;

/// What dead letters of one group have in common: where they failed, and how.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    Publishing {
        topic: Option<String>,
        /// The broker's error without its digits.
        reason: String,
    },
    Handling {
        endpoint: String,
        handler: String,
        kind: String,
    },
}

/// What the name of a group begins with.
const PUBLISHING: &str = "p-";
const HANDLING: &str = "d-";

impl Cause {
    pub(super) fn of_letter(letter: &DeadLetter) -> Self {
        let topic = letter.message.as_ref().ok().and_then(|message| message.topic.as_deref().map(str::to_owned));
        Self::Publishing { topic, reason: without_digits(&letter.reason) }
    }

    /// `None` for a delivery that is no dead letter.
    pub(super) fn of_delivery(kept: &KeptDelivery) -> Option<Self> {
        let DeliveryState::Dead { reason, .. } = &kept.state else { return None };
        Some(Self::Handling {
            endpoint: kept.delivery.endpoint.to_string(),
            handler: kept.delivery.handler.to_string(),
            kind: reason.kind.to_string(),
        })
    }

    /// The short name that `--group` takes. It depends on nothing but the cause.
    pub(super) fn name(&self) -> String {
        let (begin, parts) = match self {
            Self::Publishing { topic, reason } => (PUBLISHING, vec![topic.as_deref().unwrap_or_default(), reason]),
            Self::Handling { endpoint, handler, kind } => (HANDLING, vec![&**endpoint, handler, kind]),
        };
        format!("{begin}{:08x}", hash(&parts))
    }
}

/// Whether a group of this name is of what could not be handled; `None` if it is no name of a group.
pub(super) fn is_of_handling(name: &str) -> Option<bool> {
    let (hash, handling) = match (name.strip_prefix(PUBLISHING), name.strip_prefix(HANDLING)) {
        (Some(hash), _) => (hash, false),
        (None, hash) => (hash?, true),
    };
    let is_hash = hash.len() == 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then_some(handling)
}

/// FNV-1a of 64 bits, folded to 32.
fn hash(parts: &[&str]) -> u32 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (hash ^ (hash >> 32)) as u32
}

/// The text with a `#` for each number and each UUID, so that errors with one cause are equal.
pub(super) fn without_digits(text: &str) -> String {
    let mut found = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let word = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(rest.len());
        match is_uuid(&rest[..word]) {
            true => found.push('#'),
            false => rest[..word].chars().for_each(|c| push(&mut found, c)),
        }
        let after = rest[word..].find(|c: char| c.is_ascii_alphanumeric() || c == '-');
        let after = after.map_or(rest.len(), |after| word + after);
        found.push_str(&rest[word..after]);
        rest = &rest[after..];
    }
    found
}

fn push(found: &mut String, c: char) {
    match c.is_ascii_digit() {
        true if found.ends_with('#') => {}
        true => found.push('#'),
        false => found.push(c),
    }
}

fn is_uuid(word: &str) -> bool {
    let is_dash = |at| matches!(at, 8 | 13 | 18 | 23);
    let fits = |(at, byte): (usize, u8)| if is_dash(at) { byte == b'-' } else { byte.is_ascii_hexdigit() };
    word.len() == 36 && word.bytes().enumerate().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_loses_what_differs_from_message_to_message() {
        for (text, expected) in [
            ("no order 7 (403)", "no order # (#)"),
            ("no order 8123 (403)", "no order # (#)"),
            ("12.5 MiB is too much", "#.# MiB is too much"),
            ("order-17b of 0190a3b2-0000-7000-8000-00000000000a, v2", "order-#b of #, v#"),
            ("nothing: 🦀 naïve ", "nothing: 🦀 naïve "),
            ("", ""),
        ] {
            assert_eq!(without_digits(text), expected);
        }
    }

    #[test]
    fn the_name_of_a_group_stays_the_same() {
        let handling = |endpoint: &str, handler: &str| Cause::Handling {
            endpoint: endpoint.to_owned(),
            handler: handler.to_owned(),
            kind: "Handler".to_owned(),
        };
        let name = handling("billing", "billing.charge").name();
        assert_eq!(name, "d-98e5616d");
        assert_ne!(name, handling("billingb", "illing.charge").name());
        let publishing = Cause::Publishing { topic: None, reason: "no order #".to_owned() };
        assert_eq!((is_of_handling(&name), is_of_handling(&publishing.name())), (Some(true), Some(false)));
        for text in ["", "d-", "d-1", "p-edd0b4a", "x-edd0b4a8", "d34", "edd0b4a8", "d-edd0b4ag"] {
            assert_eq!(is_of_handling(text), None, "{text}");
        }
    }
}
