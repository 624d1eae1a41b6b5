//! What people and tools get to see.

use diator_catalog::{Catalog, ObservedCauses};

use super::world::builder;

fn catalog() -> Catalog {
    let edges = r#"{"handlers": [
        {"message": "catalog::world::PlaceOrder",
            "causes": ["catalog::world::OrderPlaced", "catalog::world::OrderPlacedNotification"]},
        {"message": "catalog::world::OrderPlaced", "handler": "catalog::world::Ship", "causes": ["catalog::world::ShipOrder"]},
        {"message": "catalog::world::OrderPlaced", "handler": "catalog::world::Mail", "causes": []}
    ]}"#;
    let edges = ObservedCauses::from_json(edges).expect("it has the form");
    Catalog::from(builder().wiring()).with_edges(&edges).expect("they fit")
}

#[track_caller]
fn shows(text: &str, parts: &[&str]) {
    let line = text
        .lines()
        .find(|line| line.trim_start().starts_with(parts[0]))
        .unwrap_or_else(|| panic!("{parts:?}:\n{text}"));
    parts.iter().for_each(|part| assert!(line.contains(part), "{part} is not in `{line}`"));
}

#[test]
fn the_table_has_a_line_for_each_message_and_handler() {
    let table = catalog().to_string();
    shows(&table, &["PlaceOrder ", "PlaceOrderHandler", "OrderPlaced, OrderPlacedNotification", "world.rs:"]);
    shows(&table, &["CountOrders", "- nobody -"]);
    shows(&table, &["OrderPlaced ", "Note"]);
    shows(&table, &["Mail (after commit)"]);
    shows(&table, &["OrderPlacedNotification", "(to the broker, topic \"orders\")"]);
    shows(&table, &["OrderState as \"OrderChanged\""]);
    // Two with one name are told apart.
    shows(&table, &["catalog::world::first::Cancel", "Warehouse"]);
    shows(&table, &["catalog::world::second::Cancel", "Warehouse"]);
    shows(&table, &["Unreachable: durable, ordered by key, at most 1024 bytes; writes application/json", "world.rs:"]);
    shows(&table, &["Audit", "world.rs:"]);
    assert!(table.lines().all(|line| line == line.trim_end()), "{table}");
}

#[test]
fn a_description_tells_who_handles_it_and_what_happens_then() {
    let text = catalog().describe("PlaceOrder").expect("it is known").to_string();
    shows(&text, &["command PlaceOrder", "world.rs:"]);
    shows(&text, &["fails with", "OutOfStock"]);
    shows(&text, &["needs", "dyn Stock as `_stock`, singleton"]);
    shows(&text, &["within", "Audit"]);
    let ship = catalog().describe("ShipOrder").expect("it is known").to_string();
    shows(&ship, &["marks", "Audited, RateLimit { per_minute: 2*30 }"]);
    shows(&ship, &["idempotent"]);
    let placed = catalog().describe("OrderPlaced").expect("it is known").to_string();
    shows(&placed, &["marks", "Audited"]);
    shows(&placed, &["required"]);
    assert!(!text.contains("nothing was observed"), "{text}");
    let then = text.split_once("what happens then\n").expect("much happens").1;
    assert_eq!(
        then,
        "    domain event OrderPlaced\n      \
               -> Note (was not observed)\n      \
               -> Ship\n         \
                  command ShipOrder -> Warehouse (was not observed)\n      \
               -> Mail (after the commit)\n    \
             notification event OrderPlacedNotification -> the broker, topic \"orders\"\n"
    );
}

#[test]
fn a_handler_that_causes_nothing_differs_from_one_that_was_not_observed() {
    let catalog = catalog();
    let table = catalog.to_string();
    shows(&table, &["Mail (after commit)", "  -  "]);
    shows(&table, &["ShipOrder", "(not observed)"]);
    let ship = catalog.describe("ShipOrder").expect("it is known").to_string();
    assert!(ship.contains("what happens then is not known: no handler of it was observed\n"), "{ship}");
    let json: serde_json::Value = serde_json::from_str(&catalog.to_json()).expect("it is json");
    let of = |name: &str| {
        let all = ["requests", "events"].map(|list| json[list].as_array().expect("a list"));
        let found = all.into_iter().flatten().flat_map(|one| one["handlers"].as_array().expect("a list"));
        found.filter(|handler| handler["type"] == format!("catalog::world::{name}")).map(|h| h["causes"].clone()).next()
    };
    assert_eq!((of("Mail"), of("Note")), (Some(serde_json::json!([])), Some(serde_json::Value::Null)));
    let page = catalog.html().to_string();
    assert!(page.contains("causes nothing") && page.contains("what it causes was not observed"), "{page}");
    assert!(!page.contains("What causes what was not observed"), "{page}");
}

