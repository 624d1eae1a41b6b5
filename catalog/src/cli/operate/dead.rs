use std::io::{self, Write};

use clap::ArgMatches;
use diator::deliveries::DeliveryFilter;
use diator::outbox::DeadLetterFilter;
use serde_json::json;

use super::failure::Failure;
use super::group::{self, Group};
use super::id::Id;
use super::schedule::{holders, tell_turns, turns_record};
use super::selection::{Found, READ, Selection};
use super::store::Store;
use super::{delivery, letter, print, question, words};
use crate::cli::answer::{Answer, wrong};

/// How many dead letters are listed, unless the arguments say so.
const LISTED: u32 = 100;

/// How many dead letters are counted before somebody is asked: all that are read are in memory.
const COUNTED: u32 = 1_000;

const COMES_BACK: &str = "  a message that the broker still refuses becomes a dead letter with a new ID, after about 10s with the default of 3 attempts";
const FAILS_AGAIN: &str =
    "  a delivery that its handler still cannot handle becomes a dead letter again, with the same ID";

pub(super) async fn list(store: &dyn Store, arguments: &ArgMatches) -> Result<Answer, Failure> {
    let selection = Selection::of(store, arguments).await?;
    let are_grouped = arguments.get_flag("groups");
    let limit = limit(arguments).unwrap_or(if are_grouped { READ } else { LISTED });
    // One more, to know whether there are more.
    let mut found = selection.read(store, limit.saturating_add(1)).await?;
    let more = selection.is_partial || found.is_at_least(limit.saturating_add(1)) && limit < u32::MAX;
    found.truncate(limit);
    if are_grouped {
        tell_groups(&found, more, arguments)?;
    } else {
        tell(&found, more, arguments)?;
    }
    Ok(Answer::Done)
}

fn tell(found: &Found, more: bool, arguments: &ArgMatches) -> io::Result<()> {
    if arguments.get_flag("json") {
        let letters: Vec<_> = found.letters.iter().map(letter::record).collect();
        let deliveries: Vec<_> = found.deliveries.iter().map(delivery::record).collect();
        return print::json(&json!({ "dead_letters": letters, "deliveries": deliveries, "more": more }));
    }
    let letters: Vec<_> = found.letters.iter().map(letter::row).collect();
    let deliveries: Vec<_> = found.deliveries.iter().map(delivery::dead_row).collect();
    let tables = [print::table(letter::HEADING, &letters), print::table(delivery::DEAD_HEADING, &deliveries)];
    tell_tables(&tables.into_iter().flatten().collect::<Vec<_>>())?;
    match more {
        true => writeln!(io::stderr(), "there are more dead letters: raise `--limit`"),
        false => Ok(()),
    }
}

fn tell_groups(found: &Found, more: bool, arguments: &ArgMatches) -> io::Result<()> {
    let groups = Group::of(&found.letters, &found.deliveries);
    if arguments.get_flag("json") {
        let groups: Vec<_> = groups.iter().map(Group::record).collect();
        return print::json(&json!({ "groups": groups, "more": more }));
    }
    tell_tables(&group::tables(&groups))?;
    match more {
        true => writeln!(io::stderr(), "there are more dead letters, which are not counted: raise `--limit`"),
        false => Ok(()),
    }
}

fn tell_tables(tables: &[String]) -> io::Result<()> {
    match tables.is_empty() {
        true => writeln!(io::stdout(), "no dead letter matches"),
        false => print::text(&tables.join("\n")),
    }
}

pub(super) async fn show(store: &dyn Store, arguments: &ArgMatches) -> Result<Answer, Failure> {
    let id = *arguments.get_one::<Id>("id").expect("clap requires it");
    let (is_json, full) = (arguments.get_flag("json"), arguments.get_flag("full"));
    match id {
        Id::Publishing(id) => {
            let mut filter = DeadLetterFilter::default();
            filter.ids = vec![id];
            match (store.list(&filter).await?.first(), is_json) {
                (None, _) => {}
                (Some(letter), true) => return done(print::json(&letter::record(letter))),
                (Some(letter), false) => return done(print::text(&letter::description(letter, full))),
            }
        }
        Id::Handling(id) => {
            // One that waits has its id in `schedule list`.
            let mut filter = DeliveryFilter::default();
            filter.ids = vec![id];
            let found = match store.deliveries() {
                Some(deliveries) => deliveries.list(&filter).await?,
                None => Vec::new(),
            };
            match (found.first(), is_json) {
                (None, _) => {}
                (Some(kept), true) => return done(print::json(&delivery::record(kept))),
                (Some(kept), false) => return done(print::text(&delivery::description(kept, full))),
            }
        }
    }
    Ok(wrong(&format!("there is no dead letter {id}: `dead list` lists them"))?)
}

