//! Values of the program's own that travel with messages.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex};

use diator::Committed;
use diator::broker::{DecodeError, Format, InboundMessage, MessageType};
use diator::prelude::*;
use diator::registry::ProblemKind;
use diator::{Mediator, MediatorBuilder, Meta, ReceiveError, SendError, handlers};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

#[derive(Clone, Debug, PartialEq)]
struct Tenant(String);

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Tenant {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text == "nobody" { Err(()) } else { Ok(Self(text.to_owned())) }
    }
}

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
struct OrderPlaced;

#[derive(Debug, Command)]
struct PlaceOrder;

#[request_handler(PlaceOrder)]
struct PlaceOrderHandler;

impl RequestHandler<PlaceOrder> for PlaceOrderHandler {
    async fn handle(&self, _: PlaceOrder, cx: &mut RequestContext<'_, PlaceOrder>) -> Result<(), BoxError> {
        cx.emit(OrderPlaced);
        Ok(())
    }
}

#[derive(Default)]
struct Seen(Mutex<Vec<(Option<Tenant>, Option<u32>)>>);

#[event_handler(OrderPlaced)]
struct Note {
    seen: Arc<Seen>,
}

impl EventHandler<OrderPlaced> for Note {
    async fn handle(&self, _: &OrderPlaced, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        let meta = cx.meta();
        self.seen.0.lock().unwrap().push((meta.get().cloned(), meta.get().copied()));
        Ok(())
    }
}

fn builder() -> MediatorBuilder {
    Mediator::builder().handlers(handlers![PlaceOrderHandler, Note])
}

/// A mediator with its broker, and what its handler has seen.
fn world(format: Format) -> (Mediator, InMemoryBroker, Arc<Seen>) {
    let (broker, seen) = (InMemoryBroker::new(), Arc::new(Seen::default()));
    let services = Services::new().singleton::<Seen>(seen.clone());
    let builder = builder().container(services).broker(broker.clone()).format(format);
    (builder.header::<Tenant>("tenant").header::<u32>("priority").build().unwrap(), broker, seen)
}

fn meta(tenant: &str) -> Meta {
    Meta::new().with(Tenant(tenant.to_owned())).with(7_u32)
}

#[tokio::test]
async fn they_travel_into_a_message_and_out_of_it_again() {
    for format in [Format::python(), Format::cloud_events("https://shop.example").unwrap()] {
        let (mediator, broker, seen) = world(format);
        mediator.with(meta("acme")).send(PlaceOrder).await.unwrap();
        mediator.with(meta("other & co")).emit(OrderPlaced).await.unwrap();
        mediator.send(PlaceOrder).await.unwrap();
        for published in broker.take_published() {
            mediator.receive(InboundMessage::try_from(&published).unwrap()).await.unwrap();
        }
        let with = |tenant: &str| (Some(Tenant(tenant.to_owned())), Some(7));
        assert_eq!(*seen.0.lock().unwrap(), [with("acme"), with("other & co"), (None, None)]);
    }
}

#[tokio::test]
async fn cloud_events_hold_them_in_the_body() {
    let (mediator, broker, _) = world(Format::cloud_events("https://shop.example").unwrap());
    mediator.with(meta("acme")).send(PlaceOrder).await.unwrap();
    let published = broker.take_published().remove(0);
    let body: serde_json::Value = serde_json::from_slice(&published.body).unwrap();
    assert_eq!((&body["tenant"], &body["priority"]), (&json!("acme"), &json!("7")));
    let arrived = InboundMessage::decode(&published.body, Some(&published.content_type), []).unwrap();
    assert_eq!(arrived.headers, published.headers);
}

#[tokio::test]
async fn a_value_that_not_every_broker_carries_fails_before_the_commit() {
    let (mediator, broker, _) = world(Format::python());
    for (tenant, why) in [
        ("a\r\nx-admin: 1", "its header `tenant` has characters that are not printable ascii"),
        ("Müller", "its header `tenant` has characters that are not printable ascii"),
        (&"x".repeat(1025), "its header `tenant` is longer than 1024 characters"),
    ] {
        let error = mediator.with(meta(tenant)).send(PlaceOrder).await.unwrap_err();
        let SendError::Encode { event: "OrderPlaced", source } = &error else { panic!("{error:?}") };
        assert_eq!(source.to_string(), why);
        assert_eq!(error.committed(), Committed::No);
    }
    assert!(broker.is_empty());
}

