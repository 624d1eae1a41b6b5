use std::collections::HashSet;
use std::time::Duration;

use diator::OutboundMessage;
use diator::broker::MessageType;
use serde_json::json;
use tokio::time::timeout;
use uuid::Uuid;

use super::{Arrived, Driver, Listener, Login};

/// A message whose body tells its number, in the Python library's format.
#[must_use]
pub fn message(number: usize) -> OutboundMessage {
    let id = Uuid::now_v7();
    let body = json!({"message_type": "notification_event", "message_name": "Numbered", "message_id": id,
        "payload": {"number": number, "text": "Straße \"\\\" 🦀"}});
    OutboundMessage::new(id, MessageType::Notification, "Numbered", body.to_string().into_bytes())
}

/// A message with this body, which need not be JSON.
#[must_use]
pub fn message_of(body: impl Into<Vec<u8>>) -> OutboundMessage {
    OutboundMessage::new(Uuid::now_v7(), MessageType::Ecst, "Of", body.into())
}

/// The ids of messages, in their order.
#[must_use]
pub fn ids(messages: &[OutboundMessage]) -> Vec<Uuid> {
    messages.iter().map(|message| message.id).collect()
}

/// The messages that the listener has heard so far.
///
/// It publishes one more message, and listens until that arrives. If the driver keeps order, every earlier message has
/// arrived before it. Otherwise the call listens until nothing has come for two seconds.
///
/// # Panics
///
/// If a message arrives twice, or the server is gone.
pub async fn arrivals<D: Driver>(driver: &D, listener: &mut dyn Listener) -> Vec<Arrived> {
    let last = message(usize::MAX);
    driver.connect(Login::Right).publish(&last).await.expect("the server is well");
    let mut arrived = heard_until::<D>(last.id, listener).await;
    let mut seen = HashSet::new();
    arrived.iter().for_each(|next| assert!(seen.insert(next.id), "it arrived twice: {next:?}"));
    arrived.retain(|next| next.id != last.id);
    arrived
}

/// All that is heard until a message arrives, the message included; without order, and a little longer.
pub(super) async fn heard_until<D: Driver>(last: Uuid, listener: &mut dyn Listener) -> Vec<Arrived> {
    const QUIET: Duration = Duration::from_secs(2);
    let mut heard = Vec::new();
    while heard.last().is_none_or(|heard: &Arrived| heard.id != last) {
        heard.push(listener.next().await.expect("the server is well"));
    }
    if !D::GUARANTEES.ordered {
        while let Ok(Some(next)) = timeout(QUIET, listener.next()).await {
            heard.push(next);
        }
    }
    heard
}
