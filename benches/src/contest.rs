use std::fmt;
use std::time::{Duration, Instant};

use crate::median;

/// Several contenders at the same work, measured turn by turn, so that what else the machine does meets all of them.
#[derive(Default)]
pub struct Contest<'a> {
    contenders: Vec<Contender<'a>>,
}

struct Contender<'a> {
    name: &'a str,
    /// Does its work so many times.
    work: Box<dyn FnMut(u32) + 'a>,
    nanoseconds: Vec<f64>,
    allocations: f64,
}

impl<'a> Contest<'a> {
    /// Nobody takes part yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a contender; the first is what the others are compared with.
    #[must_use]
    pub fn with(mut self, name: &'a str, work: impl FnMut(u32) + 'a) -> Self {
        self.contenders.push(Contender { name, work: Box::new(work), nanoseconds: Vec::new(), allocations: 0.0 });
        self
    }

    /// Lets each work so many times in each of the turns, whose order changes.
    #[must_use]
    pub fn run(mut self, turns: usize, times: u32) -> Self {
        for contender in &mut self.contenders {
            (contender.work)(times);
            let counted = allocation_counter::measure(|| (contender.work)(times));
            contender.allocations = counted.count_total as f64 / f64::from(times);
        }
        let count = self.contenders.len();
        for turn in 0..turns {
            for place in 0..count {
                let contender = &mut self.contenders[(turn + place) % count];
                let begun = Instant::now();
                (contender.work)(times);
                contender.nanoseconds.push(per_time(begun.elapsed(), times));
            }
        }
        self
    }
}

fn per_time(elapsed: Duration, times: u32) -> f64 {
    elapsed.as_secs_f64() * 1e9 / f64::from(times)
}

/// A table in Markdown: medians, and the median of the ratios within each turn.
impl fmt::Display for Contest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| | ns | ratio | allocations |\n|---|---:|---:|---:|")?;
        let Some(first) = self.contenders.first() else { return Ok(()) };
        for contender in &self.contenders {
            let pairs = contender.nanoseconds.iter().zip(&first.nanoseconds);
            let ratio = median(pairs.map(|(ours, base)| ours / base).collect());
            let (name, time) = (contender.name, median(contender.nanoseconds.clone()));
            writeln!(f, "| {name} | {time:.0} | {ratio:.2} | {:.1} |", contender.allocations)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Contest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.contenders.iter().map(|contender| contender.name)).finish()
    }
}
