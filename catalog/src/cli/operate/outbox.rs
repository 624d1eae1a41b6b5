use std::time::{Duration, SystemTime};

use clap::ArgMatches;
use diator::outbox::{OutboxStatus, OutboxStore};
use serde_json::json;

use super::failure::Failure;
use super::store::Store;
use super::{print, question, words};
use crate::clean::clean;
use crate::cli::answer::Answer;

const DELETED: &str =
    "  sent messages that are older than the relay's replay window, 7 days by default, are deleted and stay so";

pub(super) async fn status(store: &dyn Store, arguments: &ArgMatches) -> Result<Answer, Failure> {
    let status = store.status().await?;
    if arguments.get_flag("json") {
        print::json(&status)?;
        return Ok(Answer::Done);
    }
    print::text(&described(&status))?;
    Ok(Answer::Done)
}

/// How many messages are in which state, and how old the oldest is.
pub(super) fn described(status: &OutboxStatus) -> String {
    let counts = [
        ("pending", status.pending, "waiting for a relay"),
        ("parked", status.parked, "pending messages behind a dead letter of their key"),
        ("scheduled", status.scheduled, "waiting until their delay is over"),
        ("sent", status.sent, "acknowledged by the broker, and not yet deleted"),
        ("dead", status.dead, "refused by the broker for good: see `dead list`"),
    ];
    let width = counts.iter().map(|(_, count, _)| count.to_string().len()).max().unwrap_or_default();
    let lines = counts.map(|(name, count, meaning)| format!("  {name:9}  {count:width$}  {meaning}\n"));
    let oldest = status.oldest_seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let oldest = oldest.map_or_else(|| "-".to_owned(), words::age);
    format!("outbox\n{}  oldest     {oldest}\n", lines.concat())
}

pub(super) async fn replay(store: &dyn Store, arguments: &ArgMatches) -> Result<Answer, Failure> {
    let since = *arguments.get_one::<SystemTime>("since").expect("clap requires it");
    let topic = arguments.get_one::<String>("topic").map(String::as_str);
    let to = topic.map(|topic| format!(" to `{}`", clean(topic))).unwrap_or_default();
    let time = words::time(since);
    let already = arguments.get_flag("yes");
    if !already {
        let sent = words::count(store.status().await?.sent, "sent message");
        let question = format!("the outbox has {sent}; publish those again that were sent{to} at {time} or later?");
        if !question::is_agreed(&question, already)? {
            return Ok(Answer::Problems);
        }
    }
    let replayed = OutboxStore::replay(store, since, topic).await?;
    if arguments.get_flag("json") {
        print::json(&json!({ "replayed": replayed, "since": time }))?;
    } else {
        let what = words::count(replayed, "message");
        let verb = if replayed == 1 { "waits" } else { "wait" };
        print::text(&format!("{what} sent{to} since {time} {verb} for a relay again\n{DELETED}\n"))?;
    }
    Ok(Answer::Done)
}
