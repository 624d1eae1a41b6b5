//! A command and events that do what a test says, and their handlers.

use std::sync::Arc;

use diator::prelude::*;
use diator::{BoxFuture, Handlers};
use diator_tests::{Journal, SideLedger, Transaction};
use serde::{Deserialize, Serialize, Serializer};

/// Why a handler refused; what a script's `?` turns a nested failure into.
#[derive(Debug, PartialEq)]
pub(crate) struct Refusal(pub(crate) String);

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<SendError<Refusal>> for Refusal {
    fn from(error: SendError<Refusal>) -> Self {
        Self(format!("nested: {error}"))
    }
}

/// A refusal, as a script returns it.
pub(crate) fn refuse<T>(reason: &str) -> Result<T, Refusal> {
    Err(Refusal(reason.to_owned()))
}

// --- The command. -------------------------------------------------------------------------------

/// Runs a script as its handler.
#[derive(Command)]
#[request(response = u32, error = Refusal)]
pub(crate) struct Act(Script);

type Script = Box<dyn for<'a> FnOnce(&'a mut RequestContext<'_, Act>) -> BoxFuture<'a, Result<u32, Refusal>> + Send>;

/// What a script or a reaction answers that needs no time.
pub(crate) fn done<T: Send + 'static, E: Send + 'static>(result: Result<T, E>) -> BoxFuture<'static, Result<T, E>> {
    Box::pin(std::future::ready(result))
}

/// A command whose handler is `script`.
pub(crate) fn act<F>(script: F) -> Act
where
    F: for<'a> FnOnce(&'a mut RequestContext<'_, Act>) -> BoxFuture<'a, Result<u32, Refusal>> + Send + 'static,
{
    Act(Box::new(script))
}

/// Built once or for each message, as the container has its transaction.
#[request_handler(Act)]
pub(crate) struct Actor {
    _transaction: Arc<Transaction>,
}

impl RequestHandler<Act> for Actor {
    async fn handle(&self, act: Act, cx: &mut RequestContext<'_, Act>) -> Result<u32, Refusal> {
        (act.0)(cx).await
    }
}

/// Sends an [`Act`] from within its handler, and answers what came of it.
#[derive(Command)]
#[request(response = u32, error = SendError<Refusal>)]
pub(crate) struct Relay {
    pub(crate) act: Act,
    pub(crate) dynamically: bool,
}

#[request_handler(Relay)]
pub(crate) struct Relayer;

impl RequestHandler<Relay> for Relayer {
    async fn handle(&self, relay: Relay, cx: &mut RequestContext<'_, Relay>) -> Result<u32, SendError<Refusal>> {
        match relay.dynamically {
            true => cx.send_dyn(relay.act).await,
            false => cx.send(relay.act).await,
        }
    }
}

// --- Domain events. -----------------------------------------------------------------------------

type Reaction = Arc<dyn for<'a> Fn(&'a mut EventContext<'_>) -> BoxFuture<'a, Result<(), BoxError>> + Send + Sync>;

/// What an event is called, and what its handler does besides noting that.
#[derive(Clone)]
pub(crate) struct Part {
    label: String,
    reaction: Option<Reaction>,
}

impl Part {
    fn new(label: impl Into<String>) -> Self {
        Self { label: label.into(), reaction: None }
    }

    fn reacting<F>(label: impl Into<String>, reaction: F) -> Self
    where
        F: for<'a> Fn(&'a mut EventContext<'_>) -> BoxFuture<'a, Result<(), BoxError>> + Send + Sync + 'static,
    {
        Self { label: label.into(), reaction: Some(Arc::new(reaction)) }
    }

    async fn play(&self, journal: &Journal, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        journal.note(&self.label);
        match &self.reaction {
            Some(reaction) => reaction(cx).await,
            None => Ok(()),
        }
    }
}

