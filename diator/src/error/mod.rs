mod commit_error;
mod failure;
mod resolve;
mod timed_out;

use std::any::Any;
use std::convert::Infallible;
use std::error::Error;
use std::fmt::{self, Debug, Display};

use crate::undelivered::Undelivered;
use crate::{BoxError, CascadeLimit};

pub use self::commit_error::{CommitError, CommitOutcome};
pub(crate) use self::failure::{Failure, answer, widen};
pub(crate) use self::resolve::MissingDependency;
pub use self::resolve::ResolveError;
pub use self::timed_out::TimedOut;
pub(crate) use self::timed_out::timed_out;

/// Why a message failed; `E` is the request's own error.
///
/// # Guarantees
///
/// For every variant but [`Undelivered`](Self::Undelivered), [`RejectedAfterCommit`](Self::RejectedAfterCommit) and
/// [`Commit`](Self::Commit) with an unknown outcome, nothing that the message did in its scope was kept, and none of its
/// events left the process.
///
/// A middleware that drops `next` during the commit does not stop the commit. If the middleware then answers with
/// anything but a success, the sender gets a [`Commit`](Self::Commit) with an unknown outcome. The sender gets it also
/// for a message that fails after an earlier attempt that may be committed.
/// [`Next::run_until`](crate::middleware::Next::run_until) waits for the commit, and so does
/// [`TimeoutMiddleware`](crate::middleware::TimeoutMiddleware), which uses it.
///
/// # Errors
///
/// A retry handles the request again. The mediator never retries by itself. A
/// [`RetryMiddleware`](crate::middleware::RetryMiddleware) retries an idempotent request from outside where the column
/// says "by itself"; where it says "perhaps", the program must give it a rule.
///
/// | variant | can a retry help? | `source()` |
/// |---|---|---|
/// | [`Handler`](Self::Handler) | perhaps | that of the handler's error, if it is a [`BoxError`] |
/// | [`Event`](Self::Event) | perhaps; by itself if the handler timed out | the error of the event's handler |
/// | [`Resolve`](Self::Resolve) | perhaps | the [`ResolveError`] |
/// | [`Scope`](Self::Scope), [`Commit`](Self::Commit) | yes, by itself | the container's error |
/// | [`Stage`](Self::Stage) | perhaps | the outbox's error |
/// | [`Enter`](Self::Enter) | yes | the inbox's error |
/// | [`RolledBack`](Self::RolledBack) | perhaps | none |
/// | [`Rejected`](Self::Rejected) | by itself if the message timed out | the middleware's reason |
/// | [`Encode`](Self::Encode) | no: the same event fails again | the serializer's error |
/// | [`Cascade`](Self::Cascade), [`NoBroker`](Self::NoBroker), [`NoOutbox`](Self::NoOutbox), [`Unhandled`](Self::Unhandled), [`WrongAnswer`](Self::WrongAnswer) | no: the program has to change | none |
/// | [`ShuttingDown`](Self::ShuttingDown) | not in this process | none |
/// | [`Undelivered`](Self::Undelivered) | no: the message is committed, and must not be sent again | none: its text has all causes |
/// | [`RejectedAfterCommit`](Self::RejectedAfterCommit) | no: the message is committed, and must not be sent again | the middleware's reason |
///
/// # Source
///
/// [`Handler`](Self::Handler) displays the handler's error itself, so that error is not its source. Behind a boxed
/// error, find it with `error.downcast_ref::<SendError<JoinError>>()`. If your function returns an error type of its
/// own, give that type a variant `#[from] SendError<JoinError>`, or match.
///
/// # Example
///
/// ```
/// use diator::{Committed, SendError};
///
/// fn status<E>(error: &SendError<E>) -> u16 {
///     match error {
///         SendError::Handler(_) => 422,
///         SendError::ShuttingDown => 503,
///         error if error.committed() == Committed::Yes => 200,
///         _ => 500,
///     }
/// }
/// # assert_eq!(status::<std::fmt::Error>(&SendError::ShuttingDown), 503);
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum SendError<E> {
    /// The request's handler failed, with its own error.
    Handler(E),
    /// A handler of a domain event failed.
    Event {
        /// The event's name.
        event: &'static str,
        /// The handler's type.
        handler: &'static str,
        /// The handler's error.
        source: BoxError,
    },
    /// Messages caused each other beyond a limit.
    Cascade {
        /// The event or request that exceeded the limit.
        message: &'static str,
        /// The limit.
        limit: CascadeLimit,
    },
    /// A dependency of a handler could not be resolved.
    Resolve {
        /// The handler's type.
        handler: &'static str,
        /// The dependencies that are missing, each with the reason.
        source: ResolveError,
    },
    /// The container could not open a scope, or set or release a savepoint for a nested request. A retry can help.
    Scope(BoxError),
    /// A notification or ECST event could not be written as a message.
    Encode {
        /// The event's name.
        event: &'static str,
        /// The serializer's error.
        source: BoxError,
    },
    /// A notification or ECST event was emitted, and the mediator has no broker for it.
    NoBroker {
        /// The event's name.
        event: &'static str,
    },
    /// A handler emitted a notification or ECST event with a delay, and the mediator has no outbox to keep it.
    NoOutbox {
        /// The event's name.
        event: &'static str,
    },
    /// The outbox could not write the events.
    Stage(BoxError),
    /// The inbox could not say whether the message was handled before; the handler did not run.
    Enter(BoxError),
    /// A nested message failed, its sender ignored the failure, and its work could not be undone alone: the whole unit
    /// of work was rolled back.
    RolledBack,
    /// The unit of work could not commit; nothing was published.
    Commit {
        /// Whether the database has confirmed that nothing was written.
        outcome: CommitOutcome,
        /// The scope's error.
        source: BoxError,
    },
    /// The message is committed, but something that follows the commit failed.
    Undelivered(Box<Undelivered>),
    /// The request has no handler in this process: the program left it out, or declared that another process handles
    /// it.
    Unhandled {
        /// The request's type.
        request: &'static str,
    },
    /// A middleware refused the message.
    Rejected {
        /// The middleware's type.
        middleware: &'static str,
        /// The middleware's reason.
        source: BoxError,
    },
    /// A middleware refused a message that had succeeded already, or answered it with another type: the message is
    /// committed.
    // A variant of its own and not a flag: that would be the only part of the error that is no whole word, and slow it down.
    RejectedAfterCommit {
        /// The middleware's type.
        middleware: &'static str,
        /// The middleware's reason.
        source: BoxError,
    },
    /// A middleware answered with a value of another type than the request's response.
    WrongAnswer {
        /// The middleware's type.
        middleware: &'static str,
        /// The type of the request's response.
        expected: &'static str,
        /// The type of the answer.
        given: &'static str,
    },
    /// The mediator is shutting down, and takes no more messages.
    ShuttingDown,
}

