//! Events are enums too, and have a key if every variant has it.

use diator::prelude::*;
use serde::Serialize;

#[derive(Debug, DomainEvent)]
enum OrderEnded {
    Delivered,
    Cancelled { reason: String },
}

#[derive(Debug, Serialize)]
struct Order {
    id: u64,
}

#[derive(Debug, Serialize, EcstEvent)]
#[event(key = order.id)]
enum OrderMoved {
    Sent { order: Order, to: String },
    Lost { order: Order },
}

#[derive(Debug, Serialize, NotificationEvent)]
#[event(key = self.id)]
enum OrderChanged {
    ById { id: u64 },
    ByName { id: String },
}

#[derive(Debug, Serialize, NotificationEvent)]
#[event(key = 0)]
struct OrderId(u64);

fn main() {
    assert_eq!(OrderMoved::Sent { order: Order { id: 1 }, to: "here".into() }.key().unwrap(), "1");
    assert_eq!(OrderMoved::Lost { order: Order { id: 2 } }.key().unwrap(), "2");
    assert_eq!(OrderChanged::ById { id: 3 }.key().unwrap(), "3");
    assert_eq!(OrderChanged::ByName { id: "four".into() }.key().unwrap(), "four");
    assert_eq!(OrderId(5).key().unwrap(), "5");
    assert_eq!(OrderEnded::Delivered.key(), None);
    let cancelled = OrderEnded::Cancelled { reason: "lost".into() };
    assert!(matches!(cancelled, OrderEnded::Cancelled { reason } if reason == "lost"));
}
