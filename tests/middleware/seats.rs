//! A command, what follows it, and a container that takes its time, for the tests of the built-in middleware.

use std::any::TypeId;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use diator::container::{
    Closing, CommitError, Container, DependencyKey, Lifetime, Opening, Outcome, Resolving, Scope, ServiceSlot,
};
use diator::prelude::*;
use diator::{Mediator, MediatorBuilder, MessageKind};
use diator_tests::Journal;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

/// Reserves a seat; what happens meanwhile, the [`Script`] says.
#[derive(Clone, Debug, Command)]
#[request(response = u32, error = SeatError, expected = |error| *error == SeatError::Taken, idempotent)]
pub(super) struct Reserve(pub(super) u32);

/// The same, and it must not be done twice.
#[derive(Debug, Command)]
#[request(response = u32, error = SeatError)]
pub(super) struct ReserveOnce(pub(super) u32);

/// Reserves as a nested request.
#[derive(Clone, Debug, Command)]
#[request(response = u32, idempotent)]
pub(super) struct ReserveForGroup(pub(super) u32);

#[derive(Debug, PartialEq, Eq)]
pub(super) enum SeatError {
    Busy,
    Taken,
}

#[derive(Debug, DomainEvent)]
pub(super) struct Reserved(pub(super) u32);

/// An event that nobody handles.
#[derive(Debug, DomainEvent)]
pub(super) struct GroupSeated;

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
pub(super) struct SeatTaken {
    pub(super) seat: u32,
}

/// What goes wrong, and what takes how long.
#[derive(Default)]
pub(super) struct Script {
    /// Whether and how the handler fails, time after time; then it succeeds.
    pub(super) failures: Mutex<VecDeque<Option<SeatError>>>,
    pub(super) handling: Mutex<Duration>,
    /// How long the handler of the event takes.
    pub(super) noting: Mutex<Duration>,
    pub(super) committing: Mutex<Duration>,
    /// How many commits fail before one succeeds.
    pub(super) bad_commits: Mutex<u32>,
    /// How many commits happen whose answer is lost; they come first.
    pub(super) lost_commits: Mutex<u32>,
}

impl Script {
    pub(super) fn fail(&self, failures: impl IntoIterator<Item = SeatError>) {
        self.failures.lock().unwrap().extend(failures.into_iter().map(Some));
    }

    /// Lets the handler succeed once, before it fails.
    pub(super) fn succeed(&self) {
        self.failures.lock().unwrap().push_back(None);
    }
}

/// What the handlers need of the container.
pub(super) struct Store;

#[request_handler(Reserve, ReserveOnce)]
struct ReserveHandler {
    journal: Arc<Journal>,
    script: Arc<Script>,
    _store: Arc<Store>,
}

impl ReserveHandler {
    async fn reserve(&self, seat: u32) -> Result<u32, SeatError> {
        self.journal.note(format!("reserve {seat}"));
        let (failure, handling) =
            (self.script.failures.lock().unwrap().pop_front().flatten(), *self.script.handling.lock().unwrap());
        sleep(handling).await;
        failure.map_or(Ok(seat), Err)
    }
}

impl RequestHandler<Reserve> for ReserveHandler {
    async fn handle(&self, command: Reserve, cx: &mut RequestContext<'_, Reserve>) -> Result<u32, SeatError> {
        cx.emit(Reserved(command.0));
        cx.emit(SeatTaken { seat: command.0 });
        self.reserve(command.0).await
    }
}

impl RequestHandler<ReserveOnce> for ReserveHandler {
    async fn handle(&self, command: ReserveOnce, _: &mut RequestContext<'_, ReserveOnce>) -> Result<u32, SeatError> {
        self.reserve(command.0).await
    }
}

#[request_handler(ReserveForGroup)]
struct ReserveForGroupHandler;

impl RequestHandler<ReserveForGroup> for ReserveForGroupHandler {
    async fn handle(
        &self,
        command: ReserveForGroup,
        cx: &mut RequestContext<'_, ReserveForGroup>,
    ) -> Result<u32, BoxError> {
        let seat = cx.send(Reserve(command.0)).await?;
        cx.emit(GroupSeated);
        Ok(seat)
    }
}

#[event_handler(Reserved)]
struct NoteReserved {
    journal: Arc<Journal>,
    script: Arc<Script>,
}

