//! What the catalog knows.

use std::time::Duration;

use diator::container::Lifetime;
use diator::middleware::{MessageKind, Middleware, TimeoutMiddleware, TracingMiddleware, middleware_fn};
use diator::prelude::*;
use diator_catalog::{Catalog, EventEntry, HandlerEntry, RequestEntry, Source};

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
    assert_eq!((place.kind, &*place.type_name), (MessageKind::Command, "catalog::world::PlaceOrder"));
    assert_eq!((&*place.response, &*place.error), ("u64", "catalog::world::OutOfStock"));
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
    assert_eq!((&*source.crate_name, &*source.file), ("catalog", "catalog/tests/catalog/world.rs"));
    let line =
        include_str!("world.rs").lines().position(|line| line.contains("struct PlaceOrder {")).expect("it is there");
    assert_eq!(source.line as usize, line + 1);
    assert!(place.handlers[0].source.as_ref().expect("it was derived").line > source.line);
    // Only its handler knows an instance of a generic request.
    let find = request(&catalog, "Find");
    assert_eq!((&*find.type_name, &find.source), ("catalog::world::Find<u8>", &None));
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
    assert_eq!((changed.kind, changed.topic.as_deref()), (MessageKind::EcstEvent, Some("orders")));
    assert_eq!(changed.type_name, "catalog::world::OrderState");
    assert_eq!(event(&catalog, "PaymentArrived").aliases, ["MoneyCame"]);
    assert_eq!((event(&catalog, "OrderPlacedNotification").key.as_deref(), &changed.key), (Some("order_id"), &None));
    assert!(event(&catalog, "WithoutSchema").schema.is_none() && changed.schema.is_some());
}

#[test]
fn a_mediator_also_knows_lifetimes_middleware_and_broker() {
    let mediator = builder().build().expect("all is there");
    let catalog = Catalog::from(mediator.wiring());
    assert_eq!(catalog, Catalog::from(builder().wiring()));
    let dependencies = &request(&catalog, "PlaceOrder").handlers[0].dependencies;
    let told: Vec<_> = dependencies.iter().map(|d| (&*d.field, &*d.type_name, d.lifetime, d.optional)).collect();
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
    assert_eq!(
        (broker.type_name.as_deref(), &*broker.content_type),
        (Some("catalog::world::Unreachable"), "application/json")
    );
    assert!(broker.guarantees.durable && !broker.guarantees.ordered && !broker.outbox);
}

#[test]
fn marks_stand_there_in_the_words_they_were_given_in() {
    let catalog = Catalog::linked();
    assert_eq!(request(&catalog, "ShipOrder").marks, ["Audited", "RateLimit { per_minute: 2*30 }"]);
    assert_eq!(event(&catalog, "OrderPlaced").marks, ["Audited"]);
    assert!(event(&catalog, "OrderPlaced").must_be_handled && request(&catalog, "PlaceOrder").marks.is_empty());
    let by_hand = Catalog::from(Mediator::builder().handlers(handlers![Warehouse, Note]).wiring());
    assert_eq!(request(&by_hand, "ShipOrder").marks, request(&catalog, "ShipOrder").marks);
    assert_eq!(event(&by_hand, "OrderPlaced").marks, ["Audited"]);
}

#[test]
fn middleware_stands_there_by_name_and_in_order_where_it_applies() {
    let named = middleware_fn(|call, next| Box::pin(next.run(call))).named("idempotency");
    let timeout = TimeoutMiddleware::new(Duration::from_secs(1)).expect("a second is a time");
    let builder = builder()
        .middleware(TracingMiddleware::new())
        .middleware(timeout.only(|info| info.kind == MessageKind::Command && info.is_marked::<Audited>()))
        .middleware(named.only(|info| info.idempotent));
    let catalog = Catalog::from(builder.wiring());
    let all = ["catalog::world::Audit", TRACING, TIMEOUT, "idempotency"];
    assert_eq!(catalog.middleware.iter().map(|middleware| &middleware.name).collect::<Vec<_>>(), all);
    assert_eq!(request(&catalog, "ShipOrder").handlers[0].middleware, all);
    assert_eq!(request(&catalog, "PlaceOrder").handlers[0].middleware, all[..2]);
    assert_eq!(request(&catalog, "Find").handlers[0].middleware, all[1..2]);
    // Nobody listens to the traces: that may change while the program runs, and does not count.
    assert!(!TracingMiddleware::new().is_active());
    assert_eq!(event(&catalog, "OrderPlaced").handlers[0].middleware, all[1..2]);
}

