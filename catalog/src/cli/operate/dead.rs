use std::io::{self, Write};

use clap::ArgMatches;
use diator::outbox::{DeadLetter, DeadLetterFilter, DeadLetters};
use serde_json::json;

use super::failure::Failure;
use super::letter::{description, record, row};
use super::store::Store;
use super::{print, question, words};
use crate::cli::answer::{Answer, wrong};

const HEADING: [&str; 7] = ["ID", "SINCE", "EVENT", "TOPIC", "KEY", "TRIES", "REASON"];

/// How many dead letters are counted before somebody is asked: all that are read are in memory.
const COUNTED: u32 = 1_000;

pub(super) async fn list(store: &dyn Store, arguments: &ArgMatches) -> Result<Answer, Failure> {
    let limit = arguments.get_one::<u32>("limit").copied().unwrap_or_default();
    let mut filter = filter(arguments);
    // One more, to know whether there are more.
    filter.limit = Some(limit.saturating_add(1));
    let mut letters = store.list(&filter).await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = letters.len() > limit;
    letters.truncate(limit);
    if arguments.get_flag("json") {
        let letters: Vec<_> = letters.iter().map(record).collect();
        print::json(&json!({ "dead_letters": letters, "more": more }))?;
    } else if letters.is_empty() {
        writeln!(io::stdout(), "no dead letter matches")?;
    } else {
        let rows: Vec<_> = letters.iter().map(row).collect();
        print::text(&print::table(HEADING, &rows))?;
        if more {
            writeln!(io::stderr(), "there are more dead letters: raise `--limit`")?;
        }
    }
    Ok(Answer::Done)
}

pub(super) async fn show(store: &dyn Store, arguments: &ArgMatches) -> Result<Answer, Failure> {
    let id = arguments.get_one::<i64>("id").copied().unwrap_or_default();
    let mut filter = DeadLetterFilter::default();
    filter.ids = vec![id];
    let letters = store.list(&filter).await?;
    let Some(letter) = letters.first() else {
        return Ok(wrong(&format!("there is no dead letter {id}: `dead list` lists them"))?);
    };
    match arguments.get_flag("json") {
        true => print::json(&record(letter))?,
        false => print::text(&description(letter, arguments.get_flag("full")))?,
    }
    Ok(Answer::Done)
}

pub(super) async fn replay(store: &dyn Store, arguments: &ArgMatches) -> Result<Answer, Failure> {
    let filter = filter(arguments);
    let replayed = DeadLetters::replay(store, &filter).await?;
    tell(replayed, "replayed", "given back to the relay", &filter, arguments)
}

pub(super) async fn discard(store: &dyn Store, arguments: &ArgMatches) -> Result<Answer, Failure> {
    let filter = filter(arguments);
    let filter = match arguments.get_flag("yes") {
        true => filter,
        false => match agreed(store, filter).await? {
            Some(filter) => filter,
            None => return Ok(Answer::Problems),
        },
    };
    let discarded = store.discard(&filter).await?;
    tell(discarded, "discarded", "discarded", &filter, arguments)
}

/// What somebody agrees to discard: those that were counted, and not one that comes meanwhile.
async fn agreed(store: &dyn Store, mut filter: DeadLetterFilter) -> Result<Option<DeadLetterFilter>, Failure> {
    let mut counted = filter.clone();
    counted.limit = Some(COUNTED + 1);
    let letters = store.list(&counted).await?;
    let many = letters.len() > COUNTED as usize;
    let what = match many {
        true => format!("all that match, more than {COUNTED} dead letters,"),
        false => words::count(letters.len() as u64, "dead letter"),
    };
    if !letters.is_empty() && !question::is_agreed(&format!("delete {what} for good?"), false)? {
        return Ok(None);
    }
    if !many {
        // Where none was counted, the limit alone says so.
        filter.limit = Some(letters.len() as u32);
        if filter.ids.is_empty() {
            filter.ids = letters.iter().map(|DeadLetter { id, .. }| *id).collect();
        }
    }
    Ok(Some(filter))
}

fn tell(
    done: u64,
    field: &str,
    outcome: &str,
    filter: &DeadLetterFilter,
    arguments: &ArgMatches,
) -> Result<Answer, Failure> {
    match arguments.get_flag("json") {
        true => print::json(&json!({ field: done }))?,
        false => {
            let were = if done == 1 { "was" } else { "were" };
            writeln!(io::stdout(), "{} {were} {outcome}", words::count(done, "dead letter"))?;
        }
    }
    let missing = (filter.ids.len() as u64).saturating_sub(done);
    match missing {
        0 => Ok(Answer::Done),
        _ => Ok(wrong(&format!("{missing} of the {} dead letters did not exist", filter.ids.len()))?),
    }
}

fn filter(arguments: &ArgMatches) -> DeadLetterFilter {
    let text = |name: &str| arguments.get_one::<String>(name).cloned();
    let mut filter = DeadLetterFilter::default();
    (filter.topic, filter.name, filter.reason) = (text("topic"), text("name"), text("reason"));
    if let Ok(Some(ids)) = arguments.try_get_many::<i64>("ids") {
        filter.ids = ids.copied().collect();
        filter.ids.sort_unstable();
        filter.ids.dedup();
    }
    filter
}
