//! What the compiler writes for each handler, if requests are sent in place.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::{HandledBy, RequestFunctions, SendResult};
use crate::{Request, RequestHandler};

/// What a request from outside is sent with.
pub trait Dispatch: Send {
    /// Sends it to a handler that the compiler knows.
    fn send<R: Request, H: RequestHandler<R>>(
        self,
        request: R,
        slot: &'static SlotIndex,
    ) -> impl Future<Output = SendResult<R>> + Send;
}

impl RequestFunctions {
    /// The same, for a request that `send` takes to its handler without looking for it.
    pub(crate) const fn in_place<R: HandledBy<M>, M>(self) -> Self {
        Self { slot: Some(R::__diator_slot), ..self }
    }
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
    pub(crate) fn get(&self) -> usize {
        // Relaxed is enough: a mediator's slots were made after the number was drawn, and whoever sees the mediator
        // sees that too.
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn assign(&self) -> usize {
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