const TRACING: &str = "diator::middleware::tracing::TracingMiddleware";
const TIMEOUT: &str = "diator::middleware::timeout::TimeoutMiddleware";

#[test]
fn middleware_and_broker_say_where_they_were_added() {
    let added = line!() + 1;
    let catalog = Catalog::from(builder().middleware(TracingMiddleware::new()).broker(InMemoryBroker::new()).wiring());
    let place = |source: &Option<Source>| source.as_ref().map(ToString::to_string).expect("it was added");
    let here = format!("{}:{added}", file!());
    assert_eq!(place(&catalog.middleware[1].source), here);
    assert_eq!(place(&catalog.broker.as_ref().expect("it has one").source), here);
    assert!(place(&catalog.middleware[0].source).starts_with("catalog/tests/catalog/world.rs:"));
}

#[test]
fn the_registry_alone_knows_none_of_these() {
    let catalog = Catalog::linked();
    let handler = &request(&catalog, "PlaceOrder").handlers[0];
    assert!(handler.dependencies.iter().all(|dependency| dependency.lifetime == Lifetime::Unknown));
    assert!(handler.middleware.is_empty() && catalog.middleware.is_empty() && catalog.broker.is_none());
}

struct Fake;

impl RequestHandler<ShipOrder> for Fake {
    async fn handle(&self, _: ShipOrder, _: &mut RequestContext<'_, ShipOrder>) -> Result<(), BoxError> {
        Ok(())
    }
}

#[test]
fn a_handler_that_stands_in_has_no_place() {
    let catalog = Catalog::from(builder().replace::<ShipOrder>(Fake).wiring());
    let ship = request(&catalog, "ShipOrder");
    assert_eq!(names(&ship.handlers), ["Fake"]);
    assert_eq!((&ship.handlers[0].source, ship.source.is_some()), (&None, true));
    assert_eq!(ship.handlers[0].middleware, ["catalog::world::Audit"]);
    let alone = Catalog::from(Mediator::builder().replace::<ShipOrder>(Fake).wiring());
    assert_eq!((alone.requests.len(), names(&alone.requests[0].handlers)), (1, vec!["Fake"]));
}

#[test]
fn handlers_that_are_listed_by_hand_bring_their_messages() {
    let catalog = Catalog::from(Mediator::builder().handlers(handlers![Warehouse, Note]).wiring());
    let requests: Vec<_> = catalog.requests.iter().map(|request| &request.type_name).collect();
    assert_eq!(
        requests,
        ["catalog::world::first::Cancel", "catalog::world::second::Cancel", "catalog::world::ShipOrder"]
    );
    assert_eq!(catalog.events.iter().map(|event| &event.name).collect::<Vec<_>>(), ["OrderPlaced", "PaymentArrived"]);
}

#[test]
fn what_this_process_leaves_out_or_another_one_handles_is_told() {
    let catalog = Catalog::from(builder().except::<Warehouse>().wiring());
    assert!(request(&catalog, "ShipOrder").handlers.is_empty());
    let remote = Catalog::from(builder().remote("catalog").wiring());
    assert!(request(&remote, "CountOrders").remote && !request(&catalog, "CountOrders").remote);
}

#[test]
fn a_faulty_configuration_has_a_catalog_too() {
    let faulty = builder().container(Services::new());
    assert_eq!(
        request(&Catalog::from(faulty.wiring()), "PlaceOrder").handlers[0].dependencies[0].lifetime,
        Lifetime::Missing
    );
    assert!(faulty.build().is_err());
}
