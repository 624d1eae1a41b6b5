//! What a catalog says of an earlier one.

use diator_catalog::{Catalog, Impact};
use serde_json::{Value, json};

use super::world::builder;

/// An earlier catalog, in which something was different.
fn earlier(change: impl FnOnce(&mut Value)) -> String {
    let mut value = serde_json::from_str(&Catalog::from(builder().wiring()).to_json()).expect("it is json");
    change(&mut value);
    value.to_string()
}

fn message<'a>(catalog: &'a mut Value, name: &str) -> &'a mut Value {
    let lists = catalog.as_object_mut().expect("an object").values_mut().filter_map(Value::as_array_mut);
    lists.flatten().find(|message| message["name"] == name).expect(name)
}

fn changes(change: impl FnOnce(&mut Value)) -> Vec<(Impact, String)> {
    let changes = Catalog::from(builder().wiring()).changes_since(&earlier(change)).expect("it is a catalog");
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
    for field in ["topic", "key"] {
        let moved = changes(|was| message(was, "OrderPlacedNotification")[field] = json!("other"));
        assert_eq!(moved.iter().map(|(impact, _)| *impact).collect::<Vec<_>>(), [Impact::Consumers], "{moved:?}");
    }
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
    let text = "the notification event `shop::Old` is gone";
    // It says of no direction, and so may have had both.
    let both = [Impact::Consumers, Impact::Senders].map(|impact| (impact, text.to_owned()));
    assert_eq!(gone("events", "notification_event"), both);
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
    let text = "the command `PlaceOrder`: its handler `PlaceOrderHandler`: it needed dyn Stock (scoped), now dyn Stock (singleton)";
    assert_eq!(lives, [(Impact::Nobody, text.to_owned())], "and nothing of the others");
    let needs = changes(|was| message(was, "PlaceOrder")["handlers"][0]["dependencies"] = json!([]));
    assert_eq!(needs.len(), 3, "{needs:?}");
    assert!(needs.iter().any(|(_, text)| text.ends_with("it now needs u128 (missing, optional)")), "{needs:?}");
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
        was(&|s| s["definitions"]["Line"]["properties"]["article"]["type"] = json!("integer")),
        consumers("its field `lines[].article`: type was \"integer\", now \"string\"")
    );
    assert_eq!(
        was(&|s| _ = s["properties"].as_object_mut().expect("an object").remove("discount")),
        nobody("its field `discount`: it is new")
    );
    assert_eq!(was(&|s| s["title"] = json!("Old")), nobody("its schema: title was \"Old\", now null"));
    let variants = changes(|was| _ = variants_of(was).pop());
    assert_eq!(
        variants,
        [(
            Impact::Consumers,
            "the ECST event `Payment`: its schema: it has alternatives that readers do not know".to_owned()
        )]
    );
}

fn variants_of(was: &mut Value) -> &mut Vec<Value> {
    message(was, "Payment")["schema"]["oneOf"].as_array_mut().expect("a list")
}

/// The impacts of an earlier form of an event that is only received.
fn received(change: impl FnOnce(&mut Value)) -> Vec<Impact> {
    changes(|was| change(message(was, "PaymentArrived"))).into_iter().map(|(impact, _)| impact).collect()
}

#[test]
fn a_definition_may_be_called_otherwise() {
    let renamed = changes(|was| {
        let schema = &mut message(was, "OrderChanged")["schema"];
        let text = schema.to_string().replace("#/definitions/Line", "#/definitions/Item");
        *schema = serde_json::from_str(&text.replace("\"Line\":", "\"Item\":")).expect("it is json");
    });
    assert_eq!(renamed, []);
    // Where it is referred to does not matter.
    let definitions = |name: &str| json!({ name: { "type": "object", "properties": { "id": { "type": "integer" } } } });
    let one = |name: &str| json!({ "$ref": format!("#/definitions/{name}") });
    let schema = |name: &str| {
        json!({ "definitions": definitions(name), "properties": {
            "pair": { "type": "array", "items": [one(name), { "type": "string" }] },
            "by_number": { "type": "object", "patternProperties": { "^[0-9]+$": one(name) } },
            "told": { "allOf": [one(name)], "description": "said" },
            "plain": one(name),
        } })
    };
    let mut catalog = Catalog::from(builder().wiring());
    let event = catalog.events.iter_mut().find(|event| event.name == "OrderChanged").expect("it is known");
    event.schema = Some(schema("Line"));
    let changes = |old: Value| {
        let old = earlier(|was| message(was, "OrderChanged")["schema"] = old);
        catalog.changes_since(&old).expect("it is a catalog").all().len()
    };
    assert_eq!(changes(schema("Item")), 0);
    let mut other = schema("Item");
    other["properties"]["told"] = one("Item");
    assert_eq!(changes(other.clone()), 0, "what is described now");
    other["definitions"]["Item"]["properties"]["id"]["type"] = json!("string");
    assert_eq!(changes(other), 1, "and told once");
}

