//! What a catalog says of an earlier one.

use diator::Catalog;
use diator::catalog::Impact;
use serde_json::{Value, json};

use super::world::builder;

/// An earlier catalog, in which something was different.
fn earlier(change: impl FnOnce(&mut Value)) -> String {
    let mut value = serde_json::from_str(&builder().catalog().to_json()).expect("it is json");
    change(&mut value);
    value.to_string()
}

fn message<'a>(catalog: &'a mut Value, name: &str) -> &'a mut Value {
    let lists = catalog.as_object_mut().expect("an object").values_mut().filter_map(Value::as_array_mut);
    lists.flatten().find(|message| message["name"] == name).expect(name)
}

fn changes(change: impl FnOnce(&mut Value)) -> Vec<(Impact, String)> {
    let changes = builder().catalog().changes_since(&earlier(change)).expect("it is a catalog");
    changes.all().iter().map(|change| (change.impact, change.text.replace("catalog::world::", ""))).collect()
}

#[test]
fn nothing_changes_without_a_change() {
    assert_eq!(changes(|_| {}), []);
}

#[test]
fn places_do_not_count() {
    assert_eq!(changes(|was| message(was, "PlaceOrder")["source"]["line"] = json!(1)), []);
}

#[test]
fn a_renamed_or_moved_event_breaks_consumers() {
    let renamed = changes(|was| message(was, "OrderChanged")["name"] = json!("OrderUpdated"));
    let text = "the ECST event `OrderState`: name was \"OrderUpdated\", now \"OrderChanged\"";
    assert_eq!(renamed, [(Impact::Consumers, text.to_owned())]);
    let moved = changes(|was| message(was, "OrderChanged")["topic"] = json!("changes"));
    assert_eq!(moved[0].0, Impact::Consumers);
    // The type is not on the wire.
    let retyped = changes(|was| message(was, "OrderChanged")["type"] = json!("shop::Changed"));
    assert_eq!(retyped.len(), 1);
    assert_eq!(retyped[0].0, Impact::Nobody);
}

#[test]
fn a_message_that_is_gone_breaks_those_who_had_it() {
    let gone = |list: &str, kind: &str| {
        let message = json!({ "kind": kind, "name": "Old", "type": "shop::Old", "handlers": [] });
        changes(|was| was[list].as_array_mut().expect("a list").push(message))
    };
    assert_eq!(
        gone("events", "notification_event"),
        [(Impact::Consumers, "the notification event `shop::Old` is gone".to_owned())]
    );
    assert_eq!(gone("requests", "command"), [(Impact::Senders, "the command `shop::Old` is gone".to_owned())]);
    let new = changes(|was| {
        was["requests"].as_array_mut().expect("a list").retain(|request| request["name"] != "PlaceOrder");
    });
    assert_eq!(new, [(Impact::Nobody, "the command `PlaceOrder` is new".to_owned())]);
}

#[test]
fn a_lost_handler_is_told_and_breaks_senders_if_it_was_the_last() {
    let handler = json!([{ "type": "shop::Gone" }]);
    let lost = changes(|was| message(was, "CountOrders")["handlers"] = handler.clone());
    assert_eq!(lost, [(Impact::Senders, "the query `CountOrders`: it has lost its handler `shop::Gone`".to_owned())]);
    let replaced = changes(|was| message(was, "ShipOrder")["handlers"] = handler);
    assert_eq!(replaced.iter().map(|(impact, _)| *impact).collect::<Vec<_>>(), [Impact::Nobody, Impact::Nobody]);
    let moved = changes(|was| message(was, "OrderPlaced")["handlers"][0]["order"] = json!(7));
    assert!(moved[0].1.contains("its handler `Note`: order was 7, now 10"), "{moved:?}");
    let lives =
        changes(|was| message(was, "PlaceOrder")["handlers"][0]["dependencies"][0]["lifetime"] = json!("scoped"));
    assert!(lives[0].1.contains("it needed dyn Stock (scoped), "), "{lives:?}");
}

#[test]
fn marks_that_come_or_go_are_told() {
    let lost = changes(|was| message(was, "PlaceOrder")["marks"] = json!(["Audited", "Public"]));
    let told = |mark| (Impact::Nobody, format!("the command `PlaceOrder`: it has lost its mark \"{mark}\""));
    assert_eq!(lost, ["Audited", "Public"].map(told));
    let new = changes(|was| message(was, "OrderPlaced")["marks"] = json!([]));
    assert_eq!(new, [(Impact::Nobody, "the domain event `OrderPlaced`: its mark \"Audited\" is new".to_owned())]);
}

#[test]
fn names_that_are_no_longer_read_break_senders() {
    let lost = changes(|was| message(was, "PaymentArrived")["aliases"] = json!(["MoneyCame", "Paid"]));
    let text = "the notification event `PaymentArrived`: it is no longer read under the name \"Paid\"";
    assert_eq!(lost, [(Impact::Senders, text.to_owned())]);
}

