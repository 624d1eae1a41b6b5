use std::collections::HashSet;

use diator::OutboundMessage;
use diator::broker::MessageType;
use serde_json::json;
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

/// What the listener heard until now.
///
/// It publishes one message more, and listens until that arrives: what was taken before arrived before.
///
/// # Panics
///
/// Something arrives whose id arrived before, or the server is gone.
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
