//! The way of an event from one service to another over a stream, with all that travels beside it.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex};

use diator::broker::Format;
use diator::prelude::*;
use diator::{InboundMessage, Meta, Received, handlers};
use diator_redis::{RedisBroker, RedisConfig};
use diator_testkit::within_patience;
use diator_tests::redis_server::RedisServer;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[derive(Clone, Debug, PartialEq)]
struct Tenant(String);

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Tenant {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(topic = "orders")]
struct OrderPlaced {
    order_id: u64,
}

#[derive(Debug, PartialEq)]
struct Seen {
    order_id: u64,
    correlation: Uuid,
    causation: Option<Uuid>,
    trace: Option<String>,
    tenant: Option<Tenant>,
}

#[derive(Default)]
struct Notes(Mutex<Vec<Seen>>);

#[event_handler(OrderPlaced)]
struct Note {
    notes: Arc<Notes>,
}

impl EventHandler<OrderPlaced> for Note {
    async fn handle(&self, event: &OrderPlaced, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        let meta = cx.meta();
        self.notes.0.lock().unwrap().push(Seen {
            order_id: event.order_id,
            correlation: meta.correlation_id(),
            causation: meta.causation_id(),
            trace: meta.traceparent().map(str::to_owned),
            tenant: meta.get().cloned(),
        });
        Ok(())
    }
}

#[tokio::test]
async fn all_that_travels_beside_an_event_arrives_with_it() {
    let server = RedisServer::start(&[]);
    for format in [Format::python(), Format::cloud_events("https://shop.example").unwrap()] {
        let broker = RedisBroker::new(RedisConfig::streams(server.url())).unwrap();
        let notes = Arc::new(Notes::default());
        let mediator = Mediator::builder()
            .handlers(handlers![Note])
            .container(Services::new().singleton::<Notes>(notes.clone()))
            .broker(broker)
            .format(format)
            .header::<Tenant>("tenant")
            .build()
            .unwrap();
        let meta = Meta::new().with_correlation_id(Uuid::from_u128(1)).with_traceparent(TRACE);
        let meta = meta.with(Tenant("acme".to_owned()));
        let cause = meta.message_id();
        mediator.with(meta).emit(OrderPlaced { order_id: 7 }).await.unwrap();

        let (_, fields) = within_patience(server.cli().read("orders").entry()).await.unwrap();
        server.cli().run(&["DEL", "orders"]);
        let fields: Vec<_> =
            fields.into_iter().map(|(name, value)| (name, String::from_utf8(value).unwrap())).collect();
        let field = |name: &str| fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
        let headers = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let message =
            InboundMessage::decode(field("body").unwrap().as_bytes(), field("content_type"), headers).unwrap();
        assert_eq!(mediator.receive(message).await.unwrap(), Received::Handled);
        let seen = notes.0.lock().unwrap().pop().expect("it was handled");
        let expected = Seen {
            order_id: 7,
            correlation: Uuid::from_u128(1),
            causation: Some(cause),
            trace: Some(TRACE.to_owned()),
            tenant: Some(Tenant("acme".to_owned())),
        };
        assert_eq!(seen, expected);
    }
}
