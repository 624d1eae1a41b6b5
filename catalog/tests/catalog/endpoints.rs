//! What the catalog shows of endpoints.

use std::time::Duration;

use diator::endpoint::{Endpoint, ErrorPolicy, OnError, Order, OwnMessages};
use diator::host::Host;
use diator::prelude::*;
use diator_catalog::{Catalog, Impact, ObservedCauses};
use serde_json::{Value, json};

use super::world::*;

fn payments() -> Endpoint {
    let policy = ErrorPolicy::new()
        .immediately(1)
        .later([Duration::from_secs(10), Duration::from_secs(60)])
        .when::<OutOfStock>(|_| OnError::Retry);
    Endpoint::new("payments", InMemoryBroker::new())
        .topics(["money"])
        .concurrency(32)
        .order(Order::PerKey)
        .errors(policy)
        .own_messages(OwnMessages::Skip)
        .formerly("tills")
}

fn with(endpoint: &Endpoint) -> Catalog {
    Catalog::from(builder().wiring().with_endpoint(endpoint))
}

#[test]
fn a_host_shows_its_endpoints_and_connects_to_nothing() {
    let mediator = builder().without_broker().build().expect("all is there");
    let catalog = Catalog::from(Host::new(mediator).endpoint(payments()).wiring());
    let [endpoint] = &catalog.endpoints[..] else { panic!("there is one") };
    assert_eq!((&*endpoint.name, endpoint.concurrency, endpoint.order), ("payments", 32, Order::PerKey));
    assert_eq!((&endpoint.topics[..], endpoint.default_topic), (&["money".to_owned()][..], true));
    let [run] = &endpoint.handlers[..] else { panic!("{endpoint:?}") };
    assert_eq!((&*run.event, &*run.handler), ("catalog::world::PaymentArrived", "catalog::world::Note"));
    let source = endpoint.source.as_ref().expect("it was made here");
    assert!(source.to_string().starts_with("catalog/tests/catalog/endpoints.rs:"), "{source}");
}

#[test]
fn the_table_shows_who_consumes_and_how() {
    let table = with(&payments()).to_string();
    let line = table.lines().find(|line| line.contains("PaymentArrived")).expect("it is there");
    assert!(line.contains("Note (endpoint payments)"), "{line}");
    let told = "endpoints\n  payments: reads \"money\", the default topic; 32 at once, in order per key";
    assert!(table.contains(told), "{table}");
    let failures = "\n    1 retry at once, others after 10s and 60s; OutOfStock by a rule; then a dead letter\n";
    assert!(table.contains(failures), "{table}");
    let elsewhere = Endpoint::new("mail", InMemoryBroker::new()).handlers(handlers![Mail]);
    assert!(with(&elsewhere).to_string().contains("Note (in no endpoint)"));
}

#[test]
fn an_endpoint_and_its_event_are_described() {
    let catalog = with(&payments());
    let event = catalog.describe("PaymentArrived").expect("it is known").to_string();
    assert!(event.contains("  here         consumed by the endpoint payments\n"), "{event}");
    assert!(event.contains("    endpoint   payments\n"), "{event}");
    let endpoint = catalog.describe("payments").expect("it is known").to_string();
    for line in [
        "endpoint payments  catalog/tests/catalog/endpoints.rs:",
        "  reads        \"money\", the default topic, through InMemoryBroker\n",
        "  handles      32 at once, in order per key\n",
        "  failures     1 retry at once, others after 10s and 60s; OutOfStock by a rule; then a dead letter\n",
        "  unknown      messages whose name the program does not know: ignored\n",
        "  skips        messages that this program has published itself\n",
        "  formerly     tills\n",
        "  runs         PaymentArrived -> Note\n",
    ] {
        assert!(endpoint.contains(line), "{line}\n{endpoint}");
    }
    assert!(catalog.names().any(|name| name == "payments"));
}

