use std::collections::BTreeMap;
use std::time::Duration;

use super::Rule;
use super::facts::Facts;
use crate::trace::{Event, How};

/// While what all messages need is away, an endpoint tries one message after the other, with pauses.
#[derive(Default)]
pub(super) struct Outages {
    seen: BTreeMap<usize, Seen>,
}

#[derive(Default)]
struct Seen {
    openings: usize,
    met: usize,
}

impl Rule for Outages {
    fn see(&mut self, _: Duration, event: Event, facts: &Facts<'_>) -> Result<(), String> {
        let settings = &facts.plan.settings;
        match event {
            Event::Opened { process, .. } => self.seen.entry(process).or_default().openings += 1,
            Event::Ended { process, message, how: How::Outage, .. } => {
                let seen = self.seen.entry(process).or_default();
                seen.met += 1;
                let longest: Duration = facts.plan.outages.iter().map(|(from, to)| *to - *from).sum();
                let trials = longest.as_millis() / settings.pause.as_millis().max(1) + 2;
                let trials = usize::try_from(trials).unwrap_or(usize::MAX);
                // An opening knows of no pause when it begins.
                let most = settings.handlers * (seen.openings * (settings.concurrency + 1) + trials);
                // What the store keeps pauses apart.
                let most = if facts.plan.store.is_some() { most * 2 } else { most };
                if seen.met > most {
                    return Err(format!("the outage was met {} times, with message {message} now", seen.met));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
