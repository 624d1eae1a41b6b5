//! What causes what, as it was observed.

use diator::prelude::*;
use diator_catalog::{Catalog, ObservedCauses};
use serde_json::{Value, json};

use super::world::*;

async fn observed() -> ObservedCauses {
    let edges = ObservedCauses::new();
    let services = Services::new().singleton::<dyn Stock>(std::sync::Arc::new(Shelf)).scoped(|_| Ok(Transaction));
    let mediator = builder()
        .container(services)
        .broker(InMemoryBroker::new())
        .observe(edges.clone())
        .build()
        .expect("all is there");
    mediator.send(PlaceOrder { article: "tea".to_owned() }).await.expect("it is in stock");
    mediator.send(second::Cancel).await.expect("it can be cancelled");
    edges
}

fn path(name: &str) -> String {
    format!("catalog::world::{name}")
}

fn file(entries: &Value) -> String {
    json!({ "handlers": entries }).to_string()
}

#[tokio::test]
async fn handlers_that_ran_are_noted_down_with_what_they_caused() {
    let edges: Value = serde_json::from_str(&observed().await.to_json()).expect("it is json");
    let caused = |message: &str, causes: &[&str]| json!({ "message": path(message), "causes": causes.iter().map(|name| path(name)).collect::<Vec<_>>() });
    let by = |handler: &str, causes: &[&str]| {
        let mut entry = caused("OrderPlaced", causes);
        entry["handler"] = json!(path(handler));
        entry
    };
    assert_eq!(
        edges,
        json!({ "handlers": [
            by("Mail", &[]),
            by("Note", &["OrderNoted"]),
            by("Ship", &["ShipOrder"]),
            caused("PlaceOrder", &["OrderPlaced", "OrderPlacedNotification"]),
            caused("ShipOrder", &[]),
            caused("first::Cancel", &[]),
            caused("second::Cancel", &["first::Cancel"]),
        ] })
    );
}

#[tokio::test]
async fn a_line_of_the_file_tells_of_one_handler() {
    let text = observed().await.to_json();
    let line = r#"    {"message": "catalog::world::OrderPlaced", "handler": "catalog::world::Ship", "causes": ["catalog::world::ShipOrder"]},"#;
    assert!(text.lines().any(|one| one == line), "{text}");
}

fn causes<'a>(catalog: &'a Catalog, handler: &str) -> Vec<Option<&'a [String]>> {
    let requests = catalog.requests.iter().flat_map(|request| &request.handlers);
    let all = requests.chain(catalog.events.iter().flat_map(|event| &event.handlers));
    all.filter(|found| found.type_name.ends_with(handler)).map(|found| found.causes.as_deref()).collect()
}

#[tokio::test]
async fn the_catalog_tells_what_each_handler_causes() {
    let edges = observed().await;
    let again = ObservedCauses::from_json(&edges.to_json()).expect("it was just written");
    let catalog = Catalog::from(builder().wiring()).with_edges(&again).expect("they fit");
    assert_eq!(causes(&catalog, "::Ship"), [Some(&[path("ShipOrder")][..])]);
    // It handles two events, one of which nobody has sent.
    assert_eq!(causes(&catalog, "::Note"), [Some(&[path("OrderNoted")][..]), None]);
    assert_eq!(causes(&catalog, "::Mail"), [Some(&[][..])], "it ran, and caused nothing");
    assert_eq!(causes(&catalog, "::FindHandler"), [None]);
    assert_eq!(catalog.clone().with_edges(&edges).expect("they fit"), catalog, "twice is once");
}

#[test]
fn edges_of_another_program_are_refused() {
    for (message, handler, causes, told) in [
        ("Gone", None, "OrderPlaced", "catalog::world::Gone: its handler is not in the catalog"),
        ("CountOrders", None, "OrderPlaced", "catalog::world::CountOrders: its handler is not in the catalog"),
        (
            "PlaceOrder",
            None,
            "Gone",
            "catalog::world::PlaceOrder: its handler causes catalog::world::Gone, which is gone",
        ),
        (
            "OrderPlaced",
            Some("Gone"),
            "ShipOrder",
            "OrderPlaced: its handler catalog::world::Gone is not in the catalog",
        ),
    ] {
        let entry = json!({ "message": path(message), "handler": handler.map(path), "causes": [path(causes)] });
        let edges = ObservedCauses::from_json(&file(&json!([entry]))).expect("it has the form");
        let error = Catalog::from(builder().wiring()).with_edges(&edges).expect_err(told).to_string();
        assert!(error.contains("note them down again") && error.contains(told), "{error}");
    }
}

/// An instance of it is in no registry.
#[derive(Debug, serde::Serialize, schemars::JsonSchema, EcstEvent)]
#[event(name = "Archived", topic = "archive", mark = Audited, schema)]
struct Archived<T: schemars::JsonSchema + serde::Serialize + Send + Sync + 'static> {
    what: T,
}

#[derive(Debug, Command)]
struct Archive;

#[request_handler(Archive)]
struct Archivist;