#[test]
fn what_is_sent_may_say_less_and_what_is_received_may_allow_more() {
    let fewer = changes(|was| variants_of(was).push(json!({ "type": "object", "required": ["Lost"] })));
    assert_eq!(fewer.len(), 1);
    assert!(fewer[0].0 == Impact::Nobody && fewer[0].1.ends_with("it has fewer alternatives"), "{fewer:?}");
    let nobody = [Impact::Nobody];
    let senders = [Impact::Senders];
    assert_eq!(
        received(|event| event["schema"]["properties"]["old"] = json!({})),
        nobody,
        "a field that is no longer read"
    );
    assert_eq!(received(|e| e["schema"]["required"] = json!(["order_id", "gone"])), [], "and no longer needed");
    let integer = |event: &mut Value, kind: Value| event["schema"]["properties"]["order_id"]["type"] = kind;
    assert_eq!(received(|event| integer(event, json!("string"))), senders);
    assert_eq!(received(|event| integer(event, json!(["integer", "null"]))), senders, "no longer null");
    assert_eq!(received(|event| event["schema"]["properties"]["order_id"]["maximum"] = json!(9)), nobody, "loosened");
    for field in ["topic", "kind"] {
        assert_eq!(received(|event| event[field] = json!("ecst_event")), senders, "{field}");
    }
    assert_eq!(received(|event| event["key"] = json!("order_id")), nobody);
    assert_eq!(received(|event| event["name"] = json!("Paid")), senders);
    assert_eq!(received(|event| event["name"] = json!("MoneyCame")), nobody, "it is still read under the name");
}

#[test]
fn what_is_only_received_is_compared_as_it_is_read() {
    let mut now: Value = serde_json::from_str(&Catalog::from(builder().wiring()).to_json()).expect("it is json");
    assert_eq!(
        message(&mut now, "PaymentArrived")["schema"]["required"],
        json!(["order_id"]),
        "the note has a default"
    );
    assert_eq!(received(|event| event["schema"]["required"] = json!([])), [Impact::Senders], "it must now be given");
}

#[test]
fn what_was_not_observed_this_time_is_not_told_as_lost() {
    let event = "OrderPlacedNotification";
    let found = changes(|was| {
        let emitted = message(was, event)["type"].clone();
        message(was, "PlaceOrder")["handlers"][0]["causes"] = json!([emitted]);
    });
    let text = "nobody saw a handler emit it this time: the handler that emitted it was not observed";
    let told = (Impact::Nobody, format!("the notification event `{event}`: {text}"));
    assert!(found.contains(&told), "{found:?}");
    assert!(found.iter().all(|(impact, _)| *impact == Impact::Nobody), "{found:?}");
}

#[test]
fn a_direction_that_is_lost_breaks_those_on_the_other_side() {
    let of = |name: &str, direction: Value| changes(|was| message(was, name)["direction"] = direction);
    let lost = of("PaymentArrived", json!("both"));
    assert_eq!(lost, [(Impact::Consumers, "the notification event `PaymentArrived`: it is no longer sent".to_owned())]);
    let lost = of("OrderChanged", json!("received"));
    assert_eq!(
        lost,
        [
            (Impact::Senders, "the ECST event `OrderState`: it is no longer received: nobody handles it".to_owned()),
            (Impact::Nobody, "the ECST event `OrderState`: it is now sent".to_owned()),
        ]
    );
    assert_eq!(of("PaymentArrived", Value::Null)[0].0, Impact::Nobody);
    // Nobody handles it here, so that it still seems to be sent.
    let emitting = json!({ "type": "Gone", "causes": ["catalog::world::OrderState"] });
    let lost = changes(|was| message(was, "ShipOrder")["handlers"][0] = emitting);
    assert_eq!(lost[0], (Impact::Consumers, "the ECST event `OrderState`: no handler emits it any more".to_owned()));
}

#[test]
fn a_schema_that_is_gone_is_told_in_a_few_words() {
    let schema = json!({ "type": "object" });
    let lost = changes(|was| message(was, "WithoutSchema")["schema"] = schema);
    assert_eq!(lost.len(), 1);
    assert!(lost[0].0 == Impact::Consumers && lost[0].1.len() < 150, "{lost:?}");
    let new = changes(|was| message(was, "OrderChanged")["schema"] = Value::Null);
    assert_eq!(new, [(Impact::Nobody, "the ECST event `OrderState`: its schema is now known".to_owned())]);
}

