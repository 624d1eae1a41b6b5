use std::any::type_name;
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::failure::{Judgement, cause_of, is_no_fault};
use super::jitter::Jitter;
use super::outcome::Failures;
use super::step::Step;
pub use crate::deliveries::OnDead;
use crate::inbox::Inbox;
use crate::registry::short_name;
use crate::{HandlerFailure, SendError};

/// The first pause before a handler is tried again at once; it doubles, and up to one half of it is taken off at random.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// What a rule asks for is at least this, so that no rule makes the endpoint try without a pause,
const SHORTEST_WISH: Duration = Duration::from_millis(10);
/// and at most this, which any clock can add.
const LONGEST_WISH: Duration = Duration::from_secs(24 * 3_600);
/// The longest pause that doubling leads to where an attempt does not count.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Decides what an endpoint does when a handler fails: how often it retries, after what time, and when it gives up.
///
/// The policy counts failures separately for each handler of each message. If a rule of [`when`](Self::when) matches a
/// failure, the rule decides. Otherwise the steps decide: first [`immediately`](Self::immediately), then
/// [`later`](Self::later), then the message is a dead letter.
///
/// # Guarantees
///
/// - A panic is a failure, and so is a handler that is cut off at [`max_handling`](super::Endpoint::max_handling). If
///   the inbox had not answered by then, the handler had not begun, and nothing is counted.
/// - A handler whose work is committed is done, even if something after the commit failed: it is not retried.
/// - Some failures are retried without a count: after 20 ms, twice as long each time, up to 30 s. These are a commit
///   with an unknown outcome, and a message for which the container could open no scope. With an inbox, these are also
///   a message that another transaction is handling, a message for which the inbox failed, and a message whose handler
///   failed because of a temporary error of the database, such as a deadlock
///   ([`Inbox::is_transient`](crate::Inbox::is_transient)). A rule of [`when`](Self::when) comes first.
/// - This process counts the failures. Another process that gets the message counts from zero, unless the engine
///   carries the number along ([`retry_counts`](crate::subscription::Capabilities::retry_counts)), or the message waits
///   in a [delivery store](crate::Inbox::deliveries), which keeps the number for each handler.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use diator::endpoint::{ErrorPolicy, OnError};
///
/// #[derive(Debug, thiserror::Error)]
/// #[error("the gateway is down")]
/// struct GatewayDown;
///
/// let policy = ErrorPolicy::new()
///     .immediately(2)
///     .later([Duration::from_secs(10), Duration::from_secs(60)])
///     .when::<GatewayDown>(|_| OnError::Pause(Duration::from_secs(5)));
/// assert_eq!(policy.attempts(), 5);
/// ```
#[derive(Clone)]
#[must_use = "a policy does nothing until an endpoint has it"]
pub struct ErrorPolicy {
    immediately: u32,
    later: Vec<Duration>,
    on_dead: OnDead,
    /// The type of the error that each is for, and what it says.
    rules: Vec<(&'static str, Rule)>,
}

type Rule = Arc<dyn Fn(&HandlerFailure) -> Option<OnError> + Send + Sync>;

/// The decision of a rule of an [`ErrorPolicy`] about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnError {
    /// The steps of the policy apply, as if there were no rule.
    Retry,
    /// The handler is retried after this time (at least 10 ms, at most a day), and nothing is counted: for a deadlock,
    /// or a row that somebody else holds. A message that a [delivery store](crate::Inbox::deliveries) has kept goes
    /// back there if it has to wait for more than 5 s.
    Again(Duration),
    /// The whole endpoint begins nothing for this time (at least 10 ms, at most a day), and nothing is counted: for an
    /// outage of something that all messages need. Then the endpoint tries one message; if its handler runs and asks
    /// for no further pause, all messages go on. Messages from the engine and messages from a delivery store pause
    /// separately, each kind when one of its own messages asks for a pause.
    Pause(Duration),
    /// No retry can help: the message is a dead letter at once.
    DeadLetter,
}

impl Default for ErrorPolicy {
    fn default() -> Self {
        Self::new()
    }
}

impl ErrorPolicy {
    /// Retries twice at once, and never later; a dead letter keeps no later message waiting.
    pub const fn new() -> Self {
        Self { immediately: 2, later: Vec::new(), on_dead: OnDead::Continue, rules: Vec::new() }
    }

    /// Sets how often a handler is retried at once.
    ///
    /// # Units
    ///
    /// 2 by default, at most 100; zero means never. The pauses are 20 ms, 40 ms, and so on, each shortened at random by
    /// up to one half.
    pub const fn immediately(mut self, retries: u32) -> Self {
        self.immediately = retries;
        self
    }

