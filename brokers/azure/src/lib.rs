//! Azure Service Bus for [`diator`]: topics and queues, over its REST interface.
//!
//! In the [picture of the whole](https://docs.rs/diator/latest/diator/#the-whole) it is the message broker for the process that
//! publishes. It does not consume: receive with any client, and give what came to [`Mediator::receive`](diator::Mediator::receive).
//! **It was tested with a server on a loopback port, and never against Azure.**
//!
//! ```no_run
//! use diator::prelude::*;
//! use diator_azure::{ServiceBusBroker, ServiceBusConfig};
//! use serde::Serialize;
//!
//! # #[derive(Debug, Command)]
//! # struct PlaceOrder { order_id: u64 }
//! #[derive(Debug, Serialize, NotificationEvent)]
//! #[event(key = order_id)]
//! struct OrderPlaced { order_id: u64 }
//!
//! # #[request_handler(PlaceOrder)]
//! # struct PlaceOrderHandler;
//! # impl RequestHandler<PlaceOrder> for PlaceOrderHandler {
//! async fn handle(&self, command: PlaceOrder, cx: &mut RequestContext<'_, PlaceOrder>) -> Result<(), BoxError> {
//!     cx.emit(OrderPlaced { order_id: command.order_id });
//!     Ok(())
//! }
//! # }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = ServiceBusConfig::from_connection_string(&std::env::var("SERVICE_BUS")?).topic("orders");
//! let mediator = Mediator::from_registry().broker(ServiceBusBroker::new(config)?).build()?;
//! mediator.send(PlaceOrder { order_id: 7 }).await?; // the topic `orders` has the event
//! # Ok(())
//! # }
//! ```
//!
//! | to learn | look at |
//! |---|---|
//! | what a message becomes, what is promised, which error means what | [`ServiceBusBroker`] |
//! | the settings of the broker | [`ServiceBusConfig`] |
//! | the settings of a message | [`MessageOptions`] |
//! | how to set up a namespace, and how to test against it | the guide `docs/azure.md` in the repository |
//!
//! The package has no features.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects, clippy::unwrap_used))]

mod clients;
mod config;
mod connection;
mod entity;
mod error;
mod http;
mod options;
mod wire;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use azure_messaging_servicebus::service_bus::TopicClient;
use diator::broker::{EventRoute, Guarantees, MessageBroker, NotAccepted, OutboundMessage, PublishError, Receipt};
use diator::{BoxFuture, InvalidConfig};
use futures_util::StreamExt;
use futures_util::stream;
/// The HTTP client that [`ServiceBusConfig::http`] adapts.
pub use reqwest;
use tokio::task::yield_now;
use tokio::time::{Instant, timeout_at};

use self::config::Checked;
pub use self::config::ServiceBusConfig;
use self::error::{no_client, not_begun, publish_error, timed_out};
pub use self::options::MessageOptions;
use self::wire::Request;

/// Sends messages to topics and queues of an Azure Service Bus namespace.
///
/// An event's topic is the name of the Service Bus topic or queue; an event without a topic goes to the one that the
/// configuration names. Over REST the two are addressed alike.
///
/// | property of the message | what it holds |
/// |---|---|
/// | `MessageId`, `Label` (the subject) | the message's id and name |
/// | `SessionId`, `PartitionKey` | the key, if there is one |
/// | `CorrelationId` | the correlation id |
/// | `TimeToLive`, `ScheduledEnqueueTimeUtc` | as [`MessageOptions`] say |
/// | `Content-Type` | the media type of the body |
/// | custom properties | `messagetype`, `causationid`, `traceparent`, and those of the [`MessageOptions`] |
///
/// # Guarantees
///
/// - `Ok` means that the service answered 201: it has stored the message. The receipt's position is the name of the
///   topic or queue, because the service tells no other. A queue keeps the message. A topic keeps it for each
///   subscription that exists at that moment; **if there is no subscription, the message is gone, and nothing reports
///   it**.
/// - The messages of a batch go out side by side, those with one topic and key one after the other.
/// - With [`sessions`](ServiceBusConfig::sessions), consumers see messages with one key in order; without, no order is
///   promised.
/// - A message that is published again has the same `MessageId`; a service that detects duplicates drops it.
/// - The broker keeps connections, and makes new ones as needed. Dropping a `publish` closes its connection, so that
///   callers that give up early do not wait on a dead one.
/// - Each tokio runtime that publishes has connections of its own, which end with it. A broker in a `static` serves
///   runtimes that come and go, also side by side; a call loses its message's answer only if its own runtime ends.
/// - The broker does not use a connection again that ended while nobody used it, and needs no round trip to find out.
/// - The broker believes the configuration about `sessions` and `duplicate_detection`: over REST, a sender cannot ask
///   the service.
///
/// # Errors
///
/// The [`code`](PublishError::code) is the HTTP status, and the source has the service's words.
/// - Transient: no connection was made; 408, 429, 500, 503, with the service's Retry-After; 403 if the topic or queue
///   is full.
/// - Ambiguous: no answer by the deadline, or none that can be read; any other 5xx, and a 2xx that is not 201. A
///   message that began so late in a batch that the deadline passed while its connection was being made is ambiguous
///   too.
/// - Fatal: any other status; a body that is too large or not UTF-8; a topic, key or option that Service Bus does not
///   accept. These fatal errors [concern every message](PublishError::concerns_destination) to the topic or queue,
///   which is the [destination](MessageBroker::destination): 3xx, 401, 402, 404, 405, 407, 410, and 403 for another
///   reason than the message's size.
/// # Panics
///
/// If it runs outside a tokio runtime with I/O and a timer.
///
/// # Example
///
/// ```no_run
/// use diator_azure::{ServiceBusBroker, ServiceBusConfig};
/// use diator::prelude::*;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config = ServiceBusConfig::from_connection_string(&std::env::var("SERVICE_BUS")?).topic("orders");
/// let mediator = Mediator::from_registry().broker(ServiceBusBroker::new(config)?).build()?;
/// # Ok(())
/// # }
/// ```
pub struct ServiceBusBroker {
    checked: Checked,
}

