use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use crate::container::{DependencyKey, Scope};
use crate::deliveries::{AttemptLog, DeliveryStore, Turn};
use crate::{BoxError, Meta};

/// Notes which handler has handled which message, in the same transaction as what the handler writes.
///
/// An engine delivers a message again if its acknowledgement gets lost. The inbox writes a row in the handler's own transaction, before
/// the handler runs. The row commits or rolls back with the effects of the handler, and the rows of its events in the
/// [`Outbox`](crate::Outbox). A second delivery finds the row, and the handler does not run. An [`Endpoint`](crate::endpoint::Endpoint)
/// uses the inbox of its mediator; [`Arrival::handle_once`](crate::Arrival::handle_once) does so for a consumer of the program's own.
///
/// # Guarantees
///
/// The mediator keeps these:
///
/// - [`enter`](Self::enter) is the first call in the scope of a handler: before the handler is built, and before its middleware runs.
/// - It calls `enter` once for each unit of work. Another attempt is another unit of work.
/// - After [`Seen::First`] it commits the scope if the handler succeeds, and rolls it back otherwise. After any other answer, and after
///   an error, nothing runs, and it rolls the scope back.
/// - It may call from several threads at once, for different messages and for the same one.
///
/// An implementation must keep these:
///
/// - Of all units of work that enter with an equal [`Entry`], at most one may get [`Seen::First`] and commit within the retention.
///   Entries are equal if endpoint, handler, message and generation are.
/// - [`Seen::Before`] must mean that one of them has committed.
/// - The row must disappear if the unit of work rolls back, or if its scope or the future of `enter` is dropped.
/// - Entries that differ in endpoint, handler, message or generation must not know of each other.
///
/// What a handler does outside the transaction can still happen again.
///
/// # Example
///
/// ```
/// use diator::container::{DependencyKey, Scope};
/// use diator::inbox::{Entry, Inbox, InMemoryInbox, Seen};
/// use diator::{BoxError, Meta};
/// use std::time::Duration;
///
/// /// Warns of each delivery that came before.
/// struct Told(InMemoryInbox);
///
/// #[diator::async_trait]
/// impl Inbox for Told {
///     fn unit_of_work(&self) -> Option<DependencyKey> {
///         self.0.unit_of_work()
///     }
///
///     fn retention(&self) -> Duration {
///         self.0.retention()
///     }
///
///     async fn enter(&self, scope: &dyn Scope, meta: &Meta, entry: &Entry<'_>) -> Result<Seen, BoxError> {
///         let seen = self.0.enter(scope, meta, entry).await?;
///         if seen == Seen::Before {
///             eprintln!("{} has come again", entry.message);
///         }
///         Ok(seen)
///     }
/// }
/// # let _ = Told(InMemoryInbox::new());
/// ```
///
/// # Source
///
/// The pattern Idempotent Receiver of G. Hohpe and B. Woolf, "Enterprise Integration Patterns".
#[async_trait]
pub trait Inbox: Send + Sync + 'static {
    /// Names the unit of work whose transaction the inbox writes in.
    ///
    /// It must be that of the [outbox](crate::Outbox::unit_of_work), and the answer must be the same each time. `None` means that there
    /// is no transaction, as in a test.
    fn unit_of_work(&self) -> Option<DependencyKey>;

    /// Says how a program registers the unit of work, if a container lacks it.
    ///
    /// `build()` shows it as the remedy. Without it, `build()` shows how to register any unit of work.
    fn how_to_register(&self) -> Option<&str> {
        None
    }

    /// Names the tables that it writes to, without credentials.
    ///
    /// `build()` refuses an outbox of another [place](crate::Outbox::place): its relay would not delete old rows of this inbox. `None`
    /// means that `build()` cannot compare them.
    fn place(&self) -> Option<String> {
        None
    }

    /// Checks whether this program can work with the tables; a host with endpoints calls it before it starts.
    ///
    /// It must answer `Ok` if it cannot reach the database.
    ///
    /// # Errors
    ///
    /// The program cannot work with the tables, and waiting does not help. The text must name the command that helps.
    async fn check(&self) -> Result<(), BoxError> {
        Ok(())
    }

    /// How long the inbox remembers at least that a message was handled.
    ///
    /// An endpoint makes a dead letter of an older message, because nobody knows any more whether it was handled. An
    /// implementation should remember longer than this, because the clocks of a sender, this process and a database differ.
    fn retention(&self) -> Duration;

    /// Notes in the scope's transaction that the message is being handled.
    ///
    /// It must not wait long for another transaction that has entered with an equal entry: it answers [`Seen::Busy`].
    ///
    /// # Errors
    ///
    /// The inbox cannot be read or written. The handler fails as [`SendError::Enter`](crate::SendError::Enter) with this error as its
    /// source, without having run. An endpoint tries again, and does not count the failure.
    async fn enter(&self, scope: &dyn Scope, meta: &Meta, entry: &Entry<'_>) -> Result<Seen, BoxError>; // put `#[diator::async_trait]` on the `impl`

    /// Whether an error is a temporary error of the database, and therefore no fault of the message.
    ///
    /// It is asked about the failure of a handler, which is a [`SendError<BoxError>`](crate::SendError), if no rule of the
    /// endpoint's [`ErrorPolicy`](crate::endpoint::ErrorPolicy) matches. The endpoint then tries again, and does not count the
    /// failure: a deadlock, a serialization failure, a pool without a free connection.
    fn is_transient(&self, _: &(dyn Error + 'static)) -> bool {
        false
    }

    /// The store in which endpoints keep dead letters, and deliveries that they cannot handle now; it must be of the
    /// same database.
    ///
    /// Without a store, an endpoint holds a message that must be handled later, or gives it back to the engine, and
    /// dead letters stay with the engine.
    fn deliveries(&self) -> Option<Arc<dyn DeliveryStore>> {
        None
    }

    /// The log in which endpoints note a redelivered message before it runs, unless they have an
    /// [attempt log](crate::endpoint::Endpoint::attempt_log) of their own.
    fn attempt_log(&self) -> Option<Arc<dyn AttemptLog>> {
        None
    }
}

/// Identifies a message for an inbox: one handler of one endpoint handles it, in one generation.
///
/// # Units
///
/// `generation` is 0 for a message that an engine delivers. A replay that an operator asks for has a higher one, so
/// that the handler handles the message once more.
///
/// # Example
///
/// ```
/// use diator::inbox::Entry;
/// use uuid::Uuid;
///
/// let entry = Entry::new("billing", "billing.charge", Uuid::from_u128(7)).with_generation(1);
/// assert_eq!((entry.handler, entry.generation), ("billing.charge", 1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Entry<'a> {
    /// The name of the endpoint.
    pub endpoint: &'a str,
    /// The [id](crate::registry::HandlerId) of the handler.
    pub handler: &'a str,
    /// The id of the message.
    pub message: Uuid,
    /// How often an operator has replayed the message to the handler.
    pub generation: u32,
    /// The place of the message in an order, if the endpoint handles the messages of a key in order; `None` for a
    /// message whose turn it is.
    pub turn: Option<Turn<'a>>,
    /// How long the handler may take at most, so that a database can end its transaction if the process stands still; `None` for no limit.
    ///
    /// The limit does not identify the message.
    pub limit: Option<Duration>,
}

impl<'a> Entry<'a> {
    /// Makes the entry of a message that an engine delivered.
    #[must_use]
    pub const fn new(endpoint: &'a str, handler: &'a str, message: Uuid) -> Self {
        Self { endpoint, handler, message, generation: 0, turn: None, limit: None }
    }

    /// Makes it the entry of a replay.
    #[must_use]
    pub const fn with_generation(mut self, generation: u32) -> Self {
        self.generation = generation;
        self
    }

    /// Sets the messages behind which it has its turn.
    #[must_use]
    pub const fn with_turn(mut self, turn: Turn<'a>) -> Self {
        self.turn = Some(turn);
        self
    }

    /// Sets how long the handler may take.
    #[must_use]
    pub const fn with_limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }
}

/// What an inbox knows of an [`Entry`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Seen {
    /// It is new: the handler must run, in this unit of work.
    First,
    /// The handler has handled the message, and what it wrote is committed.
    Before,
    /// Another transaction has entered, and has not ended: nobody knows yet whether it commits.
    Busy,
    /// The [`DeliveryStore`] keeps an earlier message of its [turn](Entry::turn): the handler must not run, and the
    /// endpoint must keep this message too.
    Behind,
}
