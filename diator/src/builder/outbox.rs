use std::any::type_name;
use std::sync::Arc;

use super::MediatorBuilder;
use crate::Outbox;
use crate::location::Location;
use crate::wiring::Added;

impl MediatorBuilder {
    /// Writes notification and ECST events in the unit of work's own transaction.
    ///
    /// The mediator then publishes no event itself: a relay does. The [broker](Self::broker) is the one to which the relay publishes.
    /// `build()` reports events that this broker does not accept, and logs a warning if the broker does not promise to be
    /// [durable](crate::broker::Guarantees::durable).
    ///
    /// # Errors
    ///
    /// `build()` reports these, with the place of this call:
    ///
    /// | [`ProblemKind`](crate::registry::ProblemKind) | remedy |
    /// |---|---|
    /// | `OutboxNotEnlisted`: the container does not have the outbox's [unit of work](Outbox::unit_of_work), or never commits it | register it as a unit of work |
    /// | `SeveralUnitsOfWork`: a message can have a second unit of work | use one only, or call [`several_units_of_work`](Self::several_units_of_work) |
    /// | `OutboxWithoutBroker`: the mediator has no broker for the relay | add a broker, or call [`relayed_elsewhere`](Self::relayed_elsewhere) |
    #[track_caller]
    pub fn outbox<O: Outbox>(mut self, outbox: O) -> Self {
        self.outbox = Some(Arc::new(outbox));
        self.outbox_added = Some(Added { type_name: type_name::<O>(), location: Location::caller() });
        self
    }

    /// Declares that a relay in another process publishes the events of the outbox.
    ///
    /// This process then needs no broker.
    pub fn relayed_elsewhere(mut self) -> Self {
        self.relayed_elsewhere = true;
        self
    }

    /// Allows a message to have units of work beside that of the outbox.
    ///
    /// They commit one after the other; the unit of work that was built last commits first. A program must call this only if it can
    /// bear both of these:
    ///
    /// | what can happen | when |
    /// |---|---|
    /// | **data without its events** | the other unit of work commits, and then that of the outbox fails |
    /// | **events without their data** | that of the outbox commits, and then the other one fails |
    ///
    /// In both cases the message fails as [`SendError::Commit`](crate::SendError::Commit) with an unknown outcome. If the process dies
    /// between the two commits, nothing reports it.
    pub fn several_units_of_work(mut self) -> Self {
        self.several_units_of_work = true;
        self
    }
}
