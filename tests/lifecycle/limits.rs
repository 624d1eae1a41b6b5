//! The limits of cascades for events that come from outside: however they come, the same limits let the same pass.

use diator::broker::MessageType;
use diator::prelude::*;
use diator::{CascadeLimit, CascadeLimits, Handlers, InboundMessage, ReceiveError};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// An event that stays in the process.
#[derive(Debug, DomainEvent)]
struct Planted {
    grows: bool,
}

/// An event that arrives.
#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
struct Watered {
    grows: bool,
}

/// What the handlers of both emit.
#[derive(Debug, DomainEvent)]
struct Grown;

#[event_handler(Planted)]
#[event_handler(Watered)]
struct Grow;

impl EventHandler<Planted> for Grow {
    async fn handle(&self, event: &Planted, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        if event.grows {
            cx.emit(Grown);
        }
        Ok(())
    }
}

impl EventHandler<Watered> for Grow {
    async fn handle(&self, event: &Watered, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        if event.grows {
            cx.emit(Grown);
        }
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

/// What limits an event, and one that it may cause, in each way in which it can come.
async fn limited_by(limits: CascadeLimits, grows: bool) -> [Option<CascadeLimit>; 3] {
    let mediator = |handlers: Handlers| {
        Mediator::builder().handlers(handlers).cascade_limits(limits).broker(InMemoryBroker::new()).build().unwrap()
    };
    let (plain, harvesting) = (mediator(handlers![Grow]), mediator(handlers![Grow, Harvest]));
    let arrived = InboundMessage::new(MessageType::Notification, "Watered", Uuid::now_v7(), json!(Watered { grows }));
    let received = match plain.receive(arrived).await {
        Ok(_) => Ok(()),
        Err(ReceiveError::Handlers(failures)) => Err(failures.into_iter().next().unwrap().error),
        Err(other) => panic!("handlers fail: {other:?}"),
    };
    [limit(plain.emit(Planted { grows }).await), limit(harvesting.emit(Planted { grows }).await), limit(received)]
}

#[tokio::test]
async fn one_level_is_the_event_from_outside_alone() {
    assert_eq!(limited_by(CascadeLimits::new().depth(1), true).await, [Some(CascadeLimit::Depth(1)); 3]);
    assert_eq!(limited_by(CascadeLimits::new().depth(2), true).await, [None; 3]);
}

#[tokio::test]
async fn no_level_lets_nothing_pass() {
    let [emitted @ .., _arrived] = limited_by(CascadeLimits::new().depth(0), false).await;
    assert_eq!(emitted, [Some(CascadeLimit::Depth(0)); 2], "even if it causes nothing");
    assert_eq!(limited_by(CascadeLimits::new().depth(0), true).await, [Some(CascadeLimit::Depth(0)); 3]);
}

#[tokio::test]
async fn no_event_lets_the_one_from_outside_cause_nothing() {
    assert_eq!(limited_by(CascadeLimits::new().events(0), true).await, [Some(CascadeLimit::Events(0)); 3]);
    assert_eq!(limited_by(CascadeLimits::new().events(1), true).await, [None; 3]);
}