impl RequestHandler<Archive> for Archivist {
    async fn handle(&self, _: Archive, cx: &mut RequestContext<'_, Archive>) -> Result<(), BoxError> {
        cx.emit(Archived { what: 7_u8 });
        cx.emit(OrderNoted);
        Ok(())
    }
}

/// By hand: what nobody handles is then known to nobody but those who emit it.
#[tokio::test]
async fn what_only_those_know_who_emit_it_is_in_the_catalog() {
    let (edges, broker) = (ObservedCauses::new(), InMemoryBroker::new());
    let by_hand = || Mediator::builder().handlers(handlers![Archivist]).broker(broker.clone());
    by_hand().observe(edges.clone()).build().expect("all is there").send(Archive).await.expect("it is handled");
    let of = |edges: &ObservedCauses| Catalog::from(by_hand().wiring()).with_edges(edges).expect("they fit");
    let catalog = of(&edges);
    let names: Vec<_> = catalog.events.iter().map(|event| (&*event.name, event.source.is_some())).collect();
    assert_eq!(names, [("OrderNoted", true), ("Archived", false)], "only one has a place");
    let archived = &catalog.events[1];
    assert_eq!((archived.topic.as_deref(), &*archived.marks), (Some("archive"), &["Audited".to_owned()][..]));
    assert!(archived.schema.as_ref().is_some_and(|schema| schema["properties"]["what"].is_object()));
    assert_eq!(archived.type_name, "catalog::edges::Archived<u8>");
    // A program that reads the file knows as much.
    let text = edges.to_json();
    assert_eq!(of(&ObservedCauses::from_json(&text).expect("it was just written")), catalog);
    assert_eq!(text.matches("Archived").count(), 3, "{text}");
    assert!(!text.contains("\"name\":\"OrderNoted\""), "the registry knows it: {text}");
    let file = std::env::temp_dir().join(format!("diator-described-{}.json", std::process::id()));
    std::fs::write(&file, text.replace("\"archive\"", "\"attic\"")).expect("it can be written");
    let failed = std::panic::catch_unwind(|| edges.assert_matches(&file)).expect_err("another topic");
    std::fs::remove_file(&file).expect("it was written");
    let message = failed.downcast_ref::<String>().expect("it is a text");
    assert!(message.contains("no longer seen: described: {") && message.contains("attic"), "{message}");
}

#[test]
fn what_is_no_list_of_edges_is_an_error() {
    for text in [
        "",
        "{}",
        "[]",
        r#"{"handlers": [1]}"#,
        r#"{"handlers": [{"message": "A"}]}"#,
        r#"{"handlers": [{"message": 1, "causes": ["B"]}]}"#,
        r#"{"handlers": [], "messages": [{"name": "A", "type": "A", "kind": "rumour"}]}"#,
    ] {
        assert!(ObservedCauses::from_json(text).is_err(), "{text}");
    }
    let error = ObservedCauses::load("no/such/file.json").expect_err("it is not there").to_string();
    assert!(error.contains("no/such/file.json"), "{error}");
}

#[tokio::test]
async fn a_kept_file_fails_when_an_edge_is_lost_or_new() {
    let edges = observed().await;
    let file = std::env::temp_dir().join(format!("diator-edges-{}.json", std::process::id()));
    std::fs::write(&file, edges.to_json()).expect("it can be written");
    edges.assert_matches(&file);
    let failed =
        std::panic::catch_unwind(|| ObservedCauses::new().assert_matches(&file)).expect_err("all edges are lost");
    std::fs::remove_file(&file).expect("it was written");
    let message = failed.downcast_ref::<String>().expect("it is a text");
    assert!(
        message.contains("no longer seen: catalog::world::PlaceOrder: its handler -> catalog::world::OrderPlaced\n"),
        "{message}"
    );
    assert!(message.contains("DIATOR_BLESS=1"), "{message}");
}

#[derive(Debug, Command)]
#[request(unregistered)]
struct Unresolvable;

/// What cannot be had when a message asks for it.
struct Faulty;

#[request_handler(Unresolvable, unregistered)]
struct NeverBuilt {
    _faulty: std::sync::Arc<Faulty>,
}

impl RequestHandler<Unresolvable> for NeverBuilt {
    async fn handle(&self, _: Unresolvable, _: &mut RequestContext<'_, Unresolvable>) -> Result<(), BoxError> {
        Ok(())
    }
}

#[tokio::test]
async fn a_handler_that_could_not_be_built_did_not_run() {
    let edges = ObservedCauses::new();
    let services = Services::new().scoped(|_| Err::<Faulty, BoxError>("the database is away".into()));
    let builder = || Mediator::builder().handlers(handlers![NeverBuilt]);
    let mediator = builder().container(services).observe(edges.clone()).build().expect("it is found out later");
    assert!(matches!(mediator.send(Unresolvable).await, Err(SendError::Resolve { .. })));
    assert_eq!(edges.to_json(), ObservedCauses::new().to_json());
    let catalog = Catalog::from(builder().wiring()).with_edges(&edges).expect("they fit");
    assert_eq!(causes(&catalog, "::NeverBuilt"), [None], "not observed, which is not the same as causing nothing");
}
