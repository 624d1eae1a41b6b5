//! The command line of a program with a store: what an operator does to its outbox.

#![cfg(test)]

#[path = "operate/filled.rs"]
mod filled;

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

/// It does not even open the store.
#[test]
fn what_asks_needs_a_terminal_or_a_yes() {
    for arguments in [&["outbox", "replay", "--since", "2h"][..], &["dead", "discard", "--all"]] {
        for store in ["", "refused"] {
            let [group, command, ..] = arguments else { panic!("they have two words") };
            let expected =
                format!("error: `{group} {command}` must ask first, and there is no terminal: add `--yes`\n");
            assert_eq!(refused(store, arguments, 2), expected);
        }
    }
}

/// What somebody at a terminal sees, who answers with a line; `script` of Debian's bsdutils is the terminal.
#[cfg(target_os = "linux")]
#[track_caller]
fn asked(store: &str, arguments: &str, answer: &str, code: i32) -> String {
    let command = format!("{} {arguments}", program().display());
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &command, "/dev/null"]).env("STORE", store).env("NO_COLOR", "1");
    let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("`script` is installed");
    io::Write::write_all(child.stdin.as_mut().expect("it is piped"), answer.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    text(&output.stdout).replace("\r\n", "\n")
}

#[cfg(target_os = "linux")]
#[test]
fn somebody_at_a_terminal_is_asked() {
    let handled = asked("kept", "dead discard d1 d2 2", "y\n", 0);
    assert!(handled.contains("delete 3 dead letters for good? [y/N] "), "{handled}");
    assert!(handled.ends_with("3 dead letters were discarded\n"), "{handled}");
    let waiting = asked("kept", "dead discard --endpoint billing --handler billing.charge --waiting", "y\n", 0);
    assert!(waiting.contains("delete 7 deliveries for good? [y/N] "), "{waiting}");
    let discarded = asked("", "dead discard --topic orders", "y\n", 0);
    assert!(discarded.contains("delete 1 dead letter for good? [y/N] "), "{discarded}");
    assert!(discarded.ends_with("1 dead letter was discarded\n"), "{discarded}");
    let kept = asked("", "dead discard 1", "\n", 1);
    assert!(kept.ends_with("nothing was done\n"), "{kept}");
    let nothing = asked("", "dead discard --topic mails", "", 0);
    assert!(!nothing.contains("[y/N]") && nothing.ends_with("0 dead letters were discarded\n"), "{nothing}");
    let many = asked("many", "dead discard --all", "yes\n", 0);
    assert!(many.contains("delete all that match, more than 1000 dead letters, for good? [y/N] "), "{many}");
    assert!(many.ends_with("1001 dead letters were discarded\n"), "{many}");
    let replayed = asked("", "outbox replay --since 2h --topic orders", "y\n", 0);
    assert!(
        replayed.contains("the outbox has 4 sent messages; publish those again that were sent to `orders` at "),
        "{replayed}"
    );
    assert!(replayed.contains("1 message sent to `orders` since "), "{replayed}");
    assert!(asked("", "outbox replay --since 2h", "no\n", 1).ends_with("nothing was done\n"));
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
fn dead_letters_are_listed() {
    assert_kept("list.txt", &printed("", &["dead", "list"]));
    for (filter, count) in [
        (&["--topic", "orders"][..], 1),
        (&["--topic", "mails"], 0),
        (&["--name", "OrderPlaced"], 1),
        (&["--reason", "no order 7"], 1),
        (&["--reason", "no order 8", "--topic", "orders"], 0),
    ] {
        let list = json_of("", &[&["dead", "list"], filter].concat());
        assert_eq!(list["dead_letters"].as_array().map(Vec::len), Some(count), "{filter:?}");
    }
    assert_eq!(printed("current", &["dead", "list"]), "no dead letter matches\n");
    refused("", &["dead", "list", "--limit", "0"], 2);
}

#[test]
fn a_list_says_that_there_is_more() {
    let output = operated("many", &["dead", "list", "--limit", "2"]);
    assert_eq!(text(&output.stdout).lines().count(), 3);
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(0), "there are more dead letters: raise `--limit`\n")
    );
    assert_eq!(json_of("many", &["dead", "list", "--limit", "1000"])["more"], true);
    assert_eq!(json_of("many", &["dead", "list", "--limit", "4294967295"])["more"], false);
}

