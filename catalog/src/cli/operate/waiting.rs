use std::collections::BTreeSet;
use std::io::{self, Write};

use clap::ArgMatches;
use diator::deliveries::{DeliveryFilter, DeliveryState, DeliveryStore, KeptDelivery};
use serde_json::json;

use super::failure::Failure;
use super::id::Id;
use super::schedule::{holders, tell_turns, turns_record};
use super::selection::NO_DELIVERIES;
use super::store::Store;
use super::{print, question, words};
use crate::cli::answer::{Answer, wrong};

const DELIVERIES: [&str; 2] = ["delivery", "deliveries"];

/// The deliveries that a command line names.
struct Named {
    /// Those that wait, and that no process has in hand.
    waiting: Vec<KeptDelivery>,
    /// What is wrong with the others.
    problems: Vec<String>,
}

/// Lets handlers try again now.
pub(super) async fn retry(store: &dyn Store, arguments: &ArgMatches) -> Result<Answer, Failure> {
    let deliveries = store.deliveries().ok_or_else(|| Failure::Wrong(NO_DELIVERIES.to_owned()))?;
    let named = Named::of(&*deliveries, arguments).await?;
    let holders = holders(&*deliveries, &named.waiting).await?;
    let hastened = match named.filter() {
        Some(filter) => deliveries.hasten(&filter).await?,
        None => 0,
    };
    let turns = holders.before(&named.waiting);
    if arguments.get_flag("json") {
        print::json(&json!({ "hastened": hastened, "behind": turns_record(&turns) }))?;
    } else {
        let verb = if hastened == 1 { "is" } else { "are" };
        writeln!(io::stdout(), "{} {verb} due now", words::count_of(hastened, DELIVERIES))?;
        tell_turns(&turns)?;
    }
    named.ended()
}

/// Deletes what waits for good.
pub(super) async fn discard(store: &dyn Store, arguments: &ArgMatches) -> Result<Answer, Failure> {
    let deliveries = store.deliveries().ok_or_else(|| Failure::Wrong(NO_DELIVERIES.to_owned()))?;
    let named = Named::of(&*deliveries, arguments).await?;
    let count = words::count_of(named.waiting.len() as u64, DELIVERIES);
    let question = format!("delete {count} for good?");
    let discarded = match named.filter() {
        Some(filter) => {
            if !question::is_agreed(&question, arguments.get_flag("yes"))? {
                return Ok(Answer::Problems);
            }
            deliveries.discard(&filter).await?
        }
        None => 0,
    };
    if arguments.get_flag("json") {
        print::json(&json!({ "discarded": discarded }))?;
    } else {
        let verb = if discarded == 1 { "was" } else { "were" };
        writeln!(io::stdout(), "{} {verb} discarded", words::count_of(discarded, DELIVERIES))?;
    }
    named.ended()
}

impl Named {
    async fn of(deliveries: &dyn DeliveryStore, arguments: &ArgMatches) -> Result<Self, Failure> {
        let ids: BTreeSet<Id> = arguments.get_many::<Id>("ids").into_iter().flatten().copied().collect();
        let mut filter = DeliveryFilter::default();
        filter.ids = ids.iter().filter_map(|id| if let Id::Handling(id) = id { Some(*id) } else { None }).collect();
        // An empty list would select all.
        let found = if filter.ids.is_empty() { Vec::new() } else { deliveries.list(&filter).await? };
        let mut named = Self { waiting: Vec::new(), problems: Vec::new() };
        for id in ids {
            let kept = found.iter().find(|kept| Id::Handling(kept.id) == id);
            match kept.map(|kept| &kept.state) {
                Some(DeliveryState::Waiting { leased: false, .. }) => named.waiting.extend(kept.cloned()),
                Some(DeliveryState::Waiting { .. }) => named.problems.push(format!("a process has {id} in hand")),
                Some(_) => named.problems.push(format!("{id} is a dead letter: use `dead replay` or `dead discard`")),
                None => named.problems.push(format!("no delivery {id} waits: `schedule list` lists those that do")),
            }
        }
        Ok(named)
    }

    /// Selects them, and no dead letter; `None` if there is none.
    fn filter(&self) -> Option<DeliveryFilter> {
        let mut filter = DeliveryFilter::waiting();
        filter.ids = self.waiting.iter().map(|kept| kept.id).collect();
        (!filter.ids.is_empty()).then_some(filter)
    }

    fn ended(self) -> Result<Answer, Failure> {
        match self.problems.is_empty() {
            true => Ok(Answer::Done),
            false => Ok(wrong(&self.problems.join("; "))?),
        }
    }
}
