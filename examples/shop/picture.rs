//! A picture of a run: throughput and backlog over time, as SVG and, smaller, for a terminal.
//!
//! `shop picture FILE` draws what another program has counted: `scripts/drills` does that.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

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

/// Writes the SVG to a file, and prints the small picture.
pub fn draw(path: &Path, samples: &[Sample], bands: &[Band]) -> Result<(), BoxError> {
    fs::write(path, svg(samples, bands)?)?;
    eprintln!("{}\n{}", blocks(samples), path.display());
    Ok(())
}

/// Draws lines such as `sample 1.5 800 640` and `band 2 4.5 Redis killed`.
pub fn draw_lines(path: &Path, lines: &str) -> Result<(), BoxError> {
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
    draw(path, &samples, &bands)
}

// --- SVG. ---------------------------------------------------------------------------------------

const WIDTH: f64 = 1_200.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = WIDTH - 24.0;
const PLACED: &str = "#1f6fb2";
const NOTIFIED: &str = "#d9822b";
const BROKEN: &str = "#c0392b";

/// A chart between two heights, with a scale from zero to `top`.
struct Chart {
    above: f64,
    below: f64,
    top: f64,
    seconds: f64,
}

fn svg(samples: &[Sample], bands: &[Band]) -> Result<String, std::fmt::Error> {
    let steps = even(samples, 150);
    let seconds = steps.last().map_or(1.0, |last| last.seconds);
    let (placed, notified) = (rates(&steps, |step| step.placed), rates(&steps, |step| step.notified));
    let backlog: Vec<_> = steps.iter().map(|step| (step.seconds, step.placed - step.notified)).collect();
    let rates = Chart { above: 110.0, below: 310.0, top: scale(&[&placed[..], &notified].concat()), seconds };
    let flight = Chart { above: 350.0, below: 500.0, top: scale(&backlog), seconds };

    let mut svg = String::new();
    writeln!(
        svg,
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} 560' font-family='sans-serif' font-size='13'>"
    )?;
    writeln!(svg, "<rect width='100%' height='100%' fill='white'/>")?;
    for Band { from, to, label } in bands {
        let (from, to) = (rates.x(*from), rates.x(*to));
        let (width, height) = ((to - from).max(2.0), flight.below - rates.above);
        writeln!(
            svg,
            "<rect x='{from:.1}' y='{}' width='{width:.1}' height='{height}' fill='{BROKEN}' opacity='0.15'/>",
            rates.above
        )?;
        writeln!(
            svg,
            "<text transform='translate({:.1} {}) rotate(-25)' fill='{BROKEN}'>{label}</text>",
            from + width / 2.0,
            rates.above - 6.0
        )?;
    }
    rates.axes(&mut svg, "orders per second")?;
    rates.line(&mut svg, &placed, PLACED, "none")?;
    rates.line(&mut svg, &notified, NOTIFIED, "none")?;
    flight.axes(&mut svg, "orders in flight")?;
    flight.line(&mut svg, &[&[(0.0, 0.0)], &backlog[..], &[(seconds, 0.0)]].concat(), "#555", "#ccc")?;
    let tick = [1, 2, 5, 10, 20, 30, 60].into_iter().find(|tick| seconds / f64::from(*tick) <= 12.0).unwrap_or(300);
    for at in (0..=seconds as u32).step_by(tick as usize) {
        let (x, y) = (rates.x(f64::from(at)), flight.below + 18.0);
        writeln!(svg, "<text x='{x:.1}' y='{y}' text-anchor='middle'>{at} s</text>")?;
    }
    for (x, colour, what) in [
        (LEFT, PLACED, "placed, and acknowledged to the client"),
        (LEFT + 320.0, NOTIFIED, "charged, and the customer notified"),
    ] {
        writeln!(
            svg,
            "<rect x='{x}' y='540' width='16' height='5' fill='{colour}'/><text x='{}' y='547'>{what}</text>",
            x + 24.0
        )?;
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

impl Chart {
    fn x(&self, seconds: f64) -> f64 {
        LEFT + (RIGHT - LEFT) * seconds / self.seconds
    }

    fn y(&self, value: f64) -> f64 {
        self.below - (self.below - self.above) * value.max(0.0) / self.top
    }

    fn axes(&self, svg: &mut String, title: &str) -> std::fmt::Result {
        for quarter in 0..=4 {
            let value = self.top * f64::from(quarter) / 4.0;
            let y = self.y(value);
            writeln!(svg, "<path d='M{LEFT} {y:.1}H{RIGHT}' stroke='#e3e3e3'/>")?;
            writeln!(svg, "<text x='{}' y='{:.1}' text-anchor='end'>{value:.0}</text>", LEFT - 8.0, y + 4.0)?;
        }
        writeln!(svg, "<text x='{}' y='{}' font-weight='bold'>{title}</text>", LEFT + 6.0, self.above + 15.0)
    }

    fn line(&self, svg: &mut String, points: &[(f64, f64)], colour: &str, fill: &str) -> std::fmt::Result {
        let points: Vec<_> = points.iter().map(|(x, y)| format!("{:.1},{:.1}", self.x(*x), self.y(*y))).collect();
        writeln!(svg, "<polyline points='{}' stroke='{colour}' stroke-width='1.5' fill='{fill}'/>", points.join(" "))
    }
}

// --- A terminal. --------------------------------------------------------------------------------

/// Three lines of blocks, each with its highest value.
fn blocks(samples: &[Sample]) -> String {
    let steps = even(samples, 60);
    let backlog = steps.iter().map(|step| (step.seconds, step.placed - step.notified)).collect();
    let lines = [
        ("placed per second", rates(&steps, |step| step.placed)),
        ("notified per second", rates(&steps, |step| step.notified)),
        ("in flight", backlog),
    ];
    lines
        .map(|(what, points)| {
            let top = points.iter().map(|point| point.1).fold(1.0, f64::max);
            let block = |value: f64| {
                [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'][(value.max(0.0) / top * 8.0).round() as usize]
            };
            format!("{what:<20}{}  up to {top:.0}", points.iter().map(|point| block(point.1)).collect::<String>())
        })
        .join("\n")
}

// --- Numbers. -----------------------------------------------------------------------------------

/// The samples at so many moments that have the same distance, and at the beginning.
fn even(samples: &[Sample], count: usize) -> Vec<Sample> {
    let end = samples.last().map_or(1.0, |last| last.seconds);
    let at = |seconds: f64| {
        let next = samples.iter().position(|sample| sample.seconds >= seconds).unwrap_or(samples.len() - 1);
        let (from, to) = (samples[next.saturating_sub(1)], samples[next]);
        let part = if to.seconds > from.seconds { (seconds - from.seconds) / (to.seconds - from.seconds) } else { 1.0 };
        let between = |from: f64, to: f64| from + (to - from) * part;
        Sample { seconds, placed: between(from.placed, to.placed), notified: between(from.notified, to.notified) }
    };
    (0..=count).map(|step| at(end * step as f64 / count as f64)).collect()
}

/// How fast a number grows, as a mean of three steps.
fn rates(steps: &[Sample], number: impl Fn(&Sample) -> f64) -> Vec<(f64, f64)> {
    let rate = |around: &[Sample]| {
        let (from, to) = (&around[0], &around[around.len() - 1]);
        ((from.seconds + to.seconds) / 2.0, (number(to) - number(from)) / (to.seconds - from.seconds))
    };
    steps.windows(4).map(rate).collect()
}

/// A round number, not less than any of the values.
fn scale(points: &[(f64, f64)]) -> f64 {
    let most = points.iter().map(|point| point.1).fold(1.0, f64::max);
    let power = 10_f64.powf(most.log10().floor());
    [1.0, 2.0, 4.0, 6.0, 8.0, 10.0].map(|step| step * power).into_iter().find(|top| *top >= most).unwrap_or(most)
}
