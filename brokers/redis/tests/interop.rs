//! The Python library diator 0.1.2 and this one on the same Redis.
//!
//! `vectors`, beside this file, has what the original wrote (`scripts/record-vectors`) of the events in its `events.py`; the
//! same events with the same values stand here.

use std::any::type_name;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use diator::handlers;
use diator::prelude::*;
use diator::{InboundMessage, Received};
use diator_redis::{RedisBroker, RedisConfig};
use diator_testkit::within_patience;
use diator_tests::redis_server::{ChannelListener, RedisServer};
use jiff::civil::{Date, DateTime, Time};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, NotificationEvent)]
struct UserJoined {
    user_id: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, NotificationEvent)]
struct MeetingStarted;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, EcstEvent)]
struct UserRenamed {
    user_id: i64,
    last_name: String,
    greeting: String,
    nickname: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Line {
    article: String,
    quantity: u32,
    place: Option<(f64, f64)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, EcstEvent)]
struct OrderPlaced {
    order_id: Uuid,
    lines: Vec<Line>,
    labels: BTreeMap<String, i32>,
    note: String,
    related: Vec<Uuid>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, NotificationEvent)]
struct AppointmentMade {
    on: Date,
    at: Time,
    made: DateTime,
    reminded: Option<DateTime>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, EcstEvent)]
struct PriceChanged {
    net: Decimal,
    tax: Decimal,
    rate: f64,
    smallest: f64,
    units: u64,
    active: bool,
}

fn renamed() -> UserRenamed {
    UserRenamed {
        user_id: i64::MAX,
        last_name: "Доу-Ünï \"Q\" \\ /".to_owned(),
        greeting: "مرحبا 你好 🦀👩‍👩‍👧\t\r\n\0\u{1f}\u{7f}\u{2028}\u{feff}".to_owned(),
        nickname: Some("kend".to_owned()),
    }
}

fn renamed_without_nickname() -> UserRenamed {
    UserRenamed { user_id: -1, last_name: String::new(), greeting: " ".to_owned(), nickname: None }
}

fn order() -> OrderPlaced {
    OrderPlaced {
        order_id: Uuid::from_u128(0x0192_a0b1_0e1b_7d4c_8c9b_dd39_34f8_f824),
        lines: vec![
            Line { article: "Straßenkarte".to_owned(), quantity: 2, place: Some((52.5, -13.0)) },
            Line { article: String::new(), quantity: 0, place: None },
        ],
        labels: [("", 0), ("a", 1), ("ключ", -2)].map(|(label, number)| (label.to_owned(), number)).into(),
        note: "by hand".to_owned(),
        related: vec![Uuid::nil(), Uuid::from_u128(0x82a0_b10e_1b3d_4c3c_9bdd_3934_f8f8_24c2)],
    }
}

fn empty_order() -> OrderPlaced {
    let (lines, labels, note, related) = Default::default();
    OrderPlaced { order_id: Uuid::from_u128(1), lines, labels, note, related }
}

fn appointment() -> AppointmentMade {
    AppointmentMade {
        on: "2026-02-28".parse().unwrap(),
        at: "07:05:09".parse().unwrap(),
        made: "2026-11-22T22:31:53.997858".parse().unwrap(),
        reminded: Some("1970-01-01T00:00:00".parse().unwrap()),
    }
}

fn price() -> PriceChanged {
    PriceChanged {
        net: "1099.90".parse().unwrap(),
        tax: "-0.0000001000".parse().unwrap(),
        rate: 0.1,
        smallest: 1e-7,
        units: (1 << 53) + 1,
        active: true,
    }
}

/// Does something with each event, by the name of its vector.
macro_rules! each_event {
    ($do:ident ( $($context:expr),* )) => {{
        $do($($context,)* "user_joined", UserJoined { user_id: 987 }).await;
        $do($($context,)* "meeting_started", MeetingStarted).await;
        $do($($context,)* "on_the_second", UserJoined { user_id: 0 }).await;
        $do($($context,)* "user_renamed", renamed()).await;
        $do($($context,)* "user_renamed_without_nickname", renamed_without_nickname()).await;
        $do($($context,)* "order_placed", order()).await;
        $do($($context,)* "order_placed_empty", empty_order()).await;
        $do($($context,)* "appointment_made", appointment()).await;
        $do($($context,)* "price_changed", price()).await;
    }};
}

const COUNT: usize = 9;

/// What the original wrote.
#[derive(Debug, PartialEq, Deserialize)]
struct Vector {
    channel: String,
    body: String,
}

