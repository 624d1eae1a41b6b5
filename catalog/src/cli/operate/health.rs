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
    let late = endpoints.iter().filter(|endpoint| is_old(endpoint.overdue_seconds));
    let late: Vec<_> = late.map(|endpoint| endpoint.endpoint.clone()).collect();
    let ready = !is_old(outbox.oldest_seconds) && late.is_empty();
    if arguments.get_flag("json") {
        print::json(&json!({
            "ready": ready,
            "ready_below_seconds": ready_below.as_secs_f64(),
            "outbox": outbox,
            "endpoints": endpoints,
        }))?;
    } else {
        let mut text = if ready { "ready\n".to_owned() } else { "not ready\n".to_owned() };
        let old = words::age(ready_below);
        if is_old(outbox.oldest_seconds) {
            text += &format!("  the oldest message of the outbox waits for {old} or longer\n");
        }
        for endpoint in late {
            text += &format!("  a delivery of the endpoint `{}` is overdue for {old} or longer\n", clean(&endpoint));
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
    let overdue = status.overdue_seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    vec![
        words::cell(&status.endpoint),
        status.waiting.to_string(),
        status.parked.to_string(),
        status.dead.to_string(),
        overdue.map_or_else(|| "-".to_owned(), words::age),
    ]
}
