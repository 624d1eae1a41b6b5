use std::fmt;
use std::task::{Context, Poll};

use tower_service::Service;

use super::Mediator;
use crate::{BoxFuture, HandledBy, Request, SendError};

type SendResult<R> = Result<<R as Request>::Response, SendError<<R as Request>::Error>>;

/// One request's way through a mediator, as a service of tower's; made by [`Mediator::service`].
///
/// # Guarantees
///
/// A clone is a service of the same mediator, and cheap.
///
/// It is ready until the mediator shuts down, and from then on `poll_ready` fails for good with
/// [`SendError::ShuttingDown`]. It never waits: whoever wants no more than so many at once, puts tower's
/// `ConcurrencyLimit` around it.
///
/// Dropping the future of a call is as for [`Mediator::send`]: what is not yet committing is undone, so that tower's
/// `Timeout` leaves nothing half done.
pub struct RequestService<R: Request> {
    mediator: Mediator,
    // The handler's identity ends here, so that the type of the service names the request alone.
    send: fn(Mediator, R) -> BoxFuture<'static, SendResult<R>>,
}

impl Mediator {
    /// The way of one request as a `tower_service::Service`, for tower's layers and what is built of them.
    ///
    /// Like [`send`](Self::send) it compiles only where the request has a handler; that is what the `_` stands for in
    /// `mediator.service::<JoinMeeting, _>()`. What such a request carries is an empty [`Meta`](crate::Meta).
    ///
    /// Layers that box the error, such as tower's `Timeout`, hand a [`SendError`] of the request's own error on:
    /// `error.downcast_ref::<SendError<E>>()`.
    ///
    /// # Example
    ///
    /// ```
    /// use diator::prelude::*;
    /// use tower_service::Service;
    ///
    /// #[derive(Debug, Query)]
    /// #[request(response = u64)]
    /// struct Double(u64);
    ///
    /// #[request_handler(Double)]
    /// struct DoubleHandler;
    ///
    /// impl RequestHandler<Double> for DoubleHandler {
    ///     async fn handle(&self, query: Double, _: &mut RequestContext<'_, Double>) -> Result<u64, BoxError> {
    ///         Ok(query.0 * 2)
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let mediator = Mediator::builder().handlers(handlers![DoubleHandler]).build()?;
    /// let mut double = mediator.service::<Double, _>();
    /// std::future::poll_fn(|cx| double.poll_ready(cx)).await?;
    /// assert_eq!(double.call(Double(21)).await?, 42);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn service<R, OneHandler>(&self) -> RequestService<R>
    where
        R: HandledBy<OneHandler>, // cannot be inferred if there are two handlers: keep one
    {
        let send = |mediator: Self, request| -> BoxFuture<'static, _> {
            Box::pin(async move { mediator.send(request).await })
        };
        RequestService { mediator: self.clone(), send }
    }
}

impl<R: Request> Service<R> for RequestService<R> {
    type Response = R::Response;
    type Error = SendError<R::Error>;
    // Boxed: the future of `send` has no name. It is the one allocation of a call.
    type Future = BoxFuture<'static, SendResult<R>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(match self.mediator.0.messages.is_closed() {
            true => Err(SendError::ShuttingDown),
            false => Ok(()),
        })
    }

    fn call(&mut self, request: R) -> Self::Future {
        (self.send)(self.mediator.clone(), request)
    }
}

impl<R: Request> Clone for RequestService<R> {
    fn clone(&self) -> Self {
        Self { mediator: self.mediator.clone(), send: self.send }
    }
}

impl<R: Request> fmt::Debug for RequestService<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestService").field("request", &R::NAME).finish_non_exhaustive()
    }
}
