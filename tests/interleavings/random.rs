//! What a case is drawn from.

/// Numbers that look random, and are the same for each seed: xorshift64*.
#[derive(Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        // The first ones of neighbouring seeds are alike.
        for _ in 0..10 {
            random.below(1);
        }
        random
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let high = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(high).expect("it has 31 bits") % bound
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// What may go wrong in a case.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conditions {
    pub(crate) savepoints: bool,
    pub(crate) savepoints_fail: bool,
    pub(crate) commits_fail: bool,
    /// How often what takes its time is pending.
    pub(crate) waits: usize,
    /// How many middlewares there are.
    pub(crate) layers: usize,
    pub(crate) drops: bool,
    pub(crate) forgets: bool,
    pub(crate) panics: bool,
    /// What is wrong with the database, which has to be found.
    pub(crate) flaw: Option<Flaw>,
}

/// A mistake in a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Going back to a savepoint keeps what was written since.
    UndoesNothing,
    /// A scope that closes as a failure is committed.
    CommitsFailures,
}

impl Conditions {
    pub(crate) fn draw(random: &mut Random, flaw: Option<Flaw>) -> Self {
        Self {
            savepoints: random.chance(70),
            savepoints_fail: random.chance(20),
            commits_fail: random.chance(40),
            waits: random.below(3),
            layers: random.below(10).saturating_sub(3).div_ceil(4),
            drops: random.chance(60),
            forgets: random.chance(40),
            panics: random.chance(40),
            flaw,
        }
    }
}
