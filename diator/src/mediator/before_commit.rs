//! What follows the handler of a message from outside, in order: domain events, stage, commit, delivery.
//!
//! It knows no request's type, so that every way of sending comes to the same end.

use super::EmittedEvent;
use super::after_commit::Delivery;
use super::commit::{log_if_unknown, uncommitted};
use super::events::EventHandlers;
use super::execution::{Execution, MessageEnv};
#[cfg(feature = "in-place")]
use super::unit_state::UnitState;
use crate::SendError;
use crate::broker::{Headers, OutboundMessage};
use crate::container::Closing;
use crate::error::Failure;
use crate::event::{Emitted, Pending};
use crate::handler::{AnyValue, Engine};
use crate::maybe_ready::MaybeReady;
use crate::middleware::CommitGate;
use crate::outbox::StagedMessage;

/// A commit that has begun, and what follows it. Dropping it does not stop it.
pub(crate) type Commit = MaybeReady<'static, Result<(), Failure>>;

/// The broker events of a unit of work, at its commit.
pub(super) enum Outgoing {
    /// The broker gets them after the commit.
    Messages(Vec<OutboundMessage>),
    /// The outbox has written them, and learns of the commit.
    Staged,
}

impl Outgoing {
    const NONE: Self = Self::Messages(Vec::new());

    pub(super) fn messages(&self) -> &[OutboundMessage] {
        match self {
            Self::Messages(messages) => messages,
            Self::Staged => &[],
        }
    }
}

