use std::fmt;
use std::task::{Context, Poll};

use tower_service::Service;

use crate::{BoxFuture, HandledBy, Mediator, Meta, Request, SendError};

type SendResult<R> = Result<<R as Request>::Response, SendError<<R as Request>::Error>>;

/// Sends one type of request through a mediator, as a service of tower's; [`Mediator::service`] makes it.
///
/// # Guarantees
///
/// A clone is cheap, and is a service of the same mediator.
///
/// The service is ready until the mediator shuts down; from then on `poll_ready` fails for good with
/// [`SendError::ShuttingDown`]. `poll_ready` never waits: to limit how many requests run at once, put tower's
/// `ConcurrencyLimit` around the service.
///
/// Dropping the future of a call does what it does for [`Mediator::send`]. A message that is not yet committing is
/// undone, so that tower's `Timeout` leaves nothing half done. A commit that has begun goes on, so that the `Elapsed`
/// of tower's `Timeout` leaves open whether the message is committed: where that matters, add a
/// [`TimeoutMiddleware`](crate::middleware::TimeoutMiddleware) to the mediator, which waits for the outcome.
pub struct RequestService<R: Request> {
    mediator: Mediator,
    // The handler's identity ends here, so that the type of the service names the request alone.
    send: fn(Mediator, Meta, R) -> BoxFuture<'static, SendResult<R>>,
}

impl Mediator {
    /// Makes a `tower_service::Service` that sends one type of request, for tower's layers and what is built of them.
    ///
    /// Like [`send`](Self::send) it compiles only where the request has a handler, which the `_` stands for in
    /// `mediator.service::<JoinMeeting, _>()`. Such a request carries an empty [`Meta`];
    /// [`with_meta`](RequestService::with_meta) makes a service of requests with a `Meta`.
    ///
    /// Layers that box the error, such as tower's `Timeout`, pass on a [`SendError`] of the request's own error:
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
    pub fn service<R, RemoveOneOfTheTwoHandlers>(&self) -> RequestService<R>
    where
        R: HandledBy<RemoveOneOfTheTwoHandlers>, // write `service::<Request, _>()`; with two handlers it cannot be inferred
    {
        let send = |mediator: Self, meta, request| -> BoxFuture<'static, _> {
            Box::pin(async move { mediator.with(meta).send(request).await })
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
        Poll::Ready(match self.mediator.is_closed() {
            true => Err(SendError::ShuttingDown),
            false => Ok(()),
        })
    }

    fn call(&mut self, request: R) -> Self::Future {
        (self.send)(self.mediator.clone(), Meta::new(), request)
    }
}

/// Sends one type of request, each with its [`Meta`]; [`RequestService::with_meta`] makes it.
///
/// # Guarantees
///
/// Those of [`RequestService`].
pub struct RequestServiceWithMeta<R: Request>(RequestService<R>);

impl<R: Request> RequestService<R> {
    /// Makes a service of requests that bring their [`Meta`], such as that of `Meta::from_headers`.
    ///
    /// # Example
    ///
    /// ```
    /// # use diator::prelude::*;
    /// # use tower_service::Service;
    /// # #[derive(Debug, Query)]
    /// # #[request(response = Option<String>)]
    /// # struct WhoAsks;
    /// # #[request_handler(WhoAsks)]
    /// # struct WhoAsksHandler;
    /// #[derive(Clone)]
    /// struct Tenant(String);
    ///
    /// impl RequestHandler<WhoAsks> for WhoAsksHandler {
    ///     async fn handle(&self, _: WhoAsks, cx: &mut RequestContext<'_, WhoAsks>) -> Result<Option<String>, BoxError> {
    ///         Ok(cx.meta().get::<Tenant>().map(|tenant| tenant.0.clone()))
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// # let mediator = Mediator::builder().handlers(handlers![WhoAsksHandler]).build()?;
    /// let mut service = mediator.service::<WhoAsks, _>().with_meta();
    /// let meta = Meta::new().with(Tenant("acme".to_owned()));
    /// assert_eq!(service.call((meta, WhoAsks)).await?.as_deref(), Some("acme"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_meta(self) -> RequestServiceWithMeta<R> {
        RequestServiceWithMeta(self)
    }
}

impl<R: Request> Service<(Meta, R)> for RequestServiceWithMeta<R> {
    type Response = R::Response;
    type Error = SendError<R::Error>;
    type Future = BoxFuture<'static, SendResult<R>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, (meta, request): (Meta, R)) -> Self::Future {
        (self.0.send)(self.0.mediator.clone(), meta, request)
    }
}

impl<R: Request> Clone for RequestServiceWithMeta<R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<R: Request> fmt::Debug for RequestServiceWithMeta<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RequestServiceWithMeta").field(&self.0).finish()
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
