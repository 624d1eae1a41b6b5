use std::collections::BTreeMap;
use std::time::Duration;

use diator::inbox::Seen;

use super::Rule;
use super::facts::Facts;
use crate::trace::{Event, How};

/// Each handler enters the inbox before it begins, and takes effect once in each generation of its message.
#[derive(Default)]
pub(super) struct Effects {
    /// In which generation a handler has entered, in a process, and has not begun.
    entered: BTreeMap<(usize, usize, usize), u32>,
    /// In which generation it runs, or has succeeded and not taken effect.
    begun: BTreeMap<(usize, usize, usize), u32>,
}

impl Rule for Effects {
    fn see(&mut self, _: Duration, event: Event, facts: &Facts<'_>) -> Result<(), String> {
        if facts.plan.store.is_none() {
            return Ok(());
        }
        match event {
            Event::Entered { process, message, handler, generation, seen: Seen::First } => {
                self.entered.insert((process, message, handler), generation);
                if facts.kept.is_known_in(message, handler, generation) {
                    return Err(format!(
                        "handler {handler} enters with message {message} in generation {generation}, and was done with it"
                    ));
                }
            }
            Event::Began { process, message, handler } => {
                let Some(generation) = self.entered.remove(&(process, message, handler)) else {
                    return Err(format!(
                        "handler {handler} begins with message {message}, and did not enter the inbox"
                    ));
                };
                self.begun.insert((process, message, handler), generation);
                if facts.kept.running.contains_key(&(message, handler)) {
                    return Err(format!("handler {handler} runs twice at once with message {message}"));
                }
            }
            Event::Ended { process, message, handler, how } if how != How::Done => {
                self.begun.remove(&(process, message, handler));
            }
            Event::Dropped { process, message, handler } => {
                self.begun.remove(&(process, message, handler));
            }
            Event::Committed { process, message, handler, generation } => {
                if facts.kept.is_done_in(message, handler, generation) {
                    return Err(format!(
                        "handler {handler} takes effect twice on message {message}, in generation {generation}"
                    ));
                }
                if self.begun.remove(&(process, message, handler)) != Some(generation) {
                    return Err(format!("handler {handler} takes effect on message {message}, and has not succeeded"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
