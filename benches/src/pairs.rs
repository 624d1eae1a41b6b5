use std::time::{Duration, Instant};

/// Two contenders at the same work, measured turn by turn, so that what else the machine does meets both.
#[derive(Debug, Default)]
pub struct Pair {
    base: Vec<f64>,
    ours: Vec<f64>,
}

/// What a [`Pair`] came to.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Median of the base's units of work in a second.
    pub base: f64,
    /// Median of ours.
    pub ours: f64,
    /// Median of ours by the base's, each from one turn.
    pub ratio: f64,
}

impl Pair {
    /// Adds a turn: how long each took for so many units of work.
    pub fn turn(&mut self, units: usize, base: Duration, ours: Duration) {
        self.rates(units as f64 / base.as_secs_f64(), units as f64 / ours.as_secs_f64());
    }

    /// Adds a turn: how many units of work each did in a second.
    pub fn rates(&mut self, base: f64, ours: f64) {
        self.base.push(base);
        self.ours.push(ours);
    }

    /// Between which values the middle half of the turns' ratios lies.
    #[must_use]
    pub fn middle_half(&self) -> (f64, f64) {
        let mut ratios: Vec<_> = self.ratios().collect();
        ratios.sort_by(f64::total_cmp);
        (ratios[ratios.len() / 4], ratios[ratios.len() * 3 / 4])
    }

    fn ratios(&self) -> impl Iterator<Item = f64> {
        self.ours.iter().zip(&self.base).map(|(ours, base)| ours / base)
    }

    /// The medians of all turns.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let ratios = self.ratios().collect();
        Figures { base: median(self.base.clone()), ours: median(self.ours.clone()), ratio: median(ratios) }
    }
}

/// The value in the middle.
///
/// # Panics
///
/// If there is none.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// How long it takes.
pub async fn time<T>(work: impl Future<Output = T>) -> Duration {
    let begun = Instant::now();
    work.await;
    begun.elapsed()
}
