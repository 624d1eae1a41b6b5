use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use uuid::Uuid;

use crate::BoxError;

/// Remembers beyond the end of a process which messages were begun, so that an endpoint can find a message that ends
/// the process.
///
/// An endpoint notes only messages that are, or may be, delivered again: a first delivery costs nothing. Such messages
/// run one at a time in each endpoint, so that the end of the process tells which of them it was. The endpoint notes a
/// row of a [`DeliveryStore`](super::DeliveryStore) by an id of its own, made of its message and its handler: in each
/// method, "message" stands for such a row too.
///
/// # Guarantees
///
/// - A note of [`begin`](Self::begin) must survive a crash of the process.
/// - Several processes use it at once.
/// - Dropping a future leaves the call done or not done.
///
/// # Example
///
/// ```
/// use diator::deliveries::{AttemptLog, Attempts, Ended, InMemoryAttemptLog};
/// use uuid::Uuid;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), diator::BoxError> {
/// let (log, message) = (InMemoryAttemptLog::new(), Uuid::nil());
/// assert_eq!(log.begin("billing", &[message]).await?, [Attempts::NONE]);
/// // The process crashes here. Another one gets the message again:
/// assert_eq!(log.begin("billing", &[message]).await?[0].unended, 1);
/// log.end("billing", &[(message, Ended::Handled)]).await?;
/// assert_eq!(log.begin("billing", &[message]).await?, [Attempts::NONE]);
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait AttemptLog: Send + Sync + 'static {
    /// Notes that these messages begin, and returns what was known of each before; as many answers, in the same order.
    ///
    /// # Errors
    ///
    /// The endpoint pauses, as for [`OnError::Pause`](crate::endpoint::OnError::Pause), and asks again. It counts
    /// nothing, even if the log has noted the beginning nevertheless. Another process that gets the message cannot know
    /// that, and counts a crash.
    async fn begin(&self, endpoint: &str, messages: &[Uuid]) -> Result<Vec<Attempts>, BoxError>;

    /// Notes that these messages have ended, and how; afterwards none of their attempts is unended.
    ///
    /// # Errors
    ///
    /// The endpoint logs the error. The attempt stays unended: it counts as a crash if the message goes to another
    /// process.
    async fn end(&self, endpoint: &str, messages: &[(Uuid, Ended)]) -> Result<(), BoxError>;
}

/// What an [`AttemptLog`] knows of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempts {
    /// How many attempts in a row were begun and never ended.
    pub unended: u32,
}

/// How an attempt ended that an [`AttemptLog`] noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ended {
    /// Every handler is done.
    Handled,
    /// A handler failed.
    Failed,
    /// The endpoint cuts the attempt off, because the endpoint has to end or the attempt took too long. It notes this
    /// before it drops the handler.
    CutOff,
}

impl Attempts {
    /// Nothing is known.
    pub const NONE: Self = Self { unended: 0 };

    /// Makes the answer for a message of which so many attempts in a row were begun and never ended.
    #[must_use]
    pub const fn unended(unended: u32) -> Self {
        Self { unended }
    }
}

/// An [`AttemptLog`] in memory, for tests: it outlives endpoints, but not the process. Clones share it.
#[derive(Clone, Default)]
pub struct InMemoryAttemptLog(Arc<Mutex<BTreeMap<(String, Uuid), u32>>>);

impl InMemoryAttemptLog {
    /// Makes an empty log.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl AttemptLog for InMemoryAttemptLog {
    async fn begin(&self, endpoint: &str, messages: &[Uuid]) -> Result<Vec<Attempts>, BoxError> {
        let mut begun = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = |&message| {
            let unended = begun.entry((endpoint.to_owned(), message)).or_default();
            *unended += 1;
            Attempts::unended(*unended - 1)
        };
        Ok(messages.iter().map(begin).collect())
    }

    async fn end(&self, endpoint: &str, messages: &[(Uuid, Ended)]) -> Result<(), BoxError> {
        let mut begun = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (message, _) in messages {
            begun.remove(&(endpoint.to_owned(), *message));
        }
        Ok(())
    }
}

impl fmt::Debug for InMemoryAttemptLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unended = self.0.lock().unwrap_or_else(PoisonError::into_inner).len();
        f.debug_struct("InMemoryAttemptLog").field("unended", &unended).finish()
    }
}