#[test]
fn a_schema_may_grow_but_not_shrink_or_change() {
    let changed = |change: &dyn Fn(&mut Value)| changes(|was| change(&mut message(was, "OrderChanged")["schema"]));
    let was = |change: &dyn Fn(&mut Value)| {
        changed(change)
            .into_iter()
            .map(|(impact, text)| (impact, text.split_once("OrderState`: ").expect("it names the event").1.to_owned()))
            .collect::<Vec<_>>()
    };
    let consumers = |text: &str| [(Impact::Consumers, text.to_owned())];
    let nobody = |text: &str| [(Impact::Nobody, text.to_owned())];
    assert_eq!(was(&|s| s["properties"]["old"] = json!({})), consumers("its field `old`: it is gone"));
    assert_eq!(
        was(&|s| s["properties"]["order_id"]["type"] = json!("string")),
        consumers("its field `order_id`: type was \"string\", now \"integer\"")
    );
    assert_eq!(
        was(&|s| s["required"].as_array_mut().expect("a list").push(json!("discount"))),
        consumers("its field `discount`: it may now be missing")
    );
    assert_eq!(
        was(&|s| s["definitions"]["Line"]["properties"]["parts"]["items"]["$ref"] = json!("#/definitions/Part")),
        consumers("its field `Line.parts[]`: $ref was \"#/definitions/Part\", now \"#/definitions/Line\"")
    );
    assert_eq!(
        was(&|s| _ = s["properties"].as_object_mut().expect("an object").remove("discount")),
        nobody("its field `discount`: it is new")
    );
    assert_eq!(was(&|s| s["title"] = json!("Old")), nobody("its schema: title was \"Old\", now null"));
    let variants = changes(|was| _ = message(was, "Payment")["schema"]["oneOf"].as_array_mut().expect("a list").pop());
    assert_eq!(
        variants,
        [(
            Impact::Consumers,
            "the ECST event `Payment`: its schema: it has alternatives that readers do not know".to_owned()
        )]
    );
}

#[test]
fn what_arrives_may_not_need_more() {
    let needs = "the notification event `PaymentArrived`: its field `order_id`: whoever sends the event must \
                 now give it";
    let found = changes(|was| message(was, "PaymentArrived")["schema"]["required"] = json!([]));
    assert_eq!(found, [(Impact::Senders, needs.to_owned())]);
    // One that is only sent is always written with it.
    let found = changes(|was| message(was, "OrderChanged")["schema"]["required"] = json!([]));
    assert!(found.iter().all(|(impact, _)| *impact == Impact::Nobody) && !found.is_empty(), "{found:?}");
}

#[test]
fn another_format_breaks_consumers() {
    let format = changes(|was| was["broker"]["content_type"] = json!("application/cloudevents+json"));
    assert_eq!(format[0].0, Impact::Consumers);
    let weaker = changes(|was| was["broker"]["guarantees"]["ordered"] = json!(true));
    assert_eq!(weaker[0].0, Impact::Nobody);
}

#[test]
fn what_is_no_catalog_is_an_error() {
    for text in ["", "[]", "{}", "{\"requests\": []}", "null"] {
        assert!(builder().catalog().changes_since(text).is_err(), "{text}");
    }
}

/// Compares with a file that holds the text, and gives the message if that fails.
fn assert_matches(catalog: &Catalog, name: &str, text: Option<&str>) -> Result<(), String> {
    let file = std::env::temp_dir().join(format!("diator-catalog-{name}-{}.json", std::process::id()));
    if let Some(text) = text {
        std::fs::write(&file, text).expect("it can be written");
    }
    let result = std::panic::catch_unwind(|| catalog.assert_matches(&file));
    if text.is_some() {
        std::fs::remove_file(&file).expect("it was written");
    }
    result.map_err(|failed| failed.downcast_ref::<String>().expect("it is a text").clone())
}

#[test]
fn a_test_fails_with_the_differences_and_says_what_to_do() {
    let catalog = builder().catalog();
    assert_eq!(assert_matches(&catalog, "same", Some(&catalog.to_json())), Ok(()));
    let old = earlier(|was| {
        message(was, "OrderChanged")["name"] = json!("OrderUpdated");
        message(was, "CountOrders")["handlers"] = json!([{ "type": "shop::Gone" }]);
        message(was, "ShipOrder")["idempotent"] = json!(false);
    });
    let message = assert_matches(&catalog, "other", Some(&old)).expect_err("much differs");
    let told = message.split_once("\n\n").expect("a heading").1;
    assert_eq!(
        told,
        "breaks consumers of the events:\n  \
           - the ECST event `catalog::world::OrderState`: name was \"OrderUpdated\", now \"OrderChanged\"\n\
         breaks who sends the messages:\n  \
           - the query `catalog::world::CountOrders`: it has lost its handler `shop::Gone`\n\
         other changes:\n  \
           - the command `catalog::world::ShipOrder`: idempotent was false, now true\n\n\
         if this is meant, set DIATOR_BLESS=1 and run the test again"
    );
    let missing = assert_matches(&catalog, "missing", None).expect_err("there is no file");
    assert!(missing.contains("cannot be read") && missing.contains("DIATOR_BLESS=1"), "{missing}");
}
