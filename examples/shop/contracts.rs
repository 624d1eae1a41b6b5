//! The contracts of the services: the events, their topics, and their keys.
//!
//! The key is the order everywhere, so that a service handles the events of an order in their order.

use diator::prelude::*;
use serde::{Deserialize, Serialize};

/// The shop has taken an order.
#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(topic = "orders", key = order_id)]
pub struct OrderPlaced {
    pub order_id: i64,
    pub customer: String,
    pub cents: i64,
}

/// The customer has cancelled the order.
#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(topic = "orders", key = order_id)]
pub struct OrderCancelled {
    pub order_id: i64,
}

/// Billing has charged the customer.
#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(topic = "charges", key = order_id)]
pub struct OrderCharged {
    pub order_id: i64,
    pub customer: String,
    pub cents: i64,
}

/// The service has written to the customer; `subscriber.py` reads the event.
#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(topic = "notifications", key = order_id)]
pub struct CustomerNotified {
    pub order_id: i64,
    pub customer: String,
    pub text: String,
}
