//! What goes over the wire for one message.

use std::time::{Duration, SystemTime};

use crate::service_bus::ServiceBusServer;
use diator::Received;
use diator::broker::{Format, InboundMessage, MessageBroker, Receipt};
use diator::prelude::*;
use diator_azure::MessageOptions;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{broker, message};

#[tokio::test]
async fn a_message_is_posted_with_all_its_properties() {
    let server = ServiceBusServer::start();
    let options = MessageOptions::new()
        .time_to_live(Duration::from_secs(90))
        .scheduled_for(SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777))
        .property("tenant", "acme")
        .property("shop_id", "x-1; y=2");
    let broker = broker(server.config().topic("orders").options(options));
    let message = message("{\"name\":\"Zoë\"}")
        .with_key("user 7")
        .with_correlation_id(Uuid::from_u128(1))
        .with_causation_id(Uuid::from_u128(2))
        .with_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let stored = Receipt::Persisted { position: "orders".to_owned() };
    assert_eq!(broker.publish(&message).await.unwrap(), stored);

    let [request] = &server.taken()[..] else { panic!("one message is taken") };
    assert_eq!((&*request.method, &*request.path), ("POST", "/orders/messages"));
    assert_eq!(request.body, *message.body);
    let mut headers = request.headers.clone();
    headers.sort();
    let (names, values): (Vec<_>, Vec<_>) = headers.into_iter().unzip();
    let expected = [
        "accept",
        "authorization",
        "brokerproperties",
        "causationid",
        "content-length",
        "content-type",
        "host",
        "messagetype",
        "shop_id",
        "tenant",
        "traceparent",
        "user-agent",
    ];
    assert_eq!(names, expected);
    let [_, token, _, causation, length, content_type, host, kind, shop, tenant, trace, agent] = &values[..] else {
        panic!("as many values as names")
    };
    assert!(token.starts_with("SharedAccessSignature sr="), "{token}");
    assert_eq!(causation, "\"00000000-0000-0000-0000-000000000002\"");
    assert_eq!((&**length, &**content_type), ("15", "application/json"));
    assert_eq!(host, "shop.servicebus.windows.net");
    assert_eq!((&**kind, &**shop, &**tenant), ("\"notification_event\"", "\"x-1; y=2\"", "\"acme\""));
    assert_eq!(trace, "\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\"");
    assert!(agent.starts_with("diator/"), "{agent}");
    let expected = json!({
        "MessageId": message.id.to_string(), "Label": "UserJoined",
        "CorrelationId": "00000000-0000-0000-0000-000000000001", "SessionId": "user 7", "PartitionKey": "user 7",
        "TimeToLive": 90, "ScheduledEnqueueTimeUtc": "Sun, 06 Nov 1994 08:49:37 GMT",
    });
    assert_eq!(request.broker_properties(), expected);
}

#[tokio::test]
async fn text_beyond_ascii_arrives_byte_for_byte_and_its_headers_are_ascii() {
    let server = ServiceBusServer::start();
    let broker = broker(server.config().queue("work"));
    let mut message = message("{\"text\":\"Zoë 🦀 \\u0000 \n\"}").with_key("ключ \"🦀\"");
    message.name = "Zoë\nПривет".into();
    broker.publish(&message).await.unwrap();
    let [request] = &server.taken()[..] else { panic!("one message is taken") };
    assert_eq!(request.body, *message.body);
    let properties = request.broker_properties();
    assert_eq!((&properties["Label"], &properties["SessionId"]), (&json!("Zoë\nПривет"), &json!("ключ \"🦀\"")));
    assert!(request.headers.iter().all(|(_, value)| value.is_ascii()));
}

#[tokio::test]
async fn bodies_of_every_size_arrive_and_a_larger_one_is_not_sent() {
    let server = ServiceBusServer::start();
    let broker = broker(server.config().queue("work"));
    let limit = 256 * 1024;
    for length in [0, 1, 200 * 1024, limit] {
        let body = "x".repeat(length);
        broker.publish(&message(&body)).await.unwrap();
        assert_eq!(server.taken().last().unwrap().body, body.as_bytes());
    }
    let error = broker.publish(&message(&"x".repeat(limit + 1))).await.unwrap_err();
    assert!(error.to_string().ends_with("its body has 262145 bytes, and 262144 is the limit"), "{error}");
    assert_eq!(server.requests().len(), 4, "what is too large is not sent");
}

#[tokio::test]
async fn messages_go_where_their_topic_says() {
    let server = ServiceBusServer::start();
    let broker = broker(server.config().queue("rest").map_topic("audit log", "shop/audit"));
    for topic in [None, Some("orders"), Some("audit log"), Some("eu/users.v2")] {
        let mut message = message("{}");
        message.topic = topic.map(Into::into);
        broker.publish(&message).await.unwrap();
    }
    let paths: Vec<_> = server.taken().into_iter().map(|request| request.path).collect();
    assert_eq!(paths, ["/rest/messages", "/orders/messages", "/shop/audit/messages", "/eu/users.v2/messages"]);
}

#[tokio::test]
async fn nothing_that_a_message_holds_can_add_a_header() {
    let server = ServiceBusServer::start();
    let config = server.config().queue("work").customise(|message, options| match &*message.name {
        "UserJoined" => options,
        name => options.property(name, "x\r\nauthorization: none"),
    });
    let broker = broker(config);
    let bad = message("{}").with_traceparent("a\r\nx-evil: 1");
    broker.publish(&bad).await.unwrap();
    let [request] = &server.taken()[..] else { panic!("one message is taken") };
    assert!(request.header("traceparent").is_none() && request.header("x-evil").is_none());
    for name in ["authorization", "a:b", "tenant"] {
        let mut message = message("{}");
        message.name = name.into();
        let error = broker.publish(&message).await.unwrap_err();
        assert!(error.to_string().contains(&format!("the property `{name}`")), "{error}");
    }
    assert_eq!(server.requests().len(), 1);
}

#[derive(Debug, Serialize, Deserialize, EcstEvent)]
#[event(topic = "users", key = user_id)]
struct UserChanged {
    user_id: u64,
}

#[event_handler(UserChanged)]
struct Readable;

impl EventHandler<UserChanged> for Readable {
    async fn handle(&self, _: &UserChanged, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

#[tokio::test]
async fn an_event_of_the_mediator_arrives_in_both_formats() {
    for (format, content_type) in [
        (Format::python(), "application/json"),
        (Format::cloud_events("/shop").unwrap(), "application/cloudevents+json"),
    ] {
        let server = ServiceBusServer::start();
        let mediator = Mediator::builder().handlers(handlers![Readable]).format(format);
        let mediator = mediator.broker(broker(server.config())).build().unwrap();
        mediator.emit(UserChanged { user_id: 7 }).await.unwrap();
        let [request] = &server.taken()[..] else { panic!("one message is taken") };
        assert_eq!(request.path, "/users/messages");
        assert_eq!(request.header("content-type"), Some(content_type));
        let inbound = InboundMessage::decode(&request.body, Some(content_type), []).unwrap();
        let properties = request.broker_properties();
        assert_eq!(properties["MessageId"], inbound.id.to_string());
        assert_eq!((&properties["Label"], &properties["SessionId"]), (&json!("UserChanged"), &json!("7")));
        assert_eq!(mediator.receive(inbound).await.unwrap(), Received::Handled);
    }
}