#[test]
fn a_middleware_is_told_once() {
    let gone = changes(|was| {
        was["middleware"].as_array_mut().expect("a list").insert(0, json!({ "name": "shop::Old" }));
        for name in ["PlaceOrder", "ShipOrder"] {
            message(was, name)["handlers"][0]["middleware"]
                .as_array_mut()
                .expect("a list")
                .insert(0, json!("shop::Old"));
        }
    });
    assert_eq!(gone, [(Impact::Nobody, "the middleware \"shop::Old\" is gone".to_owned())]);
    let fewer =
        changes(|was| message(was, "OrderPlaced")["handlers"][0]["middleware"] = json!(["catalog::world::Audit"]));
    assert_eq!(fewer.len(), 1, "this handler alone has lost it: {fewer:?}");
}

#[test]
fn what_a_handler_causes_is_told_one_by_one() {
    let causes = |was: Value| changes(|catalog| message(catalog, "ShipOrder")["handlers"][0]["causes"] = was);
    let lost = causes(json!(["shop::Gone"]));
    assert!(lost.len() == 1 && lost[0].1.ends_with("the messages that it causes are no longer observed"), "{lost:?}");
}

#[test]
fn what_arrives_may_not_need_more() {
    let needs = "the notification event `PaymentArrived`: its field `order_id`: every sender of the event \
                 must now give it";
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
fn a_broker_that_comes_breaks_nobody_and_one_that_goes_breaks_consumers() {
    let came = changes(|was| was["broker"] = Value::Null);
    assert_eq!(came, [(Impact::Nobody, "the broker is new".to_owned())]);
    let mut now = Catalog::from(builder().wiring());
    now.broker = None;
    let gone = now.changes_since(&earlier(|_| {})).expect("it is a catalog");
    let gone: Vec<_> = gone.all().iter().map(|change| (change.impact, change.text.as_str())).collect();
    assert_eq!(gone, [(Impact::Consumers, "the broker is gone: no event leaves any more")]);
}

#[test]
fn a_lost_id_breaks_what_is_under_way() {
    let found = changes(|was| message(was, "PaymentArrived")["handlers"][0]["id"] = json!("billing.note"));
    let title = "the notification event `PaymentArrived`";
    assert_eq!(
        found,
        [
            (Impact::UnderWay, format!("{title}: no handler has the id `billing.note` any more")),
            (Impact::Nobody, format!("{title}: its handler `Note`: id was \"billing.note\", now \"Note\"")),
        ]
    );
    let untold =
        changes(|was| _ = message(was, "PaymentArrived")["handlers"][0].as_object_mut().map(|it| it.remove("id")));
    assert_eq!(untold, []);
    // A domain event never comes again.
    let domain = changes(|was| message(was, "OrderPlaced")["handlers"][0]["id"] = json!("note"));
    assert!(domain.iter().all(|(impact, _)| *impact == Impact::Nobody) && domain.len() == 1, "{domain:?}");
}

#[test]
fn what_an_earlier_catalog_did_not_say_has_not_changed() {
    let untold = |name: &str, field: &str| {
        changes(|was| _ = message(was, name).as_object_mut().expect("an object").remove(field))
    };
    for (name, field) in [("PlaceOrder", "response"), ("PlaceOrder", "error"), ("PaymentArrived", "direction")] {
        assert_eq!(untold(name, field), [], "{name}: {field}");
    }
}

#[test]
fn what_is_no_catalog_is_an_error() {
    let why = |text: &str| Catalog::from(builder().wiring()).changes_since(text).expect_err(text).to_string();
    for text in ["[]", "{}", "{\"requests\": []}", "null"] {
        assert_eq!(why(text), "it holds no catalog: `requests` and `events` are missing", "{text}");
    }
    assert!(why("").starts_with("it is not json: "));
    let sideways = why(&earlier(|was| message(was, "PaymentArrived")["direction"] = json!("sideways")));
    assert!(sideways.contains("unknown variant `sideways`, expected one of `sent`, `received`, `both`"), "{sideways}");
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
    let catalog = Catalog::from(builder().wiring());
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
         breaks senders of the messages:\n  \
           - the query `catalog::world::CountOrders`: it has lost its handler `shop::Gone`\n\
         other changes:\n  \
           - the command `catalog::world::ShipOrder`: idempotent was false, now true\n\n\
         if this is meant, set DIATOR_BLESS=1 and run the test again"
    );
    let missing = assert_matches(&catalog, "missing", None).expect_err("there is no file");
    assert!(missing.contains("cannot be read") && missing.contains("DIATOR_BLESS=1"), "{missing}");
}
