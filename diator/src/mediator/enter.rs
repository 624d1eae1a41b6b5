//! How a unit of work begins with the inbox.

use super::execution::{Execution, MessageEnv};
use crate::error::widen;
use crate::inbox::{Entry, Inbox, Seen};
use crate::panic::{catch_panic, panic_message};
use crate::{BoxError, SendError};

/// What became of a message that a handler may have handled before.
///
/// [`Arrival::handle_once`](crate::Arrival::handle_once) answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Handling {
    /// The handler has handled it now, and that is committed. Without an inbox it is always this.
    ///
    /// If middleware answered in the handler's place, nothing was kept, the note of the inbox neither.
    Handled,
    /// The handler has handled it before, and so did not run.
    Before,
    /// The handler is handling it in another unit of work. It did not run here, and the consumer must ask again.
    Busy,
    /// An earlier message of its [turn](crate::inbox::Entry::turn) waits in the inbox's [store](crate::Inbox::deliveries): the handler did not
    /// run, and the consumer must keep the message there too. Only an endpoint asks for that.
    Behind,
}

/// The inbox of a mediator, and what it is to note.
#[derive(Clone, Copy)]
pub(super) struct Entering<'a> {
    pub(super) inbox: &'a dyn Inbox,
    pub(super) entry: Entry<'a>,
}

impl Execution<'_> {
    /// Enters the unit of work into the inbox: `None` if the handler is to run. Otherwise the unit of work has ended.
    pub(super) async fn enter(&mut self, entering: Entering<'_>) -> Result<Option<Handling>, SendError<BoxError>> {
        let seen = self.seen(entering).await;
        if !matches!(seen, Ok(Seen::First)) {
            self.unit.fail().await;
        }
        Ok(match seen? {
            Seen::First => None,
            Seen::Before => Some(Handling::Before),
            Seen::Busy => Some(Handling::Busy),
            Seen::Behind => Some(Handling::Behind),
        })
    }

    async fn seen(&mut self, Entering { inbox, entry }: Entering<'_>) -> Result<Seen, SendError<BoxError>> {
        let MessageEnv { mediator, meta } = self.env;
        let scope = self.unit.scope(&*mediator.0.container, meta).get().await.map_err(widen)?;
        // A panic of the inbox is no failure of the handler.
        let entered = catch_panic(inbox.enter(scope, meta, &entry)).await;
        entered.unwrap_or_else(|panic| Err(panic_message(&*panic).into())).map_err(SendError::Enter)
    }
}
