use std::time::Duration;

use tokio::time::Instant;

/// When a call began, and when it has to be over.
#[derive(Clone, Copy)]
pub(super) struct Deadline {
    begun: Instant,
    end: Instant,
}

impl Deadline {
    /// A call that begins now; one whose end no clock can show is over at once.
    pub(super) fn new(length: Duration) -> Self {
        let begun = Instant::now();
        Self { begun, end: begun.checked_add(length).unwrap_or(begun) }
    }

    pub(super) fn begun(self) -> Instant {
        self.begun
    }

    pub(super) fn end(self) -> Instant {
        self.end
    }

    /// Whether nothing more may be sent.
    pub(super) fn is_over(self) -> bool {
        self.end <= Instant::now()
    }

    /// A call that begins now and leaves as much time again.
    pub(super) fn half(self) -> Self {
        let left = self.end.saturating_duration_since(Instant::now());
        Self::new(left.checked_div(2).unwrap_or_default())
    }

    pub(super) fn length(self) -> Duration {
        self.end.saturating_duration_since(self.begun)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_length_is_a_span() {
        let second = Duration::from_secs(1);
        assert_eq!(Deadline::new(second).length(), second);
        assert!(!Deadline::new(second).is_over() && Deadline::new(Duration::ZERO).is_over());
        for length in [Duration::from_secs(u64::MAX), Duration::MAX] {
            assert!(Deadline::new(length).is_over());
        }
    }
}