impl ServiceBusBroker {
    /// Checks the configuration; the broker connects when the first message is published.
    ///
    /// # Errors
    ///
    /// One report lists every problem; it repeats no part of the connection string.
    pub fn new(config: ServiceBusConfig) -> Result<Self, InvalidConfig> {
        Ok(Self { checked: config.check()? })
    }

    /// When a call that begins now has to be over; one whose end no clock can show is over at once.
    fn end(&self) -> Instant {
        let now = Instant::now();
        now.checked_add(self.checked.deadline).unwrap_or(now)
    }

    async fn send(&self, request: Request<'_>, deadline: Instant) -> Result<Receipt, PublishError> {
        if deadline <= Instant::now() {
            return Err(not_begun(self.checked.deadline));
        }
        let Checked { clients, namespace, policy, key, .. } = &self.checked;
        let transport = clients.transport().map_err(no_client)?;
        // A topic's client, also for queues: they differ in what they receive, not in how they send.
        let entity = request.entity;
        let client = TopicClient::new(transport, namespace, entity, policy, key.clone());
        let sender = client.map_err(publish_error)?.topic_sender();
        match timeout_at(deadline, sender.send_message(request.body, Some(request.options))).await {
            Ok(Ok(())) => Ok(Receipt::Persisted { position: entity.to_owned() }),
            Ok(Err(error)) => Err(publish_error(error)),
            Err(_) => Err(timed_out(self.checked.deadline)),
        }
    }

    /// Sends messages one after the other, whatever becomes of those before.
    async fn send_lane(&self, lane: Lane<'_>, deadline: Instant) -> Vec<(usize, Result<Receipt, PublishError>)> {
        let mut answers = Vec::with_capacity(lane.len());
        for (number, request) in lane {
            answers.push((number, self.send(request, deadline).await));
        }
        answers
    }
}

/// Lets the runtime see which connections ended while nobody used them: in the first turn it hears of it, in the second the
/// pool does. It takes no round trip.
async fn look_around() {
    yield_now().await;
    yield_now().await;
}

/// Messages of a batch that go out one after the other, with their numbers.
type Lane<'a> = Vec<(usize, Request<'a>)>;

/// A lane for each topic and key, and one for each message without a key.
fn lanes(requests: Vec<(usize, Request<'_>)>) -> Vec<Lane<'_>> {
    let mut lanes: Vec<Lane<'_>> = Vec::new();
    let mut keyed = HashMap::new();
    for (number, request) in requests {
        let key = request.session.clone().map(|session| (request.entity, session));
        let next = lanes.len();
        let lane = key.map_or(next, |key| *keyed.entry(key).or_insert(next));
        if lane == next {
            lanes.push(Vec::new());
        }
        lanes[lane].push((number, request));
    }
    lanes
}

#[async_trait]
impl MessageBroker for ServiceBusBroker {
    async fn publish(&self, message: &OutboundMessage) -> Result<Receipt, PublishError> {
        let request = self.checked.wire.request(message)?;
        let deadline = self.end();
        look_around().await;
        self.send(request, deadline).await
    }

    async fn publish_batch(&self, messages: &[OutboundMessage]) -> Vec<Result<Receipt, PublishError>> {
        let deadline = self.end();
        let mut answers = Vec::with_capacity(messages.len());
        let mut requests = Vec::with_capacity(messages.len());
        for (number, message) in messages.iter().enumerate() {
            match self.checked.wire.request(message) {
                Ok(request) => requests.push((number, request)),
                Err(error) => answers.push((number, Err(error))),
            }
        }
        look_around().await;
        let mut sending: Vec<BoxFuture<'_, _>> = Vec::new();
        for lane in lanes(requests) {
            sending.push(Box::pin(self.send_lane(lane, deadline)));
        }
        let mut sending = stream::iter(sending).buffer_unordered(self.checked.concurrency);
        while let Some(lane) = sending.next().await {
            answers.extend(lane);
        }
        answers.sort_unstable_by_key(|(number, _)| *number);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    fn deadline(&self) -> Option<Duration> {
        Some(self.checked.deadline)
    }

    fn guarantees(&self) -> Guarantees {
        let mut guarantees = Guarantees::none().durable().confirmed().retained().max_body(self.checked.wire.max_body);
        guarantees.ordered_by_key = self.checked.wire.sessions;
        guarantees.deduplicated = self.checked.duplicate_detection;
        guarantees
    }

    fn accepts(&self, event: &EventRoute<'_>) -> Result<(), NotAccepted> {
        self.checked.wire.entities.find(event.topic).map(drop)
    }

    /// The topic or queue: a key may be good for one alone, and one may be full while another is not.
    fn destination(&self, event: &EventRoute<'_>) -> Cow<'_, str> {
        self.checked.wire.entities.find(event.topic).unwrap_or_default().to_owned().into()
    }
}

impl fmt::Debug for ServiceBusBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceBusBroker")
            .field("namespace", &self.checked.namespace)
            .field("policy", &self.checked.policy)
            .field("entities", &self.checked.wire.entities)
            .finish_non_exhaustive()
    }
}

/// The page about this driver, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/azure.md")]
struct Page;

/// The README's program, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
