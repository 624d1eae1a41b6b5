use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use diator::deliveries::{DeliveryState, KeptDelivery};
use diator::outbox::DeadLetter;
use serde_json::{Value, json};

use super::cause::{Cause, without_digits};
use super::redact::redact;
use super::words::{cell, reason, time};
use super::{delivery, print};

/// Dead letters of one place, with one kind of error.
pub(super) struct Group {
    cause: Cause,
    count: u64,
    /// What their errors say, without what differs from message to message.
    reasons: BTreeSet<String>,
    oldest: SystemTime,
    newest: SystemTime,
    /// The newest one's error.
    reason: String,
}

impl Group {
    /// Puts them together, the largest groups first.
    pub(super) fn of(letters: &[DeadLetter], deliveries: &[KeptDelivery]) -> Vec<Self> {
        let letters = letters.iter().map(|letter| (Cause::of_letter(letter), letter.at, &*letter.reason));
        let deliveries = deliveries.iter().filter_map(|kept| match &kept.state {
            DeliveryState::Dead { reason, at } => Some((Cause::of_delivery(kept)?, *at, &*reason.text)),
            _ => None,
        });
        let mut groups = BTreeMap::new();
        for (cause, at, reason) in letters.chain(deliveries) {
            let new = || Self {
                cause: cause.clone(),
                count: 0,
                reasons: BTreeSet::new(),
                oldest: at,
                newest: at,
                reason: reason.to_owned(),
            };
            let group = groups.entry(cause.clone()).or_insert_with(new);
            group.count += 1;
            group.reasons.insert(without_digits(reason));
            group.oldest = group.oldest.min(at);
            if at >= group.newest {
                (group.newest, group.reason) = (at, reason.to_owned());
            }
        }
        let mut groups: Vec<_> = groups.into_values().collect();
        groups.sort_by_key(|group| Reverse(group.count));
        groups
    }

    pub(super) fn record(&self) -> Value {
        let mut record = json!({
            "group": self.cause.name(),
            "count": self.count,
            "oldest": time(self.oldest),
            "newest": time(self.newest),
            "reason": redact(&self.reason),
        });
        match &self.cause {
            Cause::Publishing { topic, .. } => record["topic"] = json!(topic),
            Cause::Handling { endpoint, handler, kind } => {
                record["endpoint"] = json!(endpoint);
                record["handler"] = json!(delivery::handler(handler));
                record["kind"] = json!(kind);
                record["reasons"] = json!(self.reasons.len());
            }
        }
        record
    }

    fn row(&self) -> Vec<String> {
        let mut row = vec![self.cause.name(), self.count.to_string(), time(self.oldest), time(self.newest)];
        match &self.cause {
            Cause::Publishing { topic, .. } => row.push(topic.as_deref().map_or_else(|| "-".to_owned(), cell)),
            Cause::Handling { endpoint, handler, kind } => {
                row.extend([
                    cell(endpoint),
                    delivery::shown_handler(handler),
                    cell(kind),
                    self.reasons.len().to_string(),
                ]);
            }
        }
        row.push(reason(&self.reason));
        row
    }
}

/// A table for each of the two kinds that there is.
pub(super) fn tables(groups: &[Group]) -> Vec<String> {
    let (handling, publishing): (Vec<_>, Vec<_>) =
        groups.iter().partition(|group| matches!(group.cause, Cause::Handling { .. }));
    let rows = |groups: Vec<&Group>| groups.into_iter().map(Group::row).collect::<Vec<_>>();
    let publishing = print::table(["GROUP", "COUNT", "OLDEST", "NEWEST", "TOPIC", "NEWEST REASON"], &rows(publishing));
    let heading = ["GROUP", "COUNT", "OLDEST", "NEWEST", "ENDPOINT", "HANDLER", "KIND", "REASONS", "NEWEST REASON"];
    [publishing, print::table(heading, &rows(handling))].into_iter().flatten().collect()
}
