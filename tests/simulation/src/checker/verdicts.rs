use std::time::Duration;

use diator::endpoint::Unknown;

use super::Rule;
use super::facts::Facts;
use crate::plan::MessageKind;
use crate::trace::{Event, Why};

/// Nothing is acknowledged whose handlers are not done, and nothing becomes a dead letter that could still be handled.
pub(super) struct Verdicts;

impl Rule for Verdicts {
    fn see(&mut self, _: Duration, event: Event, facts: &Facts<'_>) -> Result<(), String> {
        match event {
            Event::Acked { opening, message, implied, .. } => acked(opening, message, implied, facts),
            Event::Dead { opening, message, why, .. } => dead(opening, message, why, facts),
            Event::Misused { opening } => Err(format!("opening {opening} asked for what the engine cannot do")),
            Event::Delayed { message, after, .. } if !facts.plan.settings.later.contains(&after) => {
                Err(format!("message {message} is asked for after {after:?}, which `Wanted::delays` does not name"))
            }
            _ => Ok(()),
        }
    }
}

fn acked(opening: usize, message: usize, implied: bool, facts: &Facts<'_>) -> Result<(), String> {
    let Some(&process) = facts.process_of.get(&opening) else { return Err("nobody acknowledged".into()) };
    let settings = &facts.plan.settings;
    let is_done = match facts.plan.messages[message].kind {
        MessageKind::Unknown => settings.unknown == Unknown::Ignore || !settings.dead_letters,
        MessageKind::Unreadable => !settings.dead_letters,
        MessageKind::Known | MessageKind::Poison => {
            (0..settings.handlers).all(|handler| facts.achieved(process, message, handler).done)
                || (!settings.dead_letters && facts.is_complete(process, message))
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
        Why::Poison => facts.warned.get(&(process, message)).is_some_and(|&crashes| crashes >= 3),
    };
    if is_right { Ok(()) } else { Err(format!("message {message} is a dead letter, and it is not so: {why:?}")) }
}
