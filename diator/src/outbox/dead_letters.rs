use std::time::SystemTime;

use async_trait::async_trait;

use crate::BoxError;
use crate::broker::OutboundMessage;

/// Lists, replays and discards the messages that a broker refused for good.
///
/// An operator reaches it through the commands `dead list | show | replay | discard` of the command line.
///
/// # Guarantees
///
/// - A dead letter stays until an operator replays or discards it: nothing prunes it.
/// - A replayed message keeps its id, so that a consumer can recognise it.
/// - A dead letter that parks its key holds back the later messages of that key until an operator replays or discards it.
/// - Several processes may call at once: exactly one of them replays or discards each dead letter.
///
/// # Errors
///
/// Every method fails if the database fails.
///
/// # Example
///
/// ```
/// use diator::BoxError;
/// use diator::outbox::{DeadLetterFilter, DeadLetters, InMemoryOutbox};
///
/// async fn after_the_cause_is_mended(dead_letters: &dyn DeadLetters) -> Result<u64, BoxError> {
///     let mut orders = DeadLetterFilter::default();
///     orders.topic = Some("orders".to_owned());
///     for letter in dead_letters.list(&orders).await? {
///         println!("{}: {}", letter.id, letter.reason);
///     }
///     dead_letters.replay(&orders).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// assert_eq!(after_the_cause_is_mended(&InMemoryOutbox::new()).await?, 0); // nothing was refused
/// # Ok(())
/// # }
/// ```
///
/// # Source
///
/// The pattern Dead Letter Channel of G. Hohpe and B. Woolf, "Enterprise Integration Patterns".
#[async_trait]
pub trait DeadLetters: Send + Sync + 'static {
    /// Lists the dead letters that match the filter, oldest first; a dead letter that cannot be read hides no other.
    async fn list(&self, filter: &DeadLetterFilter) -> Result<Vec<DeadLetter>, BoxError>;

    /// Gives the messages back to the relay, each in its old place, and counts them.
    ///
    /// The next owner of its partition publishes a message, not the present one.
    async fn replay(&self, filter: &DeadLetterFilter) -> Result<u64, BoxError>;

    /// Deletes the messages for good, and counts them.
    async fn discard(&self, filter: &DeadLetterFilter) -> Result<u64, BoxError>;
}

/// Selects dead letters: a letter must match every field that is set.
///
/// `Default` sets no field, and so selects **all** dead letters.
///
/// # Units
///
/// `limit` counts dead letters from the oldest; `None` means no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetterFilter {
    /// The id is one of these; an empty list matches every id.
    pub ids: Vec<i64>,
    /// The event has this topic.
    pub topic: Option<String>,
    /// The event has this name on the wire.
    pub name: Option<String>,
    /// The reason contains this text.
    pub reason: Option<String>,
    /// How many dead letters to select at most.
    pub limit: Option<u32>,
}

impl DeadLetterFilter {
    /// Whether the letter matches; the limit does not count here. A letter that cannot be read has no topic and no name.
    #[must_use]
    pub fn takes(&self, letter: &DeadLetter) -> bool {
        let is =
            |wanted: &Option<String>, found: Option<&str>| wanted.as_deref().is_none_or(|wanted| Some(wanted) == found);
        let message = letter.message.as_ref().ok();
        (self.ids.is_empty() || self.ids.contains(&letter.id))
            && is(&self.topic, message.and_then(|message| message.topic.as_deref()))
            && is(&self.name, message.map(|message| &*message.name))
            && self.reason.as_ref().is_none_or(|reason| letter.reason.contains(reason))
    }
}

/// A message that the broker refused for good.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// Its number, for [`DeadLetterFilter::ids`].
    pub id: i64,
    /// The message that the broker refused; or why it cannot be read, because a newer program has written it, or somebody has
    /// changed it by hand.
    pub message: Result<OutboundMessage, String>,
    /// How often a relay tried to publish it.
    pub attempts: u32,
    /// The broker's last error.
    pub reason: String,
    /// When the relay gave it up, by the clock of the database.
    pub at: SystemTime,
    /// Whether it holds back the later messages of its key.
    pub parks_key: bool,
}

impl DeadLetter {
    /// Makes a dead letter without attempts that parks no key.
    #[must_use]
    pub fn new(id: i64, message: Result<OutboundMessage, String>, reason: impl Into<String>, at: SystemTime) -> Self {
        Self { id, message, attempts: 0, reason: reason.into(), at, parks_key: false }
    }
}
