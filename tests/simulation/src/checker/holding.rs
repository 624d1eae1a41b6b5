use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use diator::endpoint::Order;

use super::facts::{Facts, Held};
use super::{Rule, Sight};
use crate::trace::{Answer, Event};

/// No endpoint asks for more than it may hold.
pub(super) struct Credit;

impl Rule for Credit {
    fn see(&mut self, at: Duration, event: Event, facts: &Facts<'_>) -> Result<(), String> {
        let Event::Asked { opening, credit } = event else { return Ok(()) };
        let (max_ahead, capabilities) = (facts.plan.settings.max_ahead, facts.plan.traits.capabilities);
        let can_hold = capabilities.lock.is_none() || capabilities.extends;
        let held = if can_hold { undone(opening, at, facts) } else { 0 };
        if credit.saturating_add(held) > max_ahead {
            return Err(format!("the endpoint has {held} and asks for {credit}, with `max_ahead` {max_ahead}"));
        }
        Ok(())
    }
}

/// How many deliveries an opening has that are not done.
fn undone(opening: usize, at: Duration, facts: &Facts<'_>) -> usize {
    let process = facts.process_of.get(&opening).copied().unwrap_or_default();
    let is_undone = |held: &&Held| {
        held.opening == opening
            && held.until.is_none_or(|until| until > at)
            && !facts.is_complete(process, held.message)
    };
    facts.held.values().filter(is_undone).count()
}

/// No lock runs out that could have been extended.
#[derive(Default)]
pub(super) struct Locks {
    /// Openings that want nothing although there is room: they pause or end, and what waits in those that end is not extended.
    want_nothing: BTreeSet<usize>,
    /// Openings of which nothing is read any more.
    left: BTreeSet<usize>,
    /// When a call of an opening has failed at last, or something was taken away.
    failed: BTreeMap<usize, Duration>,
    sight: Sight,
}

impl Rule for Locks {
    fn see(&mut self, at: Duration, event: Event, facts: &Facts<'_>) -> Result<(), String> {
        match event {
            Event::Asked { opening, credit } => {
                if credit == 0 && undone(opening, at, facts) < facts.plan.settings.max_ahead {
                    self.want_nothing.insert(opening);
                } else {
                    self.want_nothing.remove(&opening);
                }
            }
            Event::Left { opening } => {
                self.left.insert(opening);
            }
            Event::Unanswered { opening, .. } => {
                self.failed.insert(opening, at);
            }
            Event::Answered { opening, answer, .. } if answer != Answer::Done => {
                self.failed.insert(opening, at);
            }
            // In order per key, an endpoint that hears of it ends the opening, also one that wants nothing already.
            Event::LockLost { opening, .. } if facts.plan.settings.order == Order::PerKey => {
                self.failed.insert(opening, at);
            }
            Event::Extended { opening, tag, .. } => {
                self.sight.judged += u64::from(!self.may_run_out(opening, tag, at, facts));
            }
            Event::LockOver { opening, tag, since } if facts.plan.traits.capabilities.extends => {
                if !self.may_run_out(opening, tag, since, facts) {
                    return Err(format!("the lock of delivery {tag} ran out, and the engine would have extended it"));
                }
                self.sight.excused += u64::from(facts.held.contains_key(&tag));
            }
            _ => {}
        }
        Ok(())
    }

    fn locks(&self) -> Option<Sight> {
        Some(self.sight)
    }
}

impl Locks {
    /// Whether the lock of a delivery may run out then.
    fn may_run_out(&self, opening: usize, tag: u64, then: Duration, facts: &Facts<'_>) -> bool {
        let lock = facts.plan.traits.capabilities.lock.unwrap_or_default();
        let is_stopping = facts.process_of.get(&opening).is_some_and(|process| facts.stopping.contains_key(process));
        !facts.held.contains_key(&tag)
            || is_stopping
            || self.want_nothing.contains(&opening)
            || self.left.contains(&opening)
            || self.failed.get(&opening).is_some_and(|&moment| moment + lock * 2 >= then)
    }
}