/// Without an outbox there is nowhere to wait.
fn publish_at_once(event: &dyn Pending, message: OutboundMessage) -> Result<OutboundMessage, Failure> {
    match event.delay() {
        None => Ok(message),
        Some(_) => Err(SendError::NoOutbox { event: event.name() }.into()),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the other way of leaving can fail")]
fn hold_back(event: &dyn Pending, message: OutboundMessage) -> Result<StagedMessage, Failure> {
    Ok(StagedMessage { message, delay: event.delay() })
}

#[cfg(feature = "in-place")]
impl<'a> MessageEnv<'a> {
    /// What follows the handler of a message that has no middleware.
    // It takes what it needs: what was lent would have its place in the message's frame all along.
    pub(super) fn end(self, mut unit: UnitState, succeeded: bool) -> MaybeReady<'a, Result<(), Failure>> {
        if succeeded && unit.only_commits() {
            let closing = unit.commit();
            return Execution { env: &self, unit: &mut unit }.deliver(closing, Outgoing::NONE);
        }
        MaybeReady::pending(async move {
            let execution = Execution { env: &self, unit: &mut unit };
            let commit = match succeeded {
                true => execution.carry_on(None).await?,
                false => execution.give_up().await?,
            };
            commit.get().await
        })
    }
}

impl<'a> MaybeReady<'a, Result<Commit, Failure>> {
    /// Waits for the commit, too.
    pub(super) async fn settled(self) -> Result<(), Failure> {
        match self {
            Self::Ready(ended) => ended?.get().await,
            Self::Pending(ending) => ending.await?.get().await,
        }
    }
}

impl<'a> Execution<'a> {
    /// What follows the handler, up to the begin of the commit: the same for every message.
    // A named type for the future: handlers of events may send, which comes here again.
    pub(super) fn end(self, succeeded: bool, gate: Option<&'a CommitGate>) -> MaybeReady<'a, Result<Commit, Failure>> {
        if !succeeded {
            return MaybeReady::pending(self.give_up());
        }
        if self.unit.only_commits() {
            return MaybeReady::Ready(Ok(self.commit(Outgoing::NONE, gate)));
        }
        MaybeReady::pending(self.carry_on(gate))
    }

    async fn carry_on(mut self, gate: Option<&CommitGate>) -> Result<Commit, Failure> {
        match self.up_to_the_commit().await {
            Ok(outgoing) => Ok(self.commit(outgoing, gate)),
            Err(failure) => {
                self.unit.fail().await;
                Err(failure)
            }
        }
    }

    /// From here on a caller that goes away changes nothing.
    fn commit(self, outgoing: Outgoing, gate: Option<&CommitGate>) -> Commit {
        if let Some(gate) = gate {
            gate.begin();
        }
        let closing = self.unit.commit();
        self.deliver(closing, outgoing)
    }

    /// Drops the events, and rolls the scope back.
    async fn give_up(self) -> Result<Commit, Failure> {
        self.unit.fail().await;
        Ok(MaybeReady::Ready(Ok(())))
    }

    async fn up_to_the_commit(&mut self) -> Result<Outgoing, Failure> {
        self.handle_domain_events().await?;
        let outgoing = self.stage().await?;
        match self.unit.is_rollback_only() {
            true => Err(SendError::RolledBack.into()),
            false => Ok(outgoing),
        }
    }

    async fn handle_domain_events(&mut self) -> Result<(), Failure> {
        for place in 0.. {
            if let Some((message, limit)) = self.unit.runaway() {
                return Err(SendError::Cascade { message, limit }.into());
            }
            let Some(event) = self.unit.take_event(place) else { break };
            let Some(event) = event else { continue };
            let pending = event.pending();
            self.env.mediator.tell_emitted(|| EmittedEvent::new(pending.message_type(), pending.name()));
            if self.handle_domain_event(&event).await? {
                self.unit.put_back(place, event);
            }
        }
        Ok(())
    }

    /// Runs the handlers of one event; the answer is whether it still waits for the commit.
    async fn handle_domain_event(&mut self, event: &Emitted) -> Result<bool, Failure> {
        let pending = event.pending();
        if pending.goes_to_the_broker() {
            return Ok(true);
        }
        let Some(route) = self.env.mediator.0.events.get(&pending.event().type_id()) else {
            tracing::debug!(target: "diator", { diator.message = pending.name() }, "nobody handles the event");
            return Ok(false);
        };
        self.run_handlers(route, pending.name(), pending.event()).await?;
        Ok(!route.after_commit.is_empty())
    }

    /// Runs the handlers of one event that belong to the unit of work, until one fails.
    pub(super) async fn run_handlers(
        &mut self,
        route: &EventHandlers,
        name: &'static str,
        event: &AnyValue,
    ) -> Result<(), Failure> {
        for entry in &route.handlers {
            if let Err(error) = entry.handle(event, self).await {
                return Err(entry.failed(name, *error));
            }
        }
        Ok(())
    }

    /// Writes the broker events as messages; with an outbox they become part of the unit of work.
    async fn stage(&mut self) -> Result<Outgoing, Failure> {
        let MessageEnv { mediator, meta } = self.env;
        let inner = &mediator.0;
        let Some(outbox) = &inner.outbox else {
            return Ok(Outgoing::Messages(self.messages(publish_at_once)?));
        };
        let staged = self.messages(hold_back)?;
        if staged.is_empty() {
            return Ok(Outgoing::NONE);
        }
        let scope = self.unit.scope(&*inner.container, meta).get().await?;
        outbox.stage(scope, meta, &staged).await.map_err(SendError::Stage)?;
        Ok(Outgoing::Staged)
    }

    /// The broker events as messages, and what becomes of each.
    fn messages<M>(
        &self,
        leave: impl Fn(&dyn Pending, OutboundMessage) -> Result<M, Failure>,
    ) -> Result<Vec<M>, Failure> {
        let inner = &self.env.mediator.0;
        let mut messages = Vec::new();
        let mut headers = None;
        for event in self.unit.waiting().map(Emitted::pending).filter(|event| event.goes_to_the_broker()) {
            if inner.outbox.is_none() && inner.broker.is_none() {
                return Err(SendError::NoBroker { event: event.name() }.into());
            }
            let unwritten = |source| SendError::Encode { event: event.name(), source };
            let headers = match &headers {
                Some(headers) => headers,
                None => {
                    let sender = inner.sender.as_deref();
                    headers.insert(Headers::of(self.meta(), &inner.headers, sender).map_err(unwritten)?)
                }
            };
            inner.arriving.tell_emitted(event);
            if let Some(message) = event.message(&inner.format, self.meta(), headers) {
                messages.push(leave(event, message.map_err(unwritten)?)?);
            }
        }
        Ok(messages)
    }

    /// Sees the commit through, which has begun, and delivers what waited for it.
    ///
    /// There is no await between the begin of the commit and its task: from here on a caller that goes away
    /// changes nothing.
    // No `async fn`: what is delivered would have its place in the frame of every message that emits an event.
    fn deliver(self, closing: Closing, outgoing: Outgoing) -> Commit {
        // Where nothing waits for the commit, all is done: a tenth fewer instructions for a message with a domain event.
        if matches!(closing, Closing::Ready(Ok(()))) && self.unit.waiting().next().is_none() {
            return MaybeReady::Ready(Ok(()));
        }
        let (events, cause) = (self.unit.take_waiting(), self.unit.cause());
        let MessageEnv { mediator, meta } = self.env;
        match closing {
            Closing::Ready(Err(error)) => {
                log_if_unknown(&error, outgoing.messages());
                MaybeReady::Ready(Err(uncommitted(error)))
            }
            Closing::Ready(Ok(())) => match Delivery::new(mediator, meta, events, outgoing, cause) {
                Some(delivery) => MaybeReady::Pending(mediator.see_through(None, Some(delivery))),
                None => MaybeReady::Ready(Ok(())),
            },
            Closing::Pending(closing) => {
                let delivery = Delivery::new(mediator, meta, events, outgoing, cause);
                MaybeReady::Pending(mediator.see_through(Some(closing), delivery))
            }
        }
    }
}
