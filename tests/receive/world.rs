//! Events that may arrive, their handlers, and a mediator that receives them.

use std::sync::Arc;

use diator::broker::{InboundMessage, MessageType};
use diator::prelude::*;
use diator::{Handlers, MediatorBuilder};
use diator_testkit::yields;
use diator_tests::{Journal, Recorder, RecordingBroker, SideLedger};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// A notification with two handlers, of which the first can fail.
#[derive(Debug, PartialEq, Serialize, Deserialize, NotificationEvent)]
#[event(name = "seat.taken", alias = "SeatTaken", alias = "seat.occupied")]
pub(crate) struct SeatTaken {
    pub(crate) seat: u32,
    pub(crate) conduct: Conduct,
}

/// What the handler does that comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Conduct {
    Succeed,
    Fail,
    Panic,
}

/// An event with state, whose handler causes other events.
#[derive(Debug, Serialize, Deserialize, EcstEvent)]
pub(crate) struct RoomChanged {
    pub(crate) room: String,
}

/// What follows from a changed room, in this process.
#[derive(DomainEvent)]
pub(crate) struct PlanOutdated;

/// What follows from a changed room, elsewhere.
#[derive(Serialize, NotificationEvent)]
pub(crate) struct PlanRedrawn;

/// What follows from a changed room, as a request.
#[derive(Command)]
pub(crate) struct RedrawPlan;

/// Comes first, and does what the event says.
#[event_handler(SeatTaken, order = -1)]
pub(crate) struct MarkSeat {
    journal: Arc<Journal>,
    ledger: Arc<SideLedger>,
}

impl EventHandler<SeatTaken> for MarkSeat {
    async fn handle(&self, event: &SeatTaken, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.journal.note(format!("seat {} marked in scope {}", event.seat, self.ledger.scope));
        yields(1).await;
        match event.conduct {
            Conduct::Succeed => Ok(()),
            Conduct::Fail => Err("the plan is locked".into()),
            Conduct::Panic => panic!("in the handler"),
        }
    }
}

/// Comes second, and succeeds.
#[event_handler(SeatTaken)]
pub(crate) struct CountSeats {
    journal: Arc<Journal>,
    ledger: Arc<SideLedger>,
}

impl EventHandler<SeatTaken> for CountSeats {
    async fn handle(&self, event: &SeatTaken, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        yields(1).await;
        self.journal.note(format!("seat {} counted in scope {}", event.seat, self.ledger.scope));
        cx.emit(PlanRedrawn);
        Ok(())
    }
}

#[event_handler(RoomChanged)]
pub(crate) struct FollowRoom {
    journal: Arc<Journal>,
}

impl EventHandler<RoomChanged> for FollowRoom {
    async fn handle(&self, event: &RoomChanged, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        let meta = cx.meta();
        self.journal.note(format!("{} changed", event.room));
        self.journal.note(format!("message {}", meta.message_id()));
        self.journal.note(format!("correlation {}", meta.correlation_id()));
        self.journal.note(format!("trace {:?}", meta.traceparent()));
        cx.emit(PlanOutdated);
        cx.emit(PlanRedrawn);
        cx.send(RedrawPlan).await?;
        Ok(())
    }
}

#[event_handler(PlanOutdated)]
pub(crate) struct NoteOutdated {
    journal: Arc<Journal>,
    ledger: Arc<SideLedger>,
}

impl EventHandler<PlanOutdated> for NoteOutdated {
    async fn handle(&self, _: &PlanOutdated, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.journal.note(format!("plan outdated in scope {}", self.ledger.scope));
        Ok(())
    }
}

#[request_handler(RedrawPlan)]
pub(crate) struct Redraw {
    journal: Arc<Journal>,
    ledger: Arc<SideLedger>,
}

impl RequestHandler<RedrawPlan> for Redraw {
    async fn handle(&self, _: RedrawPlan, _: &mut RequestContext<'_, RedrawPlan>) -> Result<(), BoxError> {
        self.journal.note(format!("plan redrawn in scope {}", self.ledger.scope));
        Ok(())
    }
}

/// All handlers of this module.
pub(crate) fn all_handlers() -> Handlers {
    handlers![CountSeats, MarkSeat, FollowRoom, NoteOutdated, Redraw]
}

/// A mediator that receives, and what it stands on.
pub(crate) struct World {
    pub(crate) journal: Journal,
    pub(crate) container: Recorder,
    pub(crate) broker: RecordingBroker,
    pub(crate) mediator: Mediator,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|builder, _| builder)
    }

    pub(crate) fn with(configure: impl FnOnce(MediatorBuilder, &Journal) -> MediatorBuilder) -> Self {
        let journal = Journal::default();
        let container = Recorder::new(journal.clone());
        let broker = RecordingBroker::new(journal.clone());
        let builder = Mediator::builder().handlers(all_handlers()).container(container.clone()).broker(broker.clone());
        let mediator = configure(builder, &journal).build().expect("the world is in order");
        Self { journal, container, broker, mediator }
    }
}

/// When a world goes, each of its scopes must have ended, and exactly once.
impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _each_ended_once = self.journal.endings();
        }
    }
}

/// A taken seat, as it arrives.
pub(crate) fn seat_taken(seat: u32, conduct: Conduct) -> InboundMessage {
    let payload = json!({ "seat": seat, "conduct": conduct });
    InboundMessage::new(MessageType::Notification, "seat.taken", Uuid::now_v7(), payload)
}

/// A changed room, as it arrives.
pub(crate) fn room_changed(room: &str) -> InboundMessage {
    InboundMessage::new(MessageType::Ecst, "RoomChanged", Uuid::now_v7(), json!({ "room": room }))
}
