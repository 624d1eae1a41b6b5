use std::any::type_name;
use std::error::Error;
use std::fmt::{self, Debug};
use std::thread;

use async_trait::async_trait;
use tracing::field::Empty;
use tracing::{Instrument, Level, Span};

use super::{Answered, Call, MessageKind, Middleware, Next};
use crate::SendErrorKind;

/// Shows each message as a span: requests, nested ones, each event handler, what arrives.
///
/// A span is called `command`, `query`, `domain_event`, `notification_event` or `ecst_event`. It contains what happens
/// within the message: nested messages, the events of its unit of work, whichever of its handlers emitted them, and the
/// mediator's own `publish`, although that runs in another task. Its target is `diator`, and its level `INFO`. At
/// `DEBUG` there is also a line for a commit, for a rollback, and for a domain event without handlers.
///
/// The mediator has spans of its own, with or without this middleware: `emit` for an event from outside a handler,
/// `receive` for a message that arrives, and `publish`. They have those of these fields that they know.
///
/// | field | what it holds |
/// |---|---|
/// | `diator.message`, `diator.handler` | the message's name; the handler's type |
/// | `otel.name`, `otel.kind` | the name that OpenTelemetry shows; `consumer` for what arrived, else `internal` |
/// | `messaging.operation.name` | `send` for a request, `handle` for a domain event, `process` for what arrived |
/// | `messaging.message.id`, `messaging.message.conversation_id` | [`Meta::message_id`](crate::Meta::message_id) and [`correlation_id`](crate::Meta::correlation_id), in the outermost span: what stands below shares them |
/// | `diator.causation_id`, `traceparent` | as in [`Meta`](crate::Meta), if it has them; there too |
/// | `diator.payload` | the message itself, if [`payload_of`](Self::payload_of) asks for it |
/// | `error.type`, `otel.status_code` | after a failure: [`SendErrorKind::as_str`], `cancelled`, or `panicked`; `ERROR` |
///
/// A failure is also an event within the span, with the error and its sources. It is a `WARN` if the handler failed or
/// a middleware refused the message. It is an `ERROR` for any other failure, such as that of the commit, or of the
/// delivery after it (`undelivered`: the message itself is committed). A message that was cancelled, because its future
/// was dropped or an outer middleware gave up, is a `WARN`, although a commit that has begun goes on. A message that
/// panicked is an `ERROR`.
///
/// An error that its request expects is not a failure: the span is not marked, and the event is at `DEBUG`. Typed
/// errors are expected, unless `#[request(expected = |error| …)]` [says otherwise](crate::Request::is_expected).
///
/// `tracing_subscriber::fmt().init()` prints only events: for a message that succeeds, at most what the message
/// published. `fmt().with_span_events(FmtSpan::CLOSE).init()` prints a line for each message, with its duration.
///
/// # Guarantees
///
/// If no subscriber listens to the target `diator`, messages skip the middleware: it draws no id, formats nothing and
/// allocates nothing. A subscriber that takes only warnings and errors gets them without spans; each of them then names
/// the message and its handler.
///
/// # Example
///
/// ```
/// use diator::middleware::TracingMiddleware;
/// use diator::prelude::*;
///
/// #[derive(Debug, Command)]
/// struct ArchiveOrder { order_id: u64 }
///
/// let builder = Mediator::builder().middleware(TracingMiddleware::new().payload_of::<ArchiveOrder>());
/// # let _ = builder;
/// ```
///
/// # Source
///
/// OpenTelemetry, semantic conventions for messaging spans; the names of `tracing-opentelemetry`.
#[derive(Clone, Default)]
pub struct TracingMiddleware {
    payloads: Vec<Payload>,
}

#[derive(Clone, Copy)]
struct Payload {
    type_name: fn() -> &'static str,
    read: for<'c> fn(&'c Call<'_>) -> Option<&'c dyn Debug>,
}

impl TracingMiddleware {
    /// Creates a middleware that shows no payload.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Shows the payload of `M` too, as `Debug` writes it.
    ///
    /// Payloads can hold personal data and secrets, so the program must name each message whose payload is shown.
    #[must_use]
    pub fn payload_of<M: Debug + 'static>(mut self) -> Self {
        let read: for<'c> fn(&'c Call<'_>) -> Option<&'c dyn Debug> = |call| Some(call.message::<M>()?);
        self.payloads.push(Payload { type_name: type_name::<M>, read });
        self
    }

    fn payload<'c>(&self, call: &'c Call<'_>) -> Option<&'c dyn Debug> {
        self.payloads.iter().find_map(|payload| (payload.read)(call))
    }
}

