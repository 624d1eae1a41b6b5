//! What notification and ECST events look like on the wire, and how they come back.

use std::sync::{Arc, Mutex};

use diator::broker::{Format, MessageType};
use diator::prelude::*;
use diator::{InboundMessage, OutboundMessage, ReceiveError, Received};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, NotificationEvent)]
struct UserJoined {
    user_id: u64,
    nickname: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, EcstEvent)]
#[event(name = "user_changed", topic = "users", key = user_id, alias = "UserChanged")]
struct Changed {
    user_id: u64,
    price: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, EcstEvent)]
#[serde(deny_unknown_fields)]
enum MeetingChanged {
    Opened { meeting_id: u64 },
    Closed,
}

#[derive(Debug, Serialize, NotificationEvent)]
struct Temperature(f64);

#[derive(Debug, Command)]
struct Idle;

#[request_handler(Idle)]
struct IdleHandler;

impl RequestHandler<Idle> for IdleHandler {
    async fn handle(&self, _: Idle, _: &mut RequestContext<'_, Idle>) -> Result<(), BoxError> {
        Ok(())
    }
}

/// Keeps what arrives, each event as its `Debug` text.
#[event_handler(UserJoined)]
#[event_handler(Changed)]
#[event_handler(MeetingChanged)]
struct Keep {
    arrived: Arc<Mutex<Vec<String>>>,
}

macro_rules! keep {
    ($($event:ty),*) => {
        $(
            impl EventHandler<$event> for Keep {
                async fn handle(&self, event: &$event, _: &mut EventContext<'_>) -> Result<(), BoxError> {
                    self.arrived.lock().unwrap().push(format!("{event:?}"));
                    Ok(())
                }
            }
        )*
    };
}

keep!(UserJoined, Changed, MeetingChanged);

struct Fixture {
    mediator: Mediator,
    broker: InMemoryBroker,
    arrived: Arc<Mutex<Vec<String>>>,
}

impl Fixture {
    fn new(format: Format) -> Self {
        let (broker, arrived) = (InMemoryBroker::new(), Arc::new(Mutex::new(Vec::new())));
        let mediator = Mediator::builder()
            .handlers(handlers![IdleHandler, Keep])
            .container(Services::new().singleton::<Mutex<Vec<String>>>(arrived.clone()))
            .broker(broker.clone())
            .format(format)
            .build()
            .unwrap();
        Self { mediator, broker, arrived }
    }

    async fn publish(&self, event: impl Event) -> OutboundMessage {
        self.mediator.emit(event).await.unwrap();
        self.broker.take_published().remove(0)
    }

    /// Publishes an event, lets it arrive, and tells what the handler saw.
    async fn there_and_back(&self, event: impl Event) -> String {
        let message = self.publish(event).await;
        self.receive(&message.body).await.unwrap();
        self.arrived.lock().unwrap().remove(0)
    }

    async fn receive(&self, body: &[u8]) -> Result<Received, ReceiveError> {
        self.mediator.receive(InboundMessage::decode(body, None, []).unwrap()).await
    }
}

/// The body with its id and time replaced: they differ from run to run.
fn neutral(message: &OutboundMessage) -> String {
    let body = str::from_utf8(&message.body).unwrap().replace(&message.id.to_string(), "ID");
    let json: serde_json::Value = serde_json::from_str(&body).unwrap();
    let time = json.pointer("/payload/event_timestamp").or_else(|| json.get("time")).unwrap().as_str().unwrap();
    body.replace(time, "TIME")
}

#[tokio::test]
async fn a_notification_event_is_written_as_the_python_library_writes_it() {
    let message = Fixture::new(Format::python()).publish(UserJoined { user_id: 7, nickname: None }).await;
    let expected = r#"{"message_type":"notification_event","message_name":"UserJoined","message_id":"ID","payload":{"event_id":"ID","event_timestamp":"TIME","user_id":7,"nickname":null}}"#;
    assert_eq!(neutral(&message), expected);
    assert_eq!((message.message_type, &*message.name), (MessageType::Notification, "UserJoined"));
    assert_eq!((&*message.content_type, message.topic, message.key), ("application/json", None, None));
}

