use std::collections::BTreeMap;
use std::time::Duration;

use super::Rule;
use super::facts::Facts;
use crate::trace::Event;

/// Calls that are slow can take longer than a third of such a lock, and are given up then.
const SHORT: Duration = Duration::from_secs(10);

/// No endpoint asks for more than it may hold.
pub(super) struct Credit;

impl Rule for Credit {
    fn see(&mut self, at: Duration, event: Event, facts: &Facts<'_>) -> Result<(), String> {
        let Event::Asked { opening, credit } = event else { return Ok(()) };
        let (max_ahead, capabilities) = (facts.plan.settings.max_ahead, facts.plan.traits.capabilities);
        let can_hold = capabilities.lock.is_none() || capabilities.extends;
        let process = facts.process_of.get(&opening).copied().unwrap_or_default();
        let is_held = |held: &&super::facts::Held| {
            held.opening == opening
                && held.until.is_none_or(|until| until > at)
                && !facts.is_complete(process, held.message)
        };
        let held = if can_hold { facts.held.values().filter(is_held).count() } else { 0 };
        if credit.saturating_add(held) > max_ahead {
            return Err(format!("the endpoint has {held} and asks for {credit}, with `max_ahead` {max_ahead}"));
        }
        Ok(())
    }
}

/// No lock runs out that could have been extended.
#[derive(Default)]
pub(super) struct Locks {
    credit: BTreeMap<usize, usize>,
    /// When an opening has not been able to extend at last.
    not_extended: BTreeMap<usize, Duration>,
    failed: BTreeMap<usize, Duration>,
}

impl Rule for Locks {
    fn see(&mut self, at: Duration, event: Event, facts: &Facts<'_>) -> Result<(), String> {
        match event {
            Event::Asked { opening, credit } => {
                self.credit.insert(opening, credit);
            }
            Event::NotExtended { opening, .. } => {
                self.not_extended.insert(opening, at);
            }
            Event::Answered { opening, answer, .. } if answer != crate::trace::Answer::Done => {
                self.failed.insert(opening, at);
            }
            Event::LockOver { opening, tag } => {
                let Some(lock) = facts.plan.traits.capabilities.lock else { return Ok(()) };
                if !facts.plan.traits.capabilities.extends {
                    return Ok(());
                }
                let process = facts.process_of.get(&opening).copied().unwrap_or_default();
                let is_held = facts.held.contains_key(&tag) && !facts.stopping.contains_key(&process);
                let faults = &facts.plan.faults;
                if faults.panics > 0 || (faults.slow > 0 && lock < SHORT) {
                    return Ok(());
                }
                let is_recent = |moment: &Duration| *moment + lock * 2 >= at;
                let had_trouble = self.not_extended.get(&opening).is_some_and(is_recent)
                    || self.failed.get(&opening).is_some_and(is_recent)
                    || self.credit.get(&opening) == Some(&0);
                if is_held && !had_trouble {
                    return Err(format!("the lock of delivery {tag} ran out, and the engine would have extended it"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
