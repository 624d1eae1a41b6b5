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

/// What an endpoint does when a handler fails: how often it tries again, after what time, and when it gives up.
///
/// It counts for each handler of each message by itself. A failure that a rule of [`when`](Self::when) takes goes by that rule, any
/// other one by the steps: first [`immediately`](Self::immediately), then [`later`](Self::later), then the message is a dead letter.
///
/// # Guarantees
///
/// - A panic, and a handler that is cut off at [`max_handling`](super::Endpoint::max_handling), are failures. If its inbox had not answered
///   by then, the handler has not begun, and nothing is counted.
/// - A handler whose work is committed, and where only what follows the commit failed, is done: it is not tried again.
/// - A commit of which nobody knows the outcome is tried again, uncounted: after 20 ms, twice as long each time, up to 30 s. So is a
///   message for which the container could open no scope. With an inbox, so is a message that another transaction is handling, one
///   for which the inbox failed, and one whose handler failed because the database did for a while, such as in a deadlock
///   ([`Inbox::is_transient`](crate::Inbox::is_transient)). A rule of [`when`](Self::when) comes first.
/// - Failures are counted in this process. A message that goes to another one begins anew there, unless the engine carries the number
///   along ([`retry_counts`](crate::subscription::Capabilities::retry_counts)), or it waits in a
///   [delivery store](crate::Inbox::deliveries), which keeps the number for each handler.
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

/// What a rule of an [`ErrorPolicy`] says of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnError {
    /// The steps of the policy apply, as if there were no rule.
    Retry,
    /// The handler is tried again after this time (10 ms at least, a day at most), and nothing is counted: a deadlock, a row that
    /// somebody else holds. What a [delivery store](crate::Inbox::deliveries) has kept goes back there if it is to wait for more than 5 s.
    Again(Duration),
    /// The whole endpoint begins nothing for this time (10 ms at least, a day at most), and nothing is counted: something that all
    /// messages need is away. Then one message is tried; if its handler runs and does not ask for a pause again, all go on. What the engine
    /// delivers and what a delivery store keeps pause apart, each when a message of its own asks for it.
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
    /// Two retries at once, none later; a dead letter keeps nobody waiting.
    pub const fn new() -> Self {
        Self { immediately: 2, later: Vec::new(), on_dead: OnDead::Continue, rules: Vec::new() }
    }

    /// How often a handler is tried again at once.
    ///
    /// # Units
    ///
    /// 2 by default; zero is never, 100 at most. The pauses are 20 ms, 40 ms, and so on, of which up to one half is taken off at random.
    pub const fn immediately(mut self, retries: u32) -> Self {
        self.immediately = retries;
        self
    }

    /// After which times a handler is tried again when all retries at once have failed.
    ///
    /// # Units
    ///
    /// None by default. Where the mediator's inbox has a [delivery store](crate::Inbox::deliveries), the message waits there, and the
    /// times must be shorter together than the [retention](crate::Inbox::retention) of the inbox. Otherwise they are at most 1 h
    /// together, and the message is held meanwhile, where the engine lets a lock last; or else it goes
    /// back, and the engine delivers it after that time, if it [can](crate::subscription::Capabilities::delayed_retry). A wait that a
    /// [rule](Self::when) asks for and for which the lock is too short goes back for the next longer one of these times.
    pub fn later(mut self, delays: impl IntoIterator<Item = Duration>) -> Self {
        self.later = delays.into_iter().collect();
        self
    }

    /// What becomes of the later messages of a key after a dead letter, where the endpoint handles in order per key and has a
    /// [delivery store](crate::Inbox::deliveries); [`OnDead::Continue`] by default.
    ///
    /// The endpoint's key waits with [`OnDead::Park`], for all of its handlers.
    pub const fn on_dead(mut self, on_dead: OnDead) -> Self {
        self.on_dead = on_dead;
        self
    }

    /// What becomes of failures of which an error of this type is the cause; the first rule that matches counts.
    ///
    /// The error is looked for in the whole chain of causes.
    pub fn when<E: Error + 'static>(mut self, rule: impl Fn(&E) -> OnError + Send + Sync + 'static) -> Self {
        self.rules.push((type_name::<E>(), Arc::new(move |failure| cause_of::<E>(failure).map(&rule))));
        self
    }

    /// How often a handler is tried at most where no rule says otherwise, the first attempt included.
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
