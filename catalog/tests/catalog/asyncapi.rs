//! AsyncAPI 3.0: valid, and true to what is written on the wire.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use diator::MediatorBuilder;
use diator::broker::Format;
use diator::prelude::*;
use diator_catalog::{Catalog, ObservedCauses};
use jsonschema::Validator;
use serde_json::{Value, json};

use super::world::*;

/// The official schema: see `tests/vectors/asyncapi`.
static OFFICIAL: LazyLock<Validator> = LazyLock::new(|| {
    let schema = serde_json::from_str(include_str!("../vectors/asyncapi/schema.json")).expect("it is json");
    jsonschema::draft7::new(&schema).expect("it is a schema")
});

/// The document, which the official schema finds nothing wrong with.
pub(crate) fn assert_valid(catalog: &Catalog, title: &str) -> Value {
    let document = serde_json::from_str(&catalog.asyncapi(title, "1.2.3")).expect("it is json");
    let errors: Vec<_> =
        OFFICIAL.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert_eq!(errors, Vec::<String>::new());
    let mut references = BTreeSet::new();
    collect_references(&document, &mut references);
    for reference in references {
        let pointer = reference.strip_prefix('#').expect("it is within the document");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    document
}

fn collect_references(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            references.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| collect_references(value, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, references)),
        _ => {}
    }
}

#[test]
fn the_official_schema_refuses_what_is_wrong() {
    let mut document = assert_valid(&Catalog::from(builder().wiring()), "Shop");
    document["channels"]["orders"] = json!({ "address": 7 });
    assert!(!OFFICIAL.is_valid(&document));
}

#[test]
fn events_are_sent_or_received_on_the_channel_of_their_topic() {
    let edges =
        r#"{"handlers": [{"message": "catalog::world::ShipOrder", "causes": ["catalog::world::PaymentArrived"]}]}"#;
    let edges = ObservedCauses::from_json(edges).expect("it has the form");
    let document = assert_valid(&Catalog::from(builder().wiring()), "Shop");
    assert_eq!(document["info"], json!({ "title": "Shop", "version": "1.2.3" }));
    let topic = &document["channels"]["topic.orders"];
    assert_eq!(topic["address"], "orders");
    assert_eq!(topic["messages"].as_object().expect("an object").len(), 2);
    assert_eq!(document["channels"]["ShopOpened"]["address"], Value::Null);
    assert_eq!(document["operations"]["send.OrderChanged"]["action"], "send");
    assert_eq!(document["operations"]["receive.PaymentArrived"]["action"], "receive");
    assert_eq!(document["operations"].get("send.PaymentArrived"), None);
    assert_eq!(document["components"]["messages"].get("OrderPlaced"), None, "a domain event stays in the process");
    let observed = assert_valid(&Catalog::from(builder().wiring()).with_edges(&edges).expect("they fit"), "Shop");
    assert_eq!(observed["operations"]["send.PaymentArrived"]["action"], "send");
}

fn formats() -> [fn() -> MediatorBuilder; 2] {
    [builder, || builder().format(Format::cloud_events("https://shop.example/orders").expect("it is a uri"))]
}

/// A validator of one message's payload, as the document describes it.
fn payload(document: &Value, name: &str) -> Validator {
    let mut schema = document["components"]["messages"][name]["payload"].clone();
    schema["components"] = document["components"].clone();
    jsonschema::draft7::options().should_validate_formats(true).build(&schema).expect("it is a schema")
}

async fn published(builder: fn() -> MediatorBuilder) -> Vec<(String, Value)> {
    let broker = InMemoryBroker::new();
    let mediator = builder().broker(broker.clone()).build().expect("all is there");
    let leaf = || Line { article: "tea".to_owned(), parts: Vec::new() };
    let line = || Line { parts: vec![leaf()], ..leaf() };
    let state =
        |note, discount| OrderState { order_id: u64::MAX, at: (0.5, -1.0), lines: vec![line()], note, discount };
    mediator.emit(OrderPlacedNotification { order_id: 1 }).await.expect("it is published");
    mediator.emit(state(None, None)).await.expect("it is published");
    mediator.emit(state(Some("ü\"".to_owned()), Some(0.5))).await.expect("it is published");
    mediator.emit(ShopOpened).await.expect("it is published");
    mediator.emit(Payment::Requested).await.expect("it is published");
    mediator.emit(Payment::Received { amount: 3 }).await.expect("it is published");
    mediator.emit(Payment::Refused("no".to_owned())).await.expect("it is published");
    mediator.emit(Door::Open).await.expect("it is published");
    mediator.emit(Door::Closed).await.expect("it is published");
    mediator.emit(Wrapped(line())).await.expect("it is published");
    mediator.emit(WithoutSchema { anything: 1 }).await.expect("it is published");
    mediator.emit(Counted { articles: [("tea".to_owned(), 2)].into() }).await.expect("it is published");
    mediator.emit(PaymentArrived { order_id: 1, note: String::new() }).await.expect("it is published");
    let read = |body: &[u8]| serde_json::from_slice(body).expect("it is json");
    broker.published().iter().map(|message| (message.name.to_string(), read(&message.body))).collect()
}

#[tokio::test]
async fn what_is_written_is_what_is_described_in_both_formats() {
    for builder in formats() {
        let document = assert_valid(&Catalog::from(builder().wiring()), "Shop");
        let messages = published(builder).await;
        assert_eq!(messages.len(), 13);
        let described: BTreeSet<_> =
            document["components"]["messages"].as_object().expect("an object").keys().collect();
        assert_eq!(messages.iter().map(|(name, _)| name).collect::<BTreeSet<_>>(), described, "each was tried");
        for (name, body) in messages {
            let errors: Vec<_> = payload(&document, &name).iter_errors(&body).map(|error| error.to_string()).collect();
            assert_eq!(errors, Vec::<String>::new(), "{name}: {body}");
        }
    }
}

#[tokio::test]
async fn an_event_that_is_only_received_may_have_another_of_its_names() {
    for (builder, name) in formats().into_iter().zip(["message_name", "type"]) {
        let document = assert_valid(&Catalog::from(builder().wiring()), "Shop");
        let (_, mut body) = published(builder).await.pop().expect("the last of them");
        let is_valid = |body: &Value| payload(&document, "PaymentArrived").is_valid(body);
        for (called, taken) in [("PaymentArrived", true), ("MoneyCame", true), ("Money", false)] {
            body[name] = json!(called);
            assert_eq!(is_valid(&body), taken, "{called}");
        }
    }
}

#[tokio::test]
async fn what_is_not_written_is_not_allowed() {
    for builder in formats() {
        let document = assert_valid(&Catalog::from(builder().wiring()), "Shop");
        let mut tried = 0;
        for (name, body) in published(builder).await {
            let validator = payload(&document, &name);
            let fields = if body["data"].is_object() { "data" } else { "payload" };
            // Each field of the envelope and of the event that is always there.
            let outer = body
                .as_object()
                .expect("an object")
                .keys()
                .filter(|key| !["correlationid", "causationid", "subject"].contains(&&***key));
            let optional = ["discount", "anything"];
            let inner = body[fields].as_object().expect("an object").keys().filter(|key| !optional.contains(&&***key));
            for path in outer.map(|key| format!("/{key}")).chain(inner.map(|key| format!("/{fields}/{key}"))) {
                let mut broken = body.clone();
                *broken.pointer_mut(&path).expect("it is there") = json!([7]);
                assert!(!validator.is_valid(&broken), "{name}: {broken}");
                tried += 1;
            }
        }
        assert!(tried > 60, "{tried}");
    }
}