#[tokio::test]
async fn a_header_that_cannot_be_read_refuses_the_message() {
    let (mediator, _, seen) = world(Format::python());
    let message = || InboundMessage::new(MessageType::Notification, "OrderPlaced", Uuid::now_v7(), json!({}));
    for (name, value) in [("tenant", "nobody"), ("priority", "high")] {
        let error = mediator.receive(message().with_header(name, value)).await.unwrap_err();
        let ReceiveError::Undecodable { source: DecodeError::Invalid { field, .. }, .. } = error else {
            panic!("{error:?}")
        };
        assert_eq!(field, name);
    }
    assert!(seen.0.lock().unwrap().is_empty());
    // A header that nobody registered means nothing here.
    mediator.receive(message().with_header("region", "eu")).await.unwrap();
    assert_eq!(*seen.0.lock().unwrap(), [(None, None)]);
}

#[test]
fn a_name_that_cannot_be_carried_is_a_problem() {
    let builder = builder().without_broker().container(Services::new().value(Seen::default()));
    let line = line!() + 1;
    let builder = builder.header::<Tenant>("x-tenant").header::<u8>("id").header::<u16>("a").header::<u32>("a");
    let error = builder.build().unwrap_err();
    let told: Vec<_> = error.problems().iter().map(|problem| (problem.kind(), problem.text())).collect();
    let place = format!("{}:{line}", file!());
    let twice = format!("the header `a` is registered twice: for `u16` at {place} and for `u32`");
    assert_eq!(
        told,
        [
            (ProblemKind::Header, "no message can carry a header named `id`"),
            (ProblemKind::Header, "no message can carry a header named `x-tenant`"),
            (ProblemKind::Header, twice.as_str()),
        ]
    );
}

fn build(name: &str, builder: MediatorBuilder) -> (InMemoryBroker, Result<Mediator, diator::registry::BuildError>) {
    let broker = InMemoryBroker::new();
    let services = Services::new().singleton(Arc::new(Seen::default()));
    let builder = builder.handlers(handlers![PlaceOrderHandler, Note]).container(services).broker(broker.clone());
    (broker, builder.sender(name).build())
}

#[tokio::test]
async fn a_program_names_itself_where_it_is_asked_to() {
    let (broker, mediator) = build("shop", Mediator::builder());
    mediator.expect("it is complete").send(PlaceOrder).await.expect("it is placed");
    let published = broker.published();
    assert_eq!(published[0].headers.iter().collect::<Vec<_>>(), [("sender", "shop")]);
    // The body has no place for it, and stays what the Python library writes.
    assert!(!String::from_utf8_lossy(&published[0].body).contains("sender"));

    let format = Format::cloud_events("/shop").expect("it is a source");
    let (broker, mediator) = build("shop", Mediator::builder().format(format));
    mediator.expect("it is complete").send(PlaceOrder).await.expect("it is placed");
    let sent = &broker.published()[0];
    let read = InboundMessage::decode(&sent.body, Some(&sent.content_type), []).expect("it was written here");
    assert_eq!(read.headers.get("sender"), Some("shop"));
}

#[test]
fn a_name_that_no_message_can_carry_is_a_problem() {
    for (name, builder) in [
        ("", Mediator::builder()),
        ("caf\u{e9}", Mediator::builder()),
        ("shop", Mediator::builder().header::<Tenant>("sender")),
    ] {
        let error = build(name, builder).1.expect_err("it cannot be built");
        let [problem] = error.problems() else { panic!("{error}") };
        assert_eq!(problem.kind(), ProblemKind::Header);
        assert!(problem.location().expect("it is known").file().ends_with("headers.rs"), "{error}");
    }
}
