use std::error::Error;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use super::{
    EventRoute, Guarantees, MessageBroker, NotAccepted, OutboundMessage, PublishError, PublishErrorKind, Receipt,
};

type Answer = Result<Receipt, PublishError>;

/// Publishes again what a broker did not take, or may not have taken: the one layer in which retries happen.
///
/// Put it around a driver, or around a [`RoutingBroker`](super::RoutingBroker). Drivers themselves try nothing twice.
///
/// # Guarantees
///
/// - Only transient and ambiguous errors lead to another attempt; a fatal one ends it. Each attempt has the same
///   message id.
/// - The wait doubles from attempt to attempt, up to `max_delay`, and a random part of up to one half is taken off it,
///   so that many publishers do not come back at once. A longer `retry_after` of the broker's takes its place.
/// - No attempt begins later than `give_up_after`; an attempt under way is not cut off, so that a call takes at most
///   that time and the broker's own deadline.
/// - A batch is tried again as a batch of what failed; the answers keep the order of the messages. What is tried again
///   arrives after what was not: who needs order across failures, publishes one message at a time.
/// - Once an attempt was ambiguous, so is the answer, unless a later attempt succeeds: the message may have been taken.
/// - Dropping the future ends the attempts.
///
/// # Errors
///
/// The last attempt's, as the broker gave it; or an ambiguous one with that as its source.
///
/// # Panics
///
/// Outside a tokio runtime with time, if there is something to wait for.
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

/// How often, and after what time, a message is published again.
///
/// # Units
///
/// - `attempts`: the first one counts; 5 by default, 1 to 1,000, where 1 means no retry.
/// - `first_delay`: before the second attempt; 100 ms by default, more than zero.
/// - `max_delay`: what doubling leads to at most; 10 s by default, no less than `first_delay`, at most 1 h.
/// - `give_up_after`: since the call began; 30 s by default, no less than `first_delay`, at most 24 h.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use diator::broker::{InMemoryBroker, RetryPolicy, RetryingBroker};
///
/// let error = RetryingBroker::new(InMemoryBroker::new(), RetryPolicy::new().attempts(0).first_delay(Duration::ZERO));
/// assert_eq!(error.unwrap_err().problems().len(), 2);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a policy does nothing until a broker has it"]
pub struct RetryPolicy {
    attempts: u32,
    first_delay: Duration,
    max_delay: Duration,
    give_up_after: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::new()
    }
}

impl RetryPolicy {
    /// Five attempts within half a minute.
    pub const fn new() -> Self {
        Self {
            attempts: 5,
            first_delay: Duration::from_millis(100),
            max_delay: Duration::from_secs(10),
            give_up_after: Duration::from_secs(30),
        }
    }

    /// Bounds how often a message is published, the first time included.
    pub const fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// How long to wait before the second attempt.
    pub const fn first_delay(mut self, delay: Duration) -> Self {
        self.first_delay = delay;
        self
    }

    /// Bounds the waits; a broker that asks for more gets it.
    pub const fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// How long after the call began an attempt may begin.
    pub const fn give_up_after(mut self, time: Duration) -> Self {
        self.give_up_after = time;
        self
    }

    fn problems(&self) -> Vec<String> {
        const HOUR: Duration = Duration::from_secs(3600);
        let Self { attempts, first_delay, max_delay, give_up_after } = self;
        let rules = [
            ((1..=1000).contains(attempts), format!("there must be 1 to 1,000 attempts, and are {attempts}")),
            (!first_delay.is_zero(), "the first delay must be more than zero".to_owned()),
            (
                first_delay <= max_delay && *max_delay <= HOUR,
                format!("the longest delay ({max_delay:?}) must be between the first ({first_delay:?}) and 1h"),
            ),
            (
                first_delay <= give_up_after && *give_up_after <= 24 * HOUR,
                format!("the time to give up after ({give_up_after:?}) must be between the first delay and 24h"),
            ),
        ];
        rules.into_iter().filter(|(holds, _)| !holds).map(|(_, problem)| problem).collect()
    }

    /// The wait before an attempt; the second is number 1. `random` is anything.
    fn delay(&self, number: u32, random: u64) -> Duration {
        let doubled = self.first_delay.saturating_mul(1_u32.checked_shl(number - 1).unwrap_or(u32::MAX));
        let full = doubled.min(self.max_delay);
        // The upper 32 bits as a share of one half.
        full - (full / 2).mul_f64((random >> 32) as f64 / f64::from(u32::MAX))
    }