impl Vector {
    fn recorded(name: &str) -> Self {
        let path = format!("{}/tests/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_slice(&std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))).unwrap()
    }

    /// Without what differs from run to run: the id, which stands in three places, and the time.
    fn neutral(self) -> Self {
        let message: Value = serde_json::from_str(&self.body).unwrap();
        let id = message["message_id"].as_str().unwrap();
        let time = message["payload"]["event_timestamp"].as_str().unwrap();
        assert_eq!(message["payload"]["event_id"], id);
        let replace = |text: String| text.replace(id, "<id>").replace(time, "<time>");
        let (channel, body) = (replace(self.channel), replace(self.body));
        assert!(channel.ends_with(":<id>"), "{channel}");
        Self { channel, body }
    }
}

/// Keeps what arrives, each event as its `Debug` text.
#[event_handler(UserJoined)]
#[event_handler(MeetingStarted)]
#[event_handler(UserRenamed)]
#[event_handler(OrderPlaced)]
#[event_handler(AppointmentMade)]
#[event_handler(PriceChanged)]
struct Keep {
    arrived: Arc<Mutex<Vec<String>>>,
}

impl Keep {
    fn keep(&self, event: &impl std::fmt::Debug) {
        self.arrived.lock().unwrap().push(format!("{event:?}"));
    }
}

macro_rules! keep {
    ($($event:ty),*) => {
        $(
            impl EventHandler<$event> for Keep {
                async fn handle(&self, event: &$event, _: &mut EventContext<'_>) -> Result<(), BoxError> {
                    self.keep(event);
                    Ok(())
                }
            }
        )*
    };
}

keep!(UserJoined, MeetingStarted, UserRenamed, OrderPlaced, AppointmentMade, PriceChanged);

fn mediator(broker: impl diator::MessageBroker) -> (Mediator, Arc<Mutex<Vec<String>>>) {
    let arrived = Arc::new(Mutex::new(Vec::new()));
    let mediator = Mediator::builder()
        .handlers(handlers![Keep])
        .container(Services::new().singleton::<Mutex<Vec<String>>>(arrived.clone()))
        .broker(broker)
        .build()
        .unwrap();
    (mediator, arrived)
}

/// Publishes as the recorder did: orders in a shop of their own, all else in the default channels.
struct Publisher {
    default: Mediator,
    shop: Mediator,
}

impl Publisher {
    fn new(server: &RedisServer) -> Self {
        let config = RedisConfig::pub_sub(server.url());
        let [default, shop] =
            [config.clone(), config.prefix("shop")].map(|config| mediator(RedisBroker::new(config).unwrap()).0);
        Self { default, shop }
    }

    async fn emit<E: Event>(&self, event: E) {
        let mediator = if type_name::<E>().ends_with("OrderPlaced") { &self.shop } else { &self.default };
        mediator.emit(event).await.unwrap();
    }
}

#[tokio::test]
async fn channel_and_body_are_what_the_original_writes() {
    async fn compare<E: Event>(publisher: &Publisher, listener: &mut ChannelListener, name: &str, event: E) {
        publisher.emit(event).await;
        let (channel, body) = within_patience(listener.heard()).await.unwrap();
        let written = Vector { channel, body: String::from_utf8(body).unwrap() };
        assert_eq!(written.neutral(), Vector::recorded(name).neutral(), "{name}");
    }

    let server = RedisServer::start(&[]);
    let (publisher, mut listener) = (Publisher::new(&server), server.cli().subscribe("*"));
    each_event!(compare(&publisher, &mut listener));
}

#[tokio::test]
async fn what_the_original_writes_is_handled() {
    async fn receive<E: Event + std::fmt::Debug>(
        mediator: &Mediator,
        arrived: &Mutex<Vec<String>>,
        name: &str,
        event: E,
    ) {
        let message = InboundMessage::decode(Vector::recorded(name).body.as_bytes(), None, []).unwrap();
        assert!(message.timestamp.is_some(), "{name}");
        assert_eq!(mediator.receive(message).await.unwrap(), Received::Handled, "{name}");
        assert_eq!(arrived.lock().unwrap().pop(), Some(format!("{event:?}")), "{name}");
    }

    let (mediator, arrived) = mediator(InMemoryBroker::new());
    each_event!(receive(&mediator, &arrived));
}

/// A program written for the original subscribes by its patterns and reads our events with its classes.
#[tokio::test]
async fn a_python_subscriber_reads_our_events() {
    async fn publish<E: Event>(publisher: &Publisher, _: &str, event: E) {
        publisher.emit(event).await;
    }

    let server = RedisServer::start(&[]);
    let mut subscriber = Command::new(python())
        .args([concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/subscriber.py"), &server.url()])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(subscriber.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert_eq!(lines.next().as_deref(), Some("ready"));
    let publisher = Publisher::new(&server);
    each_event!(publish(&publisher));
    let read: Vec<_> = lines.collect();
    assert!(subscriber.wait().unwrap().success(), "it read only {read:?}");
    assert_eq!(read.len(), COUNT);
    assert_eq!(read[1], "meeting_started");
}

/// The interpreter that has the original.
fn python() -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/record-vectors");
    let output = Command::new(script).arg("--python").stderr(Stdio::inherit()).output().unwrap();
    assert!(
        output.status.success(),
        "the python library cannot be installed: is python 3.10 or newer there, and PyPI?"
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