#[test]
fn the_direction_of_an_event_is_told() {
    let catalog = catalog();
    let table = catalog.to_string();
    shows(&table, &["PaymentArrived", "Note (from the broker)"]);
    shows(&table, &["ShopOpened", "(to the broker; was not observed)"]);
    let mut all = Catalog::from(builder().wiring());
    let requests = all.requests.iter_mut().map(|request| &mut request.handlers);
    let handlers = requests.chain(all.events.iter_mut().map(|event| &mut event.handlers)).flatten();
    handlers.for_each(|handler| handler.causes = Some(vec!["catalog::world::PaymentArrived".to_owned()]));
    let table = all.to_string();
    shows(&table, &["ShopOpened", "- no handler emits it -"]);
    assert!(all.describe("ShopOpened").expect("it is known").to_string().contains("no handler that was observed"));
    assert!(all.html().to_string().contains("(no handler emits it)"));
    assert!(all.asyncapi("Shop", "1.0.0").contains("send.ShopOpened"), "it may be emitted outside of handlers");
    let json: serde_json::Value = serde_json::from_str(&all.to_json()).expect("it is json");
    let direction = |name: &str| {
        let events = json["events"].as_array().expect("a list");
        events.iter().find(|event| event["name"] == name).expect(name)["direction"].clone()
    };
    assert_eq!((direction("PaymentArrived"), direction("ShopOpened")), ("both".into(), serde_json::Value::Null));
    assert_eq!(direction("OrderPlaced"), serde_json::Value::Null);
    let alone = Catalog::from(diator::Mediator::from_registry().without_broker().wiring()).to_string();
    shows(&alone, &["ShopOpened", "(to a broker (none is known))"]);
}

/// The shop, in which the event that arrives is emitted too.
fn echoing() -> Catalog {
    let edges =
        r#"{"handlers": [{"message": "catalog::world::PlaceOrder", "causes": ["catalog::world::PaymentArrived"]}]}"#;
    let edges = ObservedCauses::from_json(edges).expect("it has the form");
    Catalog::from(builder().wiring()).with_edges(&edges).expect("they fit")
}

#[test]
fn the_table_notes_what_is_emitted_and_handled_here() {
    let table = echoing().to_string();
    let note = "\nnotes\n  the notification event `PaymentArrived` is emitted here (by PlaceOrder), but its handlers here do not run then: \
                they run when it arrives from the broker\n";
    assert!(table.contains(note), "{table}");
    assert!(!catalog().to_string().contains("\nnotes\n"), "what was not observed says so in its line alone");
}

#[test]
fn a_description_says_when_handlers_of_events_for_the_broker_run() {
    for catalog in [catalog(), echoing()] {
        let text = catalog.describe("PaymentArrived").expect("it is known").to_string();
        let when = "  they run     when it arrives from the broker, not when this program emits it\n";
        assert!(text.contains(when), "{text}");
        assert!(!catalog.describe("OrderPlaced").expect("it is known").to_string().contains("they run"));
    }
}

#[test]
fn the_page_says_when_handlers_of_events_for_the_broker_run() {
    let page = catalog().html().to_string();
    let when = "<dt>they run</dt><dd>when it arrives from the broker, not when this program emits it</dd>";
    assert_eq!(page.matches(when).count(), 1);
}

#[test]
fn a_domain_event_with_a_name_of_its_own_shows_it() {
    let mut catalog = catalog();
    catalog.events.iter_mut().find(|event| event.name == "OrderPlaced").expect("it is known").name =
        "order_placed".to_owned();
    shows(&catalog.to_string(), &["OrderPlaced as \"order_placed\""]);
    let text = catalog.describe("OrderPlaced").expect("it is known").to_string();
    shows(&text, &["named", "\"order_placed\""]);
    assert!(catalog.html().to_string().contains("<dt>named</dt><dd><code>order_placed</code>"));
}

#[test]
fn the_key_of_an_event_is_shown() {
    let catalog = catalog();
    let text = catalog.describe("OrderPlacedNotification").expect("it is known").to_string();
    shows(&text, &["key ", "`order_id`"]);
    assert!(catalog.to_json().contains("\"key\": \"order_id\""));
    assert!(catalog.html().to_string().contains("<dt>key</dt><dd><code>order_id</code>"));
    assert!(catalog.asyncapi("Shop", "1.0.0").contains("\"x-key\": \"order_id\""));
}

