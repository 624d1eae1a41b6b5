//! What follows the handler of a message from outside, in order: domain events, stage, commit, delivery.
//!
//! It knows no request's type, so that every way of sending comes to the same end.

use std::any::Any;

use super::EmittedEvent;
use super::after::Delivery;
use super::dispatch::{Failure, Origin, Run};
use super::events::EventRoute;
use super::settling::uncommitted;
use super::soon::Soon;
use super::unit::Unit;
use crate::SendError;
use crate::broker::{Headers, OutboundMessage};
use crate::container::Closing;
use crate::event::Emitted;
use crate::middleware::Committing;

impl<'a> Origin<'a> {
    /// What follows the handler of a message that has no middleware.
    // It takes what it needs: what was lent would have its place in the message's frame all along.
    pub(super) fn end(self, mut unit: Unit, succeeded: bool) -> Soon<'a, ()> {
        let closing = (succeeded && unit.only_commits()).then(|| unit.commit());
        if let Some(Closing::Ready(closed)) = closing {
            return closed.map_err(uncommitted).into();
        }
        Soon::later(async move {
            let run = Run { origin: &self, unit: &mut unit };
            match closing {
                Some(closing) => run.deliver(closing, Vec::new()).get().await,
                None if succeeded => run.carry_on(None).await,
                None => run.give_up().await,
            }
        })
    }
}

impl<'a> Run<'a> {
    /// Carries a message on whose handler succeeded.
    // A named type for the future: handlers of events may send, which comes here again.
    pub(super) fn finish(self, committing: Option<&'a Committing>) -> Soon<'a, ()> {
        if self.unit.only_commits() {
            begin(committing);
            return match self.unit.commit() {
                Closing::Ready(closed) => settle(committing, closed.map_err(uncommitted)).into(),
                closing => {
                    let delivered = self.deliver(closing, Vec::new());
                    Soon::later(async move { settle(committing, delivered.get().await) })
                }
            };
        }
        Soon::later(self.carry_on(committing))
    }

    /// Ends a message that failed.
    pub(super) fn fail(self) -> Soon<'a, ()> {
        Soon::later(self.give_up())
    }

    async fn carry_on(mut self, committing: Option<&Committing>) -> Result<(), Failure> {
        match self.up_to_the_commit().await {
            Ok(messages) => {
                begin(committing);
                let closing = self.unit.commit();
                let delivered = self.deliver(closing, messages);
                settle(committing, delivered.get().await)
            }
            Err(failure) => {
                self.unit.fail().await;
                Err(failure)
            }
        }
    }

    /// Drops the events, and rolls the scope back.
    async fn give_up(self) -> Result<(), Failure> {
        self.unit.fail().await;
        Ok(())
    }

    async fn up_to_the_commit(&mut self) -> Result<Vec<OutboundMessage>, Failure> {
        self.handle_domain_events().await?;
        let messages = self.stage().await?;
        match self.unit.is_rollback_only() {
            true => Err(SendError::RolledBack.into()),
            false => Ok(messages),
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
            self.origin.mediator.tell_emitted(|| EmittedEvent::new(pending.message_type(), pending.name()));
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
        let Some(route) = self.origin.mediator.0.events.get(&pending.event().type_id()) else {
            tracing::debug!(target: "diator", { diator.message = pending.name() }, "nobody handles the event");
            return Ok(false);
        };
        self.run_handlers(route, pending.name(), pending.event()).await?;
        Ok(!route.after_commit.is_empty())
    }

    /// Runs the handlers of one event that belong to the unit of work, until one fails.
    pub(super) async fn run_handlers(
        &mut self,
        route: &EventRoute,
        name: &'static str,
        event: &(dyn Any + Send + Sync),
    ) -> Result<(), Failure> {
        for entry in &route.handlers {
            if let Err(error) = entry.handler.handle(event, self.reborrow()).await {
                let source = match *error {
                    SendError::Handler(source) => source,
                    other => other.into(),
                };
                return Err(SendError::Event { event: name, handler: entry.name, source }.into());
            }
        }
        Ok(())
    }

    /// Writes the broker events as messages; with an outbox they become part of the unit of work.
    async fn stage(&mut self) -> Result<Vec<OutboundMessage>, Failure> {
        let mut messages = self.messages()?;
        let Origin { mediator, meta } = self.origin;
        let inner = &mediator.0;
        if let (Some(outbox), false) = (&inner.outbox, messages.is_empty()) {
            let scope = self.unit.scope(&*inner.container, meta).get().await?;
            outbox.stage(scope, meta, &messages).await.map_err(SendError::Stage)?;
            messages.clear();
        }
        Ok(messages)
    }

    fn messages(&self) -> Result<Vec<OutboundMessage>, Failure> {
        let inner = &self.origin.mediator.0;
        let mut messages = Vec::new();
        let mut headers = None;
        for event in self.unit.waiting().map(Emitted::pending).filter(|event| event.goes_to_the_broker()) {
            if inner.outbox.is_none() && inner.broker.is_none() {
                return Err(SendError::NoBroker { event: event.name() }.into());
            }
            let unwritten = |source| SendError::Encode { event: event.name(), source };
            let headers = match &headers {
                Some(headers) => headers,
                None => headers.insert(Headers::of(self.meta(), &inner.headers).map_err(unwritten)?),
            };
            inner.arriving.tell_emitted(event);
            let message = event.message(&inner.format, self.meta(), headers).transpose();
            messages.extend(message.map_err(unwritten)?);
        }
        Ok(messages)
    }

    /// Sees the commit through, which has begun, and delivers what waited for it.
    ///
    /// There is no await between the begin of the commit and its task: from here on a caller that goes away
    /// changes nothing.
    // No `async fn`: what is delivered would have its place in the frame of every message that emits an event.
    fn deliver(self, closing: Closing, messages: Vec<OutboundMessage>) -> Soon<'a, ()> {
        // Where nothing waits for the commit, all is done: a tenth fewer instructions for a message with a domain event.
        if matches!(closing, Closing::Ready(Ok(()))) && self.unit.waiting().next().is_none() {
            return Soon::Now(());
        }
        let (events, cause) = (self.unit.take_waiting(), self.unit.cause());
        let Origin { mediator, meta } = self.origin;
        let delivery = || Delivery::new(mediator, meta, events, messages, cause);
        match closing {
            Closing::Ready(Err(error)) => Err(uncommitted(error)).into(),
            Closing::Ready(Ok(())) => match delivery() {
                Some(delivery) => Soon::later(mediator.see_through(None, Some(delivery))),
                None => Soon::Now(()),
            },
            Closing::Pending(closing) => Soon::later(mediator.see_through(Some(closing), delivery())),
        }
    }
}

fn begin(committing: Option<&Committing>) {
    if let Some(committing) = committing {
        committing.begin();
    }
}

/// After a commit that failed, another attempt may follow, which can be given up.
fn settle(committing: Option<&Committing>, delivered: Result<(), Failure>) -> Result<(), Failure> {
    if let (Some(committing), Err(failure)) = (committing, &delivered)
        && !failure.is_committed()
    {
        committing.reset();
    }
    delivered
}
