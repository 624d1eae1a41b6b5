//! Messages and handlers that say `unregistered`: only a program that lists the handlers has them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use diator::broker::{InboundMessage, MessageType};
use diator::prelude::*;
use diator::{Received, handlers};
use serde::{Deserialize, Serialize};

#[derive(Debug, Command)]
#[request(response = usize, unregistered)]
struct PlaceOrder;

#[derive(Debug, Query)]
#[request(unregistered)]
struct NobodyAnswers;

#[derive(Debug, DomainEvent)]
#[event(must_be_handled, unregistered)]
struct OrderPlaced;

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(unregistered)]
struct OrderPaid;

#[derive(Default)]
struct Orders(AtomicUsize);

#[request_handler(PlaceOrder, unregistered)]
#[event_handler(OrderPlaced, unregistered)]
#[event_handler(OrderPaid, order = 1, unregistered)]
struct OrderHandler {
    orders: Arc<Orders>,
}

impl RequestHandler<PlaceOrder> for OrderHandler {
    async fn handle(&self, _: PlaceOrder, cx: &mut RequestContext<'_, PlaceOrder>) -> Result<usize, BoxError> {
        cx.emit(OrderPlaced);
        Ok(self.orders.0.load(Ordering::SeqCst))
    }
}

impl EventHandler<OrderPlaced> for OrderHandler {
    async fn handle(&self, _: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.orders.0.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

impl EventHandler<OrderPaid> for OrderHandler {
    async fn handle(&self, _: &OrderPaid, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.orders.0.fetch_add(10, Ordering::SeqCst);
        Ok(())
    }
}

/// The registry has a handler, and so is not empty.
#[derive(Debug, Command)]
struct ShipOrder;

#[request_handler(ShipOrder)]
struct ShipOrderHandler;

impl RequestHandler<ShipOrder> for ShipOrderHandler {
    async fn handle(&self, _: ShipOrder, _: &mut RequestContext<'_, ShipOrder>) -> Result<(), BoxError> {
        Ok(())
    }
}

#[tokio::test]
async fn a_mediator_of_the_registry_neither_misses_nor_has_them() {
    // Requests and an event without a handler, a service that nobody registered, an event without a broker.
    let mediator = Mediator::from_registry().build().unwrap();
    mediator.send(ShipOrder).await.unwrap();
    let error = mediator.send(PlaceOrder).await.unwrap_err();
    assert!(matches!(error, SendError::Unhandled { .. }), "{error:?}");
    let error = mediator.send_dyn(NobodyAnswers).await.unwrap_err();
    assert!(matches!(error, SendError::Unhandled { .. }), "{error:?}");
}

#[tokio::test]
async fn a_mediator_with_the_listed_handlers_has_them() {
    for builder in [Mediator::builder(), Mediator::from_registry()] {
        let orders = Arc::new(Orders::default());
        let builder = builder.handlers(handlers![OrderHandler]).container(Services::new().singleton(orders.clone()));
        let mediator = builder.broker(InMemoryBroker::new()).build().unwrap();
        assert_eq!(mediator.send(PlaceOrder).await.unwrap(), 0);
        assert_eq!(mediator.send_dyn(PlaceOrder).await.unwrap(), 1);
        let paid = r#"{"message_type":"notification_event","message_name":"OrderPaid",
            "message_id":"00000000-0000-0000-0000-000000000001","payload":{}}"#;
        let message = InboundMessage::decode(paid.as_bytes(), None, []).unwrap();
        assert_eq!(message.message_type, MessageType::Notification);
        assert_eq!(mediator.receive(message).await.unwrap(), Received::Handled);
        assert_eq!(orders.0.load(Ordering::SeqCst), 12);
    }
}

#[test]
fn a_listed_handler_needs_its_services() {
    let error = Mediator::builder().handlers(handlers![OrderHandler]).without_broker().build().unwrap_err();
    assert!(error.to_string().contains("Orders"), "{error}");
}
