use std::error::Error;
use std::fmt;

use super::Location;

/// All problems of a mediator's configuration, in one report; [`Mediator::check_scopes`](crate::Mediator::check_scopes)
/// returns it too.
///
/// # Guarantees
///
/// - There is at least one problem. Problems are sorted by place and text, so that two runs report the same; none is
///   listed twice.
/// - All checks run before `build()` fails. Handlers are built only after the checks: a handler that cannot be built is
///   reported once everything else is right.
/// - `Debug` prints the report too, because `main` shows `Debug` when it returns the error. Both list each problem with
///   its remedy; `source()` is `None`.
///
/// # Example
///
/// ```
/// use diator::Mediator;
/// use diator::registry::ProblemKind;
///
/// let error = Mediator::builder().build().unwrap_err();
/// assert_eq!(error.problems().len(), 1);
/// assert_eq!(error.problems()[0].kind(), ProblemKind::EmptyRegistry);
/// assert!(error.to_string().contains("`.handlers(handlers![…])`"), "it says what to do");
/// ```
pub struct BuildError {
    cannot: &'static str,
    problems: Vec<Problem>,
    crates: Vec<&'static str>,
}

/// A problem of the configuration, and its remedy.
///
/// `Display` is the place and the text, without the remedy. Branch on [`kind`](Self::kind), not on the text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    location: Option<Location>,
    text: String,
    remedy: String,
    kind: ProblemKind,
}

/// The kinds of problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ProblemKind {
    /// No handler at all was found.
    EmptyRegistry,
    /// A request has no handler.
    NoHandler,
    /// A request has several handlers.
    SeveralHandlers,
    /// One handler is registered for one message more than once.
    RegisteredTwice,
    /// Two handlers of an event have one id, or a handler has an empty one.
    HandlerId,
    /// A domain event that must be handled has no handler.
    UnhandledEvent,
    /// The container lacks a dependency of a handler, or has several.
    MissingDependency,
    /// The container's own registrations are wrong, or a singleton cannot be built; for
    /// [`check_scopes`](crate::Mediator::check_scopes), a service of a message cannot be built.
    Container,
    /// The registration of a unit of work never commits it.
    NeverCommits,
    /// The program has notification or ECST events, but no broker.
    NoBroker,
    /// There is an outbox, but neither a broker nor a relay elsewhere.
    OutboxWithoutBroker,
    /// The outbox writes within a unit of work that the container lacks, or never commits.
    OutboxNotEnlisted,
    /// There is an inbox, and no outbox whose rows commit with its rows.
    InboxWithoutOutbox,
    /// The inbox writes within a unit of work that the container lacks, or never commits.
    InboxNotEnlisted,
    /// A message can have another unit of work beside that of the outbox or the inbox.
    SeveralUnitsOfWork,
    /// The broker has no place for an event: no route takes it.
    NotAccepted,
    /// Two events have one name on the wire.
    AmbiguousName,
    /// A header has a name that no message can carry, or the name of another header.
    Header,
    /// A crate that `link!` names contributed no handler.
    NothingLinked,
    /// A call of the builder names something that the mediator does not have.
    NoEffect,
    /// An endpoint is configured in a way that cannot work.
    Endpoint,
    /// A handler of a notification or ECST event belongs to no endpoint or to several, or an endpoint has no handler.
    EndpointHandler,
    /// An endpoint needs something that its engine cannot do.
    Capability,
}

impl Problem {
    pub(crate) fn new(
        kind: ProblemKind,
        location: impl Into<Option<Location>>,
        text: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { kind, location: location.into(), text: text.into(), remedy: remedy.into() }
    }

    /// The kind of the problem.
    #[must_use]
    pub fn kind(&self) -> ProblemKind {
        self.kind
    }

    /// The place of the problem, if it has one.
    #[must_use]
    pub fn location(&self) -> Option<Location> {
        self.location
    }

    /// What is wrong.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &str {
        &self.remedy
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(location) = self.location {
            write!(f, "{location}: ")?;
        }
        f.write_str(&self.text)
    }
}

impl BuildError {
    pub(crate) fn new(mut problems: Vec<Problem>, mut crates: Vec<&'static str>) -> Self {
        problems.sort();
        problems.dedup();
        crates.sort_unstable();
        crates.dedup();
        Self { cannot: "the mediator cannot be built", problems, crates }
    }

    /// What is wrong with the services of single messages.
    pub(crate) fn of_scopes(problems: Vec<Problem>, crates: Vec<&'static str>) -> Self {
        Self { cannot: "handlers cannot be built for their messages", ..Self::new(problems, crates) }
    }

    /// The problems, sorted by place and text.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The crates that handlers were found in.
    #[must_use]
    pub fn crates(&self) -> &[&'static str] {
        &self.crates
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problems = if self.problems.len() == 1 { "problem" } else { "problems" };
        writeln!(f, "{}: {} {problems}", self.cannot, self.problems.len())?;
        for (number, problem) in (1..).zip(&self.problems) {
            writeln!(f, "\n{number}. {problem}")?;
            for line in problem.remedy.lines() {
                writeln!(f, "   {line}")?;
            }
        }
        match &*self.crates {
            [] => write!(f, "\nhandlers were found in no crate"),
            crates => write!(f, "\nhandlers were found in: {}", crates.join(", ")),
        }
    }
}

impl fmt::Debug for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for BuildError {}
