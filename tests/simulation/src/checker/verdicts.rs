use std::time::Duration;

use diator::endpoint::Unknown;

use super::Rule;
use super::facts::{Achieved, Facts};
use crate::plan::MessageKind;
use crate::trace::{Event, Noted, Why};

/// Nothing is acknowledged whose handlers are not done, and nothing becomes a dead letter that could still be handled.
pub(super) struct Verdicts;

impl Rule for Verdicts {
    fn see(&mut self, _: Duration, event: Event, facts: &Facts<'_>) -> Result<(), String> {
        if facts.plan.store.is_some() {
            // `Rows` judges what becomes of a delivery then.
            return is_possible(event);
        }
        is_possible(event)?;
        match event {
            Event::Acked { opening, message, implied, .. } => acked(opening, message, implied, facts),
            Event::Dead { opening, message, why, .. } => dead(opening, message, why, facts),
            Event::Delayed { opening, message, failures, .. } if !counts(opening, message, failures, facts) => {
                Err(format!("message {message} is asked for with {failures} failures, and it had others"))
            }
            Event::Delayed { message, after, .. } if !facts.plan.settings.later.contains(&after) => {
                Err(format!("message {message} is asked for after {after:?}, which `Wanted::delays` does not name"))
            }
            _ => Ok(()),
        }
    }
}

fn is_possible(event: Event) -> Result<(), String> {
    match event {
        Event::Misused { opening } => Err(format!("opening {opening} asked for what the engine cannot do")),
        _ => Ok(()),
    }
}

/// Whether the process may have counted so many failures; the handler that has most of them decides.
fn counts(opening: usize, message: usize, failures: u32, facts: &Facts<'_>) -> bool {
    let Some(&process) = facts.process_of.get(&opening) else { return false };
    let plan = facts.plan;
    let of_each = (0..plan.settings.handlers).map(|handler| facts.achieved(process, message, handler));
    let most = of_each.clone().map(|achieved| achieved.counted).max().unwrap_or_default();
    // A run that is cut off while the log is to note its end has no failures.
    let is_cut = plan.settings.attempt_log && plan.faults.log_fails > 0;
    let attempts = plan.settings.attempts();
    let is_pending =
        |achieved: &Achieved| !achieved.done && !achieved.hopeless && achieved.counted < attempts && !is_cut;
    let least = of_each.filter(is_pending).map(|achieved| achieved.failed_since).max().unwrap_or_default();
    (least..=most).contains(&(failures as usize))
}

fn acked(opening: usize, message: usize, implied: bool, facts: &Facts<'_>) -> Result<(), String> {
    let Some(&process) = facts.process_of.get(&opening) else { return Err("nobody acknowledged".into()) };
    let settings = &facts.plan.settings;
    let is_done = match facts.plan.messages[message].kind {
        MessageKind::Unknown => settings.unknown == Unknown::Ignore,
        MessageKind::Unreadable => false,
        MessageKind::Known | MessageKind::Poison => {
            (0..settings.handlers).all(|handler| facts.achieved(process, message, handler).done)
        }
    };
    let how = if implied { ", with a later one," } else { "" };
    if is_done { Ok(()) } else { Err(format!("message {message} is acknowledged{how} and its handlers are not done")) }
}

fn dead(opening: usize, message: usize, why: Why, facts: &Facts<'_>) -> Result<(), String> {
    let Some(&process) = facts.process_of.get(&opening) else { return Err("nobody made a dead letter".into()) };
    let (plan, kind) = (facts.plan, facts.plan.messages[message].kind);
    let handlers = 0..plan.settings.handlers;
    let is_right = match why {
        Why::Unreadable => kind == MessageKind::Unreadable,
        Why::Unknown => kind == MessageKind::Unknown && plan.settings.unknown == Unknown::DeadLetter,
        Why::Failed => {
            let has_failed = |handler| facts.has_failed_for_good(process, message, handler);
            let is_over = |handler| facts.achieved(process, message, handler).done || has_failed(handler);
            handlers.clone().any(has_failed) && handlers.clone().all(is_over)
        }
        Why::Other => facts.is_complete(process, message),
        Why::Poison => facts.is_poison(process, Noted::Message(message)),
    };
    if is_right { Ok(()) } else { Err(format!("message {message} is a dead letter, and it is not so: {why:?}")) }
}
