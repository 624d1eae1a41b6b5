use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::mem;

use super::{Answered, Call, Kept, Pipeline, run_until};

/// The rest of a message's way: further middleware, then the handler and what follows it.
///
/// # Guarantees
///
/// - [`run`](Self::run) and [`run_until`](Self::run_until) consume it: a message that is not idempotent cannot be
///   handled twice.
/// - Without further middleware it leads straight to the handler. It skips a middleware that has nothing to do at
///   present.
// A single word, because it is moved with each message into the future of each middleware.
pub struct Next<'a> {
    /// How many of the middlewares have seen the message.
    place: usize,
    pipeline: PhantomData<&'a Pipeline>,
}

impl<'n> Next<'n> {
    pub(super) fn after(place: usize) -> Self {
        Self { place, pipeline: PhantomData }
    }

    /// Handles the message; afterwards the call has the reply.
    ///
    /// # Guarantees
    ///
    /// - Dropping the future cancels the handling: a unit of work that is not yet committing rolls back.
    /// - For a message from outside, the future is ready when everything is over: the commit, the publishing and the
    ///   `after_commit` handlers too.
    /// - A panic of the handler unwinds through the future.
    pub fn run<'f, 'c>(
        self, // runs once; `Next::retry` handles an idempotent request again
        call: &'f mut Call<'c>,
    ) -> impl Future<Output = Answered> + Send + use<'f, 'c, 'n> {
        proceed(self.place, call)
    }

    /// Handles the message, unless `stop` is ready first: then the message is cancelled, and the result is `None`.
    ///
    /// # Guarantees
    ///
    /// `stop` does not cut a commit short: once the commit has begun, `stop` changes nothing, and the result is the
    /// real outcome. If the commit fails, `stop` counts again.
    ///
    /// # Example
    ///
    /// ```
    /// use diator::middleware::{Call, Answered, Middleware, Next};
    /// use tokio::sync::watch;
    ///
    /// /// Lets go of what runs when the program is told to hurry.
    /// struct Hurry(watch::Receiver<bool>);
    ///
    /// #[diator::async_trait]
    /// impl Middleware for Hurry {
    ///     async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
    ///         let mut hurry = self.0.clone();
    ///         let told = async move { drop(hurry.wait_for(|hurry| *hurry).await) };
    ///         match next.run_until(call, told).await {
    ///             Some(handled) => handled,
    ///             None => call.reject("there is no time for it"),
    ///         }
    ///     }
    /// }
    /// ```
    pub async fn run_until(self, call: &mut Call<'_>, stop: impl Future<Output = ()> + Send) -> Option<Answered> {
        let gate = call.gate();
        run_until(gate, self.run(call), stop).await
    }

    /// Handles a copy of the request; it can be called more than once.
    ///
    /// Each attempt has its own scope and its own events.
    ///
    /// # Guarantees
    ///
    /// - Uncommitted work of an earlier attempt is rolled back before the handler runs. Work that an earlier attempt
    ///   committed stays, and stays visible in the answer: see [`SendError`](crate::SendError).
    /// - A copy of `kept` replaces the request in the call; `kept` can be used again.
    /// - If `kept` is a copy of another message, there is nothing to handle: the message fails as
    ///   [`Rejected`](crate::SendError::Rejected).
    // No `async fn`: its future would hold on to `kept`, which other threads must not see.
    pub fn retry<'f, 'c>(
        &'f mut self,
        call: &'f mut Call<'c>,
        kept: &Kept,
    ) -> impl Future<Output = Answered> + Send + use<'f, 'c, 'n> {
        call.invocation.restore_request(&*kept.0);
        proceed(self.place, call)
    }
}

fn proceed<'f, 'c>(place: usize, call: &'f mut Call<'c>) -> impl Future<Output = Answered> + Send + use<'f, 'c> {
    // It is known already, unless a middleware has forgotten the future of an earlier attempt.
    call.place = place;
    async {
        let Some((place, layer)) = call.invocation.pipeline.first_active(call.place) else {
            call.invocation.attempt().await;
            return Answered(());
        };
        let holding = Holding { outer: mem::replace(&mut call.place, place + 1), call };
        let handled = layer.middleware.handle(&mut *holding.call, Next::after(place + 1)).await;
        holding.call.invocation.answered_by_middleware();
        handled
    }
}

/// A call in the hands of a middleware; it goes back to the outer one, also when this one's future is dropped.
struct Holding<'c, 'a> {
    call: &'c mut Call<'a>,
    outer: usize,
}

impl Drop for Holding<'_, '_> {
    fn drop(&mut self) {
        self.call.place = self.outer;
    }
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").field("place", &self.place).finish()
    }
}
