//! What causes what, as it was observed.

use diator::catalog::Edges;
use diator::prelude::*;
use serde_json::{Value, json};

use super::world::*;

async fn observed() -> Edges {
    let edges = Edges::new();
    let services = Services::new().singleton::<dyn Stock>(std::sync::Arc::new(Shelf)).scoped(|_| Ok(Transaction));
    let mediator =
        builder().container(services).broker(InMemoryBroker::new()).observe(&edges).build().expect("all is there");
    mediator.send(PlaceOrder { article: "tea".to_owned() }).await.expect("it is in stock");
    mediator.send(second::Cancel).await.expect("it can be cancelled");
    edges
}

#[tokio::test]
async fn events_and_nested_requests_are_noted_down_with_who_caused_them() {
    let edges: Value = serde_json::from_str(&observed().await.to_json()).expect("it is json");
    let path = |name: &str| format!("catalog::world::{name}");
    let caused = |message: &str, causes: &str| json!({ "message": path(message), "causes": path(causes) });
    let by = |message: &str, handler: &str, causes: &str| json!({ "message": path(message), "handler": path(handler), "causes": path(causes) });
    assert_eq!(
        edges,
        json!([
            by("OrderPlaced", "Note", "OrderNoted"),
            by("OrderPlaced", "Ship", "ShipOrder"),
            caused("PlaceOrder", "OrderPlaced"),
            caused("PlaceOrder", "OrderPlacedNotification"),
            caused("second::Cancel", "first::Cancel"),
        ])
    );
}

#[tokio::test]
async fn the_catalog_tells_what_each_handler_causes() {
    let edges = observed().await;
    let again = Edges::from_json(&edges.to_json()).expect("it was just written");
    let catalog = builder().catalog().with_edges(&again).expect("they fit");
    let causes = |handler: &str| -> Vec<&str> {
        let requests = catalog.requests.iter().flat_map(|request| &request.handlers);
        let all = requests.chain(catalog.events.iter().flat_map(|event| &event.handlers));
        all.filter(|found| found.type_name.ends_with(handler)).flat_map(|found| found.causes.clone()).collect()
    };
    assert_eq!(causes("::Ship"), ["catalog::world::ShipOrder"]);
    // It handles two events, and causes something for one of them.
    assert_eq!(causes("::Note"), ["catalog::world::OrderNoted"]);
    assert_eq!(causes("::Mail"), [""; 0]);
    assert_eq!(catalog.clone().with_edges(&edges).expect("they fit"), catalog, "twice is once");
}

#[test]
fn edges_of_another_program_are_refused() {
    for (message, handler, causes) in [
        ("catalog::world::Gone", None, "catalog::world::OrderPlaced"),
        ("catalog::world::PlaceOrder", None, "catalog::world::Gone"),
        ("catalog::world::OrderPlaced", Some("catalog::world::Gone"), "catalog::world::ShipOrder"),
    ] {
        let text = json!([{ "message": message, "handler": handler, "causes": causes }]).to_string();
        let edges = Edges::from_json(&text).expect("it has the form");
        let error = builder().catalog().with_edges(&edges).expect_err(&text).to_string();
        assert!(error.contains("note them down again") && error.contains(causes) && error.contains(message), "{error}");
    }
}

#[test]
fn what_is_no_list_of_edges_is_an_error() {
    for text in ["", "{}", "[1]", r#"[{"message": "A"}]"#, r#"[{"message": 1, "causes": "B"}]"#] {
        assert!(Edges::from_json(text).is_err(), "{text}");
    }
    let error = Edges::load("no/such/file.json").expect_err("it is not there").to_string();
    assert!(error.contains("no/such/file.json"), "{error}");
}

#[tokio::test]
async fn a_kept_file_fails_when_an_edge_is_lost_or_new() {
    let edges = observed().await;
    let file = std::env::temp_dir().join(format!("diator-edges-{}.json", std::process::id()));
    std::fs::write(&file, edges.to_json()).expect("it can be written");
    edges.assert_matches(&file);
    let failed = std::panic::catch_unwind(|| Edges::new().assert_matches(&file)).expect_err("all edges are lost");
    std::fs::remove_file(&file).expect("it was written");
    let message = failed.downcast_ref::<String>().expect("it is a text");
    assert!(
        message.contains("no longer seen: catalog::world::PlaceOrder -> catalog::world::OrderPlaced\n"),
        "{message}"
    );
    assert!(message.contains("DIATOR_BLESS=1"), "{message}");
}