impl<E> SendError<E> {
    /// The variant, without its contents; a time-out has a kind of its own.
    #[must_use]
    pub fn kind(&self) -> SendErrorKind {
        match self {
            Self::Handler(_) => SendErrorKind::Handler,
            Self::Event { .. } => SendErrorKind::Event,
            Self::Cascade { .. } => SendErrorKind::Cascade,
            Self::Resolve { .. } => SendErrorKind::Resolve,
            Self::Scope(_) => SendErrorKind::Scope,
            Self::Encode { .. } => SendErrorKind::Encode,
            Self::NoBroker { .. } => SendErrorKind::NoBroker,
            Self::NoOutbox { .. } => SendErrorKind::NoOutbox,
            Self::Stage(_) => SendErrorKind::Stage,
            Self::Enter(_) => SendErrorKind::Enter,
            Self::RolledBack => SendErrorKind::RolledBack,
            Self::Commit { .. } => SendErrorKind::Commit,
            Self::Undelivered(_) => SendErrorKind::Undelivered,
            Self::Unhandled { .. } => SendErrorKind::Unhandled,
            Self::Rejected { source, .. } if source.is::<TimedOut>() => SendErrorKind::TimedOut,
            Self::Rejected { .. } => SendErrorKind::Rejected,
            Self::RejectedAfterCommit { .. } => SendErrorKind::RejectedAfterCommit,
            Self::WrongAnswer { .. } => SendErrorKind::WrongAnswer,
            Self::ShuttingDown => SendErrorKind::ShuttingDown,
        }
    }

    /// Whether the unit of work is committed in spite of the error.
    ///
    /// A committed message must not be sent again; its undelivered messages can be published again. If the answer is
    /// [`Committed::Unknown`], ask the database before you send the message again, unless the request is idempotent.
    #[must_use]
    pub fn committed(&self) -> Committed {
        match self {
            Self::Undelivered(_) | Self::RejectedAfterCommit { .. } => Committed::Yes,
            Self::Commit { outcome: CommitOutcome::Unknown, .. } => Committed::Unknown,
            _ => Committed::No,
        }
    }

