//! What the catalog knows.

use diator::Catalog;
use diator::catalog::{EventEntry, HandlerEntry, RequestEntry};
use diator::container::Lifetime;
use diator::middleware::MessageKind;
use diator::prelude::*;

use super::world::*;

fn request<'a>(catalog: &'a Catalog, name: &str) -> &'a RequestEntry {
    catalog.requests.iter().find(|request| request.name == name).expect(name)
}

fn event<'a>(catalog: &'a Catalog, name: &str) -> &'a EventEntry {
    catalog.events.iter().find(|event| event.name == name).expect(name)
}

fn names(handlers: &[HandlerEntry]) -> Vec<&str> {
    handlers.iter().map(|handler| handler.type_name.rsplit("::").next().expect("a name")).collect()
}

#[test]
fn requests_come_with_kind_response_error_and_handler() {
    let catalog = Catalog::linked();
    let place = request(&catalog, "PlaceOrder");
    assert_eq!((place.kind, place.type_name), (MessageKind::Command, "catalog::world::PlaceOrder"));
    assert_eq!((place.response, place.error), ("u64", "catalog::world::OutOfStock"));
    assert_eq!(names(&place.handlers), ["PlaceOrderHandler"]);
    assert!(!place.idempotent && request(&catalog, "ShipOrder").idempotent);
    assert_eq!(request(&catalog, "CountOrders").kind, MessageKind::Query);
    assert!(request(&catalog, "CountOrders").handlers.is_empty());
}

#[test]
fn everything_says_where_it_was_declared() {
    let catalog = Catalog::linked();
    let place = request(&catalog, "PlaceOrder");
    let source = place.source.as_ref().expect("it was derived");
    assert_eq!((source.crate_name, source.file.as_str()), ("catalog", "tests/catalog/world.rs"));
    let line =
        include_str!("world.rs").lines().position(|line| line.contains("struct PlaceOrder {")).expect("it is there");
    assert_eq!(source.line as usize, line + 1);
    assert!(place.handlers[0].source.as_ref().expect("it was derived").line > source.line);
    // Only its handler knows an instance of a generic request.
    let find = request(&catalog, "Find");
    assert_eq!((find.type_name, &find.source), ("catalog::world::Find<u8>", &None));
    assert!(find.handlers[0].source.is_some());
}

#[test]
fn events_come_with_their_handlers_in_the_order_in_which_they_run() {
    let catalog = Catalog::linked();
    let placed = event(&catalog, "OrderPlaced");
    assert_eq!(names(&placed.handlers), ["Note", "Ship", "Mail"]);
    assert_eq!(
        placed.handlers.iter().map(|h| (h.order, h.after_commit)).collect::<Vec<_>>(),
        [(10, false), (20, false), (-5, true)]
    );
    let changed = event(&catalog, "OrderChanged");
    assert_eq!((changed.kind, changed.topic), (MessageKind::EcstEvent, Some("orders")));
    assert_eq!(changed.type_name, "catalog::world::OrderState");
    assert_eq!(event(&catalog, "PaymentArrived").aliases, ["MoneyCame"]);
    assert!(event(&catalog, "WithoutSchema").schema.is_none() && changed.schema.is_some());
}

#[test]
fn a_mediator_also_knows_lifetimes_middleware_and_broker() {
    let mediator = builder().build().expect("all is there");
    let catalog = mediator.catalog();
    assert_eq!(catalog, builder().catalog());
    let dependencies = &request(&catalog, "PlaceOrder").handlers[0].dependencies;
    let told: Vec<_> = dependencies.iter().map(|d| (d.field, d.type_name, d.lifetime, d.optional)).collect();
    assert_eq!(
        told,
        [
            ("_stock", "dyn catalog::world::Stock", Lifetime::Singleton, false),
            ("_transaction", "catalog::world::Transaction", Lifetime::Scoped, false),
            ("_clock", "u128", Lifetime::Missing, true),
        ]
    );
    assert_eq!(request(&catalog, "PlaceOrder").handlers[0].middleware, ["catalog::world::Audit"]);
    assert!(event(&catalog, "OrderPlaced").handlers[0].middleware.is_empty());
    let broker = catalog.broker.expect("it has one");
    assert_eq!((broker.type_name, broker.content_type), (Some("catalog::world::Unreachable"), "application/json"));
    assert!(broker.guarantees.durable && !broker.guarantees.ordered && !broker.outbox);
}

#[test]
fn the_registry_alone_knows_none_of_these() {
    let catalog = Catalog::linked();
    let handler = &request(&catalog, "PlaceOrder").handlers[0];
    assert!(handler.dependencies.iter().all(|dependency| dependency.lifetime == Lifetime::Unknown));
    assert!(handler.middleware.is_empty() && catalog.broker.is_none());
}

struct Fake;

impl RequestHandler<ShipOrder> for Fake {
    async fn handle(&self, _: ShipOrder, _: &mut RequestContext<'_, ShipOrder>) -> Result<(), BoxError> {
        Ok(())
    }
}

#[test]
fn a_handler_that_stands_in_has_no_place() {
    let catalog = builder().replace::<ShipOrder>(Fake).catalog();
    let ship = request(&catalog, "ShipOrder");
    assert_eq!(names(&ship.handlers), ["Fake"]);
    assert_eq!((&ship.handlers[0].source, ship.source.is_some()), (&None, true));
    assert_eq!(ship.handlers[0].middleware, ["catalog::world::Audit"]);
    let alone = Mediator::builder().replace::<ShipOrder>(Fake).catalog();
    assert_eq!((alone.requests.len(), names(&alone.requests[0].handlers)), (1, vec!["Fake"]));
}

#[test]
fn handlers_that_are_listed_by_hand_bring_their_messages() {
    let catalog = Mediator::builder().handlers(handlers![Warehouse, Note]).catalog();
    let requests: Vec<_> = catalog.requests.iter().map(|request| request.type_name).collect();
    assert_eq!(
        requests,
        ["catalog::world::first::Cancel", "catalog::world::second::Cancel", "catalog::world::ShipOrder"]
    );
    assert_eq!(catalog.events.iter().map(|event| event.name).collect::<Vec<_>>(), ["OrderPlaced", "PaymentArrived"]);
}

#[test]
fn what_this_process_leaves_out_or_another_one_handles_is_told() {
    let catalog = builder().except::<Warehouse>().catalog();
    assert!(request(&catalog, "ShipOrder").handlers.is_empty());
    let remote = builder().remote("catalog").catalog();
    assert!(request(&remote, "CountOrders").remote && !request(&catalog, "CountOrders").remote);
}

#[test]
fn a_faulty_configuration_has_a_catalog_too() {
    let faulty = builder().container(Services::new());
    assert_eq!(request(&faulty.catalog(), "PlaceOrder").handlers[0].dependencies[0].lifetime, Lifetime::Missing);
    assert!(faulty.build().is_err());
}
