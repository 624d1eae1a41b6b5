use std::any::{Any, TypeId, type_name};
use std::error::Error;
use std::fmt::{self, Debug, Display};

use crate::location::Location;
use crate::{BoxError, SendError};

/// A message that exactly one handler answers: a [`Command`] or a [`Query`].
///
/// Derive [`Command`](macro@crate::Command) or [`Query`](macro@crate::Query) instead of writing it by hand.
///
/// # Guarantees
///
/// - The sender gets one answer. The handler owns the request, and nothing clones it unless it is idempotent and middleware keeps
///   a copy.
/// - The type identifies a request. Two requests may have the same [`NAME`](Self::NAME), which is for people and logs.
///
/// # Example
///
/// ```
/// use diator::prelude::*;
///
/// #[derive(Debug, Query)]
/// #[request(response = u32)]
/// struct CountMeetings;
///
/// assert_eq!(CountMeetings::NAME, "CountMeetings");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a request: an event is emitted with `emit`, and handled with `#[event_handler({Self})]`",
    label = "neither a command nor a query",
    note = "if `{Self}` is to be a request, put `#[derive(Command)]` or `#[derive(Query)]` on it"
)]
pub trait Request: Sized + Send + 'static {
    /// The type of the handler's answer.
    type Response: Send + 'static;
    /// The type of the handler's error. It need not implement `std::error::Error`, so that it can be a
    /// [`BoxError`](crate::BoxError).
    type Error: Debug + Display + Send + Sync + 'static;
    /// [`Changes`] or [`Reads`]: whether it is a [`Command`] or a [`Query`].
    type Kind: KindOfRequest;

    /// Whether the request changes something, as its kind says.
    const KIND: RequestKind = <Self::Kind as KindOfRequest>::KIND;
    /// The type's name without its path.
    const NAME: &'static str;
    /// Whether handling the request twice has the same effect as handling it once: `#[request(idempotent)]`.
    ///
    /// **The program that sets it makes a promise**: a [`RetryMiddleware`](crate::middleware::RetryMiddleware) then
    /// also retries a request that may be committed already.
    const IDEMPOTENT: bool = false;
    /// The marks that middleware reads: `#[request(mark = …)]`.
    const MARKS: &'static [Mark] = &[];

    /// Whether an error of the handler is an answer, such as "sold out", and not a failure: `#[request(expected =
    /// |error| …)]`.
    ///
    /// [`TracingMiddleware`](crate::middleware::TracingMiddleware) and
    /// [`MetricsMiddleware`](crate::metrics::MetricsMiddleware) then report no failure; the unit of work is rolled back
    /// all the same. By default, a [`BoxError`](crate::BoxError) is a failure, and every error of another type is an
    /// answer.
    #[must_use]
    fn is_expected(error: &Self::Error) -> bool {
        !(error as &dyn Any).is::<BoxError>()
    }

    /// A copy for another attempt, if the request is idempotent.
    ///
    /// The mediator never calls it for a request that is not [`IDEMPOTENT`](Self::IDEMPOTENT). For an idempotent
    /// request, the derives clone it; `None` means that the request has a single attempt.
    #[must_use]
    fn retry_copy(&self) -> Option<Self> {
        None
    }
}

/// A constant that a message carries for middleware.
///
/// A program writes it as `#[request(mark = Audited)]` or `#[event(mark = RateLimit(5))]`, and middleware reads it with
/// [`MessageInfo::mark`](crate::middleware::MessageInfo::mark).
///
/// # Guarantees
///
/// A message carries any number of marks, in the order in which they were given, also of one type. They are constants: all
/// messages of one type carry the same.
///
/// # Example
///
/// ```
/// use diator::prelude::*;
///
/// #[derive(Debug)]
/// struct Audited;
///
/// #[derive(Debug, Command)]
/// #[request(mark = Audited)]
/// struct CloseAccount;
///
/// let [mark] = CloseAccount::MARKS else { panic!("there is one") };
/// assert!(mark.value.is::<Audited>());
/// assert_eq!(mark.text, "Audited");
/// ```
#[derive(Clone, Copy)]
pub struct Mark {
    /// Any value of a type of the program's own.
    pub value: &'static (dyn Any + Send + Sync),
    /// The text that the [wiring](crate::wiring) shows: the mark as it was written, such as `RateLimit(5)`.
    pub text: &'static str,
}

impl Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

