use std::io::{self, Write};
use std::time::Duration;

use clap::ArgMatches;
use diator::deliveries::DeliveryStatus;
use serde_json::json;

use super::failure::Failure;
use super::store::Store;
use super::{outbox, print, words};
use crate::clean::clean;
use crate::cli::answer::Answer;

const HEADING: [&str; 5] = ["ENDPOINT", "WAITING", "PARKED", "DEAD", "OVERDUE"];

/// Says whether messages get on: by their age, and not by their number.
pub(super) async fn tell(store: &dyn Store, arguments: &ArgMatches) -> Result<Answer, Failure> {
    let ready_below = *arguments.get_one::<Duration>("ready-below").expect("it has a default");
    let outbox = store.status().await?;
    let endpoints = match store.deliveries() {
        Some(deliveries) => deliveries.status().await?,
        None => Vec::new(),
    };
    let is_old = |age: Option<f64>| age.is_some_and(|age| age >= ready_below.as_secs_f64());
    let ready = !is_old(outbox.oldest_seconds) && !endpoints.iter().any(|endpoint| is_old(endpoint.overdue_seconds));
    if arguments.get_flag("json") {
        print::json(&json!({
            "ready": ready,
            "ready_below_seconds": ready_below.as_secs_f64(),
            "outbox": outbox,
            "endpoints": endpoints,
        }))?;
    } else {
        let mut text = if ready { "ready\n".to_owned() } else { "not ready\n".to_owned() };
        let mut late = |what: &str, age: Option<f64>| {
            if is_old(age) {
                let limit = words::age(ready_below);
                text += &format!("  {what} has waited for {}, and the limit is {limit}\n", shown(age));
            }
        };
        late("the oldest message of the outbox", outbox.oldest_seconds);
        for DeliveryStatus { endpoint, overdue_seconds, .. } in &endpoints {
            late(&format!("a delivery of the endpoint `{}`", clean(endpoint)), *overdue_seconds);
        }
        text += &format!("\n{}", outbox::described(&outbox));
        let rows: Vec<_> = endpoints.iter().map(row).collect();
        text += &print::table(HEADING, &rows).map(|table| format!("\n{table}")).unwrap_or_default();
        print::text(&text)?;
        let dead = outbox.dead + endpoints.iter().map(|endpoint| endpoint.dead).sum::<u64>();
        if dead > 0 {
            let wait = if dead == 1 { "waits" } else { "wait" };
            let dead = words::count(dead, "dead letter");
            writeln!(io::stdout(), "\n{dead} {wait} for an operator: see `dead list --groups`")?;
        }
    }
    Ok(if ready { Answer::Done } else { Answer::Problems })
}

fn row(status: &DeliveryStatus) -> Vec<String> {
    vec![
        words::cell(&status.endpoint),
        status.waiting.to_string(),
        status.parked.to_string(),
        status.dead.to_string(),
        shown(status.overdue_seconds),
    ]
}

fn shown(seconds: Option<f64>) -> String {
    let age = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    age.map_or_else(|| "-".to_owned(), words::age)
}