/// What is said of an event when all handlers were observed, and one emits what the test says.
fn here(event: &str, emits: &str, endpoint: &Endpoint) -> String {
    let all: Vec<_> = Catalog::linked()
        .requests
        .iter()
        .map(|request| json!({ "message": request.type_name, "causes": [] }))
        .chain([
            json!({ "message": "catalog::world::OrderPlaced", "handler": "catalog::world::Mail", "causes": [] }),
            json!({ "message": "catalog::world::OrderPlaced", "handler": "catalog::world::Note", "causes": [] }),
            json!({ "message": "catalog::world::OrderPlaced", "handler": "catalog::world::Ship", "causes": [emits] }),
            json!({ "message": "catalog::world::PaymentArrived", "handler": "catalog::world::Note", "causes": [] }),
        ])
        .filter(|entry| entry["message"] != "catalog::world::CountOrders")
        .collect();
    let edges = ObservedCauses::from_json(&json!({ "handlers": all }).to_string()).expect("it is json");
    let catalog = with(endpoint).with_edges(&edges).expect("they fit");
    let text = catalog.describe(event).expect("it is known").to_string();
    let line = text.lines().find_map(|line| line.strip_prefix("  here         ")).expect("it is on the wire");
    line.to_owned()
}

#[test]
fn an_event_is_published_here_consumed_here_both_or_neither() {
    let elsewhere = Endpoint::new("mail", InMemoryBroker::new()).handlers(handlers![Mail]);
    let (paid, opened) = ("catalog::world::PaymentArrived", "catalog::world::ShopOpened");
    assert_eq!(here("ShopOpened", opened, &payments()), "published");
    assert_eq!(here("PaymentArrived", opened, &payments()), "consumed by the endpoint payments");
    assert_eq!(here("PaymentArrived", paid, &payments()), "published, and consumed by the endpoint payments");
    assert_eq!(here("ShopOpened", paid, &payments()), "neither published nor consumed");
    let told = "neither published nor consumed: no endpoint runs its handlers";
    assert_eq!(here("PaymentArrived", opened, &elsewhere), told);
}

#[test]
fn the_other_renderings_show_endpoints_too() {
    let catalog = with(&payments());
    let chart = catalog.mermaid();
    for line in [
        "    endpoint_1[[\"endpoint payments\"]]\n",
        "    broker -.-> endpoint_1\n",
        "    endpoint_1 -.-> m_catalog_world_PaymentArrived\n",
    ] {
        assert!(chart.contains(line), "{line}\n{chart}");
    }
    assert!(!chart.contains("broker -.-> m_catalog_world_PaymentArrived"), "{chart}");
    let page = catalog.html().to_string();
    assert!(page.contains("<dt>endpoint</dt><dd><code>payments</code>"), "{page}");
    assert!(page.contains("<dt>here</dt><dd>consumed by the endpoint payments</dd>"), "{page}");
    let document: Value = serde_json::from_str(&catalog.asyncapi("Shop", "1")).expect("it is json");
    let operations = &document["operations"];
    assert_eq!(operations["receive.PaymentArrived"]["x-endpoints"], json!(["payments"]));
    let elsewhere = Endpoint::new("mail", InMemoryBroker::new()).handlers(handlers![Mail]);
    let document: Value = serde_json::from_str(&with(&elsewhere).asyncapi("Shop", "1")).expect("it is json");
    assert!(document["operations"].get("receive.PaymentArrived").is_none());
}

#[test]
fn a_hostile_name_is_harmless() {
    let catalog = with(&Endpoint::new("a\u{1b}[31m\"]<b>", InMemoryBroker::new()).topics(["t\n\"<i>"]));
    let described = catalog.describe("a\u{1b}[31m\"]<b>").expect("it is known").to_string();
    for text in [catalog.to_string(), described, catalog.mermaid(), catalog.html().to_string()] {
        assert!(!text.contains('\u{1b}'), "{text}");
    }
    assert!(!catalog.html().to_string().contains("<b>") && !catalog.mermaid().contains("\"]<"));
}

