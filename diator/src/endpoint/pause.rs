use std::time::Duration;

use tokio::time::Instant;

use crate::subscription::DeliveryTag;

/// Whether anything may begin: an outage of what all messages need stops the endpoint, and one message at a time tries whether it
/// is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pause {
    /// All may begin.
    Open,
    /// None may begin.
    Paused { until: Instant },
    /// One may begin, if none has.
    Trial(Option<DeliveryTag>),
}

impl Pause {
    /// A handler met the outage. Those that were under way at the same time change nothing.
    pub(super) fn pause(&mut self, tag: DeliveryTag, time: Duration, now: Instant) {
        match *self {
            Self::Open => *self = Self::Paused { until: now + time },
            Self::Trial(Some(trial)) if trial == tag => *self = Self::Paused { until: now + time },
            Self::Trial(_) | Self::Paused { .. } => {}
        }
    }

    /// Whether one more may begin.
    pub(super) fn admits(&mut self, now: Instant) -> bool {
        match *self {
            Self::Open | Self::Trial(None) => true,
            Self::Paused { until } if until <= now => {
                *self = Self::Trial(None);
                true
            }
            Self::Paused { .. } | Self::Trial(Some(_)) => false,
        }
    }

    pub(super) fn begun(&mut self, tag: DeliveryTag) {
        if let Self::Trial(trial @ None) = self {
            *trial = Some(tag);
        }
    }

    /// A delivery has run without meeting the outage, or is gone. It proves something only if a handler ran; otherwise another one tries.
    pub(super) fn ended(&mut self, tag: DeliveryTag, proves: bool) {
        if *self == Self::Trial(Some(tag)) {
            *self = if proves { Self::Open } else { Self::Trial(None) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: DeliveryTag = DeliveryTag(1);
    const TWO: DeliveryTag = DeliveryTag(2);
    const TIME: Duration = Duration::from_secs(5);

    #[test]
    fn after_the_pause_one_tries_and_then_all_go_on() {
        let (mut pause, now) = (Pause::Open, Instant::now());
        pause.pause(ONE, TIME, now);
        pause.pause(TWO, TIME * 9, now + TIME / 2);
        assert!(!pause.admits(now + TIME / 2));
        assert_eq!(pause, Pause::Paused { until: now + TIME });
        assert!(pause.admits(now + TIME));
        pause.begun(ONE);
        assert!(!pause.admits(now + TIME));
        pause.ended(TWO, true);
        assert_eq!(pause, Pause::Trial(Some(ONE)));
        pause.ended(ONE, true);
        assert_eq!(pause, Pause::Open);
    }

    #[test]
    fn a_trial_that_fails_pauses_again_and_one_that_proves_nothing_lets_the_next_try() {
        let (mut pause, now) = (Pause::Trial(None), Instant::now());
        pause.begun(ONE);
        pause.pause(TWO, TIME, now);
        assert_eq!(pause, Pause::Trial(Some(ONE)));
        pause.pause(ONE, TIME, now);
        assert_eq!(pause, Pause::Paused { until: now + TIME });
        assert!(pause.admits(now + TIME));
        pause.begun(TWO);
        pause.ended(TWO, false);
        assert!(pause.admits(now + TIME));
    }
}
