use std::any::type_name;
use std::sync::Arc;

use super::MediatorBuilder;
use crate::Inbox;
use crate::location::Location;
use crate::wiring::Added;

impl MediatorBuilder {
    /// Lets each handler of a notification or ECST event take effect once for each message.
    ///
    /// The inbox notes a message in the transaction of the handler that handles it. An [`Endpoint`](crate::endpoint::Endpoint) then
    /// runs a handler only if no earlier delivery of the message was handled by it. [`receive`](crate::Mediator::receive) and
    /// [`Arrival::handle`](crate::Arrival::handle) do not use it, because they know no endpoint.
    ///
    /// `build()` logs a warning of handlers without an `id` of their own: such a handler gets another id when its type is moved or
    /// renamed, and then handles once more what it has handled.
    ///
    /// # Errors
    ///
    /// `build()` reports these, with the place of this call:
    ///
    /// | [`ProblemKind`](crate::registry::ProblemKind) | remedy |
    /// |---|---|
    /// | `InboxWithoutOutbox`: there is no outbox on the same unit of work, and so a crash after a commit would lose the handler's events for good: the handler does not run again | add the outbox of the same store; if this process emits no such event, call [`without_broker`](Self::without_broker) |
    /// | `InboxNotEnlisted`: the container does not have the inbox's [unit of work](Inbox::unit_of_work), or never commits it | register it as a unit of work |
    /// | `SeveralUnitsOfWork`: a message can have a second unit of work | use one only, or call [`several_units_of_work`](Self::several_units_of_work) |
    #[track_caller]
    pub fn inbox<I: Inbox>(mut self, inbox: I) -> Self {
        self.inbox = Some(Arc::new(inbox));
        self.inbox_added = Some(Added { type_name: type_name::<I>(), location: Location::caller() });
        self
    }
}
