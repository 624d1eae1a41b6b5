//! The command line of a program with a store: what an operator does to its outbox.

#![cfg(test)]

#[path = "operate/dead_letters.rs"]
mod dead_letters;
#[path = "operate/deliveries.rs"]
mod deliveries;
#[path = "operate/filled.rs"]
mod filled;
#[path = "operate/terminal.rs"]
mod terminal;

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};

use diator::BoxError;
use diator::outbox::{DeadLetterFilter, DeadLetters, InMemoryOutbox, OutboxStore};
use diator_catalog::cli::Cli;
use serde_json::{Value, json};

/// The example `operated` of this package, which cargo builds with the package's tests.
fn program() -> PathBuf {
    let tests = std::env::current_exe().expect("it runs");
    let target = tests.parent().and_then(Path::parent).expect("it lies in `deps`");
    let program = target.join("examples").join(format!("operated{}", std::env::consts::EXE_SUFFIX));
    assert!(program.exists(), "build it first: `cargo build -p diator-catalog --all-features --example operated`");
    program
}

fn operated(store: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(program());
    ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"].iter().for_each(|name| _ = command.env_remove(name));
    command.args(arguments).env("STORE", store).stdin(Stdio::null()).output().expect("the program can be run")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("it is utf-8")
}

/// What a command printed that did what was asked.
#[track_caller]
fn printed(store: &str, arguments: &[&str]) -> String {
    let output = operated(store, arguments);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""), "{arguments:?}");
    text(&output.stdout).to_owned()
}

#[track_caller]
fn json_of(store: &str, arguments: &[&str]) -> Value {
    serde_json::from_str(&printed(store, &[arguments, &["--json"]].concat())).expect("it is json")
}

/// What a command complained of that could not do what was asked.
#[track_caller]
fn refused(store: &str, arguments: &[&str], code: i32) -> String {
    let output = operated(store, arguments);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(code), ""), "{arguments:?}");
    text(&output.stderr).to_owned()
}

/// Compares with a file beside this one; `DIATOR_BLESS=1` writes it.
#[track_caller]
fn assert_kept(file: &str, printed: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/catalog/operate").join(file);
    let printed = neutral(printed);
    if std::env::var_os("DIATOR_BLESS").is_some_and(|bless| !bless.is_empty()) {
        std::fs::write(&path, &printed).expect("it can be written");
    }
    let kept = std::fs::read_to_string(&path).expect("it is kept: `DIATOR_BLESS=1` writes it");
    assert_eq!(printed, kept, "{} says something else", path.display());
}

/// The text with zeros in what differs from run to run: ids, and times but those that are made up.
fn neutral(text: &str) -> String {
    let digits: Vec<_> = text.chars().map(|c| if c.is_ascii_hexdigit() { '0' } else { c }).collect();
    let mut neutral: Vec<_> = text.chars().collect();
    for at in 0..neutral.len() {
        for pattern in ["00000000-0000-0000-0000-000000000000", "0000-00-00T00:00:00.000000", "0000-00-00T00:00:00"] {
            let pattern: Vec<_> = pattern.chars().collect();
            let range = at..at + pattern.len();
            let is_made_up = neutral[at..].starts_with(&['2', '0', '2', '6', '-', '0', '1']);
            if digits[at..].starts_with(&pattern) && !is_made_up && !neutral[at..].starts_with(&['0'; 8]) {
                neutral[range].copy_from_slice(&pattern);
            }
        }
    }
    neutral.into_iter().collect()
}

#[test]
fn status_counts() {
    assert_kept("status.txt", &printed("current", &["outbox", "status"]));
    assert_kept("status-filled.txt", &printed("", &["outbox", "status"]));
    let mut status = json_of("", &["outbox", "status"]);
    assert!(status["oldest_seconds"].take().is_null(), "what waits is parked: {status}");
    let expected = json!({ "pending": 1, "parked": 1, "scheduled": 0, "sent": 4, "dead": 1, "oldest_seconds": null });
    assert_eq!(status, expected);
}

#[test]
fn what_was_sent_can_be_replayed() {
    let replay = |more: &[&str]| printed("", &[&["outbox", "replay", "--since", "2h", "--yes"], more].concat());
    assert!(replay(&[]).starts_with("4 messages sent since "), "{}", replay(&[]));
    let to = replay(&["--topic", "orders"]);
    assert!(to.starts_with("1 message sent to `orders` since ") && to.contains("Z waits for a relay again\n"), "{to}");
    assert!(to.contains("older than the relay's replay window, 7 days by default, are deleted"), "{to}");
    let since = ["outbox", "replay", "--since", "2200-01-01T00:00:00+01:00", "--yes"];
    assert_eq!(json_of("", &since), json!({ "replayed": 0, "since": "2199-12-31T23:00:00Z" }));
}

