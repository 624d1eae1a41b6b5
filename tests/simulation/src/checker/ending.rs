use std::collections::BTreeSet;
use std::time::Duration;

use super::Rule;
use super::facts::Facts;
use crate::trace::{End, Event};

/// More events than this in a second of virtual time are not work.
const MOST: usize = 4_000;
/// Calls that hung before all was quiet may hang on for so long.
const HANGING: Duration = Duration::from_secs(60);

/// Whose act it is, if a process acts at all; engines act by themselves, and what is dropped late does no harm.
fn actor(event: Event, facts: &Facts<'_>) -> Option<usize> {
    match event {
        Event::Opened { process, .. }
        | Event::OpenFailed { process }
        | Event::Began { process, .. }
        | Event::Ended { process, .. }
        | Event::Dropped { process, .. }
        | Event::Noted { process, .. }
        | Event::NotLearned { process, .. }
        | Event::NotedEnd { process, .. }
        | Event::NotNotedEnd { process, .. } => Some(process),
        Event::Asked { opening, .. }
        | Event::Given { opening, .. }
        | Event::Acked { opening, .. }
        | Event::Dead { opening, .. }
        | Event::Released { opening, .. }
        | Event::Delayed { opening, .. }
        | Event::Misused { opening }
        | Event::Answered { opening, .. }
        | Event::Extended { opening, .. }
        | Event::Revoking { opening, .. }
        | Event::GivenUp { opening, .. }
        | Event::Lost { opening, .. } => facts.process_of.get(&opening).copied(),
        _ => None,
    }
}

/// All messages are settled in the end, processes end by their deadline, and nobody spins.
#[derive(Default)]
pub(super) struct Ending {
    second: u64,
    events: usize,
    running: BTreeSet<(usize, usize, usize)>,
    ended: BTreeSet<usize>,
}

impl Ending {
    /// A process that has ended does nothing: no call of its driver, no handler, no note in its log.
    fn is_still(&self, event: Event, facts: &Facts<'_>) -> Result<(), String> {
        match actor(event, facts) {
            Some(process) if self.ended.contains(&process) => {
                Err(format!("process {process} has ended, and something of it runs on: {event:?}"))
            }
            _ => Ok(()),
        }
    }

    /// A process that is asked to end takes nothing more.
    fn is_idle(process: usize, at: Duration, facts: &Facts<'_>) -> Result<(), String> {
        match facts.stopping.get(&process) {
            Some(since) if at > *since => Err(format!("process {process} has to end, and begins something")),
            _ => Ok(()),
        }
    }
}

impl Rule for Ending {
    fn see(&mut self, at: Duration, event: Event, facts: &Facts<'_>) -> Result<(), String> {
        if at.as_secs() != self.second {
            (self.second, self.events) = (at.as_secs(), 0);
        }
        self.events += 1;
        if self.events == MOST {
            return Err(format!("there are {MOST} events within a second"));
        }
        self.is_still(event, facts)?;
        match event {
            Event::Settled => match facts.kept.rows.iter().find(|(id, _)| !facts.is_parked(**id)) {
                Some((row, _)) => Err(format!("all is settled, and row {row} waits")),
                None => Ok(()),
            },
            Event::GaveIn => {
                let open = facts.entries.iter().filter(|(_, entry)| !entry.settled);
                let open: Vec<_> = open.map(|(number, entry)| (number, entry.message)).collect();
                let waiting: Vec<_> = facts.kept.rows.keys().filter(|row| !facts.is_parked(**row)).collect();
                Err(format!(
                    "these entries and their messages are never settled: {open:?}; and these rows wait: {waiting:?}"
                ))
            }
            Event::Given { opening, .. } => {
                facts.process_of.get(&opening).map_or(Ok(()), |process| Self::is_idle(*process, at, facts))
            }
            Event::Began { process, message, handler } => {
                self.running.insert((process, message, handler));
                // A message that has begun may wait for the attempt log; and a second handler follows the first.
                // With a store it may wait for the inbox.
                if handler == 0 && !facts.plan.settings.attempt_log && facts.plan.store.is_none() {
                    Self::is_idle(process, at, facts)
                } else {
                    Ok(())
                }
            }
            Event::Ended { process, message, handler, .. } | Event::Dropped { process, message, handler } => {
                self.running.remove(&(process, message, handler));
                Ok(())
            }
            Event::Crashed { process } => {
                self.running.retain(|(other, ..)| *other != process);
                self.ended.insert(process);
                Ok(())
            }
            Event::Stopped { end, process } => {
                self.ended.insert(process);
                if end == End::Failed {
                    return Err(format!("process {process} failed"));
                }
                if self.running.iter().any(|run| run.0 == process) {
                    return Err(format!("process {process} has ended, and a handler runs on"));
                }
                let since = facts.stopping.get(&process).copied().unwrap_or(at);
                let was_quiet = facts.quiet.is_some_and(|quiet| since >= quiet + HANGING);
                if at > since + facts.plan.settings.deadline + Duration::from_millis(100) {
                    return Err(format!("process {process} has ended after its deadline"));
                }
                if end == End::Late && was_quiet {
                    return Err(format!("process {process} did not come to its end in time, and nothing kept it"));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn end(&mut self, facts: &Facts<'_>) -> Result<(), String> {
        let left: Vec<_> = facts.stopping.keys().collect();
        if left.is_empty() { Ok(()) } else { Err(format!("these processes never ended: {left:?}")) }
    }
}
