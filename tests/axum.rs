//! What a web service of axum answers for each failure, and what its log and its clients learn.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::FromRequestParts;
use axum::http::{Request as HttpRequest, StatusCode};
use axum::response::{IntoResponse, Response};
use diator::broker::PublishErrorKind;
use diator::container::CommitOutcome;
use diator::middleware::TimeoutMiddleware;
use diator::prelude::*;
use diator::{CascadeLimit, SendErrorKind};
use diator_tests::Log;
use serde::{Deserialize, Serialize};
use tracing::Level;

#[derive(Debug)]
struct SoldOut;

impl std::fmt::Display for SoldOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("sold out")
    }
}

impl IntoResponse for SoldOut {
    fn into_response(self) -> Response {
        (StatusCode::CONFLICT, self.to_string()).into_response()
    }
}

type Failure = SendError<SoldOut>;

/// Stands in every text that a client must not read.
const SECRET: &str = "shop::Secret";

/// The status, the body, and what is logged.
async fn answered(failure: Failure) -> (StatusCode, String, Vec<String>) {
    let log = Log::new(Level::WARN);
    let response = tracing::subscriber::with_default(log.clone(), || failure.into_response());
    let status = response.status();
    let body = to_bytes(response.into_body(), 1024).await.expect("it is short");
    (status, String::from_utf8(body.to_vec()).expect("it is a text"), log.lines())
}

fn secret() -> BoxError {
    SECRET.into()
}

async fn timed_out() -> Failure {
    let late = Mediator::builder()
        .handlers(handlers![Stand])
        .middleware(TimeoutMiddleware::new(Duration::from_millis(1)).expect("it is not zero"));
    late.build().expect("it is complete").send(Order::Waits).await.expect_err("it is late")
}

async fn undelivered() -> Failure {
    let broker = InMemoryBroker::new();
    broker.refuse(PublishErrorKind::Fatal);
    let mediator = Mediator::builder().handlers(handlers![Stand]).broker(broker).build().expect("it is complete");
    mediator.send(Order::Announced).await.expect_err("nothing is published")
}

async fn unbuilt() -> Failure {
    let services = Services::new().scoped::<Cellar, _>(|_| Err(secret()));
    let mediator =
        Mediator::builder().handlers(handlers![Stand, Fetch]).container(services).build().expect("it is complete");
    let failed = mediator.send(FromCellar).await.expect_err("its service cannot be built");
    failed.map_handler(|never| unreachable!("{never}"))
}

#[derive(Debug, Command)]
#[request(error = SoldOut)]
enum Order {
    Waits,
    Announced,
}

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
struct Announcement;

#[request_handler(Order)]
struct Stand;

impl RequestHandler<Order> for Stand {
    async fn handle(&self, order: Order, cx: &mut RequestContext<'_, Order>) -> Result<(), SoldOut> {
        match order {
            Order::Waits => std::future::pending().await,
            Order::Announced => cx.emit(Announcement),
        }
        Ok(())
    }
}

#[derive(Debug, Command)]
struct FromCellar;

struct Cellar;

#[request_handler(FromCellar)]
struct Fetch {
    _cellar: Arc<Cellar>,
}

impl RequestHandler<FromCellar> for Fetch {
    async fn handle(&self, _: FromCellar, _: &mut RequestContext<'_, FromCellar>) -> Result<(), BoxError> {
        Ok(())
    }
}

#[tokio::test]
async fn each_failure_has_its_status_and_its_log() {
    const LOGGED: bool = true;
    const SILENT: bool = false;
    let deadlock = SendError::Commit { outcome: CommitOutcome::RolledBack, source: secret() };
    let unknown = SendError::Commit { outcome: CommitOutcome::Unknown, source: secret() };
    let too_deep = CascadeLimit::Depth(64);
    let rows: Vec<(Failure, u16, bool)> = vec![
        (SendError::Handler(SoldOut), 409, SILENT),
        (timed_out().await, 504, SILENT),
        (
            SendError::Event {
                event: SECRET,
                handler: SECRET,
                source: timed_out().await.map_handler(|_| io::Error::other(SECRET)).into(),
            },
            504,
            SILENT,
        ),
        (SendError::ShuttingDown, 503, SILENT),
        (SendError::Scope(secret()), 503, LOGGED),
        (SendError::Enter(secret()), 503, LOGGED),
        (deadlock, 503, LOGGED),
        (SendError::Rejected { middleware: SECRET, source: secret() }, 403, SILENT),
        (unknown, 500, LOGGED),
        (SendError::RejectedAfterCommit { middleware: SECRET, source: secret() }, 500, LOGGED),
        (undelivered().await, 500, LOGGED),
        (SendError::Event { event: SECRET, handler: SECRET, source: secret() }, 500, LOGGED),
        (SendError::Stage(secret()), 500, LOGGED),
        (SendError::RolledBack, 500, LOGGED),
        (SendError::Cascade { message: SECRET, limit: too_deep }, 500, LOGGED),
        (unbuilt().await, 500, LOGGED),
        (SendError::Encode { event: SECRET, source: secret() }, 500, LOGGED),
        (SendError::NoBroker { event: SECRET }, 500, LOGGED),
        (SendError::NoOutbox { event: SECRET }, 500, LOGGED),
        (SendError::Unhandled { request: SECRET }, 500, LOGGED),
        (SendError::WrongAnswer { middleware: SECRET, expected: SECRET, given: SECRET }, 500, LOGGED),
    ];
    for (failure, status, logged) in rows {
        let (shown, kind) = (failure.to_string(), failure.kind());
        let (answer, body, log) = answered(failure).await;
        assert_eq!((answer.as_u16(), log.len()), (status, usize::from(logged)), "{shown}: {body}, {log:?}");
        assert!(!body.is_empty() && !body.contains("::"), "{shown}: {body}");
        assert_eq!(body == shown, kind == SendErrorKind::Handler, "{shown}: {body}");
    }
}

#[tokio::test]
async fn who_has_no_hook_for_the_undelivered_is_told_so() {
    let (_, body, log) = answered(undelivered().await).await;
    assert_eq!(body, "this is done, but a step after it failed: do not send it again");
    assert!(log[0].starts_with("ERROR ") && log[0].contains("give the builder `.on_undelivered(…)`"), "{log:?}");
    assert!(log[0].contains("Announcement"), "{log:?}");
}

#[tokio::test]
async fn the_meta_of_a_request_is_that_of_its_headers() {
    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let (mut parts, ()) = HttpRequest::builder().header("traceparent", TRACE).body(()).expect("it is one").into_parts();
    let meta = Meta::from_request_parts(&mut parts, &()).await.unwrap_or_else(|never| match never {});
    assert_eq!(meta.traceparent(), Some(TRACE));
}
