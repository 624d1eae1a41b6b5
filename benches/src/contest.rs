use std::fmt;
#[cfg(not(feature = "allocations"))]
use std::time::Instant;

#[cfg(not(feature = "allocations"))]
use crate::median;

/// Several contenders at the same work: their times, measured turn by turn, so that what else the machine does meets all of
/// them; with the feature `allocations` how often each allocates.
// Not both at once: to count allocations makes each of them slower.
#[derive(Default)]
pub struct Contest<'a> {
    contenders: Vec<Contender<'a>>,
}

struct Contender<'a> {
    name: &'a str,
    /// Does its work so many times.
    work: Box<dyn FnMut(u32) + 'a>,
    figures: Vec<f64>,
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
        self.contenders.push(Contender { name, work: Box::new(work), figures: Vec::new() });
        self
    }

    /// Lets each work so many times in each of the turns, whose order changes.
    #[must_use]
    #[cfg(not(feature = "allocations"))]
    pub fn run(mut self, turns: usize, times: u32) -> Self {
        self.contenders.iter_mut().for_each(|contender| (contender.work)(times));
        let count = self.contenders.len();
        for turn in 0..turns {
            for place in 0..count {
                let contender = &mut self.contenders[(turn + place) % count];
                let begun = Instant::now();
                (contender.work)(times);
                contender.figures.push(begun.elapsed().as_secs_f64() * 1e9 / f64::from(times));
            }
        }
        self
    }

    /// Lets each work so many times, after a first time that is not counted.
    #[must_use]
    #[cfg(feature = "allocations")]
    pub fn run(mut self, _turns: usize, times: u32) -> Self {
        for Contender { work, figures, .. } in &mut self.contenders {
            work(times);
            let counted = allocation_counter::measure(|| work(times));
            figures.push(counted.count_total as f64 / f64::from(times));
        }
        self
    }
}

/// A table in Markdown: medians, and the median of the ratios within each turn.
#[cfg(not(feature = "allocations"))]
impl fmt::Display for Contest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| | ns | ratio |\n|---|---:|---:|")?;
        let Some(first) = self.contenders.first() else { return Ok(()) };
        for contender in &self.contenders {
            let pairs = contender.figures.iter().zip(&first.figures);
            let ratio = median(pairs.map(|(ours, base)| ours / base).collect());
            writeln!(f, "| {} | {:.0} | {ratio:.2} |", contender.name, median(contender.figures.clone()))?;
        }
        Ok(())
    }
}

/// A table in Markdown.
#[cfg(feature = "allocations")]
impl fmt::Display for Contest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| | allocations |\n|---|---:|")?;
        for contender in &self.contenders {
            writeln!(f, "| {} | {:.1} |", contender.name, contender.figures[0])?;
        }
        Ok(())
    }
}

impl fmt::Debug for Contest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.contenders.iter().map(|contender| contender.name)).finish()
    }
}