#[test]
fn one_is_shown_with_headers_and_body() {
    assert_kept("show.txt", &printed("", &["dead", "show", "1"]));
    let shown = json_of("", &["dead", "show", "1"]);
    assert_eq!(shown["message"]["name"], "OrderPlaced");
    assert!(shown["message"]["body"].as_str().is_some_and(|body| body.contains("\"order_id\"")), "{shown}");
    let unknown = refused("", &["dead", "show", "99"], 2);
    assert_eq!(unknown, "error: there is no dead letter 99: `dead list` lists them\n");
}

#[track_caller]
fn assert_harmless(printed: &str) {
    let obeyed = |c: char| (c.is_control() && c != '\n') || ('\u{200b}'..='\u{202e}').contains(&c) && c != '…';
    assert_eq!(printed.chars().find(|c| obeyed(*c)), None, "{printed:?}");
    assert!(!printed.contains("\nerased"), "{printed}");
    assert!(!printed.contains("hunter2"), "{printed}");
}

#[test]
fn a_terminal_gets_no_orders() {
    assert_kept("list-hostile.txt", &printed("hostile", &["dead", "list"]));
    assert_kept("show-hostile.txt", &printed("hostile", &["dead", "show", "1"]));
    assert_kept("show-binary.txt", &printed("hostile", &["dead", "show", "2"]));
    for arguments in [
        &["dead", "list"][..],
        &["dead", "list", "--groups"],
        &["dead", "list", "--groups", "--json"],
        &["dead", "show", "d10", "--full"],
        &["schedule", "list"],
        &["health", "--ready-below", "2d"],
    ] {
        assert_harmless(&printed("kept", arguments));
    }
    for arguments in [
        &["dead", "list"][..],
        &["dead", "list", "--json"],
        &["dead", "show", "1"],
        &["dead", "show", "1", "--full"],
        &["dead", "show", "1", "--json"],
        &["dead", "show", "2", "--full"],
        &["outbox", "replay", "--since", "2h", "--yes", "--topic", "a\u{1b}[31m\u{202e}"],
    ] {
        assert_harmless(&printed("hostile", arguments));
    }
    let shown = json_of("hostile", &["dead", "show", "1"]);
    let name = "\u{1b}[31mred\u{7}\u{9b}2J\r\nerased\u{202e}\u{200b}";
    assert_eq!(shown["message"]["name"], name, "scripts get what was sent");
    assert_eq!(json_of("hostile", &["dead", "show", "2"])["message"]["body_hex"], "ff1b5b324a00");
}

/// A letter that cannot be read is shown as far as it can, and hides no other.
#[test]
fn what_cannot_be_read_is_listed() {
    assert_kept("list-unreadable.txt", &printed("unreadable", &["dead", "list"]));
    assert_kept("show-unreadable.txt", &printed("unreadable", &["dead", "show", "1"]));
    let letters = json_of("unreadable", &["dead", "list"])["dead_letters"].take();
    assert!(letters[0]["message"].is_null() && letters[0]["unreadable"].is_string(), "{letters}");
    assert_eq!((&letters[0]["id"], &letters[1]["message"]["name"]), (&json!(1), &json!("Binary")));
    assert_eq!(printed("unreadable", &["dead", "discard", "1", "--yes"]), "1 dead letter was discarded\n");
}

#[test]
fn long_texts_are_shortened_unless_all_is_asked_for() {
    let short = printed("hostile", &["dead", "show", "3"]);
    assert!(short.contains("…\n  shortened: `--full` shows all of it\n") && short.len() < 6_000, "{short}");
    let full = printed("hostile", &["dead", "show", "3", "--full"]);
    assert!(!full.contains('…') && full.len() > 6_000, "{full}");
}

#[test]
fn dead_letters_are_replayed_and_discarded() {
    let given_back = "1 dead letter was given back to the relay\n  what the broker still refuses becomes a dead letter with a new ID, \
                      after about 10s with the default of 3 attempts\n";
    assert_eq!(printed("", &["dead", "replay", "1"]), given_back);
    assert_eq!(printed("", &["dead", "replay", "--topic", "mails"]), "0 dead letters were given back to the relay\n");
    assert_eq!(json_of("", &["dead", "replay", "--all"]), json!({ "replayed": 1, "behind": {} }));
    assert_eq!(printed("", &["dead", "discard", "--all", "--yes"]), "1 dead letter was discarded\n");
    assert_eq!(json_of("", &["dead", "discard", "1", "--yes"]), json!({ "discarded": 1 }));
    let output = operated("", &["dead", "replay", "1", "1", "98", "99"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), given_back));
    assert_eq!(text(&output.stderr), "error: 2 of the 3 dead letters did not exist\n");
}