#[test]
fn a_time_that_is_none_is_refused() {
    for since in ["yesterday", "2026-01-31", "-2h"] {
        let error = refused("", &["outbox", "replay", "--yes", &format!("--since={since}")], 2);
        assert!(error.contains("such as 2026-01-31T12:00:00Z, nor a duration, such as 2h or 7d"), "{error}");
    }
    assert!(refused("", &["outbox", "replay", "--yes"], 2).contains("--since <TIME>"));
}

#[test]
fn headings_have_colours_where_they_are_wanted() {
    for (arguments, heading) in [(["outbox", "status"], "outbox"), (["dead", "list"], "ID    SINCE")] {
        let mut command = Command::new(program());
        let output = command.args(arguments).env_remove("NO_COLOR").env("CLICOLOR_FORCE", "1").output();
        let printed = output.expect("the program can be run").stdout;
        assert!(text(&printed).starts_with(&format!("\u{1b}[1m\u{1b}[36m{heading}")), "{}", text(&printed));
    }
}

#[test]
fn health_is_an_exit_code() {
    assert_kept("health.txt", &printed("", &["health"]));
    let late = operated("kept", &["health"]);
    assert_eq!((late.status.code(), text(&late.stderr)), (Some(1), ""));
    assert_kept("health-kept.txt", text(&late.stdout));
    assert_eq!(operated("kept", &["health", "--ready-below", "2d"]).status.code(), Some(0));
    assert_eq!(operated("kept", &["health", "--ready-below", "PT0S"]).status.code(), Some(1));
    let health = json_of("kept", &["health", "--ready-below", "30h"]);
    assert_eq!((&health["ready"], &health["ready_below_seconds"]), (&json!(true), &json!(108_000.0)));
    let endpoint = &health["endpoints"][0];
    let counts = ["endpoint", "waiting", "parked", "dead"].map(|field| &endpoint[field]);
    assert_eq!(counts, [&json!("billing"), &json!(4), &json!(1), &json!(4)]);
    assert!(refused("kept", &["health", "--ready-below", "soon"], 2).contains("such as 90s or 5m"));
}

#[test]
fn the_state_of_the_tables_is_an_exit_code() {
    assert_eq!(printed("current", &["schema", "print"]), "CREATE TABLE outbox ();\n");
    assert_eq!(json_of("current", &["schema", "print"]), json!({ "statements": "CREATE TABLE outbox ();\n" }));
    let usable = [
        ("current", "the tables have version 2, which this program needs\n"),
        ("newer", "the tables have the newer version 3, which this program can use\n"),
        ("", "the tables have version 1, which this program needs\n"),
    ];
    for (store, expected) in usable {
        assert_eq!(printed(store, &["schema", "check"]), expected);
        assert_eq!(
            printed(store, &["schema", "apply"]),
            expected.replace("the newer version 3, which this program can use", "version 2, which this program needs")
        );
    }
    let not = [
        ("missing", "the tables are missing: `schema apply` makes them"),
        ("outdated", "the tables have version 1, and this program needs 2: `schema apply` brings them up to date"),
        (
            "too_new",
            "the tables have version 4, which only a program of version 3 or later can use: run a newer version of this program",
        ),
    ];
    for (store, expected) in not {
        assert_eq!(refused(store, &["schema", "check"], 1), format!("error: {expected}\n"));
        let output = operated(store, &["schema", "check", "--json"]);
        let told: Value = serde_json::from_slice(&output.stdout).expect("it is json");
        assert_eq!((output.status.code(), &told["state"], &told["usable"]), (Some(1), &store.into(), &false.into()));
        let error = refused(store, &["dead", "list"], 4);
        assert!(error.starts_with("error: the program cannot use the store\n  caused by: the tables "), "{error}");
    }
    assert_eq!(json_of("missing", &["schema", "apply"]), json!({ "state": "current", "version": 2, "usable": true }));
    refused("too_new", &["schema", "apply"], 1);
}

