//! How often, and after what time, something is tried again.

// Times come from outside: from a broker that asks to wait, and from a program's configuration.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;

use crate::InvalidConfig;

const LONGEST_DELAY: Duration = Duration::from_secs(3_600);
const LONGEST_TIME: Duration = Duration::from_secs(24 * 3_600);

/// How often, and after what time, something is tried again: publishing a message, handling a request.
///
/// # Units
///
/// - `attempts`: the number of attempts, the first one included; 5 by default, 1 to 1,000. 1 means no retry.
/// - `first_delay`: the wait before the second attempt; 100 ms by default, more than zero.
/// - `max_delay`: the longest wait that doubling leads to; 10 s by default, no less than `first_delay`, at most 1 h.
/// - `give_up_after`: no attempt begins later than this after the call began; 30 s by default, no less than
///   `first_delay`, at most 24 h.
///
/// # Errors
///
/// No method here fails. [`RetryingBroker::new`](crate::broker::RetryingBroker::new) and
/// [`RetryMiddleware::new`](crate::middleware::RetryMiddleware::new) check the whole policy, and list every problem.
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
#[must_use = "a policy does nothing until a broker or a middleware has it"]
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

    /// Limits the attempts, the first one included.
    ///
    /// # Units
    ///
    /// 1 to 1,000; 1 means that there is no retry.
    pub const fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Sets the wait before the second attempt.
    pub const fn first_delay(mut self, delay: Duration) -> Self {
        self.first_delay = delay;
        self
    }

    /// Limits the waits; a broker that asks for a longer wait gets it.
    ///
    /// # Units
    ///
    /// No less than the first delay, and at most 1 h. Each wait is shortened at random, by up to one half.
    pub const fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// Sets how long after the call began an attempt may begin.
    ///
    /// It does not cut off an attempt that has begun.
    ///
    /// # Units
    ///
    /// No less than the first delay, and at most 24 h. If a wait would end later, the call does not wait: it returns
    /// the last error at once.
    pub const fn give_up_after(mut self, time: Duration) -> Self {
        self.give_up_after = time;
        self
    }

    pub(crate) fn validate(&self) -> Result<(), InvalidConfig> {
        InvalidConfig::check("retry policy", self.problems())
    }

    fn problems(&self) -> Vec<String> {
        let Self { attempts, first_delay, max_delay, give_up_after } = self;
        let rules = [
            ((1..=1000).contains(attempts), format!("the number of attempts must be 1 to 1,000, and is {attempts}")),
            (!first_delay.is_zero(), "the first delay must be more than zero".to_owned()),
            (
                first_delay <= max_delay && *max_delay <= LONGEST_DELAY,
                format!("the longest delay ({max_delay:?}) must be between the first ({first_delay:?}) and 1h"),
            ),
            (
                first_delay <= give_up_after && *give_up_after <= LONGEST_TIME,
                format!("the time to give up after ({give_up_after:?}) must be between the first delay and 24h"),
            ),
        ];
        rules.into_iter().filter(|(holds, _)| !holds).map(|(_, problem)| problem).collect()
    }

    /// How long after the first attempt another one may begin.
    pub(crate) fn longest(&self) -> Duration {
        self.give_up_after
    }

    /// The wait before an attempt; the second is number 1. `random` is anything.
    fn delay(&self, number: u32, random: u64) -> Duration {
        let doubled = self.first_delay.saturating_mul(1_u32.checked_shl(number.saturating_sub(1)).unwrap_or(u32::MAX));
        let full = doubled.min(self.max_delay);
        // The upper 32 bits as a share of one half. A policy that was validated has no delay that this could overflow.
        let share = (random >> 32) as f64 / f64::from(u32::MAX);
        full.saturating_sub(full.min(LONGEST_DELAY).mul_f64(share / 2.0))
    }

    /// How long to wait for the attempt after this one, if there is to be one; `asked` is what the other side wants at
    /// least.
    pub(crate) fn wait(&self, asked: Duration, number: u32, begun: Instant) -> Option<Duration> {
        let wait = asked.max(self.delay(number, random()));
        let after = begun.elapsed().saturating_add(wait);
        (number < self.attempts && after <= self.give_up_after).then_some(wait)
    }
}

/// The standard library seeds its hash maps from a source of random numbers; that will do for scattering.
fn random() -> u64 {
    RandomState::new().hash_one(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn no_time_from_outside_overflows(
            [first, longest, give_up, asked] in [time(), time(), time(), time()],
            (attempts, number, random) in (extreme(), extreme(), any::<u64>()),
        ) {
            let policy = RetryPolicy::new().attempts(attempts as u32).first_delay(first).max_delay(longest);
            let policy = policy.give_up_after(give_up);
            let _ = policy.validate();
            prop_assert!(policy.delay(number as u32, random) <= longest);
            if let Some(wait) = policy.wait(asked, number as u32, Instant::now()) {
                prop_assert!(wait >= asked && wait <= give_up);
            }
        }
    }

    /// Numbers, with those at either end more often than by chance.
    fn extreme() -> impl Strategy<Value = u64> {
        prop_oneof![Just(0), Just(1), Just(u64::MAX), Just(u64::MAX - 1), any::<u64>()]
    }

    fn time() -> impl Strategy<Value = Duration> {
        prop_oneof![
            Just(Duration::ZERO),
            Just(Duration::MAX),
            extreme().prop_map(Duration::from_secs),
            extreme().prop_map(Duration::from_millis)
        ]
    }

    #[test]
    fn every_problem_is_listed() {
        let policy = RetryPolicy::new().attempts(1001).first_delay(Duration::ZERO).max_delay(Duration::from_secs(3601));
        let policy = policy.give_up_after(Duration::MAX);
        let error = policy.validate().expect_err("it is wrong");
        assert_eq!(error.problems().len(), 4, "{error}");
        assert!(
            error.to_string().starts_with("retry policy is invalid: the number of attempts must be 1 to 1,000"),
            "{error}"
        );
        assert_eq!(format!("{error:?}"), error.to_string());
        assert_eq!(RetryPolicy::default().problems(), [""; 0]);
        assert_eq!(RetryPolicy::new().max_delay(Duration::from_millis(99)).problems().len(), 1);
        assert_eq!(RetryPolicy::new().give_up_after(Duration::from_millis(99)).problems().len(), 1);
    }
}
