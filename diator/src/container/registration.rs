//! What a container knows of its registrations, and what can be wrong with them.

use std::error::Error;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::DependencyKey;
use crate::BoxError;
use crate::location::Location;

/// How long a service lives, as far as its container knows.
///
/// # Guarantees
///
/// | lifetime | when a handler with such a field is built | the scope |
/// |---|---|---|
/// | all fields are `Singleton`, or `Missing` and optional | once, in `build()` | is not opened for it |
/// | some field is `Scoped`, `Transient` or `Unknown` | for each message that it handles | is opened |
/// | `Ambiguous`, or `Missing` and not optional | never: `build()` fails | |
///
/// Its serialised form is [`as_str`](Self::as_str).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Lifetime {
    /// One for the whole program: a handler that needs only such services is built once.
    Singleton,
    /// One for each scope, and so for each message.
    Scoped,
    /// A new one each time it is asked for.
    Transient,
    /// The container cannot tell: treated like [`Scoped`](Self::Scoped).
    Unknown,
    /// The container has several and no rule which of them is meant: a problem that `build()` reports.
    Ambiguous,
    /// The container has none: a problem that `build()` reports, unless the field is an `Option<Arc<T>>`, which is then `None`.
    Missing,
}

impl Lifetime {
    /// The word for it, such as `singleton` or `scoped`; it does not change.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Singleton => "singleton",
            Self::Scoped => "scoped",
            Self::Transient => "transient",
            Self::Unknown => "unknown",
            Self::Ambiguous => "ambiguous",
            Self::Missing => "missing",
        }
    }
}

/// Whether a service that is a unit of work ends with its message, as far as its container knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Enlisted {
    /// It commits or rolls back with its message.
    Yes,
    /// It is only dropped, and so never commits: a problem that `build()` reports.
    No {
        /// Where it was registered, if the container knows.
        registered: Option<Location>,
    },
    /// The container does not know, or has no such service: `build()` reports nothing. This is the answer of a
    /// container whose services enlist themselves when they are built, with an [`Enlistment`](super::Enlistment).
    CannotTell,
}

/// What is wrong with a registration, for those containers that know where it was made.
#[derive(Debug)]
pub(crate) struct Misregistered {
    pub(crate) location: Location,
    pub(crate) source: BoxError,
}

impl fmt::Display for Misregistered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.source, f)
    }
}

impl Error for Misregistered {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.source()
    }
}

/// The container has no such service.
///
/// A container that cannot answer [`Lifetime::Missing`] returns this error, so that an `Option<Arc<T>>` is `None`.
///
/// # Example
///
/// ```
/// use diator::container::{DependencyKey, NotRegistered};
///
/// struct Mailer;
/// let error = NotRegistered::new(DependencyKey::of::<Mailer>());
/// assert!(error.to_string().starts_with("the container has no `"));
/// ```
#[derive(Debug, thiserror::Error)]
#[error("the container has no `{}`", .key.name())]
pub struct NotRegistered {
    key: DependencyKey,
}

impl NotRegistered {
    /// Reports that there is no service under this key.
    #[must_use]
    pub fn new(key: DependencyKey) -> Self {
        Self { key }
    }

    /// Whether the error says so of this key, and not of something that the service needs.
    pub(crate) fn is(error: &BoxError, key: &DependencyKey) -> bool {
        error.downcast_ref::<Self>().is_some_and(|missing| missing.key == *key)
    }
}

/// A mistake in a container, which said that it had put a service in its place.
pub(crate) fn unanswered(key: &DependencyKey) -> BoxError {
    format!("the container put nothing in the place of `{}`", key.name()).into()
}
