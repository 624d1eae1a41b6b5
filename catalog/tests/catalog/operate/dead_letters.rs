//! Dead letters of relays: what a broker refused for good.

use serde_json::json;

use super::{assert_kept, json_of, operated, printed, refused, text};

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
    let given_back = "1 dead letter was given back to the relay\n  a message that the broker still refuses becomes a dead letter with a new ID, \
                      after about 10s with the default of 3 attempts\n";
    assert_eq!(printed("", &["dead", "replay", "1"]), given_back);
    assert_eq!(printed("", &["dead", "replay", "--topic", "mails"]), "0 dead letters were given back to the relay\n");
    assert_eq!(json_of("", &["dead", "replay", "--all"]), json!({ "replayed": 1, "behind": {} }));
    assert_eq!(printed("", &["dead", "discard", "--all", "--yes"]), "1 dead letter was discarded\n");
    assert_eq!(json_of("", &["dead", "discard", "1", "--yes"]), json!({ "discarded": 1 }));
    let output = operated("", &["dead", "replay", "1", "1", "98", "99"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), given_back));
    assert_eq!(text(&output.stderr), "error: 2 of the 3 dead letters do not exist, or no longer\n");
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
