use std::time::Duration;

use super::Rule;
use super::facts::Facts;
use super::kept::{Lease, Row};
use crate::plan::MessageKind;
use crate::trace::{Event, Noted, RowState, RowVerdict, Why};

/// What the engine gets rid of is done or kept, and what is kept ends only when it is done, or by policy.
pub(super) struct Rows;

impl Rule for Rows {
    fn see(&mut self, _: Duration, event: Event, facts: &Facts<'_>) -> Result<(), String> {
        if facts.plan.store.is_none() {
            return Ok(());
        }
        match event {
            Event::Acked { entry, message, implied, .. } if !facts.kept.has_taken(message, Some(entry), facts.plan) => {
                let how = if implied { ", with a later one" } else { "" };
                Err(format!(
                    "message {message} is acknowledged{how}, and a handler is neither done with it nor has a row"
                ))
            }
            Event::Dead { message, .. } => {
                Err(format!("message {message} is a dead letter of the engine, although there is a store"))
            }
            Event::Delayed { message, .. } => {
                Err(format!("message {message} goes back for a time, although there is a store"))
            }
            Event::Kept { process, message, handler, state, failures, .. } => {
                is_kept(process, message, handler, state, failures, facts)
            }
            Event::RowSettled { process, row: id, lease: number, verdict } => {
                let row = facts.kept.rows.get(&id).ok_or_else(|| format!("row {id} is settled, and there is none"))?;
                let ours = row.lease.filter(|lease| (lease.process, lease.number) == (process, number));
                let other = || format!("process {process} settles row {id}, and does not have it");
                is_settled(id, row, &ours.ok_or_else(other)?, verdict, facts)
            }
            Event::Leased { row, .. } if facts.kept.rows.get(&row).is_none_or(|row| row.is_dead) => {
                Err(format!("row {row} is leased, and it does not wait"))
            }
            _ => Ok(()),
        }
    }
}

/// Judges a new row.
fn is_kept(
    process: usize,
    message: usize,
    handler: Option<usize>,
    state: RowState,
    failures: u32,
    facts: &Facts<'_>,
) -> Result<(), String> {
    let attempts = facts.plan.settings.attempts();
    match (state, handler) {
        (RowState::Dead { why: Why::Failed }, Some(handler))
            if facts.has_failed_for_good(process, message, handler) =>
        {
            Ok(())
        }
        (RowState::Dead { why }, None) if is_dead_as_a_whole(process, message, Noted::Message(message), why, facts) => {
            Ok(())
        }
        (RowState::Dead { why }, _) => {
            Err(format!("message {message} is kept as a dead letter, and it is not so: {why:?}"))
        }
        (RowState::Waiting { .. }, None) => {
            Err(format!("message {message} waits as a whole, and no handler has failed"))
        }
        (RowState::Waiting { .. }, Some(handler)) => {
            let achieved = facts.achieved(process, message, handler);
            let is_mixed = facts.has_twice(process, message) || facts.kept.was_discarded(message);
            let least = if may_be_cut(facts) || is_mixed { 0 } else { achieved.failed_since };
            let fits = (least..=achieved.counted).contains(&(failures as usize)) && (failures as usize) < attempts;
            let text =
                || format!("handler {handler} keeps message {message} with {failures} failures, and it had others");
            fits.then_some(()).ok_or_else(text)
        }
    }
}

/// A run that is cut off while the log is to note its end has no failures.
fn may_be_cut(facts: &Facts<'_>) -> bool {
    facts.plan.settings.attempt_log && facts.plan.faults.log_fails > 0
}

/// Whether no handler can begin with a message.
fn is_dead_as_a_whole(process: usize, message: usize, noted: Noted, why: Why, facts: &Facts<'_>) -> bool {
    let kind = facts.plan.messages[message].kind;
    match why {
        Why::Unreadable => kind == MessageKind::Unreadable,
        Why::Unknown => kind == MessageKind::Unknown,
        Why::Poison => facts.is_poison(process, noted),
        Why::Failed | Why::Other => false,
    }
}

/// Judges what became of a row, by the process that has it.
fn is_settled(id: i64, row: &Row, lease: &Lease, verdict: RowVerdict, facts: &Facts<'_>) -> Result<(), String> {
    let (message, kept, attempts) = (row.message, &facts.kept, facts.plan.settings.attempts());
    let has_failed = |handler: usize| lease.hopeless[handler] || lease.most[handler] as usize >= attempts;
    let is_known = |handler| kept.is_known_in(message, handler, row.runs_in());
    let is_right = match verdict {
        RowVerdict::Released => true,
        RowVerdict::Handled => {
            matches!(facts.plan.messages[message].kind, MessageKind::Known | MessageKind::Poison)
                && row.handlers(facts.plan).all(is_known)
        }
        RowVerdict::Later { failures, .. } => {
            let most = row.handlers(facts.plan).map(|handler| lease.most[handler]).max().unwrap_or_default();
            let least = match row.handler {
                Some(handler) if !may_be_cut(facts) => lease.least[handler],
                _ => row.failures,
            };
            (least..=most).contains(&failures) && (failures as usize) < attempts
        }
        RowVerdict::Dead { why: Why::Failed } => {
            let mut handlers = row.handlers(facts.plan);
            let is_over = |handler| is_known(handler) || has_failed(handler);
            row.handlers(facts.plan).any(has_failed) && handlers.all(is_over)
        }
        RowVerdict::Dead { why } => {
            let noted = Noted::Row { message, handler: row.handler };
            is_dead_as_a_whole(lease.process, message, noted, why, facts)
        }
    };
    if is_right {
        return Ok(());
    }
    Err(match verdict {
        RowVerdict::Handled => format!("row {id} of message {message} is gone, and its handler is not done"),
        RowVerdict::Later { failures, .. } => {
            format!("row {id} of message {message} is put off with {failures} failures, and it had others")
        }
        _ => format!("row {id} of message {message} is a dead letter, and it is not so: {verdict:?}"),
    })
}
