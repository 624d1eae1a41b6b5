use std::time::Duration;

/// How many deliveries to take, on top of those that there are.
///
/// Taken and not begun is at most what the workers finish in a tenth of the lock period: what lies longer than that would lose its
/// lock for nothing if this process dies or hangs. Where a lock lasts, `max_ahead` alone bounds it.
#[derive(Debug)]
pub(super) struct Credit {
    workers: usize,
    max_ahead: usize,
    /// A tenth of the lock period.
    window: Option<Duration>,
    /// How long a delivery takes, in seconds; later ones count more.
    mean: Option<f64>,
    /// How many deliveries may come, counted from the start.
    granted: u64,
    /// How many have come.
    taken: u64,
}

/// How much of the mean a new measurement is.
const SHARE: f64 = 1.0 / 16.0;

impl Credit {
    pub(super) fn new(workers: usize, max_ahead: usize, lock: Option<Duration>) -> Self {
        Self { workers, max_ahead, window: lock.map(|lock| lock / 10), mean: None, granted: 0, taken: 0 }
    }

    /// A delivery was handled, and took so long.
    pub(super) fn worked(&mut self, time: Duration) {
        let time = time.as_secs_f64();
        self.mean = Some(self.mean.map_or(time, |mean| mean + (time - mean) * SHARE));
    }

    pub(super) fn took(&mut self, deliveries: usize) {
        self.taken += deliveries as u64;
    }

    /// How many may come still.
    pub(super) fn outstanding(&self) -> u64 {
        self.granted.saturating_sub(self.taken)
    }

    /// How many may have come by now, if that became more: `pending` run or could, `held` are all whose handlers are not done.
    pub(super) fn grant(&mut self, pending: usize, held: usize) -> Option<u64> {
        let target = self.target();
        let wanted = target.saturating_sub(pending).min(self.max_ahead.saturating_sub(held)) as u64;
        let outstanding = self.outstanding();
        // A reader that waits is not woken for each delivery.
        let step = if outstanding == 0 { 1 } else { (target as u64 / 4).max(1) };
        if wanted < outstanding + step {
            return None;
        }
        self.granted = self.taken + wanted;
        Some(self.granted)
    }

    /// No more than these may come, whatever was granted before; the answer counts from the start.
    pub(super) fn limit(&mut self, most: u64) -> u64 {
        self.granted = self.taken + most;
        self.granted
    }

    /// How many deliveries run or could.
    fn target(&self) -> usize {
        let ahead = match (self.window, self.mean) {
            (None, _) => self.max_ahead,
            (Some(_), None) => self.workers,
            (Some(window), Some(mean)) => self.finished_in(window, mean),
        };
        self.workers.saturating_add(ahead).min(self.max_ahead)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a conversion that saturates is what is wanted"
    )]
    fn finished_in(&self, window: Duration, mean: f64) -> usize {
        (self.workers as f64 * window.as_secs_f64() / mean.max(1e-9)) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: Option<Duration> = Some(Duration::from_secs(10));

    #[test]
    fn as_many_are_ahead_as_are_finished_in_a_tenth_of_the_lock() {
        let mut credit = Credit::new(4, 1_000, LOCK);
        assert_eq!(credit.target(), 8);
        credit.worked(Duration::from_millis(100));
        assert_eq!(credit.target(), 4 + 40);
        for _ in 0..200 {
            credit.worked(Duration::from_secs(5));
        }
        assert_eq!(credit.target(), 4);
        for _ in 0..400 {
            credit.worked(Duration::ZERO);
        }
        assert_eq!(credit.target(), 1_000);
        assert_eq!(Credit::new(4, 100, None).target(), 100);
    }

    #[test]
    fn what_was_granted_and_has_not_come_is_not_granted_twice() {
        let mut credit = Credit::new(2, 100, LOCK);
        assert_eq!(credit.grant(0, 0), Some(4));
        assert_eq!(credit.grant(0, 0), None);
        credit.took(4);
        assert_eq!((credit.outstanding(), credit.grant(4, 4)), (0, None));
        assert_eq!(credit.grant(3, 3), Some(5));
        credit.took(7);
        assert_eq!(credit.outstanding(), 0);
        assert_eq!(credit.grant(8, 8), None);
        assert_eq!(credit.grant(0, 0), Some(15));
    }

    #[test]
    fn a_grant_can_be_taken_back_and_given_again() {
        let mut credit = Credit::new(2, 100, None);
        assert_eq!(credit.grant(0, 0), Some(100));
        credit.took(10);
        assert_eq!((credit.limit(0), credit.outstanding()), (10, 0));
        assert_eq!((credit.limit(1), credit.grant(0, 10)), (11, Some(100)));
    }

    #[test]
    fn no_more_are_held_than_may_be() {
        let mut credit = Credit::new(2, 10, None);
        assert_eq!(credit.grant(0, 7), Some(3));
        credit.took(3);
        assert_eq!(credit.grant(0, 10), None);
    }
}