    /// The handler's response, if the message is committed and `T` is the response's type.
    ///
    /// For an emitted event the response is `()`. A message that middleware refused after its commit has none.
    ///
    /// # Errors
    ///
    /// The error itself, in every other case.
    pub fn into_committed_response<T: Any + Send>(self) -> Result<T, Self> {
        match self {
            Self::Undelivered(undelivered) => {
                undelivered.into_response().map_err(|undelivered| Self::Undelivered(undelivered))
            }
            other => Err(other),
        }
    }

    /// Converts the handler's own error, and leaves every other error as it is.
    pub fn map_handler<F>(self, map: impl FnOnce(E) -> F) -> SendError<F> {
        let Ok(mapped) = self.try_map_handler(|error| Ok::<F, Infallible>(map(error)));
        mapped
    }

    /// The same error, unless the handler's own error is to be had alone.
    pub(crate) fn try_map_handler<F, R>(self, map: impl FnOnce(E) -> Result<F, R>) -> Result<SendError<F>, R> {
        Ok(match self {
            Self::Handler(error) => SendError::Handler(map(error)?),
            Self::Event { event, handler, source } => SendError::Event { event, handler, source },
            Self::Cascade { message, limit } => SendError::Cascade { message, limit },
            Self::Resolve { handler, source } => SendError::Resolve { handler, source },
            Self::Scope(source) => SendError::Scope(source),
            Self::Encode { event, source } => SendError::Encode { event, source },
            Self::NoBroker { event } => SendError::NoBroker { event },
            Self::NoOutbox { event } => SendError::NoOutbox { event },
            Self::Stage(source) => SendError::Stage(source),
            Self::Enter(source) => SendError::Enter(source),
            Self::RolledBack => SendError::RolledBack,
            Self::Commit { outcome, source } => SendError::Commit { outcome, source },
            Self::Undelivered(undelivered) => SendError::Undelivered(undelivered),
            Self::Unhandled { request } => SendError::Unhandled { request },
            Self::Rejected { middleware, source } => SendError::Rejected { middleware, source },
            Self::RejectedAfterCommit { middleware, source } => SendError::RejectedAfterCommit { middleware, source },
            Self::WrongAnswer { middleware, expected, given } => SendError::WrongAnswer { middleware, expected, given },
            Self::ShuttingDown => SendError::ShuttingDown,
        })
    }
}

impl<E: Debug + Display + 'static> SendError<E> {
    /// The time-out that caused the error, if there is one: of the message, or of a handler of an event that it
    /// emitted.
    ///
    /// # Example
    ///
    /// ```
    /// use diator::SendError;
    ///
    /// fn status(error: &SendError<std::fmt::Error>) -> u16 {
    ///     if error.timed_out().is_some() { 504 } else { 500 }
    /// }
    /// # assert_eq!(status(&SendError::RolledBack), 500);
    /// ```
    #[must_use]
    pub fn timed_out(&self) -> Option<&TimedOut> {
        timed_out(self)
    }
}

/// Whether a message that failed is committed; [`SendError::committed`] returns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Committed {
    /// Nothing that the message did in its scope was kept, and none of its events left the process.
    No,
    /// The message is committed; something that follows the commit failed.
    Yes,
    /// Nobody knows: the database did not answer, or the wait for its answer was given up.
    Unknown,
}

/// The variant of a [`SendError`], whatever the request's own error.
///
/// Middleware reads it as [`Call::error_kind`](crate::middleware::Call::error_kind), because middleware does not know
/// the request's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SendErrorKind {
    /// [`SendError::Handler`].
    Handler,
    /// [`SendError::Event`].
    Event,
    /// [`SendError::Cascade`].
    Cascade,
    /// [`SendError::Resolve`].
    Resolve,
    /// [`SendError::Scope`].
    Scope,
    /// [`SendError::Encode`].
    Encode,
    /// [`SendError::NoBroker`].
    NoBroker,
    /// [`SendError::NoOutbox`].
    NoOutbox,
    /// [`SendError::Stage`].
    Stage,
    /// [`SendError::Enter`].
    Enter,
    /// [`SendError::RolledBack`].
    RolledBack,
    /// [`SendError::Commit`].
    Commit,
    /// [`SendError::Undelivered`].
    Undelivered,
    /// [`SendError::Unhandled`].
    Unhandled,
    /// [`SendError::Rejected`], for another reason than a time-out.
    Rejected,
    /// [`SendError::RejectedAfterCommit`].
    RejectedAfterCommit,
    /// [`SendError::Rejected`], because the message [`TimedOut`].
    TimedOut,
    /// [`SendError::WrongAnswer`].
    WrongAnswer,
    /// [`SendError::ShuttingDown`].
    ShuttingDown,
}