/// A request that changes something; its handler may emit events and send other requests.
///
/// A program may send it from outside, from the handler of another command, or from the handler of an event; in a
/// query's handler, sending it does not compile.
///
/// # Source
///
/// B. Meyer, "Object-Oriented Software Construction", separates commands and queries. In contrast to the book, a
/// command may answer here, for example with the id of what it made.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is a query, and a query may neither emit events nor send commands: derive `Command` in place of `Query`",
    label = "a query only reads",
    note = "or move what changes something into a command's handler"
)]
// Not for all that change something at once: of a query that emits, the compiler would underline the context, not `emit`.
pub trait Command: Request<Kind = Changes> + Derived<<Self as Request>::Kind> {}

/// What a derive has made of a type.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is a query, and so no command: derive `Command` in place of `Query`",
    label = "a query"
)]
pub trait Derived<K> {}

impl<R> Derived<Changes> for R {}

/// A request that only reads; its handler may send other queries.
///
/// The compiler stops the handler from emitting events and from sending commands. It cannot see what the handler writes
/// through a service: the scope of a query commits like any other.
pub trait Query: Request<Kind = Reads> {}

#[diagnostic::do_not_recommend]
impl<R: Request<Kind = Reads>> Query for R {}

/// Decides which requests' handlers may send a request: every handler may send a query; only a command's handler may
/// send a command.
///
/// Every request implements it.
///
/// The bound is checked by the compiler alone and costs nothing while a message runs.
#[diagnostic::on_unimplemented(
    message = "the handler of `{R}` may not send every `{Self}`: ask for `{Self}: diator::SentFrom<{R}>`",
    label = "perhaps a command, which no query sends"
)]
pub trait SentFrom<R>: Request + SentAs<<Self as Request>::Kind, R> {}

impl<R, Q: Request + SentAs<Q::Kind, R>> SentFrom<R> for Q {}

/// The kind of a [`Command`].
#[derive(Debug)]
pub enum Changes {}

/// The kind of a [`Query`].
#[derive(Debug)]
pub enum Reads {}

/// What a request's [kind](Request::Kind) can be: [`Changes`] or [`Reads`].
pub trait KindOfRequest: sealed::Sealed + 'static {
    /// The same, as a value.
    const KIND: RequestKind;
}

impl KindOfRequest for Changes {
    const KIND: RequestKind = RequestKind::Command;
}

impl KindOfRequest for Reads {
    const KIND: RequestKind = RequestKind::Query;
}

/// What is of the kind `K`, and which the handlers of `R` may send.
#[doc(hidden)]
pub trait SentAs<K, R> {}

impl<Q, R: Command> SentAs<Changes, R> for Q {}
impl<Q, R: Request> SentAs<Reads, R> for Q {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Changes {}
    impl Sealed for super::Reads {}
}

/// Whether a request changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RequestKind {
    /// The request changes something.
    Command,
    /// The request only reads.
    Query,
}

impl RequestKind {
    /// The name of the kind: `command` or `query`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Query => "query",
        }
    }
}

/// What an idempotent request must be able to do.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is idempotent, so it needs `#[derive(Clone)]`",
    label = "another attempt needs a copy of it"
)]
pub trait Copied: Sized {
    fn copied(&self) -> Self;
}

// So that the error speaks of the request, and not of `Clone` alone.
#[diagnostic::do_not_recommend]
impl<R: Clone> Copied for R {
    fn copied(&self) -> Self {
        self.clone()
    }
}

/// A copy of an idempotent request, for another attempt.
pub fn copied<R: Copied>(request: &R) -> R {
    request.copied()
}

/// Whether what a sender gets is an error of the handler that its request expects.
pub(crate) type Expects = fn(&(dyn Error + 'static)) -> bool;

fn expects<R: Request>(error: &(dyn Error + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(SendError::<R::Error>::Handler(error)) if R::is_expected(error))
}

/// A request that the registry knows, whether or not anyone handles it.
#[derive(Clone, Copy, Debug)]
pub struct RequestDescriptor {
    pub(crate) id: fn() -> TypeId,
    pub(crate) name: fn() -> &'static str,
    pub(crate) message: &'static str,
    pub(crate) kind: RequestKind,
    pub(crate) idempotent: bool,
    pub(crate) marks: &'static [Mark],
    pub(crate) response: fn() -> &'static str,
    pub(crate) error: fn() -> &'static str,
    pub(crate) expects: Expects,
    pub(crate) location: Location,
}

impl RequestDescriptor {
    /// Describes `R`, declared at `location`.
    #[must_use]
    pub const fn of<R: Request>(location: Location) -> Self {
        Self {
            id: TypeId::of::<R>,
            name: type_name::<R>,
            message: R::NAME,
            kind: <R::Kind as KindOfRequest>::KIND,
            idempotent: R::IDEMPOTENT,
            marks: R::MARKS,
            response: type_name::<R::Response>,
            error: type_name::<R::Error>,
            expects: expects::<R>,
            location,
        }
    }
}

inventory::collect!(RequestDescriptor);