impl EventHandler<Reserved> for NoteReserved {
    async fn handle(&self, event: &Reserved, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.journal.note(format!("reserved {}", event.0));
        let noting = *self.script.noting.lock().unwrap();
        sleep(noting).await;
        Ok(())
    }
}

#[event_handler(Reserved, after_commit)]
struct SendTicket {
    journal: Arc<Journal>,
}

impl EventHandler<Reserved> for SendTicket {
    async fn handle(&self, event: &Reserved, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.journal.note(format!("ticket {}", event.0));
        Ok(())
    }
}

#[event_handler(SeatTaken)]
struct ShowSeatTaken {
    journal: Arc<Journal>,
}

impl EventHandler<SeatTaken> for ShowSeatTaken {
    async fn handle(&self, event: &SeatTaken, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.journal.note(format!("taken {}", event.seat));
        Ok(())
    }
}

/// A mediator to be, and what it is made of.
#[derive(Clone, Default)]
pub(super) struct Seats {
    pub(super) journal: Journal,
    pub(super) script: Arc<Script>,
    pub(super) broker: InMemoryBroker,
}

impl Seats {
    pub(super) fn builder(&self) -> MediatorBuilder {
        Mediator::builder()
            .handlers(handlers![ReserveHandler, ReserveForGroupHandler, NoteReserved, SendTicket, ShowSeatTaken])
            .container(self.clone())
            .broker(self.broker.clone())
    }

    pub(super) fn with(&self, middleware: impl diator::Middleware) -> Mediator {
        self.builder().middleware(middleware).build().unwrap()
    }
}

impl Container for Seats {
    fn lifetime(&self, key: &DependencyKey) -> Lifetime {
        match key.id() {
            id if id == TypeId::of::<Journal>() || id == TypeId::of::<Script>() => Lifetime::Singleton,
            id if id == TypeId::of::<Store>() => Lifetime::Scoped,
            _ => Lifetime::Missing,
        }
    }

    fn singleton(&self, key: &DependencyKey, mut into: ServiceSlot<'_>) -> Result<(), BoxError> {
        match key.id() {
            id if id == TypeId::of::<Journal>() => into.put(Arc::new(self.journal.clone())),
            id if id == TypeId::of::<Script>() => into.put(self.script.clone()),
            _ => Err(format!("`{}` is no singleton", key.name()).into()),
        }
    }

    fn open<'a>(&'a self, _: &'a Meta, _: MessageKind) -> Opening<'a> {
        Opening::Ready(Ok(Box::new(Transaction { seats: self.clone(), ended: false })))
    }
}

struct Transaction {
    seats: Seats,
    ended: bool,
}

impl Scope for Transaction {
    fn resolve<'a>(&'a self, key: &DependencyKey, _: &'a Meta, mut into: ServiceSlot<'a>) -> Resolving<'a> {
        Resolving::Ready(match key.id() == TypeId::of::<Store>() {
            true => into.put(Arc::new(Store)),
            false => self.seats.singleton(key, into),
        })
    }

    fn close(mut self: Box<Self>, outcome: Outcome) -> Closing {
        self.ended = true;
        if outcome == Outcome::Failure {
            self.seats.journal.note("rollback");
            return Closing::Ready(Ok(()));
        }
        self.seats.journal.note("commit begins");
        Closing::Pending(Box::pin(async move {
            let script = &self.seats.script;
            let committing = *script.committing.lock().unwrap();
            sleep(committing).await;
            if count_down(&script.lost_commits) {
                self.seats.journal.note("commit");
                return Err(CommitError::unknown("the connection broke"));
            }
            if count_down(&script.bad_commits) {
                self.seats.journal.note("commit fails");
                return Err(CommitError::rolled_back("the transactions could not be serialised"));
            }
            self.seats.journal.note("commit");
            Ok(())
        }))
    }
}

/// Whether there is one left, which is then taken.
fn count_down(left: &Mutex<u32>) -> bool {
    let mut left = left.lock().unwrap();
    let some = *left > 0;
    *left = left.saturating_sub(1);
    some
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if !self.ended {
            self.seats.journal.note("rollback");
        }
    }
}

impl std::fmt::Display for SeatError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Busy => f.write_str("the seat is being reserved"),
            Self::Taken => f.write_str("the seat is taken"),
        }
    }
}

impl std::error::Error for SeatError {}
