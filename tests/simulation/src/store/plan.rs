use std::time::Duration;

use crate::random::Random;

/// What of a run concerns its delivery store.
#[derive(Clone, Debug, Default)]
pub(crate) struct StorePlan {
    pub(crate) faults: StoreFaults,
    /// What an operator does, in the order of time.
    pub(crate) acts: Vec<(Duration, Act)>,
    /// Leases can be extended while the transaction of a handler is open.
    pub(crate) extends_beside_handlers: bool,
}

/// What an operator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Replays all dead letters.
    Replay,
    /// Replays those of a handler.
    ReplayOf(usize),
    /// Replays one of them.
    ReplayOne,
    /// Discards a row, a dead one or one that waits.
    DiscardOne,
}

/// What misbehaves between processes and the store, and how often in a thousand calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct StoreFaults {
    /// A call fails, and nothing is done.
    pub(crate) fails: u64,
    /// It is done, and nobody is told.
    pub(crate) answer_lost: u64,
    /// It is done a little later,
    pub(crate) slow: u64,
    /// or so late that nobody waits for it any more.
    pub(crate) late: u64,
    pub(crate) panics: u64,
    /// The database learns late that a transaction has gone.
    pub(crate) lingers: u64,
    /// A lease ends before its time, each second or so: the clock of the database has jumped.
    pub(crate) lease_ends: u64,
}

impl StorePlan {
    pub(crate) fn new(quiet: Duration, random: &mut Random) -> Self {
        let faults = StoreFaults::new(random);
        let mut acts: Vec<_> = (0..random.pick(&[0, 0, 1, 3, 8]))
            .map(|_| (quiet.mul_f64(random.between(100, 1_300) as f64 / 1_000.0), Act::new(random)))
            .collect();
        acts.sort_unstable_by_key(|(at, _)| *at);
        Self { faults, acts, extends_beside_handlers: random.chance(700) }
    }
}

impl Act {
    fn new(random: &mut Random) -> Self {
        match random.below(8) {
            0..3 => Self::Replay,
            3 | 4 => Self::ReplayOf(random.below(2)),
            5 | 6 => Self::ReplayOne,
            _ => Self::DiscardOne,
        }
    }
}

impl StoreFaults {
    fn new(random: &mut Random) -> Self {
        let mut some = |most: u64| if random.chance(300) { random.between(1, most) } else { 0 };
        Self {
            fails: some(400),
            answer_lost: some(300),
            slow: some(500),
            late: some(100),
            panics: some(30),
            lingers: some(500),
            lease_ends: some(300),
        }
    }
}
