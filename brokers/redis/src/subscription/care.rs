use std::time::Duration;

use diator::subscription::ConsumeError;
use tokio::time::Instant;

use super::groups;
use super::line::Line;
use super::opening::Shared;
use super::reader::LONGEST_WAIT;
use super::time::{after, sixths};

/// While nothing comes, care is taken less and less often; this is the longest pause, in usual ones.
const LONGEST: u32 = 6;

/// When to tell of entries that were dropped unread, and to drop those that nobody needs any more.
pub(super) struct Care {
    usual: Duration,
    pause: Duration,
    next: Instant,
}

impl Care {
    pub(super) fn new(shared: &Shared) -> Self {
        let usual = usual(shared);
        Self { usual, pause: usual, next: Instant::now() }
    }

    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// Something came: there can be something to do again.
    pub(super) fn stirs(&mut self) {
        self.pause = self.usual;
        self.next = self.next.min(after(Instant::now(), self.usual));
    }

    /// Takes care, if it is time.
    pub(super) async fn take(&mut self, shared: &Shared, line: &mut Line<'_>) -> Result<(), ConsumeError> {
        let now = Instant::now();
        if self.next > now {
            return Ok(());
        }
        groups::tell_missed(shared, line).await?;
        groups::trim(shared, line).await?;
        self.next = after(now, self.pause);
        self.pause = self.pause.saturating_mul(2).min(self.usual.saturating_mul(LONGEST));
        Ok(())
    }
}

/// How often a reader looks after what does not come by itself.
pub(super) fn usual(shared: &Shared) -> Duration {
    LONGEST_WAIT.min(sixths(2, shared.lock()))
}
