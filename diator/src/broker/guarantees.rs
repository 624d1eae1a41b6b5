use std::fmt;

use serde::{Deserialize, Serialize};

/// The promises of a broker beyond the contract that every broker keeps.
///
/// Each driver states its own. The conformance suite, `diator_testkit::broker`, checks the promises that are stated
/// here, and leaves out the others; a program may ask before it relies on one. Start from [`none`](Self::none) and add.
///
/// # Units
///
/// `max_body` counts bytes of the body; `None` means that the broker names no limit, and zero that it takes empty bodies alone.
///
/// # Guarantees
///
/// - Each method adds one promise, and none takes one back. [`ordered`](Self::ordered) adds `ordered_by_key` too.
/// - `Default` is [`none`](Self::none). If a serialised value lacks a field, that promise is not made.
///
/// # Example
///
/// ```
/// use diator::broker::Guarantees;
///
/// const STREAMS: Guarantees = Guarantees::none().durable().ordered().confirmed().retained();
/// assert!(STREAMS.durable && STREAMS.ordered_by_key);
/// assert!(!STREAMS.deduplicated);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Guarantees {
    /// A message answered with `Ok` survives a restart of the broker; the receipt says where it is stored.
    pub durable: bool,
    /// A consumer sees the messages of one publisher in the order in which they were published.
    pub ordered: bool,
    /// A consumer sees the messages of one publisher with the same key in the order in which they were published.
    pub ordered_by_key: bool,
    /// `Ok` comes from the broker: the receipt is never [`Receipt::Sent`](super::Receipt::Sent).
    pub confirmed: bool,
    /// A consumer that comes late still gets the message.
    pub retained: bool,
    /// The same id published twice reaches consumers once, for as long as the broker remembers it.
    pub deduplicated: bool,
    /// The largest body that the broker takes; a larger one is a fatal error.
    pub max_body: Option<usize>,
}

impl Guarantees {
    /// Promises nothing yet.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            durable: false,
            ordered: false,
            ordered_by_key: false,
            confirmed: false,
            retained: false,
            deduplicated: false,
            max_body: None,
        }
    }

    /// Messages survive a restart of the broker.
    #[must_use]
    pub const fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// A publisher's messages stay in order, and so do those with one key.
    #[must_use]
    pub const fn ordered(mut self) -> Self {
        self.ordered = true;
        self.ordered_by_key()
    }

    /// A publisher's messages with the same key stay in order.
    #[must_use]
    pub const fn ordered_by_key(mut self) -> Self {
        self.ordered_by_key = true;
        self
    }

    /// The broker confirms each message.
    #[must_use]
    pub const fn confirmed(mut self) -> Self {
        self.confirmed = true;
        self
    }

    /// Messages wait for consumers that come late.
    #[must_use]
    pub const fn retained(mut self) -> Self {
        self.retained = true;
        self
    }

    /// A message published twice arrives once.
    #[must_use]
    pub const fn deduplicated(mut self) -> Self {
        self.deduplicated = true;
        self
    }

    /// No body may be larger than so many bytes.
    #[must_use]
    pub const fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = Some(bytes);
        self
    }
}

/// In words: `durable, ordered, confirmed, retained`.
impl fmt::Display for Guarantees {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { durable, ordered, ordered_by_key, confirmed, retained, deduplicated, max_body } = *self;
        let words = [
            (durable, "durable"),
            (ordered, "ordered"),
            (ordered_by_key && !ordered, "ordered by key"),
            (confirmed, "confirmed"),
            (retained, "retained"),
            (deduplicated, "deduplicated"),
        ];
        let mut words: Vec<_> =
            words.into_iter().filter(|(holds, _)| *holds).map(|(_, word)| word.to_owned()).collect();
        words.extend(max_body.map(|bytes| format!("at most {bytes} bytes")));
        match words.is_empty() {
            true => f.write_str("promises nothing beyond the contract"),
            false => f.write_str(&words.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_adds_one_promise() {
        assert_eq!(Guarantees::none(), Guarantees::default());
        let all = Guarantees::none().durable().ordered().confirmed().retained().deduplicated().max_body(1024);
        assert!(all.durable && all.ordered && all.ordered_by_key && all.confirmed && all.retained && all.deduplicated);
        assert_eq!(all.max_body, Some(1024));
    }

    #[test]
    fn order_by_key_is_less_than_order() {
        let by_key = Guarantees::none().ordered_by_key();
        assert!(by_key.ordered_by_key && !by_key.ordered);
    }
}