    /// How long to wait for another attempt at what failed so; `None` if it gets none.
    fn wait(&self, error: &PublishError, number: u32, begun: Instant) -> Option<Duration> {
        let asked = match error.kind() {
            PublishErrorKind::Transient { retry_after } => retry_after.unwrap_or_default(),
            PublishErrorKind::Ambiguous => Duration::ZERO,
            PublishErrorKind::Fatal => return None,
        };
        let wait = asked.max(self.delay(number, random()));
        (number < self.attempts && begun.elapsed() + wait <= self.give_up_after).then_some(wait)
    }
}

/// The standard library seeds its hash maps from a source of random numbers; that will do for scattering.
fn random() -> u64 {
    RandomState::new().hash_one(0)
}

impl<B: MessageBroker> RetryingBroker<B> {
    /// Tries again as the policy says.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the policy, in one report.
    pub fn new(broker: B, policy: RetryPolicy) -> Result<Self, InvalidRetryPolicy> {
        match policy.problems() {
            problems if problems.is_empty() => Ok(Self { broker, policy }),
            problems => Err(InvalidRetryPolicy { problems }),
        }
    }

    /// Publishes once more what gets another attempt, and says whether there was any.
    async fn again(
        &self,
        messages: &[OutboundMessage],
        attempts: &mut [Attempts],
        number: u32,
        begun: Instant,
    ) -> bool {
        let wait = |attempts: &Attempts| self.policy.wait(attempts.error()?, number, begun);
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
        while let Some(wait) = attempts.error().and_then(|error| self.policy.wait(error, number, begun)) {
            sleep(wait).await;
            attempts.add(self.broker.publish(message).await);
            number += 1;
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
            number += 1;
        }
        attempts.into_iter().map(Attempts::into_answer).collect()
    }

    fn guarantees(&self) -> Guarantees {
        self.broker.guarantees()
    }

    fn accepts(&self, event: &EventRoute<'_>) -> Result<(), NotAccepted> {
        self.broker.accepts(event)
    }
}

/// Everything that is wrong with a [`RetryPolicy`], in one report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidRetryPolicy {
    problems: Vec<String>,
}

impl InvalidRetryPolicy {
    /// What is wrong, one text for each problem.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl fmt::Display for InvalidRetryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "retry policy is invalid: {}", self.problems.join("; "))
    }
}

impl Error for InvalidRetryPolicy {}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> RetryPolicy {
        RetryPolicy::new().first_delay(Duration::from_secs(1)).max_delay(Duration::from_secs(10))
    }

    #[test]
    fn delays_double_up_to_the_longest() {
        let full = |number| policy().delay(number, 0);
        assert_eq!([1, 2, 3, 4].map(full), [1, 2, 4, 8].map(Duration::from_secs));
        for number in [5, 6, 32, 33, 1000] {
            assert_eq!(full(number), Duration::from_secs(10));
        }
    }

    #[test]
    fn at_most_half_is_left_to_chance() {
        assert_eq!(policy().delay(1, u64::MAX), Duration::from_millis(500));
        let middle = policy().delay(1, u64::MAX / 2).as_millis();
        assert!((745..=755).contains(&middle), "{middle}");
        let delays: std::collections::HashSet<_> = (0..20).map(|_| policy().delay(1, random())).collect();
        assert!(delays.len() > 10, "{delays:?}");
    }

    #[test]
    fn every_problem_is_listed() {
        let policy = RetryPolicy::new().attempts(1001).first_delay(Duration::ZERO).max_delay(Duration::from_secs(3601));
        let policy = policy.give_up_after(Duration::MAX);
        let error = RetryingBroker::new(super::super::InMemoryBroker::new(), policy).expect_err("it is wrong");
        assert_eq!(error.problems().len(), 4, "{error}");
        assert!(error.to_string().starts_with("retry policy is invalid: there must be 1 to 1,000 attempts"), "{error}");
        assert_eq!(RetryPolicy::default().problems(), [""; 0]);
        assert_eq!(RetryPolicy::new().max_delay(Duration::from_millis(99)).problems().len(), 1);
        assert_eq!(RetryPolicy::new().give_up_after(Duration::from_millis(99)).problems().len(), 1);
    }
}
