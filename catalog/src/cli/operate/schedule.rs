use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::SystemTime;

use clap::ArgMatches;
use diator::deliveries::{DeliveryFilter, DeliveryState, DeliveryStore, KeptDelivery};
use serde_json::json;

use super::failure::Failure;
use super::id::Id;
use super::selection::READ;
use super::store::Store;
use super::{delivery, print, words};
use crate::cli::answer::Answer;

const HEADING: [&str; 8] = ["ID", "DUE", "ENDPOINT", "HANDLER", "EVENT", "KEY", "TRIES", "STATE"];

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
        None => (Vec::new(), BTreeMap::new()),
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = waiting.len() > limit;
    waiting.truncate(limit);
    let holder = |kept: &KeptDelivery| holders.get(&turn(kept)?).filter(|holder| holder.id < kept.id);
    if arguments.get_flag("json") {
        let record = |kept: &KeptDelivery| {
            let mut record = crate::json::value(&delivery::record(kept));
            record["behind"] = json!(holder(kept).map(|holder| Id::Handling(holder.id).to_string()));
            record["parked"] = json!(holder(kept).is_some_and(|holder| holder.is_dead));
            record
        };
        let deliveries: Vec<_> = waiting.iter().map(record).collect();
        print::json(&json!({ "outbox_scheduled": scheduled, "deliveries": deliveries, "more": more }))?;
        return Ok(Answer::Done);
    }
    let (events, verb, their) = if scheduled == 1 { ("event", "waits", "its") } else { ("events", "wait", "their") };
    writeln!(io::stdout(), "{scheduled} {events} {verb} in the outbox until {their} delay is over")?;
    let rows: Vec<_> = waiting.iter().map(|kept| row(kept, holder(kept))).collect();
    match print::table(HEADING, &rows) {
        Some(table) => print::text(&format!("\n{table}"))?,
        None => writeln!(io::stdout(), "no delivery waits for a handler")?,
    }
    if more {
        writeln!(io::stderr(), "there are more: raise `--limit`")?;
    }
    Ok(Answer::Done)
}

/// What deliveries have in common that are handled one after the other.
type Turn = (String, String, String);

fn turn(kept: &KeptDelivery) -> Option<Turn> {
    let delivery = &kept.delivery;
    let key = delivery.key.as_deref().filter(|_| delivery.holds_key)?;
    Some((delivery.endpoint.to_string(), delivery.topic.to_string(), key.to_owned()))
}

/// The first delivery of each turn that one of these has, among the oldest of its endpoint.
async fn holders(store: &dyn DeliveryStore, waiting: &[KeptDelivery]) -> Result<BTreeMap<Turn, Holder>, Failure> {
    let mut endpoints: Vec<_> = waiting.iter().filter(|kept| turn(kept).is_some()).collect();
    endpoints.sort_by(|a, b| a.delivery.endpoint.cmp(&b.delivery.endpoint));
    endpoints.dedup_by(|a, b| a.delivery.endpoint == b.delivery.endpoint);
    let mut holders = BTreeMap::new();
    for KeptDelivery { delivery, .. } in endpoints {
        let mut filter = DeliveryFilter::default();
        (filter.endpoint, filter.limit) = (Some(delivery.endpoint.to_string()), Some(READ));
        for kept in store.list(&filter).await? {
            let Some(turn) = turn(&kept) else { continue };
            let is_dead = matches!(kept.state, DeliveryState::Dead { .. });
            let holder = holders.entry(turn).or_insert(Holder { id: kept.id, is_dead });
            if kept.id < holder.id {
                *holder = Holder { id: kept.id, is_dead };
            }
        }
    }
    Ok(holders)
}

fn row(kept: &KeptDelivery, holder: Option<&Holder>) -> Vec<String> {
    let [id, endpoint, handler, event, key] = delivery::cells(kept);
    let DeliveryState::Waiting { due, leased } = kept.state else { return Vec::new() };
    let state = match holder {
        _ if kept.unreadable.is_some() => "is not handled: `dead show` says why".to_owned(),
        _ if leased => "in hand".to_owned(),
        Some(Holder { id, is_dead: true }) => format!("parked by {}, a dead letter", Id::Handling(*id)),
        Some(Holder { id, .. }) => format!("behind {}", Id::Handling(*id)),
        // By the clock of this process; that of the store may differ a little.
        None if due <= SystemTime::now() => "is due".to_owned(),
        None => "waits".to_owned(),
    };
    vec![id, words::time(due), endpoint, handler, event, key, kept.delivery.failures.to_string(), state]
}
