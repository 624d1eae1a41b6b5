use std::io::{self, Write};

use clap::ArgMatches;
use diator::outbox::SchemaState;
use serde::Serialize;
use serde_json::json;

use super::failure::Failure;
use super::print;
use super::store::Store;
use crate::cli::answer::Answer;

pub(super) fn print(store: &dyn Store, arguments: &ArgMatches) -> Result<Answer, Failure> {
    let statements = store.statements();
    match arguments.get_flag("json") {
        true => print::json(&json!({ "statements": statements }))?,
        false => io::stdout().write_all(statements.as_bytes())?,
    }
    Ok(Answer::Done)
}

pub(super) async fn check(store: &dyn Store, arguments: &ArgMatches) -> Result<Answer, Failure> {
    tell(store.state().await?, arguments)
}

pub(super) async fn apply(store: &dyn Store, arguments: &ArgMatches) -> Result<Answer, Failure> {
    // What is too new is not touched.
    if !matches!(store.state().await?, SchemaState::TooNew { .. }) {
        store.apply().await?;
    }
    tell(store.state().await?, arguments)
}

#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    state: SchemaState,
    usable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'static str>,
}

fn tell(state: SchemaState, arguments: &ArgMatches) -> Result<Answer, Failure> {
    let told = Told { state, usable: state.is_usable(), remedy: remedy(state) };
    match (arguments.get_flag("json"), told.remedy) {
        (true, _) => print::json(&told)?,
        (false, None) => writeln!(io::stdout(), "{state}")?,
        (false, Some(remedy)) => writeln!(io::stderr(), "error: {state}: {remedy}")?,
    }
    Ok(if told.usable { Answer::Done } else { Answer::Problems })
}

/// What helps where this program cannot work with the tables.
fn remedy(state: SchemaState) -> Option<&'static str> {
    match state {
        _ if state.is_usable() => None,
        SchemaState::Missing => Some("`schema apply` makes them"),
        SchemaState::Outdated { .. } => Some("`schema apply` brings them up to date"),
        _ => Some("run a newer version of this program"),
    }
}