/// Declares a domain event that carries a [`Part`], and functions that make one.
macro_rules! scripted_event {
    ($(#[$doc:meta])* $event:ident, $plain:ident, $reacting:ident) => {
        $(#[$doc])*
        #[derive(Clone, DomainEvent)]
        pub(crate) struct $event(pub(crate) Part);

        /// The event, whose handler only notes the label.
        pub(crate) fn $plain(label: impl Into<String>) -> $event {
            $event(Part::new(label))
        }

        /// The event, whose handler notes the label and then does what `reaction` says.
        pub(crate) fn $reacting<F>(label: impl Into<String>, reaction: F) -> $event
        where
            F: for<'a> Fn(&'a mut EventContext<'_>) -> BoxFuture<'a, Result<(), BoxError>> + Send + Sync + 'static,
        {
            $event(Part::reacting(label, reaction))
        }
    };
}

scripted_event!(
    /// Handled by [`React`], once.
    Happened,
    happened,
    happened_then
);

scripted_event!(
    /// Handled by [`Follow`] and [`FollowToo`] after the commit.
    Settled,
    settled,
    settled_then
);

#[event_handler(Happened)]
pub(crate) struct React {
    journal: Arc<Journal>,
}

impl EventHandler<Happened> for React {
    async fn handle(&self, event: &Happened, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        event.0.play(&self.journal, cx).await
    }
}

/// Has a scoped service, so that it is seen in which scope it runs.
#[event_handler(Settled, after_commit, order = 1)]
pub(crate) struct Follow {
    journal: Arc<Journal>,
    _ledger: Arc<SideLedger>,
}

impl EventHandler<Settled> for Follow {
    async fn handle(&self, event: &Settled, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        event.0.play(&self.journal, cx).await
    }
}

/// Always succeeds, and needs no scope.
#[event_handler(Settled, after_commit, order = 2)]
pub(crate) struct FollowToo {
    journal: Arc<Journal>,
}

impl EventHandler<Settled> for FollowToo {
    async fn handle(&self, event: &Settled, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.journal.note(format!("{} too", event.0.label));
        Ok(())
    }
}

/// An event that nobody handles.
#[derive(DomainEvent)]
pub(crate) struct Unheard;

/// An event whose handler needs a scope even where [`Actor`] needs none; it notes which.
#[derive(DomainEvent)]
pub(crate) struct Booked;

#[event_handler(Booked)]
pub(crate) struct Book {
    journal: Arc<Journal>,
    ledger: Arc<SideLedger>,
}

impl EventHandler<Booked> for Book {
    async fn handle(&self, _: &Booked, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.journal.note(format!("booked in scope {}", self.ledger.scope));
        Ok(())
    }
}

/// A command whose handler needs a scope even where [`Actor`] needs none; it notes which.
#[derive(Command)]
#[request(error = Refusal)]
pub(crate) struct KeepBooks;

#[request_handler(KeepBooks)]
pub(crate) struct Bookkeeper {
    journal: Arc<Journal>,
    ledger: Arc<SideLedger>,
}

impl RequestHandler<KeepBooks> for Bookkeeper {
    async fn handle(&self, _: KeepBooks, _: &mut RequestContext<'_, KeepBooks>) -> Result<(), Refusal> {
        self.journal.note(format!("kept in scope {}", self.ledger.scope));
        Ok(())
    }
}

// --- Events for the broker. ---------------------------------------------------------------------

/// The label is the key, by which the journal tells published events apart.
#[derive(Serialize, Deserialize, NotificationEvent)]
#[event(key = label)]
pub(crate) struct Announced {
    pub(crate) label: String,
}

/// The other kind of event for the broker.
#[derive(Serialize, Deserialize, EcstEvent)]
#[event(key = label)]
pub(crate) struct Replicated {
    pub(crate) label: String,
}

pub(crate) fn announced(label: impl Into<String>) -> Announced {
    Announced { label: label.into() }
}

pub(crate) fn replicated(label: impl Into<String>) -> Replicated {
    Replicated { label: label.into() }
}

/// An event that cannot be written.
#[derive(NotificationEvent)]
pub(crate) struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("it has no words"))
    }
}

/// All handlers of this module.
pub(crate) fn all_handlers() -> Handlers {
    handlers![Actor, Relayer, React, Follow, FollowToo, Book, Bookkeeper]
}