#[test]
fn an_event_is_found_under_each_name_that_it_is_read_by() {
    let catalog = catalog();
    assert_eq!(catalog.describe("MoneyCame"), catalog.describe("PaymentArrived"));
    assert!(catalog.describe("MoneyCame").is_some() && catalog.names().any(|name| name == "MoneyCame"));
}

#[test]
fn circles_and_many_ways_to_one_message_are_told_once() {
    let of = |from: &str, to: &[&str]| {
        let causes: Vec<_> = to.iter().map(|to| format!("catalog::world::{to}")).collect();
        serde_json::json!({ "message": format!("catalog::world::{from}"), "causes": causes })
    };
    let edges = serde_json::json!({ "handlers": [
        of("PlaceOrder", &["ShipOrder", "first::Cancel"]),
        of("ShipOrder", &["OrderPlaced"]),
        of("first::Cancel", &["ShipOrder"]),
        of("OrderPlaced", &["PlaceOrder", "OrderState"]),
    ] });
    let edges = ObservedCauses::from_json(&edges.to_string()).expect("it has the form");
    let catalog = Catalog::from(builder().wiring()).with_edges(&edges).expect("they fit");
    let text = catalog.describe("PlaceOrder").expect("it is known").to_string();
    assert_eq!(
        text.split_once("what happens then\n").expect("much happens").1,
        "    command ShipOrder -> Warehouse\n      \
               domain event OrderPlaced\n        \
                 -> Note\n           \
                    command PlaceOrder -> PlaceOrderHandler (see above)\n           \
                    ECST event OrderState -> the broker as \"OrderChanged\", topic \"orders\"\n        \
                 -> Ship\n           \
                    command PlaceOrder -> PlaceOrderHandler (see above)\n           \
                    ECST event OrderState -> the broker as \"OrderChanged\", topic \"orders\"\n        \
                 -> Mail (after the commit)\n           \
                    command PlaceOrder -> PlaceOrderHandler (see above)\n           \
                    ECST event OrderState -> the broker as \"OrderChanged\", topic \"orders\"\n    \
             command catalog::world::first::Cancel -> Warehouse\n      \
               command ShipOrder -> Warehouse (see above)\n"
    );
}

#[test]
fn without_edges_nothing_is_claimed_of_what_happens_then() {
    let catalog = Catalog::from(builder().wiring());
    assert!(catalog.to_string().contains("what causes what was not observed"));
    let text = catalog.describe("PlaceOrder").expect("it is known").to_string();
    assert!(text.contains("what happens then is not known: nothing was observed"), "{text}");
    assert!(text.contains("`.observe(edges.clone())`") && text.contains("`Cli::edges`"), "it names the remedy: {text}");
    assert!(catalog.html().to_string().contains("What causes what was not observed"));
}

#[test]
fn an_event_for_the_broker_says_in_which_shape_it_goes() {
    let text = catalog().describe("OrderChanged").expect("it is known by its name on the wire").to_string();
    shows(&text, &["on the wire", "\"OrderChanged\", topic \"orders\""]);
    shows(&text, &["goes to", "Unreachable as application/json"]);
    shows(
        &text,
        &[
            "written as",
            "message_type, message_name, message_id, payload { event_id, event_timestamp, its own fields }",
        ],
    );
    let format = diator::broker::Format::cloud_events("https://shop.example/orders").expect("it is a uri");
    let cloud =
        Catalog::from(builder().format(format).wiring()).describe("OrderChanged").expect("it is known").to_string();
    shows(&cloud, &["written as", "CloudEvent", "data { its own fields }"]);
    let shape =
        text.split_once("its fields   ").expect("it is known").1.split("  caused by").next().expect("it begins");
    let shape: Vec<_> = shape.lines().map(|line| line.strip_prefix("               ").unwrap_or(line)).collect();
    assert_eq!(
        shape,
        [
            "at: [number (double), number (double)]",
            "discount?: number or null",
            "lines: array of Line",
            "note: string or null",
            "order_id: integer (uint64)",
            "Line: object",
            "  article: string",
            "  parts: array of Line",
        ]
    );
}

#[test]
fn a_flattened_map_is_shown() {
    let text = catalog().describe("Counted").expect("it is known").to_string();
    shows(&text, &["its fields", "(any other): integer (uint64)"]);
}

