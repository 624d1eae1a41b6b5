//! The feature `in-place`: a handler that is built, and that nothing wraps, is called in the frame of its sender, without an
//! allocation. The compiler writes this way anew for each handler.

use std::mem;
use std::sync::Arc;

use super::Mediator;
use super::execution::{Execution, MessageEnv};
use super::route::{Handler, RequestRoute, send};
use super::unit_state::UnitState;
use crate::error::answer;
use crate::handler::{Dispatch, SendResult, SlotIndex};
use crate::in_flight::InFlight;
use crate::maybe_ready::MaybeReady;
use crate::message::MessageKind;
use crate::meta::PackedMeta;
use crate::{HandledBy, Request, RequestContext, RequestHandler, SendError};

struct InPlace<'a> {
    mediator: &'a Mediator,
    meta: PackedMeta,
}

/// Sends a request whose handler the compiler knows.
#[inline(always)]
pub(super) fn send_to<'a, R, RemoveOneOfTheTwoHandlers>(
    mediator: &'a Mediator,
    meta: PackedMeta,
    request: R,
) -> impl Future<Output = SendResult<R>> + Send + use<'a, R, RemoveOneOfTheTwoHandlers>
where
    R: HandledBy<RemoveOneOfTheTwoHandlers>,
{
    request.__diator_dispatch(InPlace { mediator, meta })
}

impl Dispatch for InPlace<'_> {
    // Always inlined: else the future, which is larger than what it begins with, is moved whole to its place. In a block, and with
    // no other future within it but the handler's: each further one would be copied to its place.
    #[expect(
        clippy::manual_async_fn,
        reason = "that the future is `Send`, the compiler would find out anew for each handler"
    )]
    #[inline(always)]
    fn send<R: Request, H: RequestHandler<R>>(
        self,
        request: R,
        slot: &'static SlotIndex,
    ) -> impl Future<Output = SendResult<R>> + Send {
        async move {
            let InPlace { mediator, meta } = self;
            let Some(handler) = mediator.unwrapped::<H>(slot) else {
                return Box::pin(send(mediator, meta, request)).await;
            };
            let result = 'untouched: {
                // What is lent across an `await` has a place in the frame until its block ends: so what follows is awaited after.
                let (result, ended, _running) = {
                    let Some(running) = InFlight::enter(mediator) else { return Err(SendError::ShuttingDown) };
                    let env = MessageEnv { mediator, meta: meta.unpack() };
                    let mut unit = UnitState::of(const { MessageKind::of_request(R::KIND) });
                    let mut execution = Execution { env: &env, unit: &mut unit };
                    let result = handler.handle(request, &mut RequestContext::new(&mut execution)).await;
                    if unit.is_untouched() {
                        mem::forget(unit);
                        break 'untouched result;
                    }
                    let ended = env.end(unit, result.is_ok());
                    (result, ended, running)
                };
                let ended = match ended {
                    MaybeReady::Ready(ended) => ended,
                    MaybeReady::Pending(mut rest) => mediator.within(rest.as_mut()).await,
                };
                return answer(result.map_err(SendError::Handler), ended);
            };
            // Made last of all: it is larger than the handler's own result, and nothing has to move it.
            result.map_err(SendError::Handler)
        }
    }
}

impl Mediator {
    /// The handler at this place, if it is built and nothing wraps it at present.
    // A test may have put another handler in its place: then there is none here.
    #[inline(always)]
    fn unwrapped<H: 'static>(&self, slot: &SlotIndex) -> Option<&H> {
        let route = self.0.slots.get(slot.get())?.as_ref()?;
        match &route.handler {
            Handler::Built(built) if route.pipeline.is_idle() => built.downcast_ref(),
            _ => None,
        }
    }
}

/// Lets `send` find a route without looking for it.
pub(crate) fn place(slots: &mut Vec<Option<Arc<RequestRoute>>>, slot: &SlotIndex, route: Arc<RequestRoute>) {
    let number = slot.assign();
    slots.resize_with(slots.len().max(number + 1), || None);
    slots[number] = Some(route);
}