fn done(printed: io::Result<()>) -> Result<Answer, Failure> {
    printed?;
    Ok(Answer::Done)
}

pub(super) async fn replay(store: &dyn Store, arguments: &ArgMatches) -> Result<Answer, Failure> {
    let selection = limited(store, arguments).await?;
    // What is replayed waits afterwards.
    let waiting = selection.waiting(store).await?;
    let deliveries = selection.read(store, COUNTED).await?.deliveries;
    let replayed = selection.replay(store).await?;
    let turns = match store.deliveries() {
        Some(kept) => holders(&*kept, &deliveries).await?.before(&deliveries),
        None => Vec::new(),
    };
    if arguments.get_flag("json") {
        print::json(&json!({ "replayed": replayed.all(), "behind": turns_record(&turns) }))?;
    } else {
        let given_back = |count: Option<u64>, to: &str, then: &str| {
            // Where none was selected, one line says so.
            let is_told = count.is_some_and(|count| count > 0 || replayed.all() == 0 && to == "the relay")
                || count == Some(0) && replayed.publishing.is_none();
            let Some(count) = count.filter(|_| is_told) else { return Ok(()) };
            writeln!(io::stdout(), "{} given back to {to}", were(count, ["dead letter", "dead letters"]))?;
            if count > 0 { writeln!(io::stdout(), "{then}") } else { Ok(()) }
        };
        given_back(replayed.publishing, "the relay", COMES_BACK)?;
        given_back(replayed.handling, "the endpoints", FAILS_AGAIN)?;
        tell_turns(&turns)?;
    }
    ended(&selection, &waiting, replayed.all())
}

pub(super) async fn discard(store: &dyn Store, arguments: &ArgMatches) -> Result<Answer, Failure> {
    let mut selection = limited(store, arguments).await?;
    selection.with_unreadable(store).await?;
    let waiting = selection.waiting(store).await?;
    let what = if arguments.get_flag("waiting") { ["delivery", "deliveries"] } else { ["dead letter", "dead letters"] };
    if !arguments.get_flag("yes") && !is_agreed(store, &mut selection, what).await? {
        return Ok(Answer::Problems);
    }
    let discarded = selection.discard(store).await?.all();
    match arguments.get_flag("json") {
        true => print::json(&json!({ "discarded": discarded }))?,
        false => writeln!(io::stdout(), "{} discarded", were(discarded, what))?,
    }
    ended(&selection, &waiting, discarded)
}

/// Asks; what is selected then are those that were counted, and not one that comes meanwhile.
async fn is_agreed(store: &dyn Store, selection: &mut Selection, what: [&str; 2]) -> Result<bool, Failure> {
    let found = selection.read(store, COUNTED + 1).await?;
    let ids = found.ids();
    let many = ids.len() > COUNTED as usize;
    let what = match many {
        true => format!("all that match, more than {COUNTED} {},", what[1]),
        false => words::count_of(ids.len() as u64, what),
    };
    if !many {
        selection.keep(&ids);
    }
    Ok(ids.is_empty() || question::is_agreed(&format!("delete {what} for good?"), false)?)
}

fn were(count: u64, what: [&str; 2]) -> String {
    format!("{} {}", words::count_of(count, what), if count == 1 { "was" } else { "were" })
}

fn ended(selection: &Selection, waiting: &[Id], done: u64) -> Result<Answer, Failure> {
    if selection.is_partial {
        writeln!(io::stderr(), "only the oldest {READ} dead letters were looked at: repeat the command")?;
    }
    let named = selection.named.len() as u64;
    let missing = named.saturating_sub(done + waiting.len() as u64);
    let mut problems = Vec::new();
    if missing > 0 {
        problems.push(format!("{missing} of the {named} dead letters do not exist, or no longer"));
    }
    match waiting {
        [] => {}
        [id] => problems.push(format!(
            "{id} is not a dead letter: it waits for its handler; use `schedule retry` or `schedule discard`"
        )),
        ids => {
            let ids: Vec<_> = ids.iter().map(Id::to_string).collect();
            let they_wait =
                "are not dead letters: they wait for their handlers; use `schedule retry` or `schedule discard`";
            problems.push(format!("{} {they_wait}", ids.join(", ")));
        }
    }
    match problems.is_empty() {
        true => Ok(Answer::Done),
        false => Ok(wrong(&problems.join("; "))?),
    }
}

async fn limited(store: &dyn Store, arguments: &ArgMatches) -> Result<Selection, Failure> {
    let mut selection = Selection::of(store, arguments).await?;
    limit(arguments).into_iter().for_each(|limit| selection.limit(limit));
    Ok(selection)
}

fn limit(arguments: &ArgMatches) -> Option<u32> {
    arguments.get_one::<u32>("limit").copied()
}
