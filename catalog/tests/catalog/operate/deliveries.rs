//! What endpoints keep: dead letters of handlers, and what waits.

use serde_json::{Value, json};

use super::{assert_kept, json_of, operated, printed, refused, text};

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
fn dead_letters_of_handlers_are_replayed_and_discarded() {
    let again = "  a delivery that its handler still cannot handle becomes a dead letter again, with the same ID\n";
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
    let waits = "d5 is not a dead letter: it waits for its handler; use `schedule retry` or `schedule discard`";
    for (ids, why) in [
        (&["d99"][..], "1 of the 1 dead letters do not exist, or no longer"),
        (&["d5"], waits),
        (&["d99", "d5"], &format!("1 of the 2 dead letters do not exist, or no longer; {waits}")),
        (
            &["d5", "d6"],
            "d5, d6 are not dead letters: they wait for their handlers; use `schedule retry` or `schedule discard`",
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
    let again = "  a delivery that its handler still cannot handle becomes a dead letter again, with the same ID\n";
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
            "error: no delivery 7 waits: `schedule list` lists those that do; d1 is a dead letter: use `dead replay` or `dead discard`; \
             a process has d9 in hand; no delivery d99 waits: `schedule list` lists those that do\n"
        );
    }
    assert!(refused("kept", &["schedule", "discard", "d6"], 2).contains("must ask first"));
    let none = "error: the store of this program keeps no deliveries of endpoints\n";
    assert_eq!(refused("", &["schedule", "retry", "d1"], 2), none);
}
