use std::fmt;

/// How far messages may cause each other.
///
/// The limits end a cascade that would never end by itself. A message that exceeds one is rolled back with
/// [`SendError::Cascade`](crate::SendError::Cascade); an `after_commit` handler that exceeds one fails.
///
/// # Units
///
/// - `depth`: how many levels of messages may lie below a request that comes from outside; 64 by default. Nested requests count,
///   and events that events cause. An event that comes from outside is on the first level itself. Zero allows no event and no
///   nested request.
/// - `events`: how many events the events of one message may cause, over all chains and beyond its commit; 10,000 by default. What
///   a message emits itself does not count, nested requests included: an import may emit as much as it likes.
///
/// # Example
///
/// ```
/// use diator::CascadeLimits;
///
/// let limits = CascadeLimits::new().depth(200).events(100_000);
/// assert_eq!(CascadeLimits::default(), CascadeLimits::new());
/// # let _ = limits;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "give them to the mediator's builder: `.cascade_limits(…)`"]
pub struct CascadeLimits {
    pub(crate) depth: u32,
    pub(crate) events: u32,
}

impl Default for CascadeLimits {
    fn default() -> Self {
        Self::new()
    }
}

impl CascadeLimits {
    /// 64 levels, and 10,000 events that events cause.
    pub const fn new() -> Self {
        Self { depth: 64, events: 10_000 }
    }

    /// Bounds how deep messages may cause each other.
    pub const fn depth(mut self, levels: u32) -> Self {
        self.depth = levels;
        self
    }

    /// Bounds how many events the events of one message may cause.
    pub const fn events(mut self, events: u32) -> Self {
        self.events = events;
        self
    }
}

/// The limit that a cascade of messages ran into, and how high it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CascadeLimit {
    /// A message caused a message that caused a message, and so on: so many levels are allowed.
    Depth(u32),
    /// The events of one message caused events: so many are allowed, those after its commit included.
    Events(u32),
}

impl fmt::Display for CascadeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Depth(levels) => write!(
                f,
                "the limit of {levels} messages that cause each other; break the cycle, or raise it with \
                 `.cascade_limits(CascadeLimits::new().depth(…))`"
            ),
            Self::Events(events) => write!(
                f,
                "the limit of {events} events that the events of one message cause; break the cycle, or raise it with \
                 `.cascade_limits(CascadeLimits::new().events(…))`"
            ),
        }
    }
}
