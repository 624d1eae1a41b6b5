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
/// - `events`: how many events the events of one message may cause, over all chains and beyond its commit; 10,000 by
///   default. Events that a message or its nested requests emit do not count: an import may emit as many as it likes.
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

    /// Limits how deep messages may cause each other.
    pub const fn depth(mut self, levels: u32) -> Self {
        self.depth = levels;
        self
    }

    /// Limits how many events the events of one message may cause.
    pub const fn events(mut self, events: u32) -> Self {
        self.events = events;
        self
    }
}

/// A limit that messages exceeded, with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CascadeLimit {
    /// The number of levels of messages that may cause each other.
    Depth(u32),
    /// The number of events that the events of one message may cause, those after its commit included.
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