#[async_trait]
impl Middleware for TracingMiddleware {
    fn is_active(&self) -> bool {
        // Failures are told of at this level, also where there are no spans.
        tracing::enabled!(target: "diator", Level::ERROR)
    }

    async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
        let mut shown = Shown::of(call, span(call, self.payload(call)));
        let handled = next.run(call).instrument(shown.span.clone()).await;
        shown.answered = true;
        match (call.error(), call.error_kind()) {
            (Some(error), _) if call.is_expected() => shown.record_expected(error),
            (Some(error), Some(kind)) => shown.record(error, kind),
            _ => {}
        }
        handled
    }
}

/// A span's name is part of its place in the code, so each kind of message has a place of its own.
fn span(call: &Call<'_>, payload: Option<&dyn Debug>) -> Span {
    // What belongs to a message from outside shares its ids.
    let outermost = || call.is_from_outside().then(|| call.meta());
    macro_rules! span {
        ($name:literal, $kind:literal, $operation:literal) => {
            tracing::info_span!(
                target: "diator",
                $name,
                diator.message = call.info().message,
                diator.handler = call.info().handler,
                otel.name = %format_args!(concat!($operation, " {}"), call.info().message),
                otel.kind = $kind,
                otel.status_code = Empty,
                messaging.operation.name = $operation,
                messaging.message.id = outermost().map(|meta| display(meta.message_id())),
                messaging.message.conversation_id = outermost().map(|meta| display(meta.correlation_id())),
                diator.causation_id = outermost().and_then(|meta| meta.causation_id()).map(display),
                traceparent = outermost().and_then(|meta| meta.traceparent()),
                diator.payload = payload.map(debug),
                error.type = Empty,
            )
        };
    }
    match call.info().kind {
        MessageKind::Command => span!("command", "internal", "send"),
        MessageKind::Query => span!("query", "internal", "send"),
        MessageKind::DomainEvent => span!("domain_event", "internal", "handle"),
        MessageKind::NotificationEvent => span!("notification_event", "consumer", "process"),
        MessageKind::EcstEvent => span!("ecst_event", "consumer", "process"),
    }
}

/// A message that is being handled; dropping it before it is answered shows why.
struct Shown {
    span: Span,
    /// The message and its handler, where no span names them.
    message: Option<&'static str>,
    handler: Option<&'static str>,
    answered: bool,
}

/// An event within a span, which names the message if that does not.
macro_rules! tell {
    ($level:ident, $shown:expr, $text:literal $(, $error:ident)?) => {
        tracing::$level!(
            target: "diator",
            { diator.message = $shown.message, diator.handler = $shown.handler $(, $error)? },
            $text
        )
    };
}

impl Shown {
    fn of(call: &Call<'_>, span: Span) -> Self {
        let named = |name| span.is_disabled().then_some(name);
        let (message, handler) = (named(call.info().message), named(call.info().handler));
        Self { span, message, handler, answered: false }
    }

    fn record_expected(&self, error: &(dyn Error + 'static)) {
        self.span.in_scope(|| tell!(debug, self, "the handler answered with an error that is expected", error));
    }

    fn record(&self, error: &(dyn Error + 'static), kind: SendErrorKind) {
        mark_span_failed(&self.span, kind.as_str());
        self.span.in_scope(|| match kind {
            SendErrorKind::Handler | SendErrorKind::Rejected | SendErrorKind::TimedOut => {
                tell!(warn, self, "the message failed", error);
            }
            SendErrorKind::Undelivered => {
                tell!(error, self, "the message is committed, but not all of it was delivered", error);
            }
            _ => tell!(error, self, "the message failed", error),
        });
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if self.answered {
            return;
        }
        if thread::panicking() {
            mark_span_failed(&self.span, "panicked");
            self.span.in_scope(|| tell!(error, self, "the message panicked"));
        } else {
            mark_span_failed(&self.span, "cancelled");
            self.span.in_scope(|| tell!(warn, self, "the message was cancelled"));
        }
    }
}

/// Marks a span as one of something that failed.
pub(crate) fn mark_span_failed(span: &Span, error_type: &'static str) {
    span.record("error.type", error_type);
    span.record("otel.status_code", "ERROR");
}

impl Debug for TracingMiddleware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let payloads: Vec<_> = self.payloads.iter().map(|payload| (payload.type_name)()).collect();
        f.debug_struct("TracingMiddleware").field("payloads", &payloads).finish()
    }
}
