use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::facts::Facts;
use super::kept::Row;
use super::{Rule, Sight};
use crate::trace::Event;

/// How long a call that failed excuses: two periods of a lease.
const EXCUSED: Duration = Duration::from_secs(60);

/// No lease of a row runs out that the store would have extended; where it extends none beside handlers, none of a row that runs.
#[derive(Default)]
pub(super) struct Leases {
    /// When a call of a process has failed at last.
    failed: BTreeMap<usize, Duration>,
    ended: BTreeSet<usize>,
    sight: Sight,
}

impl Rule for Leases {
    fn see(&mut self, at: Duration, event: Event, facts: &Facts<'_>) -> Result<(), String> {
        match event {
            Event::StoreFailed { process } => {
                self.failed.insert(process, at);
            }
            Event::Crashed { process } | Event::Stopped { process, .. } => {
                self.ended.insert(process);
            }
            Event::LeaseExtended { row } => {
                let lease = facts.kept.rows.get(&row).and_then(|row| row.lease);
                self.sight.judged += u64::from(lease.is_some_and(|lease| !self.may_run_out(lease.process, at, facts)));
            }
            Event::LeaseOver { row, since, .. } => {
                let Some(kept) = facts.kept.rows.get(&row) else { return Ok(()) };
                let Some(lease) = kept.lease else { return Ok(()) };
                let waits = !can_extend(facts)
                    && !kept.handlers(facts.plan).any(|handler| runs(lease.process, kept, handler, facts));
                if !waits && !self.may_run_out(lease.process, since, facts) {
                    return Err(format!("the lease of row {row} ran out, and the store would have extended it"));
                }
                self.sight.excused += 1;
            }
            _ => {}
        }
        Ok(())
    }

    fn leases(&self) -> Option<Sight> {
        Some(self.sight)
    }
}

/// Whether nothing but a failure keeps a process from extending.
fn can_extend(facts: &Facts<'_>) -> bool {
    facts.plan.store.as_ref().is_none_or(|store| store.extends_beside_handlers)
}

fn runs(process: usize, row: &Row, handler: usize, facts: &Facts<'_>) -> bool {
    facts.kept.running.get(&(row.message, handler)) == Some(&process)
}

impl Leases {
    fn may_run_out(&self, process: usize, then: Duration, facts: &Facts<'_>) -> bool {
        self.ended.contains(&process)
            || facts.stopping.contains_key(&process)
            || self.failed.get(&process).is_some_and(|&moment| moment + EXCUSED >= then)
    }
}