    /// Sets the waits before the retries that follow when all retries at once have failed.
    ///
    /// # Units
    ///
    /// None by default. Where the message waits decides how long the waits may be:
    ///
    /// - If the mediator's inbox has a [delivery store](crate::Inbox::deliveries), the message waits there. All waits
    ///   together must be shorter than the [retention](crate::Inbox::retention) of the inbox.
    /// - Otherwise all waits together must be at most 1 h. If the engine lets a lock last, the endpoint holds the
    ///   message meanwhile. If not, the message goes back, and the engine delivers it after that time, if it
    ///   [can](crate::subscription::Capabilities::delayed_retry).
    /// - If a [rule](Self::when) asks for a wait for which the lock is too short, the message goes back for the next
    ///   longer one of these waits.
    pub fn later(mut self, delays: impl IntoIterator<Item = Duration>) -> Self {
        self.later = delays.into_iter().collect();
        self
    }

    /// Sets what happens to the later messages of a key after a dead letter, if the endpoint handles in order per key
    /// and has a [delivery store](crate::Inbox::deliveries); [`OnDead::Continue`] by default.
    ///
    /// With [`OnDead::Park`], the later messages of the key wait for all handlers of the endpoint, not only for the one
    /// that failed.
    pub const fn on_dead(mut self, on_dead: OnDead) -> Self {
        self.on_dead = on_dead;
        self
    }

    /// Adds a rule for failures that an error of this type caused; the first rule that matches decides.
    ///
    /// The policy looks for the error in the whole chain of causes.
    pub fn when<E: Error + 'static>(mut self, rule: impl Fn(&E) -> OnError + Send + Sync + 'static) -> Self {
        self.rules.push((type_name::<E>(), Arc::new(move |failure| cause_of::<E>(failure).map(&rule))));
        self
    }

    /// The largest number of attempts of a handler, the first one included, if no rule decides otherwise.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        let later = u32::try_from(self.later.len()).unwrap_or(u32::MAX);
        self.immediately.saturating_add(later).saturating_add(1)
    }

    pub(super) fn immediate_retries(&self) -> u32 {
        self.immediately
    }

    pub(super) fn what_on_dead(&self) -> OnDead {
        self.on_dead
    }

    pub(super) fn delays(&self) -> &[Duration] {
        &self.later
    }

    /// What the rules say of a failure; they call code of the program, so only a worker asks.
    pub(super) fn judge(&self, failure: &HandlerFailure, inbox: Option<&dyn Inbox>) -> Judgement {
        match &failure.error {
            SendError::ShuttingDown => return Judgement::ShuttingDown,
            SendError::Undelivered(_) | SendError::RejectedAfterCommit { .. } => return Judgement::Committed,
            _ => {}
        }
        match self.rules.iter().find_map(|(_, rule)| apply(rule, failure)) {
            None if is_no_fault(failure, inbox) => Judgement::Uncounted,
            said => Judgement::Ruled(said.unwrap_or(OnError::Retry)),
        }
    }

    /// What becomes of a handler that failed, and had failed so often before.
    pub(super) fn step(&self, judgement: Judgement, before: Failures, jitter: &mut Jitter) -> Step {
        let wish = |time: Duration| time.clamp(SHORTEST_WISH, LONGEST_WISH);
        match judgement {
            Judgement::ShuttingDown => return Step::Release,
            Judgement::Committed => return Step::Done,
            Judgement::Uncounted | Judgement::Busy => {
                let after = jitter.take_off(doubled(before.uncounted).min(LONGEST_PAUSE));
                return Step::Again { after, counted: false };
            }
            Judgement::Ruled(OnError::Again(after)) => return Step::Again { after: wish(after), counted: false },
            Judgement::Ruled(OnError::Pause(time)) => return Step::Pause(wish(time)),
            Judgement::Ruled(OnError::DeadLetter) => return Step::Dead,
            Judgement::Ruled(OnError::Retry) => {}
        }
        if before.counted < self.immediately {
            return Step::Again { after: jitter.take_off(doubled(before.counted).min(LONGEST_PAUSE)), counted: true };
        }
        let later = usize::try_from(before.counted - self.immediately).unwrap_or(usize::MAX);
        self.later.get(later).map_or(Step::Dead, |delay| Step::Later(*delay))
    }
}

/// What a rule says; one that panics says nothing special, and the endpoint goes on.
fn apply(rule: &Rule, failure: &HandlerFailure) -> Option<OnError> {
    catch_unwind(AssertUnwindSafe(|| rule(failure))).unwrap_or(Some(OnError::Retry))
}

fn doubled(times: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << times.min(16))
}

/// For people: `2 retries at once, others after 10s and 60s; GatewayDown by a rule`.
impl fmt::Display for ErrorPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.immediately {
            0 => f.write_str("no retry at once")?,
            1 => f.write_str("1 retry at once")?,
            retries => write!(f, "{retries} retries at once")?,
        }
        let later: Vec<_> = self.later.iter().map(|delay| format!("{delay:?}")).collect();
        if !later.is_empty() {
            write!(f, ", others after {}", later.join(" and "))?;
        }
        let rules: Vec<_> = self.rules.iter().map(|(error, _)| short_name(error)).collect();
        if !rules.is_empty() {
            write!(f, "; {} by a rule", rules.join(" and "))?;
        }
        Ok(())
    }
}

