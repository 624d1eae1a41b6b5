//! What was counted during a run, and how fast it grew.

use diator::BoxError;

/// How many orders had come how far after so many seconds.
#[derive(Clone, Copy)]
pub struct Sample {
    pub seconds: f64,
    pub placed: f64,
    pub notified: f64,
}

/// A time in which something was broken.
pub struct Band {
    pub from: f64,
    pub to: f64,
    pub label: String,
}

/// A number over time, as pairs of a second and a value.
pub type Line = Vec<(f64, f64)>;

/// Reads lines such as `sample 1.5 800 640` and `band 2 4.5 Redis killed`.
pub fn read(lines: &str) -> Result<(Vec<Sample>, Vec<Band>), BoxError> {
    let (mut samples, mut bands) = (Vec::new(), Vec::new());
    for line in lines.lines() {
        match line.splitn(4, ' ').collect::<Vec<_>>()[..] {
            ["sample", seconds, placed, notified] => {
                let (seconds, placed, notified) = (seconds.parse()?, placed.parse()?, notified.parse()?);
                samples.push(Sample { seconds, placed, notified });
            }
            ["band", from, to, label] => {
                bands.push(Band { from: from.parse()?, to: to.parse()?, label: label.to_owned() });
            }
            _ => return Err(format!("`{line}` is neither a sample nor a band").into()),
        }
    }
    Ok((samples, bands))
}

/// Orders that were placed in a second, orders whose customer was notified in a second, and orders in between.
pub struct Lines {
    pub placed: Line,
    pub notified: Line,
    pub in_flight: Line,
    pub seconds: f64,
}

impl Lines {
    /// With so many steps of equal length.
    pub fn new(samples: &[Sample], steps: usize) -> Self {
        let seconds = samples.last().map_or(1.0, |last| last.seconds);
        let at: Vec<_> = (0..=steps).map(|step| between(samples, seconds * step as f64 / steps as f64)).collect();
        Self {
            placed: rates(&at, |sample| sample.placed),
            notified: rates(&at, |sample| sample.notified),
            in_flight: at.iter().map(|sample| (sample.seconds, sample.placed - sample.notified)).collect(),
            seconds,
        }
    }
}

/// The counts at this second, interpolated between two samples.
fn between(samples: &[Sample], seconds: f64) -> Sample {
    let Some(next) = samples.iter().position(|sample| sample.seconds >= seconds) else {
        return samples.last().copied().unwrap_or(Sample { seconds, placed: 0.0, notified: 0.0 });
    };
    let (from, to) = (samples[next.saturating_sub(1)], samples[next]);
    let part = if to.seconds > from.seconds { (seconds - from.seconds) / (to.seconds - from.seconds) } else { 1.0 };
    let number = |from: f64, to: f64| from + (to - from) * part.clamp(0.0, 1.0);
    Sample { seconds, placed: number(from.placed, to.placed), notified: number(from.notified, to.notified) }
}

/// How fast a number grows, each as the mean over three steps.
fn rates(samples: &[Sample], number: impl Fn(&Sample) -> f64) -> Line {
    let rate = |around: &[Sample]| {
        let (from, to) = (&around[0], &around[around.len() - 1]);
        ((from.seconds + to.seconds) / 2.0, (number(to) - number(from)) / (to.seconds - from.seconds))
    };
    samples.windows(4).map(rate).collect()
}

/// The highest value of a line, or 1.
pub fn top(line: &Line) -> f64 {
    line.iter().map(|point| point.1).fold(1.0, f64::max)
}

/// The lines in blocks, for a terminal.
pub fn blocks(samples: &[Sample]) -> String {
    let Lines { placed, notified, in_flight, .. } = Lines::new(samples, 60);
    let lines = [("placed per second", placed), ("notified per second", notified), ("in flight", in_flight)];
    let text = lines.map(|(what, line)| {
        let top = top(&line);
        let block = |(_, value): &(f64, f64)| BLOCKS[(value.max(0.0) / top * 8.0).round() as usize];
        format!("{what:<20}{}  up to {top:.0}", line.iter().map(block).collect::<String>())
    });
    text.join("\n")
}

const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
