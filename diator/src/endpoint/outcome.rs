use tokio::time::Instant;

use crate::deliveries::DeadReason;
use crate::registry::HandlerId;

/// What became of a message with one of its handlers.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) handler: HandlerId,
    pub(super) state: State,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It is to run; not before that time.
    Pending {
        failures: Failures,
        due: Option<Instant>,
        wait: Wait,
        /// How it failed at last, where there is a store that tells an operator.
        why: Option<Box<DeadReason>>,
    },
    Done,
    /// It has failed for good, so often, and for that reason at last.
    Dead {
        why: DeadReason,
        failures: u32,
    },
}

/// Where a handler waits for its next attempt, where there is a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// It runs soon, and not often: the others of its message can wait for it.
    InHand,
    /// Nobody knows how long it takes: it waits where the others of its message do.
    WithOthers,
    InStore,
    /// Others of its key wait in the store, and it behind them: nothing here makes it run sooner.
    Behind,
}

/// How often a handler has failed on a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Failures {
    pub(super) counted: u32,
    pub(super) uncounted: u32,
}

impl Outcome {
    pub(super) fn new(handler: HandlerId) -> Self {
        Self {
            handler,
            state: State::Pending { failures: Failures::default(), due: None, wait: Wait::InHand, why: None },
        }
    }

    /// Whether it is to run now.
    pub(super) fn runs(&self, now: Instant) -> bool {
        matches!(self.state, State::Pending { due, .. } if due.is_none_or(|due| due <= now))
    }

    /// It waits behind others of its key.
    pub(super) fn falls_behind(&mut self) {
        if let State::Pending { due, wait, .. } = &mut self.state {
            (*due, *wait) = (None, Wait::Behind);
        }
    }

    /// How it failed at last, if it is to be tried again.
    pub(super) fn last_failure(&self) -> Option<DeadReason> {
        match &self.state {
            State::Pending { why, .. } => why.as_deref().cloned(),
            State::Done | State::Dead { .. } => None,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    pub(super) fn is_pending(&self) -> bool {
        matches!(self.state, State::Pending { .. })
    }

    /// The engine knows of so many failures, which may be another process's.
    pub(super) fn count_from(&mut self, known: u32) {
        if let State::Pending { failures, .. } = &mut self.state {
            failures.counted = failures.counted.max(known);
        }
    }

    /// The engine delivers it again then: a time that has come by then is over.
    pub(super) fn let_come(&mut self, then: Instant) {
        if let State::Pending { due, .. } = &mut self.state {
            *due = due.filter(|&due| due > then);
        }
    }

    pub(super) fn failures(&self) -> Failures {
        match self.state {
            State::Pending { failures, .. } => failures,
            State::Dead { failures: counted, .. } => Failures { counted, uncounted: 0 },
            State::Done => Failures::default(),
        }
    }
}

/// When the first of those that are to run may do so; `None` if none is, or all wait behind others of their key.
pub(super) fn next_due(outcomes: &[Outcome], now: Instant) -> Option<Instant> {
    let due = |outcome: &Outcome| match outcome.state {
        State::Pending { wait: Wait::Behind, .. } => None,
        State::Pending { due, .. } => Some(due.unwrap_or(now)),
        State::Done | State::Dead { .. } => None,
    };
    outcomes.iter().filter_map(due).min()
}

/// Whether what is not done goes to the store, because some of it does, and none has to wait in hand.
///
/// A row stays one, and so remembers no handler that has failed for good: what it is a row of waits for all of them.
pub(super) fn is_to_be_kept(outcomes: &[Outcome], of_row: bool) -> bool {
    let waits = |here: Wait| {
        outcomes.iter().any(|outcome| matches!(outcome.state, State::Pending { wait, .. } if wait == here))
    };
    let is_dead = outcomes.iter().any(|outcome| matches!(outcome.state, State::Dead { .. }));
    (is_dead || waits(Wait::InStore) || waits(Wait::Behind))
        && !waits(Wait::InHand)
        && !(of_row && waits(Wait::WithOthers))
}

/// Why the message is a dead letter, if some of its handlers have failed for good; its kind is that of the first.
pub(super) fn reason(outcomes: &[Outcome]) -> Option<DeadReason> {
    let dead = |outcome: &Outcome| match &outcome.state {
        State::Dead { why, .. } => Some((why.kind.clone(), format!("{}: {}", outcome.handler, why.text))),
        State::Pending { .. } | State::Done => None,
    };
    let (kinds, reasons): (Vec<_>, Vec<_>) = outcomes.iter().filter_map(dead).unzip();
    Some(DeadReason::new(kinds.into_iter().next()?, reasons.join("; ")))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_message_waits_for_the_first_of_its_handlers_that_is_not_done() {
        let now = Instant::now();
        let after = |seconds| now + Duration::from_secs(seconds);
        let mut outcomes: Vec<_> = ["a", "b", "c"].map(|id| Outcome::new(HandlerId(id))).into();
        assert_eq!((next_due(&outcomes, now), reason(&outcomes)), (Some(now), None));
        outcomes[0].state = State::Done;
        outcomes[1].state = pending(Some(after(9)), Wait::InStore);
        outcomes[2].state = pending(Some(after(5)), Wait::InStore);
        assert_eq!(next_due(&outcomes, now), Some(after(5)));
        assert!(outcomes[2].runs(after(5)) && !outcomes[1].runs(after(5)) && !outcomes[0].runs(after(5)));
        outcomes[1].state = State::Dead { why: DeadReason::new("Handler", "no"), failures: 1 };
        outcomes[2].state = State::Done;
        assert_eq!(next_due(&outcomes, now), None);
        assert_eq!(reason(&outcomes), Some(DeadReason::new("Handler", "b: no")));
    }

    #[test]
    fn a_handler_behind_others_of_its_key_waits_for_those_in_hand_and_does_not_run_at_once() {
        let now = Instant::now();
        let soon = now + Duration::from_millis(20);
        let mut outcomes: Vec<_> = ["a", "b"].map(|id| Outcome::new(HandlerId(id))).into();
        outcomes[0].state = pending(Some(soon), Wait::InHand);
        outcomes[1].falls_behind();
        assert_eq!((next_due(&outcomes, now), is_to_be_kept(&outcomes, false)), (Some(soon), false));
        outcomes[0].falls_behind();
        assert_eq!((next_due(&outcomes, now), is_to_be_kept(&outcomes, false)), (None, true));
    }

    #[test]
    fn a_message_is_kept_for_one_handler_unless_another_runs_soon() {
        let kept = |states: [State; 2]| {
            let outcomes = states.map(|state| Outcome { handler: HandlerId("a"), state });
            [false, true].map(|of_row| is_to_be_kept(&outcomes, of_row))
        };
        let waits = |wait| pending(None, wait);
        let dead = || State::Dead { why: DeadReason::default(), failures: 1 };
        assert_eq!(kept([State::Done, State::Done]), [false, false]);
        assert_eq!(kept([State::Done, waits(Wait::WithOthers)]), [false, false]);
        for to_keep in [waits(Wait::InStore), dead()] {
            assert_eq!(kept([to_keep.clone(), State::Done]), [true, true]);
            assert_eq!(kept([to_keep.clone(), dead()]), [true, true]);
            assert_eq!(kept([to_keep.clone(), waits(Wait::InHand)]), [false, false]);
            assert_eq!(kept([to_keep, waits(Wait::WithOthers)]), [true, false]);
        }
    }

    fn pending(due: Option<Instant>, wait: Wait) -> State {
        State::Pending { failures: Failures::default(), due, wait, why: None }
    }
}
