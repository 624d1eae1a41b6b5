//! How a unit of work begins with the inbox.

use super::execution::{Execution, MessageEnv};
use crate::error::widen;
use crate::inbox::{Entry, Inbox, Seen};
use crate::panic::{catch_panic, panic_message};
use crate::{BoxError, SendError};

/// Whether a handler handled a message now, or why it did not run.
///
/// [`Arrival::handle_once`](crate::Arrival::handle_once) returns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Handling {
    /// The handler has handled the message now, and its unit of work is committed. Without an inbox, every success is
    /// this one.
    ///
    /// Middleware may answer in the handler's place. If the handler had begun, nothing was committed, not even the
    /// inbox's note. If it had not begun, the note is committed: the message counts as handled.
    Handled,
    /// The handler handled the message in an earlier unit of work, and therefore did not run.
    Before,
    /// Another unit of work is handling the message with this handler. The handler did not run here, and the consumer
    /// must ask again.
    Busy,
    /// An earlier message of its [turn](crate::inbox::Entry::turn) waits in the inbox's
    /// [store](crate::Inbox::deliveries): the handler did not run, and the consumer must keep the message there too.
    /// Only an endpoint gets this answer.
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