impl SendErrorKind {
    /// The name for logs and metrics, such as `handler` or `rolled_back`; it does not change.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Handler => "handler",
            Self::Event => "event",
            Self::Cascade => "cascade",
            Self::Resolve => "resolve",
            Self::Scope => "scope",
            Self::Encode => "encode",
            Self::NoBroker => "no_broker",
            Self::NoOutbox => "no_outbox",
            Self::Stage => "stage",
            Self::Enter => "enter",
            Self::RolledBack => "rolled_back",
            Self::Commit => "commit",
            Self::Undelivered => "undelivered",
            Self::Unhandled => "unhandled",
            Self::Rejected => "rejected",
            Self::RejectedAfterCommit => "rejected_after_commit",
            Self::TimedOut => "timed_out",
            Self::WrongAnswer => "wrong_answer",
            Self::ShuttingDown => "shutting_down",
        }
    }
}

impl<E: Display> Display for SendError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handler(error) => Display::fmt(error, f),
            Self::Event { event, handler, .. } => write!(f, "`{handler}` could not handle the event `{event}`"),
            Self::Cascade { message, limit } => write!(f, "`{message}` exceeds {limit}"),
            Self::Resolve { handler, .. } => write!(f, "`{handler}` could not be built"),
            Self::Scope(_) => f.write_str("the container could not open a scope or keep a savepoint"),
            Self::Encode { event, .. } => write!(f, "the event `{event}` could not be written as a message"),
            Self::NoBroker { event } => write!(f, "the event `{event}` was emitted, but the mediator has no broker"),
            Self::NoOutbox { event } => {
                write!(f, "the event `{event}` was emitted for later, but the mediator has no outbox")
            }
            Self::Stage(_) => f.write_str("the outbox could not write the events"),
            Self::Enter(_) => f.write_str("the inbox could not say whether the message was handled before"),
            Self::RolledBack => f.write_str("a nested message failed, so the unit of work was rolled back"),
            Self::Commit { outcome: CommitOutcome::RolledBack, .. } => {
                f.write_str("the unit of work could not commit and was rolled back")
            }
            Self::Commit { .. } => f.write_str("nobody knows whether the unit of work was committed"),
            Self::Undelivered(undelivered) => Display::fmt(undelivered, f),
            Self::Unhandled { request } => write!(f, "the request `{request}` has no handler in this process"),
            Self::RejectedAfterCommit { middleware, .. } => {
                write!(f, "`{middleware}` refused the message after it had been committed")
            }
            Self::Rejected { middleware, source } if source.is::<TimedOut>() => {
                write!(f, "`{middleware}` cancelled the message")
            }
            Self::Rejected { middleware, .. } => write!(f, "`{middleware}` refused the message"),
            Self::WrongAnswer { middleware, expected, given } => {
                write!(f, "`{middleware}` answered with `{given}`, and the response is `{expected}`")
            }
            Self::ShuttingDown => f.write_str("the mediator is shutting down"),
        }
    }
}

// Bound by what an error shows: a bound on `Error` would shut out `BoxError`. The handler's error shows itself as this
// one, so its own source comes next in the chain; only a `BoxError` can be asked for it here.
impl<E: Debug + Display + 'static> Error for SendError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Handler(error) => (error as &dyn Any).downcast_ref::<BoxError>().and_then(|error| error.source()),
            Self::Resolve { source, .. } => Some(source),
            Self::Event { source, .. }
            | Self::Scope(source)
            | Self::Encode { source, .. }
            | Self::Stage(source)
            | Self::Enter(source)
            | Self::Commit { source, .. }
            | Self::Rejected { source, .. }
            | Self::RejectedAfterCommit { source, .. } => Some(&**source),
            // It tells of all that failed by itself.
            _ => None,
        }
    }
}
