// Times come from outside.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use std::borrow::Cow;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use super::receipt::Answer;
use super::{
    EventRoute, Guarantees, MessageBroker, NotAccepted, OutboundMessage, PublishError, PublishErrorKind, Receipt,
    RetryPolicy,
};
use crate::InvalidConfig;

/// Publishes messages again that a broker did not take, or may not have taken: the one layer in which retries happen.
///
/// Put it around each driver; within a [`RoutingBroker`](super::RoutingBroker), put it around each target. Drivers
/// themselves retry only what the broker has certainly not taken.
///
/// # Guarantees
///
/// - Only transient and ambiguous errors lead to another attempt; a fatal error ends the attempts. Each attempt has the
///   same message id.
/// - The wait doubles from attempt to attempt, up to `max_delay`. Each wait is shortened at random by up to one half,
///   so that many publishers do not come back at once. A longer `retry_after` of the broker takes its place.
/// - No attempt begins later than `give_up_after`. An attempt under way is not cut off, so a call takes at most that
///   time and the broker's own deadline.
/// - The messages of a batch that failed are retried together; the answers keep the order of the messages. A retried
///   message arrives after the others: a caller that needs order across failures must publish one message at a time.
/// - Once an attempt was ambiguous, the answer is ambiguous too, unless a later attempt succeeds: the message may have
///   been taken.
/// - Dropping the future ends the attempts. An attempt that is under way is dropped with it, which is as ambiguous as
///   for any broker.
/// - It promises what the inner broker promises, and accepts what that accepts. Its
///   [`deadline`](MessageBroker::deadline) is the inner one and `give_up_after` together; without an inner deadline it
///   has none.
/// - Between attempts it holds no lock and no connection: other calls go on meanwhile.
///
/// # Errors
///
/// The error of the last attempt, as the broker gave it; or an ambiguous error with that as its source.
///
/// # Panics
///
/// If it has to wait outside a tokio runtime with a timer.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use diator::broker::{
///     InMemoryBroker, MessageBroker, MessageType, OutboundMessage, PublishErrorKind, Receipt, RetryPolicy, RetryingBroker,
/// };
/// use uuid::Uuid;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let memory = InMemoryBroker::new();
/// memory.refuse_next(2, PublishErrorKind::Ambiguous);
/// let policy = RetryPolicy::new().attempts(3).first_delay(Duration::from_millis(1));
/// let broker = RetryingBroker::new(memory, policy)?;
///
/// let message = OutboundMessage::new(Uuid::now_v7(), MessageType::Ecst, "UserChanged", *b"{}");
/// assert_eq!(broker.publish(&message).await?, Receipt::Accepted);
/// # Ok(())
/// # }
/// ```
///
/// # Source
///
/// M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015: "equal jitter".
#[derive(Clone, Debug)]
pub struct RetryingBroker<B> {
    broker: B,
    policy: RetryPolicy,
}

impl<B: MessageBroker> RetryingBroker<B> {
    /// Retries as the policy says.
    ///
    /// # Errors
    ///
    /// One report lists every problem of the policy.
    pub fn new(broker: B, policy: RetryPolicy) -> Result<Self, InvalidConfig> {
        policy.validate()?;
        Ok(Self { broker, policy })
    }

    /// How long to wait for another attempt at what failed so; `None` if it gets none.
    fn wait(&self, error: &PublishError, number: u32, begun: Instant) -> Option<Duration> {
        let asked = match error.kind() {
            PublishErrorKind::Transient { retry_after } => retry_after.unwrap_or_default(),
            PublishErrorKind::Ambiguous => Duration::ZERO,
            PublishErrorKind::Fatal => return None,
        };
        self.policy.wait(asked, number, begun)
    }

    /// Publishes once more what gets another attempt, and says whether there was any.
    async fn again(
        &self,
        messages: &[OutboundMessage],
        attempts: &mut [Attempts],
        number: u32,
        begun: Instant,
    ) -> bool {
        let wait = |attempts: &Attempts| self.wait(attempts.error()?, number, begun);
        let chosen: Vec<_> = (0..attempts.len()).filter_map(|at| Some((at, wait(&attempts[at])?))).collect();
        let Some(longest) = chosen.iter().map(|(_, wait)| *wait).max() else { return false };
        sleep(longest).await;
        let batch: Vec<_> = chosen.iter().map(|(at, _)| messages[*at].clone()).collect();
        let mut answers = self.broker.publish_batch(&batch).await.into_iter();
        for (at, _) in chosen {
            attempts[at].add(answers.next().unwrap_or_else(missing));
        }
        true
    }
}

fn missing() -> Answer {
    Err(PublishError::ambiguous("a broker answered for fewer messages than it was given"))
}

/// What became of one message so far.
struct Attempts {
    last: Answer,
    perhaps_taken: bool,
}

impl Attempts {
    fn first(answer: Answer) -> Self {
        let mut attempts = Self { last: Ok(Receipt::Sent), perhaps_taken: false };
        attempts.add(answer);
        attempts
    }

    fn add(&mut self, answer: Answer) {
        self.perhaps_taken |= answer.as_ref().is_err_and(is_ambiguous);
        self.last = answer;
    }

    fn error(&self) -> Option<&PublishError> {
        self.last.as_ref().err()
    }

    fn into_answer(self) -> Answer {
        match self.last {
            Err(error) if self.perhaps_taken && !is_ambiguous(&error) => Err(PublishError::ambiguous(
                "an earlier attempt may have published the message, and the last one failed",
            )
            .with_source(error)),
            last => last,
        }
    }
}

fn is_ambiguous(error: &PublishError) -> bool {
    error.kind() == PublishErrorKind::Ambiguous
}

#[async_trait]
impl<B: MessageBroker> MessageBroker for RetryingBroker<B> {
    async fn publish(&self, message: &OutboundMessage) -> Answer {
        let begun = Instant::now();
        let mut attempts = Attempts::first(self.broker.publish(message).await);
        let mut number = 1;
        while let Some(wait) = attempts.error().and_then(|error| self.wait(error, number, begun)) {
            sleep(wait).await;
            attempts.add(self.broker.publish(message).await);
            number = number.saturating_add(1);
        }
        attempts.into_answer()
    }

    async fn publish_batch(&self, messages: &[OutboundMessage]) -> Vec<Answer> {
        let begun = Instant::now();
        let mut answers = self.broker.publish_batch(messages).await.into_iter();
        let first = |_| Attempts::first(answers.next().unwrap_or_else(missing));
        let mut attempts: Vec<_> = messages.iter().map(first).collect();
        let mut number = 1;
        while self.again(messages, &mut attempts, number, begun).await {
            number = number.saturating_add(1);
        }
        attempts.into_iter().map(Attempts::into_answer).collect()
    }

    fn deadline(&self) -> Option<Duration> {
        // An attempt may begin up to the last moment.
        Some(self.broker.deadline()?.saturating_add(self.policy.longest()))
    }

    fn guarantees(&self) -> Guarantees {
        self.broker.guarantees()
    }

    fn accepts(&self, event: &EventRoute<'_>) -> Result<(), NotAccepted> {
        self.broker.accepts(event)
    }

    fn destination(&self, event: &EventRoute<'_>) -> Cow<'_, str> {
        self.broker.destination(event)
    }

    fn identity(&self) -> Option<usize> {
        self.broker.identity()
    }
}