#[tokio::test]
async fn the_time_has_no_zone_and_six_digits_or_none() {
    let message = Fixture::new(Format::python()).publish(UserJoined { user_id: 7, nickname: None }).await;
    let json: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
    let time = json["payload"]["event_timestamp"].as_str().unwrap();
    assert!(matches!(time.len(), 19 | 26), "{time}");
    assert!(time.chars().all(|c| c.is_ascii_digit() || "-:.T".contains(c)), "{time}");
}

#[tokio::test]
async fn name_topic_and_key_travel_with_an_ecst_event() {
    let message = Fixture::new(Format::python()).publish(Changed { user_id: 7, price: 1.5 }).await;
    let expected = r#"{"message_type":"ecst_event","message_name":"user_changed","message_id":"ID","payload":{"event_id":"ID","event_timestamp":"TIME","user_id":7,"price":1.5}}"#;
    assert_eq!(neutral(&message), expected);
    assert_eq!((message.topic.as_deref(), message.key.as_deref()), (Some("users"), Some("7")));
}

#[tokio::test]
async fn cloud_events_are_the_other_format() {
    let format = Format::cloud_events("https://users.example/").unwrap();
    let message = Fixture::new(format).publish(Changed { user_id: 7, price: 1.5 }).await;
    let json: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
    let correlation = message.correlation_id.unwrap().to_string();
    let expected = serde_json::json!({
        "specversion": "1.0", "id": message.id.to_string(), "source": "https://users.example/",
        "type": "user_changed", "subject": "7", "time": json["time"], "datacontenttype": "application/json",
        "messagetype": "ecst_event", "correlationid": correlation, "causationid": correlation,
        "data": { "user_id": 7, "price": 1.5 },
    });
    assert_eq!(json, expected);
    assert_eq!(message.content_type, "application/cloudevents+json");
}

#[tokio::test]
async fn every_event_comes_back_as_it_went_in_both_formats() {
    for format in [Format::python(), Format::cloud_events("/users").unwrap()] {
        let fixture = Fixture::new(format);
        let joined = UserJoined { user_id: u64::MAX, nickname: Some("Zoë \"🦀\"\n".to_owned()) };
        assert_eq!(fixture.there_and_back(joined.clone()).await, format!("{joined:?}"));
        let changed = Changed { user_id: 0, price: 1099.9967000000001 };
        assert_eq!(fixture.there_and_back(changed.clone()).await, format!("{changed:?}"));
        for event in [MeetingChanged::Opened { meeting_id: 1 }, MeetingChanged::Closed] {
            assert_eq!(fixture.there_and_back(event.clone()).await, format!("{event:?}"));
        }
    }
}

#[tokio::test]
async fn an_event_is_accepted_under_its_alias_and_with_the_times_that_others_write() {
    let fixture = Fixture::new(Format::python());
    let id = Uuid::from_u128(1);
    for time in ["2026-11-22T22:31:53", "2026-11-22 22:31:53.1", "2026-11-22T22:31:53.997858+02:00"] {
        let body = format!(
            r#"{{"message_type":"ecst_event","message_name":"UserChanged","message_id":"{id}","payload":
               {{"event_id":"{id}","event_timestamp":"{time}","user_id":7,"price":2,"added_later":[]}}}}"#
        );
        assert_eq!(fixture.receive(body.as_bytes()).await.unwrap(), Received::Handled);
        assert_eq!(fixture.arrived.lock().unwrap().remove(0), "Changed { user_id: 7, price: 2.0 }");
    }
}

#[tokio::test]
async fn a_payload_that_does_not_fit_is_an_error_that_names_the_event() {
    let fixture = Fixture::new(Format::python());
    let id = Uuid::from_u128(1);
    let body = format!(
        r#"{{"message_type":"ecst_event","message_name":"user_changed","message_id":"{id}","payload":{{"user_id":"x"}}}}"#
    );
    let error = fixture.receive(body.as_bytes()).await.unwrap_err();
    assert!(matches!(&error, ReceiveError::Undecodable { name, .. } if name == "user_changed"), "{error:?}");
}

#[tokio::test]
async fn an_event_that_is_no_object_fails_before_anything_is_published() {
    let fixture = Fixture::new(Format::python());
    let error = fixture.mediator.emit(Temperature(20.5)).await.unwrap_err();
    let SendError::Encode { event, source } = error else { panic!("{error:?}") };
    assert_eq!(event, "Temperature");
    assert!(source.to_string().contains("must be an object"), "{source}");
    assert!(fixture.broker.is_empty());
}
