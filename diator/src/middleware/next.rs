use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::mem;

use super::{Answered, Call, Kept, Pipeline, run_until};

/// What a middleware wraps: the rest of the middleware, then the handler and what follows it.
///
/// # Guarantees
///
/// - It is used up by [`run`](Self::run) and [`run_until`](Self::run_until): a message that is not idempotent cannot be handled
///   twice.
/// - Without any further middleware it leads straight to the handler; a middleware that has nothing to do at present is passed
///   over.
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

    /// Lets the message be handled; afterwards the call knows what came of it.
    ///
    /// # Guarantees
    ///
    /// - Dropping the future cancels the handling: a unit of work that is not yet committing rolls back.
    /// - For a message from outside, all is over when it is ready: the commit, the publishing and the `after_commit` handlers
    ///   too.
    /// - A panic of the handler passes through.
    pub fn run<'f, 'c>(
        self, // runs once; `Next::retry` handles an idempotent request again
        call: &'f mut Call<'c>,
    ) -> impl Future<Output = Answered> + Send + use<'f, 'c, 'n> {
        proceed(self.place, call)
    }

    /// Lets the message be handled, unless `stop` is ready first; then it is cancelled, and the answer is `None`.
    ///
    /// # Guarantees
    ///
    /// A commit is not cut short: once it has begun, `stop` changes nothing, and the real outcome is the answer. A
    /// commit that fails ends this.
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

    /// Lets a request be handled that was kept, and may be handled more than once.
    ///
    /// Each attempt has its own scope and its own events.
    ///
    /// # Guarantees
    ///
    /// - What an earlier attempt left is rolled back before the handler runs; what it committed stays, and so does its effect on
    ///   the answer: see [`SendError`](crate::SendError).
    /// - The request in the call is replaced by a copy of `kept`, which can be used again.
    /// - A copy of another message leaves nothing to handle: the message then fails as [`Rejected`](crate::SendError::Rejected).
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