#[test]
fn a_store_that_fails_is_told_without_its_password() {
    let causes = "  caused by: cannot connect to postgres://ada:***@db.example:5432/shop\n  \
                  caused by: connection refused\\u{1b}[2J (password=***\n";
    for arguments in [&["outbox", "status"][..], &["dead", "show", "1"], &["schema", "check"], &["schema", "print"]] {
        assert_eq!(refused("refused", arguments, 4), format!("error: the store cannot be opened\n{causes}"));
    }
    for arguments in [
        &["outbox", "status"][..],
        &["outbox", "replay", "--since", "2h", "--yes"],
        &["dead", "list", "--json"],
        &["dead", "show", "1"],
        &["dead", "replay", "1"],
        &["dead", "discard", "--all", "--yes"],
        &["schedule", "list"],
        &["health"],
        &["schema", "check"],
        &["schema", "apply"],
    ] {
        assert_eq!(refused("failing", arguments, 4), format!("error: the store has failed\n{causes}"));
    }
    let output = operated("panics", &["outbox", "status"]);
    assert_eq!(output.status.code(), Some(101), "{output:?}");
    assert!(text(&output.stderr).contains("it could not be made"), "{output:?}");
}

#[test]
fn the_catalog_needs_no_store() {
    assert!(printed("refused", &["describe"]).contains("PlaceOrderHandler"));
    assert!(printed("refused", &["check"]).starts_with("the mediator can be built"));
}

#[test]
fn without_a_store_the_program_says_how_to_give_one() {
    for arguments in [&["outbox", "status"][..], &["dead", "discard", "--all"], &["schema", "print"]] {
        let error = refused("none", arguments, 2);
        assert_eq!(
            error,
            "error: this program gives its command line no store: give it one with \
             `Cli::new(builder).store(|| async { Ok(store) })`\n"
        );
    }
}

#[test]
fn help_names_each_command() {
    let help = |arguments: &[&str]| printed("none", &[arguments, &["--help"]].concat());
    let groups: [&[&str]; 5] = [&[], &["outbox"], &["dead"], &["schedule"], &["schema"]];
    let commands: [&[&str]; 13] = [
        &["outbox", "status"],
        &["outbox", "replay"],
        &["dead", "list"],
        &["dead", "show"],
        &["dead", "replay"],
        &["dead", "discard"],
        &["schedule", "list"],
        &["schedule", "retry"],
        &["schedule", "discard"],
        &["health"],
        &["schema", "print"],
        &["schema", "check"],
        &["schema", "apply"],
    ];
    let all = groups.iter().chain(&commands).map(|arguments| help(arguments));
    assert_kept("help.txt", &all.collect::<Vec<_>>().join("\n----\n\n"));
}

fn run(outbox: &InMemoryOutbox, arguments: &[&str]) -> ExitCode {
    let outbox = outbox.clone();
    let arguments = ["shop"].iter().chain(arguments).map(Into::into);
    Cli::new(filled::builder()).store(|| async { Ok(outbox) }).run_with(arguments)
}

/// The caller's thread runs a runtime, in which no other can be entered.
async fn replays(outbox: &InMemoryOutbox) -> Result<(), BoxError> {
    assert_eq!(run(outbox, &["dead", "replay", "--topic", "orders"]), ExitCode::SUCCESS);
    assert_eq!(outbox.list(&DeadLetterFilter::default()).await?, []);
    assert_eq!((outbox.status().await?.pending, outbox.status().await?.parked), (2, 0));
    assert_eq!(run(outbox, &["outbox", "replay", "--since", "1h", "--yes"]), ExitCode::SUCCESS);
    assert_eq!((outbox.status().await?.pending, outbox.status().await?.sent), (6, 0));
    Ok(())
}

#[tokio::test]
async fn it_can_be_run_within_a_runtime() -> Result<(), BoxError> {
    replays(&filled::filled().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_run_within_a_runtime_of_several_threads() -> Result<(), BoxError> {
    replays(&filled::filled().await?).await
}

#[tokio::test]
async fn what_is_discarded_is_gone() -> Result<(), BoxError> {
    let outbox = filled::filled().await?;
    assert_eq!(run(&outbox, &["dead", "discard", "--reason", "order 7", "--yes"]), ExitCode::SUCCESS);
    let status = outbox.status().await?;
    assert_eq!((status.dead, status.pending, status.parked), (0, 1, 0));
    Ok(())
}

/// As in `… | head`.
#[test]
fn a_reader_that_has_seen_enough_is_no_error() -> io::Result<()> {
    let (reader, writer) = io::pipe()?;
    drop(reader);
    let status = Command::new(program()).args(["dead", "list"]).env("STORE", "many").stdout(writer).status()?;
    assert_eq!(status.code(), Some(0));
    Ok(())
}
