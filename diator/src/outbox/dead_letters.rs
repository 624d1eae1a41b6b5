use std::time::SystemTime;

use async_trait::async_trait;

use crate::BoxError;
use crate::broker::OutboundMessage;

/// Messages that could not go on, in the hands of an operator.
///
/// # Guarantees
///
/// - A dead letter stays until it is replayed or discarded: nothing prunes it.
/// - A replayed message has its old id, and so a consumer recognises it.
/// - One that parks its key holds back the later messages of that key until it is replayed or discarded.
/// - Calls may come from several processes at once: each dead letter is replayed or discarded by one of them.
///
/// # Errors
///
/// Every method fails if the data base does.
///
/// # Source
///
/// The pattern Dead Letter Channel of G. Hohpe and B. Woolf, "Enterprise Integration Patterns".
#[async_trait]
pub trait DeadLetters: Send + Sync + 'static {
    /// The dead letters that the filter takes, oldest first; one that cannot be read hides no other.
    async fn list(&self, filter: &DeadLetterFilter) -> Result<Vec<DeadLetter>, BoxError>;

    /// Gives the messages back to the relay, each in its old place; the answer is how many.
    ///
    /// The next owner of its partition publishes a message, and not one that reads there now.
    async fn replay(&self, filter: &DeadLetterFilter) -> Result<u64, BoxError>;

    /// Deletes them for good; the answer is how many.
    async fn discard(&self, filter: &DeadLetterFilter) -> Result<u64, BoxError>;
}

/// Which dead letters are meant: those of which all is true that is said.
///
/// `Default` takes all of them.
///
/// # Units
///
/// `limit` counts dead letters, the oldest first; `None` means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetterFilter {
    /// One of these; empty means any.
    pub ids: Vec<i64>,
    /// Of this topic.
    pub topic: Option<String>,
    /// Of this event.
    pub name: Option<String>,
    /// Whose reason has this text in it.
    pub reason: Option<String>,
    /// At most so many.
    pub limit: Option<u32>,
}

impl DeadLetterFilter {
    /// Whether it takes this one; the limit does not matter here. One that cannot be read has no topic and no name here.
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
    /// Names it, for [`DeadLetterFilter::ids`].
    pub id: i64,
    /// The message, as it was published in vain; or why it cannot be read, because a newer program has written it, or somebody has
    /// changed it by hand.
    pub message: Result<OutboundMessage, String>,
    /// How often it was tried.
    pub attempts: u32,
    /// What the broker said at last.
    pub reason: String,
    /// When it was given up, by the clock of the data base.
    pub at: SystemTime,
    /// Whether it holds back the later messages of its key.
    pub parks_key: bool,
}

impl DeadLetter {
    /// What a store has read.
    #[must_use]
    pub fn new(id: i64, message: Result<OutboundMessage, String>, reason: impl Into<String>, at: SystemTime) -> Self {
        Self { id, message, attempts: 0, reason: reason.into(), at, parks_key: false }
    }
}
