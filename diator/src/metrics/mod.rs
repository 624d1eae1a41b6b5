//! Counters and durations of messages, through the facade of the crate `metrics`.
//!
//! [`MetricsMiddleware`] counts each message that is handled, [`count_emitted`] each event that is emitted, and
//! [`MetricsBroker`] each message that is published. An endpoint has metrics of its own, if
//! [`Endpoint::metrics`](crate::endpoint::Endpoint::metrics) asks for them. Install the recorder first: each of them
//! describes its metrics when it is made.
//!
//! ```
//! # use diator::prelude::*;
//! use diator::metrics::{MetricsBroker, MetricsMiddleware, count_emitted, count_undelivered};
//!
//! let builder = Mediator::builder()
//!     .middleware(MetricsMiddleware::new())
//!     .on_emitted(count_emitted)
//!     .on_undelivered(|undelivered| {
//!         count_undelivered(&undelivered);
//!         tracing::error!("{undelivered}");
//!     })
//!     .broker(MetricsBroker::new(InMemoryBroker::new()));
//! # let _ = builder;
//! ```
//!
//! | metric | kind | labels | what it measures |
//! |---|---|---|---|
//! | `diator_messages_total` | counter | `kind`, `message`, `handler`, `outcome` | messages that were handled |
//! | `diator_message_duration_seconds` | histogram | `kind`, `message`, `handler` | how long the handling of a message took |
//! | `diator_emitted_events_total` | counter | `kind`, `message` | events that handlers emitted, handled or not |
//! | `diator_undelivered_total` | counter | `message`, `what` | what failed after a commit |
//! | `diator_published_messages_total` | counter | `message`, `outcome` | messages that were given to the broker |
//! | `diator_publish_duration_seconds` | histogram | none | how long a call to the broker took |
//!
//! Metrics of an endpoint:
//!
//! | metric | kind | labels | what it measures |
//! |---|---|---|---|
//! | `diator_endpoint_lag` | gauge | `endpoint` | messages that wait at the engine, if it tells |
//! | `diator_endpoint_oldest_seconds` | gauge | `endpoint` | how long the oldest of them has been waiting, if it tells |
//! | `diator_endpoint_in_hand` | gauge | `endpoint`, `stage` | messages of this process that are not settled: `held` is all of them |
//! | `diator_endpoint_stuck_seconds` | gauge | `endpoint` | for how long the oldest of them has been tried again without a count, or has waited for a database; 0 without one |
//! | `diator_endpoint_paused` | gauge | `endpoint` | 1 while the endpoint pauses, 0 otherwise |
//! | `diator_endpoint_messages_total` | counter | `endpoint`, `outcome` | messages that it is done with |
//! | `diator_endpoint_attempts_total` | counter | `endpoint`, `handler`, `outcome` | attempts of handlers |
//! | `diator_endpoint_retries_total` | counter | `endpoint`, `handler`, `outcome` | attempts after which another one follows |
//! | `diator_endpoint_dead_letters_total` | counter | `endpoint`, `handler`, `kind` | dead letters of a handler; without one, of all of the message |
//! | `diator_endpoint_queue_duration_seconds` | histogram | `endpoint` | how long a message was in hand before its handlers began |
//! | `diator_endpoint_handling_duration_seconds` | histogram | `endpoint`, `handler` | how long an attempt took |
//! | `diator_endpoint_kept` | gauge | `endpoint`, `state` | deliveries in the store, of all processes |
//! | `diator_endpoint_overdue_seconds` | gauge | `endpoint` | for how long the one that is due longest could have been handled |
//! | `diator_endpoint_busy_total` | counter | `endpoint` | handlers that could not begin, because another transaction had the message |
//! | `diator_endpoint_locks_lost_total` | counter | `endpoint` | deliveries that were no longer this process's own |
//! | `diator_endpoint_refused_verdicts_total` | counter | `endpoint` | verdicts that the engine did not take |
//! | `diator_endpoint_failed_calls_total` | counter | `endpoint`, `call` | calls to the engine, the store or the attempt log that failed |
//!
//! The names follow Prometheus: base units, and `_total` for what only grows.
//!
//! # Labels
//!
//! Each label has one value for each type in the program, or a value of a fixed list; no text from outside becomes a
//! label.
//!
//! - `kind`: `command`, `query`, `domain_event`, `notification_event` or `ecst_event`.
//! - `message`: the message's name; for an event, the one on the wire.
//! - `handler`: the handler's type with its path. An event is counted once for each of its handlers.
//! - `outcome` of a handled message: `ok`; `expected` for an error that the request
//!   [expects](crate::Request::is_expected); the variant of another error (see
//!   [`Call::error_kind`](crate::middleware::Call::error_kind)); `cancelled` or `panicked` if the message had no
//!   answer. A request that is refused before any middleware sees it, because the mediator shuts down or the request
//!   has no handler, is not counted.
//! - `what`: `unsent` for a message that was not published; `ambiguous` for a message of which nobody knows whether it
//!   was; `handler` for an `after_commit` handler that failed; `hook` for a hook that panicked, with an empty
//!   `message`. A sender that gets an `Undelivered` itself, because there is no hook, can count it in the same way.
//! - `endpoint`: the name of the endpoint.
//! - `stage` of a message in hand: `held`, and of these `running`, `resting` until another attempt, or `settling` until the
//!   engine has taken the verdict.
//! - `outcome` of an endpoint's message: `handled`, `dead`, `duplicate` of one that was handled, `ignored` without a handler
//!   here, or `unknown` to the program.
//! - `state` of a kept delivery: `waiting`; `parked`, which counts those of the waiting ones that stand behind a dead
//!   letter of their key; `dead`. Every process asks the store every 15 s.
//! - `handler` of an attempt: the handler's id. `outcome` of one: `ok`, or the variant of its error.
//! - `kind` of a dead letter: as `ops dead list --groups` shows it, such as `Handler`, `TimedOut` or `Unreadable`.
//! - `call`: the call that failed, such as `settle`, `extend`, `put` or `attempt log`.
//! - `outcome` of a published message: `ok`, `transient`, `ambiguous` or `fatal`. Every outcome but `ok` means that the
//!   message was not delivered, or that nobody knows, whether or not an
//!   [`on_undelivered`](crate::MediatorBuilder::on_undelivered) hook took it.

