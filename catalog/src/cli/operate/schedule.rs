use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::SystemTime;

use clap::ArgMatches;
use diator::deliveries::{DeliveryFilter, DeliveryState, DeliveryStore, KeptDelivery};
use serde_json::{Map, Value, json};

use super::failure::Failure;
use super::id::Id;
use super::selection::READ;
use super::store::Store;
use super::{delivery, print, words};
use crate::cli::answer::Answer;

const HEADING: [&str; 9] = ["ID", "DUE", "ENDPOINT", "HANDLER", "EVENT", "KEY", "TRIES", "STATE", "LAST FAILURE"];

/// Of so many deliveries that have their turn after others a line tells.
const TOLD: usize = 10;

/// What deliveries wait behind, as far as it was looked for.
#[derive(Default)]
pub(super) struct Holders {
    first: BTreeMap<Turn, Holder>,
    /// The last delivery of each endpoint that was read, where there may be more.
    read_to: BTreeMap<String, i64>,
}

/// What a delivery waits behind: the first one of its key.
struct Holder {
    id: i64,
    is_dead: bool,
}

pub(super) async fn list(store: &dyn Store, arguments: &ArgMatches) -> Result<Answer, Failure> {
    let limit = arguments.get_one::<u32>("limit").copied().unwrap_or(100);
    let text = |name: &str| arguments.get_one::<String>(name).cloned();
    let mut filter = DeliveryFilter::waiting();
    (filter.endpoint, filter.handler, filter.topic) = (text("endpoint"), text("handler"), text("topic"));
    // One more, to know whether there are more.
    filter.limit = Some(limit.saturating_add(1));
    let scheduled = store.status().await?.scheduled;
    let (mut waiting, holders) = match store.deliveries() {
        Some(deliveries) => {
            let waiting = deliveries.list(&filter).await?;
            let holders = holders(&*deliveries, &waiting).await?;
            (waiting, holders)
        }
        None => (Vec::new(), Holders::default()),
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = waiting.len() > limit;
    waiting.truncate(limit);
    let holder = |kept: &KeptDelivery| holders.of(kept);
    if arguments.get_flag("json") {
        let record = |kept: &KeptDelivery| {
            let mut record = crate::json::value(&delivery::record(kept));
            record["behind"] = json!(holder(kept).map(|holder| Id::Handling(holder.id).to_string()));
            let parked = holders.are_known(kept).then(|| holder(kept).is_some_and(|holder| holder.is_dead));
            record["parked"] = json!(parked);
            record
        };
        let deliveries: Vec<_> = waiting.iter().map(record).collect();
        print::json(&json!({ "outbox_scheduled": scheduled, "deliveries": deliveries, "more": more }))?;
        return Ok(Answer::Done);
    }
    let (events, verb, their) = if scheduled == 1 { ("event", "waits", "its") } else { ("events", "wait", "their") };
    writeln!(io::stdout(), "{scheduled} {events} {verb} in the outbox until {their} delay is over")?;
    let rows: Vec<_> = waiting.iter().map(|kept| row(kept, &holders)).collect();
    match print::table(HEADING, &rows) {
        Some(table) => print::text(&format!("\n{table}"))?,
        None => writeln!(io::stdout(), "no delivery waits for a handler")?,
    }
    if more {
        writeln!(io::stderr(), "there are more: raise `--limit`")?;
    }
    Ok(Answer::Done)
}

/// Tells of deliveries that are to be handled now, and have their turn after others.
pub(super) fn tell_turns(turns: &[(Id, Id)]) -> io::Result<()> {
    for (kept, first) in turns.iter().take(TOLD) {
        writeln!(io::stdout(), "  {kept} has its turn after {first}, which is not gone yet")?;
    }
    match turns.len().saturating_sub(TOLD) {
        0 => Ok(()),
        more => writeln!(io::stdout(), "  {more} more have their turns after others: see `schedule list`"),
    }
}

/// As JSON, by the id of each.
pub(super) fn turns_record(turns: &[(Id, Id)]) -> Value {
    turns.iter().map(|(kept, first)| (kept.to_string(), json!(first.to_string()))).collect::<Map<_, _>>().into()
}

/// What deliveries have in common that are handled one after the other.
type Turn = (String, String, String);

fn turn(kept: &KeptDelivery) -> Option<Turn> {
    let delivery = &kept.delivery;
    let key = delivery.key.as_deref().filter(|_| delivery.holds_key)?;
    Some((delivery.endpoint.to_string(), delivery.topic.to_string(), key.to_owned()))
}

/// The first delivery of each turn that one of these has, among the oldest of its endpoint.
pub(super) async fn holders(store: &dyn DeliveryStore, waiting: &[KeptDelivery]) -> Result<Holders, Failure> {
    let mut endpoints: Vec<_> = waiting.iter().filter(|kept| turn(kept).is_some()).collect();
    endpoints.sort_by(|a, b| a.delivery.endpoint.cmp(&b.delivery.endpoint));
    endpoints.dedup_by(|a, b| a.delivery.endpoint == b.delivery.endpoint);
    let mut holders = Holders::default();
    for KeptDelivery { delivery, .. } in endpoints {
        let mut filter = DeliveryFilter::default();
        (filter.endpoint, filter.limit) = (Some(delivery.endpoint.to_string()), Some(READ));
        holders.add(store.list(&filter).await?, READ);
    }
    Ok(holders)
}

impl Holders {
    /// Of the oldest deliveries of an endpoint, of which so many were read at most.
    fn add(&mut self, oldest: Vec<KeptDelivery>, most: u32) {
        if let Some(last) = oldest.last().filter(|_| oldest.len() >= most as usize) {
            self.read_to.insert(last.delivery.endpoint.to_string(), last.id);
        }
        for kept in oldest {
            let Some(turn) = turn(&kept) else { continue };
            let is_dead = matches!(kept.state, DeliveryState::Dead { .. });
            self.first.entry(turn).or_insert(Holder { id: kept.id, is_dead });
        }
    }

    /// Of these, each that is not the first of its key, with the one that is.
    pub(super) fn before(&self, kept: &[KeptDelivery]) -> Vec<(Id, Id)> {
        let before = |kept: &KeptDelivery| Some((Id::Handling(kept.id), Id::Handling(self.of(kept)?.id)));
        kept.iter().filter_map(before).collect()
    }

    fn of(&self, kept: &KeptDelivery) -> Option<&Holder> {
        self.first.get(&turn(kept)?).filter(|holder| holder.id < kept.id)
    }

    /// Whether nothing stands before the delivery where none was found.
    fn are_known(&self, kept: &KeptDelivery) -> bool {
        let was_read = self.read_to.get(&*kept.delivery.endpoint).is_none_or(|&last| kept.id <= last);
        was_read || turn(kept).is_none() || self.of(kept).is_some()
    }
}

fn row(kept: &KeptDelivery, holders: &Holders) -> Vec<String> {
    let [id, endpoint, handler, event, key] = delivery::cells(kept);
    let DeliveryState::Waiting { due, leased } = kept.state else { return Vec::new() };
    let state = match holders.of(kept) {
        _ if kept.unreadable.is_some() => "is not handled: `dead show` says why".to_owned(),
        _ if leased => "in hand".to_owned(),
        Some(Holder { id, is_dead: true }) => format!("parked by {}, a dead letter", Id::Handling(*id)),
        Some(Holder { id, .. }) => format!("behind {}", Id::Handling(*id)),
        None if !holders.are_known(kept) => format!("may wait behind others: more than {READ} are older"),
        // By the clock of this process; that of the store may differ a little.
        None if due <= SystemTime::now() => "is due".to_owned(),
        None => "waits".to_owned(),
    };
    let failure = kept.delivery.last_failure.as_ref();
    let failure = failure.map_or_else(|| "-".to_owned(), delivery::shown_failure);
    vec![id, words::time(due), endpoint, handler, event, key, kept.delivery.failures.to_string(), state, failure]
}

#[cfg(test)]
mod tests {
    use diator::deliveries::{DeadReason, NewDelivery};
    use uuid::Uuid;

    use super::*;

    fn kept(id: i64, key: &str, is_dead: bool) -> KeptDelivery {
        let mut delivery = NewDelivery::new("billing", "billing.charge", Uuid::nil(), "orders", *b"{}");
        (delivery.key, delivery.holds_key) = (Some(key.into()), !key.is_empty());
        let at = SystemTime::UNIX_EPOCH;
        let state = match is_dead {
            true => DeliveryState::Dead { reason: DeadReason::default(), at },
            false => DeliveryState::Waiting { due: at, leased: false },
        };
        KeptDelivery::new(id, delivery, state)
    }

    #[test]
    fn what_was_not_read_is_not_said_to_be_nothing() {
        let oldest = || vec![kept(1, "a", true), kept(2, "b", false), kept(3, "", false)];
        let states = |most| {
            let mut holders = Holders::default();
            holders.add(oldest(), most);
            let waiting = [
                kept(2, "b", false),
                kept(4, "a", false),
                kept(5, "b", false),
                kept(6, "c", false),
                kept(7, "", false),
            ];
            waiting.map(|kept| row(&kept, &holders)[7].clone())
        };
        let known = ["is due", "parked by d1, a dead letter", "behind d2"];
        assert_eq!(states(4), [&known[..], &["is due", "is due"]].concat()[..]);
        assert_eq!(
            states(3),
            [&known[..], &["may wait behind others: more than 10000 are older", "is due"]].concat()[..]
        );
    }
}
