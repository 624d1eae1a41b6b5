//! An event from outside of handlers, in a unit of work of its own.

use std::any::TypeId;
use std::mem;
use std::pin::pin;
use std::time::Duration;

use tracing::field::Empty;
use tracing::{Instrument, Level, Span};

use super::events::EventHandlers;
use super::execution::{Execution, MessageEnv};
use super::unit_state::UnitState;
use super::{EmitError, EmittedEvent, Mediator};
use crate::error::Failure;
use crate::event::{CanWait, Emitted, EventKind};
use crate::handler::AnyValue;
use crate::in_flight::InFlight;
use crate::message::MessageKind;
use crate::middleware::mark_span_failed;
use crate::{BoxFuture, Event, Meta, SendError};

/// Emits an event: what the compiler writes for each type of event.
pub(super) fn emit<'a, E: Event>(
    env: MessageEnv<'a>,
    event: E,
) -> impl Future<Output = Result<(), EmitError>> + Send + use<'a, E> {
    emit_given::<E, _>(env, Some(event))
}

/// Emits an event for later.
pub(super) fn emit_after<'a, E>(
    env: MessageEnv<'a>,
    delay: Duration,
    event: E,
) -> impl Future<Output = Result<(), EmitError>> + Send + use<'a, E>
where
    E: Event + CanWait<<E as Event>::Kind>,
{
    emit_given::<E, _>(env, Later { event: Some(event), delay })
}

#[expect(clippy::manual_async_fn, reason = "it would have room for the event twice")]
fn emit_given<'a, E: Event, G: Given>(
    env: MessageEnv<'a>,
    mut event: G,
) -> impl Future<Output = Result<(), EmitError>> + Send + use<'a, E, G> {
    async move {
        let named = const { &Named::of::<E>() };
        let emitted = match is_traced() {
            false => env.emit(named, &mut event).await,
            true => env.emit_in_a_span(named, &mut event).await,
        };
        match emitted {
            Ok(()) => Ok(()),
            Err(failure) => Err(*failure),
        }
    }
}

/// Asked before, because a span that is disabled can still have its ids drawn, for the crate `log`.
fn is_traced() -> bool {
    tracing::enabled!(target: "diator", Level::INFO)
}

/// Which event it is, and of which kind.
struct Named {
    id: fn() -> TypeId,
    name: &'static str,
    kind: MessageKind,
}

impl Named {
    const fn of<E: Event>() -> Self {
        Self { id: TypeId::of::<E>, name: E::NAME, kind: MessageKind::of_event(<E::Kind as EventKind>::MESSAGE_TYPE) }
    }
}

/// An event that is lent to its handlers, or taken because it must outlive them.
trait Given: Send + Sync + 'static {
    fn event(&self) -> Option<&AnyValue>;
    fn take(&mut self) -> Option<Emitted>;
}

impl<E: Event> Given for Option<E> {
    fn event(&self) -> Option<&AnyValue> {
        match self {
            Some(event) => Some(event),
            None => None,
        }
    }

    fn take(&mut self) -> Option<Emitted> {
        self.take().map(E::__diator_emitted)
    }
}

/// An event for later: nobody handles it at once.
struct Later<E> {
    event: Option<E>,
    delay: Duration,
}

impl<E: Event> Given for Later<E> {
    fn event(&self) -> Option<&AnyValue> {
        None
    }

    fn take(&mut self) -> Option<Emitted> {
        Some(self.event.take()?.__diator_emitted().after(self.delay))
    }
}

impl MessageEnv<'_> {
    fn emit_in_a_span<'e>(
        &'e self,
        named: &'static Named,
        event: &'e mut dyn Given,
    ) -> BoxFuture<'e, Result<(), Failure>> {
        let span = span(named.name, &self.meta);
        Box::pin(async move {
            let emitted = self.emit(named, event).instrument(span.clone()).await;
            emitted.inspect_err(|failure| mark_span_failed(&span, failure.kind().as_str()))
        })
    }

    // A success is written anew at the end: to move it costs more than most of the rest.
    async fn emit(&self, named: &'static Named, event: &mut dyn Given) -> Result<(), Failure> {
        let Some(_running) = InFlight::enter(self.mediator) else { return Err(SendError::ShuttingDown.into()) };
        let mut unit = UnitState::of(named.kind);
        let mut handled = Ok(());
        match (self.mediator.at_once(named), event.event()) {
            (Some(route), Some(event)) => {
                self.mediator.tell_emitted(|| EmittedEvent::new(None, named.name));
                unit.begin_with_event();
                let mut execution = Execution { env: self, unit: &mut unit };
                handled = self.mediator.within(pin!(execution.run_handlers(route, named.name, event))).await;
            }
            _ => {
                if let Some(event) = event.take() {
                    unit.emit(event, self.mediator.0.cascade_limits);
                }
            }
        }
        if unit.is_untouched() && handled.is_ok() {
            mem::forget(unit);
            return Ok(());
        }
        let execution = Execution { env: self, unit: &mut unit };
        let ended = self.mediator.within(pin!(execution.end(handled.is_ok(), None).settled())).await;
        handled?;
        ended.map_err(|mut failure| {
            if let SendError::Undelivered(undelivered) = &mut *failure {
                undelivered.keep_response(Box::new(()));
            }
            failure
        })
    }
}

impl Mediator {
    /// The handlers of the event, if it need not outlive them. Where no event is allowed, the queue says so.
    #[inline(always)]
    fn at_once(&self, named: &Named) -> Option<&EventHandlers> {
        let handlers = self.0.events.get(&(named.id)())?;
        let stays = named.kind == MessageKind::DomainEvent;
        (stays && handlers.after_commit.is_empty() && self.0.cascade_limits.depth > 0).then_some(handlers)
    }
}

fn span(event: &'static str, meta: &Meta) -> Span {
    tracing::info_span!(
        target: "diator",
        "emit",
        diator.message = event,
        messaging.operation.name = "emit",
        messaging.message.id = %meta.message_id(),
        messaging.message.conversation_id = %meta.correlation_id(),
        diator.causation_id = meta.causation_id().map(display),
        traceparent = meta.traceparent(),
        otel.status_code = Empty,
        error.type = Empty,
    )
}
