use std::future::pending;
use std::sync::Arc;

use diator::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use uuid::Uuid;

use crate::failures::{Busy, Down, Hopeless};
use crate::plan::{Conduct, MessageKind};
use crate::process::Process;
use crate::trace::{Event, How};

/// The ids of the handlers, by their numbers.
pub(crate) const HANDLERS: [&str; 2] = ["first", "second"];

/// The number of a handler; `None` for no handler of these.
pub(crate) fn handler_number(id: &str) -> Option<usize> {
    HANDLERS.iter().position(|&known| known == id)
}

/// The number of the message that has this id.
pub(crate) fn message_number(id: Uuid) -> usize {
    usize::try_from(id.as_u128()).unwrap_or_default().saturating_sub(1)
}

pub(crate) fn message_id(number: usize) -> Uuid {
    Uuid::from_u128(number as u128 + 1)
}

/// The event that all handlers handle.
#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(topic = "orders")]
pub(crate) struct Placed {
    number: usize,
}

#[event_handler(Placed, id = "first", order = 1)]
pub(crate) struct First {
    process: Arc<Process>,
}

impl EventHandler<Placed> for First {
    async fn handle(&self, event: &Placed, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        handle(&self.process, event.number, 0).await
    }
}

#[event_handler(Placed, id = "second", order = 2)]
pub(crate) struct Second {
    process: Arc<Process>,
}

impl EventHandler<Placed> for Second {
    async fn handle(&self, event: &Placed, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        handle(&self.process, event.number, 1).await
    }
}

async fn handle(process: &Process, message: usize, handler: usize) -> Result<(), BoxError> {
    if process.is_dead() {
        pending::<()>().await;
    }
    let (world, number) = (process.world(), process.number());
    world.note(Event::Began { process: number, message, handler });
    let mut running = Running { process, message, handler, ended: false };
    process.step().await;
    let plan = world.plan();
    if plan.messages[message].kind == MessageKind::Poison {
        process.crash();
        pending::<()>().await;
    }
    let now = world.now();
    if plan.is_down(now) {
        running.end(How::Outage);
        return Err(Down.into());
    }
    let conduct = world.state().conduct(message, handler);
    let (how, ended) = match conduct {
        Conduct::Take(time) => {
            sleep(time).await;
            process.step().await;
            (How::Done, Ok(()))
        }
        Conduct::Fail => (How::Failed, Err("it fails".into())),
        Conduct::Busy => (How::Busy, Err(Busy.into())),
        Conduct::Hopeless => (How::Hopeless, Err(Hopeless.into())),
        Conduct::Hang => pending().await,
        Conduct::Panic => {
            running.end(How::Panicked);
            // As a panic, without the hook that would print it.
            std::panic::resume_unwind(Box::new("it panics"))
        }
    };
    running.end(how);
    ended
}

/// Notes the end of a handler, also of one that is dropped.
struct Running<'a> {
    process: &'a Process,
    message: usize,
    handler: usize,
    ended: bool,
}

impl Running<'_> {
    fn end(&mut self, how: How) {
        self.ended = true;
        let (process, message, handler) = (self.process.number(), self.message, self.handler);
        self.process.world().note(Event::Ended { process, message, handler, how });
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.ended && !self.process.is_dead() {
            let (process, message, handler) = (self.process.number(), self.message, self.handler);
            self.process.world().note(Event::Dropped { process, message, handler });
        }
    }
}
