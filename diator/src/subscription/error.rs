use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::BoxError;
use crate::shown::{self, ForeignError};

/// Why a driver could not receive, settle or observe.
///
/// Branch on [`kind`](Self::kind), not on the text.
///
/// # Guarantees
///
/// - `Display` and `Debug` are one line each; the text is cut at 1,000 characters, and control characters in it are escaped.
/// - `source()` is a [`ForeignError`]; [`source_as`](Self::source_as) gives the error in it by its type.
/// - A driver must keep secrets out of both: health and logs show them.
///
/// # Example
///
/// ```
/// use diator::subscription::{ConsumeError, ConsumeErrorKind};
///
/// let error = ConsumeError::fatal("redis refuses the password");
/// assert_eq!(error.kind(), ConsumeErrorKind::Fatal);
/// ```
#[derive(thiserror::Error)]
pub struct ConsumeError {
    kind: ConsumeErrorKind,
    message: Cow<'static, str>,
    source: Option<ForeignError>,
}

/// What the endpoint can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConsumeErrorKind {
    /// A retry can help: the engine is unreachable or busy.
    Transient {
        /// How long the engine asks to wait; `None` means that it named no time.
        retry_after: Option<Duration>,
    },
    /// The opening is over: its connection ended, or was given up.
    Closed,
    /// No retry helps until somebody changes the engine or the configuration: no permission, no such topic.
    Fatal,
}

impl ConsumeErrorKind {
    /// The name for logs and metrics: `transient`, `closed` or `fatal`; it does not change.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transient { .. } => "transient",
            Self::Closed => "closed",
            Self::Fatal => "fatal",
        }
    }
}

impl ConsumeError {
    /// Makes an error that a retry can mend; the text must be lower case and name the engine.
    #[must_use]
    pub fn transient(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ConsumeErrorKind::Transient { retry_after: None }, message)
    }

    /// Makes an error of a kind known only at run time; the text must be lower case and name the engine.
    #[must_use]
    pub fn new(kind: ConsumeErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// Makes an error that ends the opening.
    #[must_use]
    pub fn closed(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ConsumeErrorKind::Closed, message)
    }

    /// Makes an error that stays until somebody mends its cause.
    #[must_use]
    pub fn fatal(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ConsumeErrorKind::Fatal, message)
    }

    /// Adds the error of the layer below, which becomes [`source()`](Error::source).
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(ForeignError::new(source));
        self
    }

    /// The error of the layer below, if it is of this type.
    #[must_use]
    pub fn source_as<E: Error + 'static>(&self) -> Option<&E> {
        self.source.as_ref()?.get_ref().downcast_ref()
    }

    /// What the endpoint can do about it.
    #[must_use]
    pub fn kind(&self) -> ConsumeErrorKind {
        self.kind
    }
}

impl fmt::Display for ConsumeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown::text(&*self.message))
    }
}

impl fmt::Debug for ConsumeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsumeError")
            .field("kind", &self.kind)
            .field("message", &format_args!("{}", shown::text(&*self.message)))
            .field("source", &self.source)
            .finish()
    }
}
