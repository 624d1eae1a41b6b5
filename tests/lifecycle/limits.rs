//! The limits of cascades for events that come from outside: however they come, the same limits let the same pass.

use diator::broker::MessageType;
use diator::prelude::*;
use diator::{CascadeLimit, CascadeLimits, Handlers, InboundMessage, ReceiveError};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// An event that stays in the process.
#[derive(Debug, DomainEvent)]
struct Planted;

/// An event that arrives.
#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
struct Watered {}

/// What the handlers of both emit.
#[derive(Debug, DomainEvent)]
struct Grown;

#[event_handler(Planted)]
#[event_handler(Watered)]
struct Grow;

impl EventHandler<Planted> for Grow {
    async fn handle(&self, _: &Planted, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        cx.emit(Grown);
        Ok(())
    }
}

impl EventHandler<Watered> for Grow {
    async fn handle(&self, _: &Watered, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        cx.emit(Grown);
        Ok(())
    }
}

#[event_handler(Planted, after_commit)]
struct Harvest;

impl EventHandler<Planted> for Harvest {
    async fn handle(&self, _: &Planted, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

/// The limit that an error tells of.
fn limit<E: std::fmt::Debug>(sent: Result<(), SendError<E>>) -> Option<CascadeLimit> {
    match sent {
        Ok(()) => None,
        Err(SendError::Cascade { limit, .. }) => Some(limit),
        Err(other) => panic!("it is a limit: {other:?}"),
    }
}

/// What limits an event that causes another, in each way in which it can come.
async fn limited_by(limits: CascadeLimits) -> [Option<CascadeLimit>; 3] {
    let mediator = |handlers: Handlers| {
        Mediator::builder().handlers(handlers).cascade_limits(limits).broker(InMemoryBroker::new()).build().unwrap()
    };
    let (plain, harvesting) = (mediator(handlers![Grow]), mediator(handlers![Grow, Harvest]));
    let arrived = InboundMessage::new(MessageType::Notification, "Watered", Uuid::now_v7(), json!({}));
    let received = match plain.receive(arrived).await {
        Ok(_) => Ok(()),
        Err(ReceiveError::Handlers(failures)) => Err(failures.into_iter().next().unwrap().error),
        Err(other) => panic!("handlers fail: {other:?}"),
    };
    [limit(plain.emit(Planted).await), limit(harvesting.emit(Planted).await), limit(received)]
}

#[tokio::test]
async fn one_level_is_the_event_from_outside_alone() {
    assert_eq!(limited_by(CascadeLimits::new().depth(1)).await, [Some(CascadeLimit::Depth(1)); 3]);
    assert_eq!(limited_by(CascadeLimits::new().depth(2)).await, [None; 3]);
}

#[tokio::test]
async fn no_level_lets_nothing_pass() {
    assert_eq!(limited_by(CascadeLimits::new().depth(0)).await, [Some(CascadeLimit::Depth(0)); 3]);
}

#[tokio::test]
async fn no_event_lets_the_one_from_outside_cause_nothing() {
    assert_eq!(limited_by(CascadeLimits::new().events(0)).await, [Some(CascadeLimit::Events(0)); 3]);
    assert_eq!(limited_by(CascadeLimits::new().events(1)).await, [None; 3]);
}