mod broker;
mod emitted;
mod endpoint;
mod middleware;
mod undelivered;

pub use self::broker::MetricsBroker;
pub use self::emitted::count_emitted;
pub(crate) use self::endpoint::EndpointMetrics;
pub use self::middleware::MetricsMiddleware;
pub use self::undelivered::count_undelivered;

const MESSAGES: &str = "diator_messages_total";
const MESSAGE_DURATION: &str = "diator_message_duration_seconds";
const EMITTED: &str = "diator_emitted_events_total";
const UNDELIVERED: &str = "diator_undelivered_total";
const PUBLISHED: &str = "diator_published_messages_total";
const PUBLISH_DURATION: &str = "diator_publish_duration_seconds";

const LAG: &str = "diator_endpoint_lag";
const OLDEST: &str = "diator_endpoint_oldest_seconds";
const STAGES: &str = "diator_endpoint_in_hand";
const PAUSED: &str = "diator_endpoint_paused";
const SETTLED: &str = "diator_endpoint_messages_total";
const ATTEMPTS: &str = "diator_endpoint_attempts_total";
const RETRIES: &str = "diator_endpoint_retries_total";
const DEAD_LETTERS: &str = "diator_endpoint_dead_letters_total";
const QUEUED: &str = "diator_endpoint_queue_duration_seconds";
const HANDLING: &str = "diator_endpoint_handling_duration_seconds";
const BUSY: &str = "diator_endpoint_busy_total";
const LOCK_LOST: &str = "diator_endpoint_locks_lost_total";
const REFUSED: &str = "diator_endpoint_refused_verdicts_total";
const KEPT: &str = "diator_endpoint_kept";
const STUCK: &str = "diator_endpoint_stuck_seconds";
const OVERDUE: &str = "diator_endpoint_overdue_seconds";
const FAILED_CALLS: &str = "diator_endpoint_failed_calls_total";

const OK: &str = "ok";
const EXPECTED: &str = "expected";
