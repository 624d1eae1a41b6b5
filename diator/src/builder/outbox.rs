use std::any::type_name;
use std::sync::Arc;

use super::MediatorBuilder;
use crate::Outbox;
use crate::location::Location;
use crate::wiring::Added;

impl MediatorBuilder {
    /// Keeps notification and ECST events in the unit of work's own transaction, until a relay publishes them.
    ///
    /// The [broker](Self::broker) is then the one that the relay publishes to: what it does not accept, `build()` reports. It
    /// warns of a broker that does not promise to be [durable](crate::broker::Guarantees::durable).
    ///
    /// # Errors
    ///
    /// `build()` reports these, with the place of this call:
    ///
    /// | [`ProblemKind`](crate::registry::ProblemKind) | what can be done |
    /// |---|---|
    /// | `OutboxNotEnlisted`: the container lacks the outbox's [unit of work](Outbox::unit_of_work), or never commits it | register it as a unit of work |
    /// | `SeveralUnitsOfWork`: messages can have another unit of work beside that | have one alone, or say [`several_units_of_work`](Self::several_units_of_work) |
    /// | `OutboxWithoutBroker`: nothing here publishes what the outbox keeps | add a broker, or say [`relayed_elsewhere`](Self::relayed_elsewhere) |
    #[track_caller]
    pub fn outbox<O: Outbox>(mut self, outbox: O) -> Self {
        self.outbox = Some(Arc::new(outbox));
        self.outbox_added = Some(Added { type_name: type_name::<O>(), location: Location::caller() });
        self
    }

    /// Says that a relay in another process publishes what the outbox holds.
    ///
    /// This process then needs no broker for its outbox.
    pub fn relayed_elsewhere(mut self) -> Self {
        self.relayed_elsewhere = true;
        self
    }

    /// Says that messages may have units of work beside that of the outbox.
    ///
    /// They commit one after the other, the last that was built first. Use it only where the first column of a row is no harm:
    ///
    /// | what can happen | when |
    /// |---|---|
    /// | **data without its events** | the other unit of work commits, and then that of the outbox fails |
    /// | **events without their data** | that of the outbox commits, and then the other one fails |
    ///
    /// In both cases the message fails as [`SendError::Commit`](crate::SendError::Commit) with an unknown outcome; a process that
    /// dies between the two commits tells nobody.
    pub fn several_units_of_work(mut self) -> Self {
        self.several_units_of_work = true;
        self
    }
}