#[test]
fn a_name_may_be_a_path_a_handler_or_several_messages() {
    let catalog = catalog();
    let both = catalog.describe("Cancel").expect("there are two").to_string();
    assert!(both.contains("first::Cancel") && both.contains("second::Cancel"), "{both}");
    let one = catalog.describe("catalog::world::first::Cancel").expect("it is a path").to_string();
    assert!(!one.contains("second::Cancel"), "{one}");
    assert_eq!(catalog.describe("first::Cancel").expect("it is the end of a path").to_string(), one);
    assert!(catalog.describe("world::Warehouse").expect("it is a handler").to_string().contains("second::Cancel"));
    assert_eq!(catalog.describe("irst::Cancel"), None, "not within a name");
    let of_handler = catalog.describe("Ship").expect("it is a handler").to_string();
    assert!(of_handler.contains("domain event OrderPlaced"), "{of_handler}");
    assert_eq!(catalog.describe("Nothing"), None);
    assert!(catalog.names().any(|name| name == "OrderChanged"));
}

#[test]
fn the_chart_has_each_message_once_and_each_edge() {
    let chart = catalog().mermaid();
    assert!(chart.starts_with("flowchart LR\n"), "{chart}");
    let node = |label: &str| {
        let line = chart.lines().find(|line| line.contains(label)).unwrap_or_else(|| panic!("{label}: {chart}"));
        let id = line.trim_start().split(['[', '{', '(']).next().expect("it has an id").to_owned();
        assert_eq!(chart.matches(label).count(), 1, "{label}");
        id
    };
    let (place, placed) =
        (node("command PlaceOrder<br>PlaceOrderHandler"), node("OrderPlaced<br>Note<br>Ship<br>Mail"));
    let (ship, noted) = (node("ShipOrder<br>Warehouse"), node("event OrderPlacedNotification"));
    let arrived = node("event PaymentArrived<br>Note");
    for edge in [
        format!("{place} --> {placed}"),
        format!("{placed} --> {ship}"),
        format!("{noted} -.-> broker"),
        format!("broker -.-> {arrived}"),
    ] {
        assert!(chart.lines().any(|line| line.trim() == edge), "{edge}: {chart}");
    }
    assert!(!chart.contains(&format!("{arrived} -.-> broker")), "{chart}");
}

#[test]
fn a_message_that_is_new_changes_nothing_of_the_others() {
    let all = catalog();
    let mut fewer = all.clone();
    fewer.requests.remove(0);
    let lines = |catalog: &Catalog| catalog.mermaid().lines().map(str::to_owned).collect::<Vec<_>>();
    let (new, old) = (lines(&all), lines(&fewer));
    assert_eq!(new.iter().filter(|line| !old.contains(line)).count(), 1, "{new:?}");
    assert!(all.html().to_string().contains("href=\"#m_catalog_world_ShipOrder\""));
}

#[test]
fn json_holds_it_all_with_sorted_keys() {
    let text = catalog().to_json();
    let value: serde_json::Value = serde_json::from_str(&text).expect("it is json");
    let place =
        value["requests"].as_array().expect("a list").iter().find(|r| r["name"] == "PlaceOrder").expect("it is known");
    assert_eq!(place["handlers"][0]["dependencies"][1]["lifetime"], "scoped");
    assert_eq!(place["handlers"][0]["causes"][1], "catalog::world::OrderPlacedNotification");
    assert_eq!(value["broker"]["guarantees"]["max_body"], 1024);
    let keys: Vec<_> = text.lines().filter(|line| line.starts_with("  \"")).collect();
    assert!(keys.is_sorted() && keys.len() == 4, "{keys:?}");
}

#[test]
fn each_rendering_is_the_same_each_time() {
    let (one, other) = (catalog(), catalog());
    assert_eq!(one.to_string(), other.to_string());
    assert_eq!(one.to_json(), other.to_json());
    assert_eq!(one.mermaid(), other.mermaid());
    assert_eq!(one.html().to_string(), other.html().to_string());
    assert_eq!(one.asyncapi("Shop", "1.0.0"), other.asyncapi("Shop", "1.0.0"));
}

#[test]
fn an_empty_catalog_can_be_rendered() {
    let empty = Catalog::from(diator::Mediator::builder().wiring());
    assert!(empty.requests.is_empty() && empty.events.is_empty());
    assert!(empty.to_string().starts_with("MESSAGE"));
    assert_eq!(empty.mermaid(), "flowchart LR\n");
    assert!(empty.html().to_string().contains("</html>"));
}
