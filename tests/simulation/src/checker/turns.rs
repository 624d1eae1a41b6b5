use std::time::Duration;

use diator::endpoint::Order;

use super::Rule;
use super::facts::Facts;
use super::kept::Row;
use crate::plan::MessageKind;
use crate::trace::Event;

/// In order per key, no handler begins with a message while an earlier one of its key waits in the store.
pub(super) struct Turns;

impl Rule for Turns {
    fn see(&mut self, _: Duration, event: Event, facts: &Facts<'_>) -> Result<(), String> {
        let Event::Began { message, handler, .. } = event else { return Ok(()) };
        let (plan, kept) = (facts.plan, &facts.kept);
        let key = plan.messages[message].key;
        if key.is_none() || plan.settings.order == Order::None || kept.is_out_of_order(message, plan) {
            return Ok(());
        }
        let first = |message: usize| facts.entries.iter().find(|(_, entry)| entry.message == message);
        let own = first(message).map(|(entry, _)| entry);
        let is_before = |row: &Row| match plan.messages[row.message].kind {
            // Its deliveries do not know of each other.
            MessageKind::Unreadable => Some(&row.entry) < own,
            _ => first(row.message).map(|(entry, _)| entry) < own,
        };
        let holds = |row: &Row| plan.messages[row.message].key == key && row.holds_key(plan);
        let waits = |row: &Row| holds(row) && is_before(row) && !kept.is_out_of_order(row.message, plan);
        match kept.rows.iter().find(|(_, row)| waits(row)) {
            Some((id, row)) => Err(format!(
                "handler {handler} begins with message {message}, and row {id} of {} waits, which is earlier of its key",
                row.message
            )),
            None => Ok(()),
        }
    }
}
