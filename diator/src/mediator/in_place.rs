//! The feature `in-place`: a handler that is built, and that nothing wraps, is called in the frame of its sender, without an
//! allocation. The compiler writes this way anew for each handler.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::Mediator;
use super::execution::{Execution, MessageEnv};
use super::failure::answer;
use super::handle::RequestFunctions;
use super::maybe_ready::MaybeReady;
use super::route::{Handler, RequestRoute, SendResult, Sender, send};
use super::unit::UnitState;
use crate::in_flight::InFlight;
use crate::meta::PackedMeta;
use crate::{HandledBy, Request, RequestContext, RequestHandler, SendError};

/// What a message from outside is sent with.
#[expect(missing_debug_implementations, reason = "it is hidden: what the attributes write passes it on")]
pub struct Dispatch<'a> {
    mediator: &'a Mediator,
    meta: PackedMeta,
}

/// Sends a request whose handler the compiler knows.
#[inline(always)]
pub(super) fn send_to<'a, R, OneHandler>(
    mediator: &'a Mediator,
    meta: PackedMeta,
    request: R,
) -> impl Future<Output = SendResult<R>> + Send + use<'a, R, OneHandler>
where
    R: HandledBy<OneHandler>,
{
    request.__diator_dispatch(Dispatch { mediator, meta })
}

/// Sends a request to a handler that is known by its type.
// Always inlined: else the future, which is larger than what it begins with, is moved whole to its place. In a block, and with
// no other future within it but the handler's: each further one would be copied to its place.
#[expect(
    clippy::manual_async_fn,
    reason = "that the future is `Send`, the compiler would find out anew for each handler"
)]
#[inline(always)]
pub fn send_in_place<R, H>(
    dispatch: Dispatch<'_>,
    request: R,
    slot: &'static SlotIndex,
) -> impl Future<Output = SendResult<R>> + Send
where
    R: Request,
    H: RequestHandler<R>,
{
    async move {
        let Dispatch { mediator, meta } = dispatch;
        let Some(handler) = mediator.unwrapped::<H>(slot) else {
            return Box::pin(send(Sender::Outside(mediator, meta), request)).await;
        };
        let result = 'untouched: {
            // What is lent across an `await` has a place in the frame until its block ends: so what follows is awaited after.
            let (result, ended, _running) = {
                let Some(running) = InFlight::enter(mediator) else { return Err(SendError::ShuttingDown) };
                let env = MessageEnv { mediator, meta: meta.unpack() };
                let mut unit = UnitState::default();
                let execution = Execution { env: &env, unit: &mut unit };
                let result = handler.handle(request, &mut RequestContext::new(execution)).await;
                if unit.is_unused() {
                    // There is nothing to drop, which the compiler cannot see.
                    std::mem::forget(unit);
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

impl RequestFunctions {
    /// The same, for a request that `send` takes to its handler without looking for it.
    pub(crate) const fn in_place<R: HandledBy<M>, M>(self) -> Self {
        Self { slot: Some(R::__diator_slot), ..self }
    }
}

/// Lets `send` find a route without looking for it.
pub(crate) fn place(slots: &mut Vec<Option<Arc<RequestRoute>>>, slot: &SlotIndex, route: Arc<RequestRoute>) {
    let number = slot.assign();
    slots.resize_with(slots.len().max(number + 1), || None);
    slots[number] = Some(route);
}

/// Where every mediator of the program keeps the route to one handler of one request.
///
/// The number is drawn when a mediator first takes the handler in, and is the same for all mediators.
#[derive(Debug)]
pub struct SlotIndex(AtomicUsize);

impl SlotIndex {
    const UNASSIGNED: usize = usize::MAX;

    /// No number yet.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "it is only ever a static")]
    pub const fn new() -> Self {
        Self(AtomicUsize::new(Self::UNASSIGNED))
    }

    /// The number; beyond every mediator's slots while none was drawn.
    #[inline]
    fn get(&self) -> usize {
        // Relaxed is enough: a mediator's slots were made after the number was drawn, and whoever sees the mediator
        // sees that too.
        self.0.load(Ordering::Relaxed)
    }

    fn assign(&self) -> usize {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        static DRAWING: Mutex<()> = Mutex::new(());
        let _one_at_a_time = DRAWING.lock().unwrap_or_else(PoisonError::into_inner);
        if self.get() == Self::UNASSIGNED {
            self.0.store(NEXT.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        }
        self.get()
    }
}

/// What an attribute writes into `HandledBy`, where requests are sent in place.
#[doc(hidden)]
#[macro_export]
macro_rules! __in_place {
    ($($way:tt)*) => { $($way)* };
}
