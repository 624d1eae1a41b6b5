//! The parts that a web service of axum needs: a status for every failure, and [`Meta`] as an extractor.

use std::convert::Infallible;

use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use crate::{Committed, Meta, SendError, SendErrorKind};

/// Turns a failure into an answer: the handler's own error by its own `IntoResponse`, every other error by this table.
///
/// A route then returns `Result<Json<Order>, SendError<OrderError>>`, and the program only maps its `OrderError`. It
/// implements `IntoResponse` of axum 0.8. A request that fails with a [`BoxError`](crate::BoxError) has no such answer:
/// give it `error = …`.
///
/// | variant | status | may the client send it again? | logged |
/// |---|---|---|---|
/// | [`Handler`](SendError::Handler) | that of the error | the error tells | no |
/// | any that [timed out](SendError::timed_out), unless the message is or may be committed | 504 | yes | no |
/// | [`ShuttingDown`](SendError::ShuttingDown) | 503 | yes | no |
/// | [`Scope`](SendError::Scope), [`Enter`](SendError::Enter), [`Commit`](SendError::Commit) that was rolled back | 503 | yes | yes |
/// | [`Rejected`](SendError::Rejected) | 403 | no | no |
/// | [`Commit`](SendError::Commit) with an unknown outcome | 500 | not before somebody has asked the database | yes |
/// | [`RejectedAfterCommit`](SendError::RejectedAfterCommit) | 500 | **no**: it is done | yes |
/// | [`Undelivered`](SendError::Undelivered) | 500 | **no**: it is done; the log says that [`on_undelivered`](crate::MediatorBuilder::on_undelivered) is missing | yes |
/// | [`Event`](SendError::Event), [`Stage`](SendError::Stage), [`RolledBack`](SendError::RolledBack) | 500 | perhaps | yes |
/// | [`Cascade`](SendError::Cascade), [`Resolve`](SendError::Resolve), [`Encode`](SendError::Encode), [`NoBroker`](SendError::NoBroker), [`NoOutbox`](SendError::NoOutbox), [`Unhandled`](SendError::Unhandled), [`WrongAnswer`](SendError::WrongAnswer) | 500 | no: the program has to change | yes |
///
/// # Guarantees
///
/// The body is one sentence about the status. It never names a type or a message of the program, and contains no error
/// text but that of the handler's own error. The log has the error with its causes, at `ERROR`, with the target
/// `diator`. [`TracingMiddleware`](crate::middleware::TracingMiddleware) and
/// [`MetricsMiddleware`](crate::metrics::MetricsMiddleware) see all failures, also those that this table does not log.
///
/// # Example
///
/// ```
/// use axum_core::response::{IntoResponse, Response};
/// use diator::SendError;
/// use http::StatusCode;
///
/// #[derive(Debug)]
/// struct SoldOut;
///
/// impl IntoResponse for SoldOut {
///     fn into_response(self) -> Response {
///         (StatusCode::CONFLICT, "sold out").into_response()
///     }
/// }
///
/// assert_eq!(SendError::Handler(SoldOut).into_response().status(), StatusCode::CONFLICT);
/// assert_eq!(SendError::<SoldOut>::ShuttingDown.into_response().status(), StatusCode::SERVICE_UNAVAILABLE);
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl<E: IntoResponse> IntoResponse for SendError<E> {
    fn into_response(self) -> Response {
        let failure = match self.try_map_handler(Err::<Infallible, E>) {
            Ok(failure) => failure,
            Err(error) => return error.into_response(),
        };
        let (status, body) = answer(&failure);
        log(&failure);
        (status, body).into_response()
    }
}

fn answer(failure: &SendError<Infallible>) -> (StatusCode, &'static str) {
    match (failure.committed(), failure.kind()) {
        (Committed::Yes, _) => {
            (StatusCode::INTERNAL_SERVER_ERROR, "this is done, but a step after it failed: do not send it again")
        }
        (Committed::Unknown, _) => (StatusCode::INTERNAL_SERVER_ERROR, "nobody knows whether this is done"),
        _ if failure.timed_out().is_some() => (StatusCode::GATEWAY_TIMEOUT, "this took too long, and nothing is done"),
        (_, SendErrorKind::ShuttingDown) => (StatusCode::SERVICE_UNAVAILABLE, "the service is about to stop"),
        (_, SendErrorKind::Scope | SendErrorKind::Enter | SendErrorKind::Commit) => {
            (StatusCode::SERVICE_UNAVAILABLE, "nothing is done: try again in a moment")
        }
        (_, SendErrorKind::Rejected) => (StatusCode::FORBIDDEN, "this was refused"),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "nothing is done: the service failed"),
    }
}

fn log(failure: &SendError<Infallible>) {
    let error = failure as &dyn std::error::Error;
    match failure.kind() {
        SendErrorKind::Undelivered => tracing::error!(
            target: "diator",
            error,
            "a web request is done, but its client got no answer: give the builder `.on_undelivered(…)`"
        ),
        SendErrorKind::RejectedAfterCommit => {
            tracing::error!(target: "diator", error, "a web request is done, but its client got no answer");
        }
        SendErrorKind::ShuttingDown | SendErrorKind::Rejected | SendErrorKind::TimedOut => {}
        _ if failure.timed_out().is_some() => {}
        _ => tracing::error!(target: "diator", error, "a web request failed"),
    }
}

/// Extracts the meta of a request from its headers, as [`Meta::from_headers`] does. It never fails.
///
/// # Example
///
/// ```
/// # use axum_core::extract::FromRequestParts;
/// # use diator::Meta;
/// async fn correlation(meta: Meta) -> String {
///     meta.correlation_id().to_string()
/// }
/// # fn is_extractor<T: FromRequestParts<()>>(_: impl Fn(T) -> std::pin::Pin<Box<dyn Future<Output = String>>>) {}
/// # is_extractor(|meta: Meta| Box::pin(correlation(meta)));
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl<S: Sync> FromRequestParts<S> for Meta {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::from_headers(&parts.headers))
    }
}
