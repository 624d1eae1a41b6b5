use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use diator::endpoint::Order;

use super::Rule;
use super::facts::Facts;
use crate::plan::{Message, Plan};
use crate::trace::{Answer, Event};

/// A handler that has succeeded is not run again by a retry, and none has more attempts than the policy gives.
pub(super) struct Again;

impl Rule for Again {
    fn see(&mut self, _: Duration, event: Event, facts: &Facts<'_>) -> Result<(), String> {
        let Event::Began { process, message, handler } = event else { return Ok(()) };
        if facts.plan.store.is_some() {
            // The inbox knows what is done, and the store counts for each row.
            return Ok(());
        }
        let achieved = facts.achieved(process, message, handler);
        if achieved.done_since {
            return Err(format!(
                "handler {handler} was done with message {message}, and process {process} runs it again"
            ));
        }
        // A run that is cut off while the log is to note its end has no failures.
        let is_cut = facts.plan.settings.attempt_log && facts.plan.faults.log_fails > 0;
        if !is_cut && achieved.failed_since >= facts.plan.settings.attempts() {
            return Err(format!("handler {handler} has one attempt too many with message {message}"));
        }
        Ok(())
    }
}

/// No message runs twice at once in a process; of a key, none beside another one; and none beside the next owner of its partition.
#[derive(Default)]
pub(super) struct Beside {
    running: BTreeSet<(usize, usize, usize)>,
    /// What runs of a row of the store, which has no partition.
    of_rows: BTreeSet<(usize, usize, usize)>,
    /// What ran in which process when its partition was lost: somebody else may run it already.
    lost: BTreeSet<(usize, usize)>,
    /// Runs of partitions that were given up in order.
    given_up: BTreeSet<(usize, usize, usize)>,
    /// Owners that are to be given up in order.
    revoking: BTreeMap<(usize, (u32, u64)), Duration>,
}

impl Beside {
    /// What runs of a partition.
    fn of(&self, process: usize, partition: u32, plan: &Plan) -> Vec<(usize, usize, usize)> {
        let is_of = |message: usize| plan.traits.places[message] % plan.traits.partitions == partition as usize;
        let of_engine = self.running.difference(&self.of_rows);
        of_engine.filter(|(other, message, _)| *other == process && is_of(*message)).copied().collect()
    }

    /// The run of a delivery goes on with its next handler.
    fn ended(&mut self, process: usize, message: usize, handler: usize, handlers: usize) -> bool {
        self.running.remove(&(process, message, handler));
        self.of_rows.remove(&(process, message, handler));
        if handler + 1 == handlers {
            self.lost.remove(&(process, message));
        }
        self.given_up.remove(&(process, message, handler))
    }

    fn begins(&self, process: usize, message: usize, facts: &Facts<'_>) -> Result<(), String> {
        let plan = facts.plan;
        let key = plan.messages[message].key.filter(|_| plan.settings.order == Order::PerKey);
        for &(_, other, handler) in self.running.iter().filter(|(other, ..)| *other == process) {
            if other == message {
                if plan.store.is_some() {
                    // Its handlers have a row each.
                    continue;
                }
                return Err(format!("message {message} runs twice at once in process {process} (handler {handler})"));
            }
            let is_out_of_order = |message| facts.kept.is_out_of_order(message, plan);
            if key.is_some() && plan.messages[other].key == key && ![message, other].into_iter().any(is_out_of_order) {
                return Err(format!("message {message} runs beside {other}, of the same key, in process {process}"));
            }
        }
        Ok(())
    }
}

impl Rule for Beside {
    fn see(&mut self, at: Duration, event: Event, facts: &Facts<'_>) -> Result<(), String> {
        match event {
            Event::Began { process, message, handler } => {
                let ended = self.begins(process, message, facts);
                self.running.insert((process, message, handler));
                if handler == 0 {
                    self.lost.remove(&(process, message));
                }
                if facts.kept.has(process, message, handler) {
                    self.of_rows.insert((process, message, handler));
                }
                return ended;
            }
            Event::Dropped { process, message, handler } => {
                self.ended(process, message, handler, facts.plan.settings.handlers);
            }
            Event::Ended { process, message, handler, .. } => {
                let ran_on = self.ended(process, message, handler, facts.plan.settings.handlers);
                let what = || format!("message {message} ran on in process {process} after its partition was given up");
                return if ran_on { Err(what()) } else { Ok(()) };
            }
            Event::Crashed { process } | Event::Stopped { process, .. } => {
                for runs in [&mut self.running, &mut self.of_rows, &mut self.given_up] {
                    runs.retain(|(other, ..)| *other != process);
                }
            }
            Event::Revoking { opening, owner, by } => {
                self.revoking.insert((opening, owner), by);
            }
            Event::Lost { opening, owner } => {
                self.revoking.remove(&(opening, owner));
                let Some(&process) = facts.process_of.get(&opening) else { return Ok(()) };
                let runs = self.of(process, owner.0, facts.plan);
                self.lost.extend(runs.into_iter().map(|(process, message, _)| (process, message)));
            }
            Event::Answered { opening, tag, answer: Answer::LockLost | Answer::Refused } => {
                let gone = facts.owner_of.get(&tag);
                self.revoking.retain(|&(other, owner), _| other != opening || Some(&owner) != gone);
            }
            Event::GivenUp { opening, owner } => {
                let in_order = self.revoking.remove(&(opening, owner)).is_some_and(|by| at <= by);
                let Some(&process) = facts.process_of.get(&opening) else { return Ok(()) };
                let runs = self.of(process, owner.0, facts.plan);
                if in_order {
                    self.given_up.extend(runs.into_iter().filter(|run| !self.lost.contains(&(run.0, run.1))));
                } else {
                    self.lost.extend(runs.into_iter().map(|(process, message, _)| (process, message)));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Where the endpoint handles in order, nothing begins before what comes earlier of its key has come to its end.
pub(super) struct InOrder;

impl Rule for InOrder {
    fn see(&mut self, _: Duration, event: Event, facts: &Facts<'_>) -> Result<(), String> {
        let Event::Began { process, message, .. } = event else { return Ok(()) };
        let plan = facts.plan;
        let Message { key: key @ Some(_), .. } = plan.messages[message] else { return Ok(()) };
        if plan.settings.order == Order::None {
            return Ok(());
        }
        let first = |message: usize| facts.entries.iter().find(|(_, entry)| entry.message == message);
        let Some((&own, _)) = first(message) else { return Err("nobody published it".into()) };
        for (_, earlier) in facts.entries.range(..own) {
            let other = earlier.message;
            let is_first = plan.messages[other].key == key && other != message;
            if is_first && !earlier.settled && first_is_open(facts, other) && !facts.is_complete(process, other) {
                return Err(format!(
                    "message {message} begins in process {process}, and {other} of its key is not done"
                ));
            }
        }
        Ok(())
    }
}

fn first_is_open(facts: &Facts<'_>, message: usize) -> bool {
    facts.entries.values().find(|entry| entry.message == message).is_some_and(|entry| !entry.settled)
}