#[test]
fn whoever_means_all_has_to_say_so() {
    for command in ["replay", "discard"] {
        refused("", &["dead", command], 2);
        refused("", &["dead", command, "--all", "1"], 2);
        refused("", &["dead", command, "--all", "--topic", "orders"], 2);
        refused("", &["dead", command, "1", "--topic", "orders"], 2);
    }
}

#[test]
fn dead_letters_of_handlers_are_listed_beside_those_of_relays() {
    assert_kept("list-kept.txt", &printed("kept", &["dead", "list"]));
    assert_kept(
        "list-kept.json",
        &printed("kept", &["dead", "list", "--endpoint", "billing", "--limit", "1", "--json"]),
    );
    for (filter, letters, deliveries) in [
        (&["--endpoint", "billing"][..], 0, 4),
        (&["--handler", "billing.charge", "--reason", "502"], 0, 2),
        (&["--handler", "all"], 0, 1),
        (&["--topic", "orders"], 0, 4),
        (&["--name", "OrderPlaced"], 0, 4),
        (&["--name", "Binary"], 1, 0),
        (&["--limit", "1"], 1, 1),
        (&["--endpoint", "mails"], 0, 0),
    ] {
        let list = json_of("kept", &[&["dead", "list"], filter].concat());
        let count = |field: &str| list[field].as_array().map(Vec::len);
        assert_eq!((count("dead_letters"), count("deliveries")), (Some(letters), Some(deliveries)), "{filter:?}");
    }
}

#[test]
fn groups_are_named_and_selected_by_their_names() {
    assert_kept("groups.txt", &printed("kept", &["dead", "list", "--groups"]));
    let groups = json_of("kept", &["dead", "list", "--groups"])["groups"].take();
    for group in groups.as_array().expect("it is a list") {
        let (name, count) = (group["group"].as_str().expect("it is a text"), &group["count"]);
        let list = json_of("kept", &["dead", "list", "--group", name]);
        let listed = ["dead_letters", "deliveries"].map(|field| list[field].as_array().map_or(0, Vec::len));
        assert_eq!(&json!(listed.iter().sum::<usize>()), count, "{name}");
        assert_eq!(&json_of("kept", &["dead", "replay", "--group", name])["replayed"], count);
        assert_eq!(&json_of("kept", &["dead", "discard", "--group", name, "--yes"])["discarded"], count);
        assert_eq!(
            json_of("kept", &["dead", "replay", "--group", name, "--limit", "1"]),
            json!({ "replayed": 1, "behind": {} })
        );
    }
    for name in ["d-00000000", "p-00000000", "billing"] {
        let expected = format!("error: there is no group `{name}`: `dead list --groups` lists the groups\n");
        assert_eq!(refused("kept", &["dead", "replay", "--group", name], 2), expected);
    }
    let group = json_of("", &["dead", "list", "--groups"])["groups"][0].take();
    assert_eq!((&group["topic"], &group["reason"]), (&json!("orders"), &json!("the topic takes no order 7 (403)")));
    let list = operated("many", &["dead", "list", "--groups", "--limit", "1000"]);
    assert_eq!(text(&list.stderr), "there are more dead letters, which are not counted: raise `--limit`\n");
}

#[test]
fn a_delivery_is_shown_with_headers_and_body() {
    assert_kept("show-kept.txt", &printed("kept", &["dead", "show", "d4"]));
    assert_kept("show-kept-whole.txt", &printed("kept", &["dead", "show", "d10"]));
    assert_kept("show-kept-waiting.txt", &printed("kept", &["dead", "show", "d6"]));
    let shown = json_of("kept", &["dead", "show", "d3"]);
    assert_eq!((&shown["kind"], &shown["failures"]), (&json!("TimedOut"), &json!(4)));
    assert_eq!(shown["reason"], "no answer of redis://:***@cache within 300s");
    for (store, id) in [("kept", "d99"), ("", "d4")] {
        let expected = format!("error: there is no dead letter {id}: `dead list` lists them\n");
        assert_eq!(refused(store, &["dead", "show", id], 2), expected);
    }
    assert!(refused("kept", &["dead", "show", "34d"], 2).contains("a `d` and a number, such as d34"));
}