fn changes(change: impl FnOnce(&mut Value)) -> Vec<(Impact, String)> {
    let catalog = with(&payments());
    let mut earlier: Value = serde_json::from_str(&catalog.to_json()).expect("it is json");
    change(&mut earlier);
    let changes = catalog.changes_since(&earlier.to_string()).expect("it is a catalog");
    changes.all().iter().map(|change| (change.impact, change.text.clone())).collect()
}

#[test]
fn a_change_of_an_endpoint_says_what_it_does_to_messages_that_wait() {
    assert_eq!(changes(|_| {}), []);
    let one = |impact, text: &str| vec![(impact, text.to_owned())];
    let endpoint = json!({ "name": "old", "handlers": [] });
    assert_eq!(
        changes(|was| was["endpoints"].as_array_mut().expect("a list").push(endpoint)),
        one(Impact::UnderWay, "the endpoint `old` is gone: nobody handles the messages that wait for it")
    );
    assert_eq!(changes(|was| was["endpoints"] = json!([])), one(Impact::Nobody, "the endpoint `payments` is new"));
    assert_eq!(
        changes(|was| was["endpoints"][0]["name"] = json!("tills")),
        one(
            Impact::Nobody,
            "the endpoint `tills`: it is now called \"payments\", and takes over the messages that wait for it; with an inbox, \
             a redelivered message is handled again"
        )
    );
    assert_eq!(
        changes(|was| was["endpoints"][0]["topics"] = json!(["money", "loans"])),
        one(Impact::UnderWay, "the endpoint `payments`: it no longer reads the topic \"loans\"")
    );
    assert_eq!(
        changes(|was| was["endpoints"][0]["concurrency"] = json!(16)),
        one(Impact::Nobody, "the endpoint `payments`: concurrency was 16, now 32")
    );
}

#[test]
fn a_handler_that_moves_to_another_endpoint_leaves_messages_behind() {
    let run = json!({ "event": "catalog::world::PaymentArrived", "handler": "catalog::world::Note", "id": NOTE });
    let billing = Endpoint::new("billing", InMemoryBroker::new()).handlers(handlers![Mail]);
    let catalog = Catalog::from(builder().wiring().with_endpoint(&billing).with_endpoint(&payments()));
    let mut earlier: Value = serde_json::from_str(&catalog.to_json()).expect("it is json");
    earlier["endpoints"][0]["handlers"] = json!([run]);
    earlier["endpoints"][1]["handlers"] = json!([]);
    let changes = catalog.changes_since(&earlier.to_string()).expect("it is a catalog");
    let text = format!(
        "the endpoint `billing`: its handler `{NOTE}` moved to the endpoint `payments`, which gets none of the messages that wait here"
    );
    let told: Vec<_> = changes.all().iter().map(|change| (change.impact, &*change.text)).collect();
    assert_eq!(told, [(Impact::UnderWay, &*text)]);
}

/// The id of a handler that was given none.
const NOTE: &str = "catalog::world::Note";

#[test]
fn an_id_that_is_lost_is_told_of_the_event() {
    let lost = changes(|was| {
        let event =
            was["events"].as_array_mut().expect("a list").iter_mut().find(|one| one["name"] == "PaymentArrived");
        event.expect("it is there")["handlers"][0]["id"] = json!("till.note");
        was["endpoints"][0]["handlers"][0]["id"] = json!("till.note");
    });
    let text = "the notification event `catalog::world::PaymentArrived`: no handler has the id `till.note` any more";
    assert!(lost.contains(&(Impact::UnderWay, text.to_owned())), "{lost:?}");
    assert!(lost.iter().all(|(impact, _)| matches!(impact, Impact::UnderWay | Impact::Nobody)), "{lost:?}");
}
