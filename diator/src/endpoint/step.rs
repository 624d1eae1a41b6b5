use std::fmt;
use std::time::Duration;

/// What becomes of a handler that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Its work is committed.
    Done,
    /// It is tried again soon, in hand.
    Again { after: Duration, counted: bool },
    /// It is tried again after a while.
    Later(Duration),
    /// The endpoint begins nothing for a while.
    Pause(Duration),
    /// It has failed for good.
    Dead,
    /// This process no longer handles messages.
    Release,
}

impl Step {
    /// How many failures it adds to those that are counted.
    pub(super) fn counts(self) -> u32 {
        u32::from(matches!(self, Self::Again { counted: true, .. } | Self::Later(_) | Self::Dead))
    }
}

/// For the table of a test host; retries at once have a pause that is left to chance.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Again { counted: true, .. } => f.write_str("again"),
            Self::Again { after, counted: false } => write!(f, "again in {after:?}, uncounted"),
            Self::Later(after) => write!(f, "later in {after:?}"),
            Self::Pause(time) => write!(f, "paused for {time:?}"),
            Self::Dead => f.write_str("dead letter"),
            Self::Release => f.write_str("given back"),
        }
    }
}