#[test]
fn what_waits_is_listed_with_what_it_waits_behind() {
    assert_kept("schedule.txt", &printed("kept", &["schedule", "list"]));
    let behind = |more: &[&str]| {
        let list = json_of("kept", &[&["schedule", "list"], more].concat())["deliveries"].take();
        let row = |row: &Value| format!("{} {} {} {}", row["id"], row["behind"], row["parked"], row["in_hand"]);
        list.as_array().expect("it is a list").iter().map(row).collect::<Vec<_>>()
    };
    assert_eq!(
        behind(&["--endpoint", "billing"]),
        [r#""d5" "d4" true false"#, r#""d6" null false false"#, r#""d7" "d6" false false"#, r#""d8" null false false"#,]
    );
    assert_eq!(behind(&["--handler", "stock.take"]), [r#""d9" null false true"#]);
    assert_eq!(behind(&["--limit", "1"]).len(), 1);
    assert_eq!(operated("kept", &["schedule", "list", "--limit", "1"]).stderr, b"there are more: raise `--limit`\n");
    let nothing = "0 events wait in the outbox until their delay is over\nno delivery waits for a handler\n";
    assert_eq!(printed("", &["schedule", "list"]), nothing);
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
fn dead_letters_of_handlers_are_replayed_and_discarded() {
    let again = "  what its handler still cannot handle becomes a dead letter again, with the same ID\n";
    assert_eq!(
        printed("kept", &["dead", "replay", "d1", "d2"]),
        format!("2 dead letters were given back to the endpoints\n{again}")
    );
    let both = printed("kept", &["dead", "replay", "--all"]);
    assert!(both.starts_with("1 dead letter was given back to the relay\n"), "{both}");
    assert!(both.ends_with(&format!("\n5 dead letters were given back to the endpoints\n{again}")), "{both}");
    let nothing = printed("kept", &["dead", "replay", "--endpoint", "mails"]);
    assert_eq!(nothing, "0 dead letters were given back to the endpoints\n");
    assert_eq!(json_of("kept", &["dead", "discard", "2", "d1", "--yes"]), json!({ "discarded": 2 }));
    assert_eq!(json_of("kept", &["dead", "discard", "--name", "OrderPlaced", "--yes"]), json!({ "discarded": 4 }));
    assert_eq!(
        json_of("kept", &["dead", "discard", "--handler", "billing.charge", "--limit", "3", "--yes"]),
        json!({ "discarded": 3 })
    );
    let waits = "d5 is no dead letter: it waits for its handler, and `schedule retry` or `schedule discard` is for it";
    for (ids, why) in [
        (&["d99"][..], "1 of the 1 dead letters did not exist"),
        (&["d5"], waits),
        (&["d99", "d5"], &format!("1 of the 2 dead letters did not exist; {waits}")),
        (
            &["d5", "d6"],
            "d5, d6 are no dead letters: they wait for their handlers, and `schedule retry` or `schedule discard` is for them",
        ),
    ] {
        for (command, none) in [
            (&["dead", "discard", "--yes"][..], "0 dead letters were discarded\n"),
            (&["dead", "replay"], "0 dead letters were given back to the endpoints\n"),
        ] {
            let output = operated("kept", &[command, ids].concat());
            assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), none), "{command:?} {ids:?}");
            assert_eq!(text(&output.stderr), format!("error: {why}\n"), "{command:?} {ids:?}");
        }
    }
    refused("kept", &["dead", "replay", "d1", "--limit", "1"], 2);
    refused("kept", &["dead", "replay", "--limit", "1"], 2);
    refused("kept", &["dead", "replay", "--group", "d-00000000", "--all"], 2);
    let none = "error: the store of this program keeps no deliveries of endpoints\n";
    assert_eq!(refused("", &["dead", "replay", "d1"], 2), none);
    assert_eq!(refused("", &["dead", "list", "--endpoint", "billing"], 2), none);
}

#[test]
fn a_replay_says_what_a_dead_letter_stands_behind() {
    let again = "  what its handler still cannot handle becomes a dead letter again, with the same ID\n";
    let turn = "  d2 has its turn after d1, which is not gone yet\n";
    assert_eq!(
        printed("behind", &["dead", "replay", "--all"]),
        format!("2 dead letters were given back to the endpoints\n{again}{turn}")
    );
    let replayed = json_of("behind", &["dead", "replay", "--endpoint", "billing"]);
    assert_eq!(replayed, json!({ "replayed": 2, "behind": { "d2": "d1" } }));
    assert_eq!(json_of("behind", &["dead", "replay", "d3"])["behind"], json!({}));
}

#[test]
fn an_event_and_a_group_are_selected_however_many_dead_letters_there_are() {
    let list = json_of("many_kept", &["dead", "list", "--name", "OrderCancelled"]);
    assert_eq!((&list["deliveries"][0]["id"], &list["more"]), (&json!("d10501"), &json!(false)));
    let group = json_of("kept", &["dead", "list", "--groups"])["groups"].take();
    let of_charge =
        |group: &&Value| (&group["handler"], &group["kind"]) == (&json!("billing.charge"), &json!("Handler"));
    let group = group.as_array().into_iter().flatten().find(of_charge).expect("it is listed")["group"].clone();
    let replayed = json_of("many_kept", &["dead", "replay", "--group", group.as_str().expect("it is a text")]);
    assert_eq!(replayed["replayed"], json!(10_500));
}

#[test]
fn what_waits_for_a_handler_that_is_gone_is_discarded_in_one_go() {
    let of_handler = ["dead", "discard", "--endpoint", "billing", "--handler", "billing.charge", "--yes"];
    assert_eq!(printed("kept", &of_handler), "4 dead letters were discarded\n");
    assert_eq!(printed("kept", &[&of_handler[..], &["--waiting"]].concat()), "7 deliveries were discarded\n");
    let in_hand = ["dead", "discard", "--endpoint", "stock", "--handler", "stock.take", "--waiting", "--yes"];
    assert_eq!(printed("kept", &in_hand), "0 deliveries were discarded\n");
    for less in [&["--endpoint", "billing"][..], &["--handler", "billing.charge"], &["--all"], &["d5"]] {
        refused("kept", &[&["dead", "discard", "--waiting", "--yes"], less].concat(), 2);
    }
}

#[test]
fn what_waits_is_tried_now_or_discarded() {
    assert_eq!(printed("kept", &["schedule", "retry", "d8"]), "1 delivery is due now\n");
    let behind =
        "  d5 has its turn after d4, which is not gone yet\n  d7 has its turn after d6, which is not gone yet\n";
    let tried = printed("kept", &["schedule", "retry", "d7", "d6", "d5"]);
    assert_eq!(tried, format!("3 deliveries are due now\n{behind}"));
    assert_eq!(json_of("kept", &["schedule", "retry", "d6"]), json!({ "hastened": 1, "behind": {} }));
    assert_eq!(json_of("kept", &["schedule", "retry", "d7"])["behind"], json!({ "d7": "d6" }));
    assert_eq!(printed("kept", &["schedule", "discard", "d6", "d7", "--yes"]), "2 deliveries were discarded\n");
    assert_eq!(json_of("kept", &["schedule", "discard", "d5", "--yes"]), json!({ "discarded": 1 }));
    for (command, none) in [
        (&["schedule", "retry"][..], "1 delivery is due now\n"),
        (&["schedule", "discard", "--yes"], "1 delivery was discarded\n"),
    ] {
        let output = operated("kept", &[command, &["d8", "d1", "d9", "d99", "7"]].concat());
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), none), "{command:?}");
        assert_eq!(
            text(&output.stderr),
            "error: no delivery 7 waits: `schedule list` lists them; d1 is a dead letter: `dead replay`, `dead discard`; \
             d9 is in hand of a process; no delivery d99 waits: `schedule list` lists them\n"
        );
    }
    assert!(refused("kept", &["schedule", "discard", "d6"], 2).contains("must ask first"));
    let none = "error: the store of this program keeps no deliveries of endpoints\n";
    assert_eq!(refused("", &["schedule", "retry", "d1"], 2), none);
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
