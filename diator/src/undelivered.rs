use std::any::Any;
use std::error::Error;
use std::fmt;
use std::mem;
use std::sync::{Mutex, PoisonError};

use crate::BoxError;
use crate::broker::{OutboundMessage, PublishError, PublishErrorKind};
use crate::shown::Chain;

/// What a committed message could not deliver.
///
/// The commit stands. The caller, or the [`on_undelivered`](crate::MediatorBuilder::on_undelivered) hook, must deliver
/// [`messages`](Self::messages) later. Publish a message again as it is: its id stays the same, so that a consumer can
/// recognise a duplicate.
///
/// # Guarantees
///
/// - It lists everything that failed after the commit, once: one failure stops neither the publishing nor the other
///   handlers.
/// - **Nothing else retries these messages or keeps them: if the receiver drops them, they are lost.**
/// - Only one of these gets it: the hook; without a hook, the sender; if the sender has gone, the log.
/// - `Display` shows the causes of all failures, and so `source()` is `None`.
///
/// # Example
///
/// ```
/// use diator::broker::PublishErrorKind;
/// use diator::prelude::*;
/// use diator::{DeliveryState, MessageBroker, SendError};
///
/// #[derive(Debug, serde::Serialize, serde::Deserialize, NotificationEvent)]
/// struct UserJoined { user_id: u64 }
///
/// # #[derive(Command)] struct Nothing;
/// # #[request_handler(Nothing)] struct Handle;
/// # impl RequestHandler<Nothing> for Handle {
/// #     async fn handle(&self, _: Nothing, _: &mut RequestContext<'_, Nothing>) -> Result<(), BoxError> { Ok(()) }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let broker = InMemoryBroker::new();
/// broker.refuse(PublishErrorKind::Fatal);
/// let mediator = Mediator::builder().handlers(handlers![Handle]).broker(broker.clone()).build()?;
/// let error = mediator.emit(UserJoined { user_id: 7 }).await.unwrap_err();
/// let SendError::Undelivered(undelivered) = error else { panic!("it is committed") };
/// assert_eq!(undelivered.messages()[0].state, DeliveryState::NotTaken);
///
/// broker.accept();
/// broker.publish(&undelivered.messages()[0].message).await?;
/// broker.assert_published::<UserJoined>(|event| event.user_id == 7);
/// # Ok(())
/// # }
/// ```
pub struct Undelivered {
    messages: Vec<UndeliveredMessage>,
    failures: Vec<DeliveryFailure>,
    // A mutex only so that the error can be shared between threads: it is never locked, only opened.
    response: Option<Mutex<Box<dyn Any + Send>>>,
}

/// A message that has to be delivered again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UndeliveredMessage {
    /// The message as the broker got it: publish it as it is, with the same id.
    pub message: OutboundMessage,
    /// Whether the broker may have taken the message.
    pub state: DeliveryState,
}

/// Whether the broker may have taken a message that was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeliveryState {
    /// The broker has not taken it: publishing it again makes no duplicate.
    NotTaken,
    /// Nobody knows whether the broker has taken it: if it is published again, consumers may get it twice; if it is
    /// not, they may never get it.
    Ambiguous,
}

impl DeliveryState {
    /// The name for logs: `not_taken` or `ambiguous`; it does not change.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotTaken => "not_taken",
            Self::Ambiguous => "ambiguous",
        }
    }
}

/// A failure after a commit.
///
/// `source()` is the [`PublishError`] of the broker, or the error of the handler: its own, or a `SendError<BoxError>` if it
/// failed for another reason, such as a commit. A [`Hook`](Self::Hook) has none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeliveryFailure {
    /// The broker did not take a message, or nobody knows whether it did.
    #[error(fmt = unpublished)]
    Publish {
        /// The event's name.
        event: String,
        /// The broker's error.
        source: PublishError,
    },
    /// An `after_commit` handler failed.
    #[error("`{handler}` could not handle the event `{event}` after the commit")]
    AfterCommit {
        /// The event's name.
        event: &'static str,
        /// The handler's type.
        handler: &'static str,
        /// The handler's error.
        source: BoxError,
    },
    /// The hook of `on_undelivered` panicked, and therefore did not take over what is listed here.
    #[error("the hook of `on_undelivered` failed: {panic}; it had been given: {undelivered}")]
    Hook {
        /// The message of the panic.
        panic: String,
        /// What the hook was given, as a text: everything that had failed.
        undelivered: String,
    },
}

impl Undelivered {
    pub(crate) fn new() -> Self {
        Self { messages: Vec::new(), failures: Vec::new(), response: None }
    }

    /// Takes out what was added so far.
    pub(crate) fn take(&mut self) -> Self {
        mem::replace(self, Self::new())
    }

    pub(crate) fn add_unpublished(&mut self, message: OutboundMessage, source: PublishError) {
        let event = message.name.to_string();
        let state = match source.kind() {
            PublishErrorKind::Ambiguous => DeliveryState::Ambiguous,
            _ => DeliveryState::NotTaken,
        };
        self.messages.push(UndeliveredMessage { message, state });
        self.failures.push(DeliveryFailure::Publish { event, source });
    }

    pub(crate) fn add_failed(&mut self, event: &'static str, handler: &'static str, source: BoxError) {
        self.failures.push(DeliveryFailure::AfterCommit { event, handler, source });
    }

    /// What a hook has not taken over because it panicked.
    pub(crate) fn of_hook(messages: Vec<UndeliveredMessage>, undelivered: String, panic: String) -> Self {
        Self { messages, failures: vec![DeliveryFailure::Hook { panic, undelivered }], response: None }
    }

    pub(crate) fn absorb(&mut self, other: Self) {
        self.messages.extend(other.messages);
        self.failures.extend(other.failures);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.failures.is_empty()
    }

    pub(crate) fn keep_response(&mut self, response: Box<dyn Any + Send>) {
        self.response = Some(Mutex::new(response));
    }

    pub(crate) fn into_response<T: Send + 'static>(mut self: Box<Self>) -> Result<T, Box<Self>> {
        let Some(response) = self.response.take() else { return Err(self) };
        match response.into_inner().unwrap_or_else(PoisonError::into_inner).downcast() {
            Ok(response) => Ok(*response),
            Err(other) => {
                self.response = Some(Mutex::new(other));
                Err(self)
            }
        }
    }

    /// All messages that have to be delivered again, in the order of their events.
    ///
    /// The events that an event's `after_commit` handlers emitted come after the events of the message itself.
    #[must_use]
    pub fn messages(&self) -> &[UndeliveredMessage] {
        &self.messages
    }

    /// The causes, one entry for each failure.
    ///
    /// The messages that were not published come first, in their order; then the handlers that failed, in the order in
    /// which they ran. The entry of a handler belongs to no message; if a hook panicked, one entry stands for
    /// everything that it was given.
    #[must_use]
    pub fn failures(&self) -> &[DeliveryFailure] {
        &self.failures
    }
}

impl fmt::Debug for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Undelivered")
            .field("messages", &self.messages)
            .field("failures", &self.failures)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the message is committed")?;
        for (index, failure) in self.failures.iter().enumerate() {
            write!(f, "{}{}", if index == 0 { ", but " } else { "; " }, Chain(failure))?;
        }
        Ok(())
    }
}

// Its text holds the causes of all that failed, because a source is but one of them.
impl Error for Undelivered {}

fn unpublished(event: &str, source: &PublishError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match source.kind() {
        PublishErrorKind::Ambiguous => write!(f, "nobody knows whether the event `{event}` was published"),
        _ => write!(f, "the event `{event}` was not published"),
    }
}
