//! An outbox that a mediator has filled, and a relay has worked on.

use std::time::Duration;

use diator::broker::PublishError;
use diator::outbox::{InMemoryOutbox, OutboxStore};
use diator::prelude::*;
use diator::relay::Relay;
use diator::{MediatorBuilder, OutboundMessage};
use serde::Serialize;

#[derive(Debug, Command)]
struct PlaceOrder {
    order_id: u64,
}

#[derive(Debug, Serialize, NotificationEvent)]
#[event(topic = "orders", key = order_id)]
struct OrderPlaced {
    order_id: u64,
}

#[derive(Debug, Serialize, NotificationEvent)]
#[event(topic = "mails")]
struct MailAsked {
    text: &'static str,
}

#[request_handler(PlaceOrder)]
struct PlaceOrderHandler;

impl RequestHandler<PlaceOrder> for PlaceOrderHandler {
    async fn handle(&self, command: PlaceOrder, cx: &mut RequestContext<'_, PlaceOrder>) -> Result<(), BoxError> {
        cx.emit(OrderPlaced { order_id: command.order_id });
        cx.emit(MailAsked { text: "thank you" });
        Ok(())
    }
}

pub(crate) fn builder() -> MediatorBuilder {
    Mediator::builder().handlers(handlers![PlaceOrderHandler]).broker(InMemoryBroker::new())
}

/// Two orders, one of which the broker refuses for good, so that a later message of it is parked; and their mails.
pub(crate) async fn filled() -> Result<InMemoryOutbox, BoxError> {
    let (outbox, broker) = (InMemoryOutbox::new(), InMemoryBroker::new());
    let mediator = builder().container(outbox.services()).broker(broker.clone()).outbox(outbox.clone()).build()?;
    broker.refuse_if(|message: &OutboundMessage| {
        let is_refused = message.key.as_deref() == Some("7");
        is_refused.then(|| PublishError::fatal("the topic takes no order 7").with_code("403"))
    });
    for order_id in [6, 7, 7] {
        mediator.send(PlaceOrder { order_id }).await?;
    }
    let relay = Relay::new(outbox.clone()).broker(broker.clone()).attempts(1);
    relay
        .run_until(async {
            while outbox.status().await.is_ok_and(|status| (status.sent, status.dead) != (4, 1)) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await?;
    Ok(outbox)
}