impl fmt::Debug for ErrorPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErrorPolicy")
            .field("immediately", &self.immediately)
            .field("later", &self.later)
            .field("on_dead", &self.on_dead)
            .field("rules", &self.rules.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BoxError;
    use crate::container::CommitOutcome;
    use crate::registry::HandlerId;
    use crate::shown::ForeignError;

    #[derive(Debug, thiserror::Error)]
    #[error("down")]
    struct Down;

    #[derive(Debug, thiserror::Error)]
    #[error("the call failed")]
    struct Outer(#[source] Down);

    fn failed(error: SendError<BoxError>) -> HandlerFailure {
        HandlerFailure { id: HandlerId("h"), handler: "H", error }
    }

    fn step(policy: &ErrorPolicy, error: SendError<BoxError>, counted: u32) -> Step {
        policy.step(policy.judge(&failed(error), None), Failures { counted, uncounted: 0 }, &mut Jitter::new(1))
    }

    fn handler_error() -> SendError<BoxError> {
        SendError::Handler("no".into())
    }

    #[test]
    fn first_at_once_then_later_then_never() {
        let (ten, minute) = (Duration::from_secs(10), Duration::from_secs(60));
        let policy = ErrorPolicy::new().immediately(2).later([ten, minute]);
        for counted in 0..2 {
            let Step::Again { after, counted: true } = step(&policy, handler_error(), counted) else {
                panic!("at once")
            };
            assert!(after <= Duration::from_millis(40) && after >= Duration::from_millis(10), "{after:?}");
        }
        assert_eq!(step(&policy, handler_error(), 2), Step::Later(ten));
        assert_eq!(step(&policy, handler_error(), 3), Step::Later(minute));
        assert_eq!(step(&policy, handler_error(), 4), Step::Dead);
        assert_eq!(step(&policy, handler_error(), u32::MAX), Step::Dead);
        assert_eq!(policy.attempts(), 5);
    }

    #[test]
    fn the_first_rule_that_matches_counts_wherever_the_cause_stands() {
        let pause = Duration::from_secs(5);
        let policy = ErrorPolicy::new()
            .when::<Down>(move |_| OnError::Pause(pause))
            .when::<Outer>(|_| OnError::DeadLetter)
            .when::<std::io::Error>(|error| match error.kind() {
                std::io::ErrorKind::NotFound => OnError::DeadLetter,
                _ => OnError::Retry,
            });
        assert_eq!(step(&policy, SendError::Handler(Down.into()), 0), Step::Pause(pause));
        assert_eq!(step(&policy, SendError::Handler(Outer(Down).into()), 0), Step::Pause(pause));
        assert_eq!(step(&policy, SendError::Handler(ForeignError::new(Outer(Down)).into()), 0), Step::Pause(pause));
        assert_eq!(step(&policy, SendError::Scope(Down.into()), 0), Step::Pause(pause));
        let io = |kind: std::io::ErrorKind| SendError::Handler(BoxError::from(std::io::Error::from(kind)));
        assert_eq!(step(&policy, io(std::io::ErrorKind::NotFound), 0), Step::Dead);
        assert!(matches!(step(&policy, io(std::io::ErrorKind::Other), 0), Step::Again { counted: true, .. }));
    }

    #[test]
    fn no_wish_of_a_rule_is_without_bounds_and_one_that_panics_is_none() {
        let policy = ErrorPolicy::new().when::<Down>(|_| OnError::Again(Duration::ZERO));
        let again = Step::Again { after: SHORTEST_WISH, counted: false };
        assert_eq!(step(&policy, SendError::Handler(Down.into()), 0), again);
        let policy = ErrorPolicy::new().when::<Down>(|_| OnError::Pause(Duration::MAX));
        assert_eq!(step(&policy, SendError::Handler(Down.into()), 0), Step::Pause(LONGEST_WISH));
        let policy = ErrorPolicy::new().when::<Down>(|_| panic!("a rule panics"));
        assert!(matches!(step(&policy, SendError::Handler(Down.into()), 0), Step::Again { counted: true, .. }));
    }

    #[test]
    fn what_is_not_the_messages_fault_is_not_counted() {
        let policy = ErrorPolicy::new().immediately(0);
        let unknown = || SendError::Commit { outcome: CommitOutcome::Unknown, source: "gone".into() };
        for uncounted in [0, 5, u32::MAX] {
            let before = Failures { counted: 7, uncounted };
            let step = policy.step(policy.judge(&failed(unknown()), None), before, &mut Jitter::new(1));
            let Step::Again { after, counted: false } = step else { panic!("{step:?}") };
            assert!(after <= LONGEST_PAUSE);
        }
        assert_eq!(step(&policy, SendError::ShuttingDown, 0), Step::Release);
        let rolled_back = SendError::Commit { outcome: CommitOutcome::RolledBack, source: "no".into() };
        assert_eq!(step(&policy, rolled_back, 0), Step::Dead);
    }
}
