use std::collections::HashSet;
use std::future::Future;
use std::time::Duration;

use diator::OutboundMessage;
use diator::broker::MessageType;
use serde_json::json;
use tokio::time::timeout;
use uuid::Uuid;

use super::{Arrived, Driver, Listener, Login};

/// A message whose body tells its number.
#[must_use]
pub fn message(number: usize) -> OutboundMessage {
    let id = Uuid::now_v7();
    let body = json!({"message_type": "notification_event", "message_name": "Numbered", "message_id": id,
        "payload": {"number": number, "text": "Straße \"\\\" 🦀"}});
    OutboundMessage::new(id, MessageType::Notification, "Numbered", body.to_string().into_bytes())
}

/// A message with this body.
#[must_use]
pub fn message_of(body: impl Into<Vec<u8>>) -> OutboundMessage {
    OutboundMessage::new(Uuid::now_v7(), MessageType::Ecst, "Of", body.into())
}

/// The ids of messages, in their order.
#[must_use]
pub fn ids(messages: &[OutboundMessage]) -> Vec<Uuid> {
    messages.iter().map(|message| message.id).collect()
}

/// What the listener heard until now.
///
/// It publishes one message more, and listens until that arrives: what was taken before arrived before.
///
/// # Panics
///
/// If something arrives whose id arrived before.
pub async fn arrivals<D: Driver>(driver: &D, listener: &mut dyn Listener) -> Vec<Arrived> {
    let last = message(usize::MAX);
    driver.connect(Login::Right).publish(&last).await.expect("the server is well");
    let (mut arrived, mut seen) = (Vec::<Arrived>::new(), HashSet::new());
    loop {
        let next = listener.next().await.expect("the server is well");
        assert!(seen.insert(next.id), "it arrived twice: {next:?}");
        if next.id == last.id {
            return arrived;
        }
        arrived.push(next);
    }
}

/// Runs a case, which fails if it takes for ever.
///
/// # Panics
///
/// After two minutes.
pub async fn within_patience<T>(case: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(120), Box::pin(case)).await.expect("the case should have come to its end by now")
}
