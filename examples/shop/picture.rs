//! A picture of a run as SVG: throughput and backlog over time, and when something was broken.
//!
//! `shop picture FILE` draws what another program has counted: `scripts/drills` does that.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use diator::BoxError;

use crate::samples::{Band, Line, Lines, Sample, blocks, read, top};

/// Writes the picture to a file, and prints a small one.
pub fn draw(path: &Path, samples: &[Sample], bands: &[Band]) -> Result<(), BoxError> {
    fs::write(path, svg(&Lines::new(samples, 150), bands)?)?;
    eprintln!("{}\n{}", blocks(samples), path.display());
    Ok(())
}

/// Draws what is written in lines.
pub fn draw_lines(path: &Path, lines: &str) -> Result<(), BoxError> {
    let (samples, bands) = read(lines)?;
    draw(path, &samples, &bands)
}

const STYLE: &str = "
    text { font: 13px sans-serif; fill: #333 }
    path { stroke: #ddd }
    polyline { fill: none; stroke-width: 1.5 }
    rect.page { fill: white }
    rect.placed { fill: #1f6fb2 } polyline.placed { stroke: #1f6fb2 }
    rect.notified { fill: #d9822b } polyline.notified { stroke: #d9822b }
    polyline.flight { fill: #ccc; stroke: #555 }
    .end { text-anchor: end } .middle { text-anchor: middle } .title { font-weight: bold }
    rect.band { fill: #c0392b; opacity: 0.15 } text.band { fill: #c0392b }
";
const LEFT: f64 = 64.0;
const RIGHT: f64 = 1_110.0;
/// The top and the bottom of both charts.
const RATES: (f64, f64) = (110.0, 310.0);
const FLIGHT: (f64, f64) = (350.0, 500.0);

fn svg(lines: &Lines, bands: &[Band]) -> Result<String, std::fmt::Error> {
    let mut svg = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 1200 560'>\n".to_owned();
    write!(svg, "<style>{STYLE}</style>\n<rect class='page' width='1200' height='560'/>\n")?;
    let rates =
        Chart { place: RATES, top: round(top(&lines.placed).max(top(&lines.notified))), seconds: lines.seconds };
    let flight = Chart { place: FLIGHT, top: round(top(&lines.in_flight)), seconds: lines.seconds };

    for band in bands {
        let (from, to) = (rates.x(band.from), rates.x(band.to));
        let (width, height) = ((to - from).max(2.0), FLIGHT.1 - RATES.0);
        writeln!(svg, "<rect class='band' x='{from:.1}' y='{}' width='{width:.1}' height='{height}'/>", RATES.0)?;
        let (x, y) = (from + width / 2.0, RATES.0 - 6.0);
        writeln!(svg, "<text class='band' transform='translate({x:.1} {y}) rotate(-25)'>{}</text>", band.label)?;
    }
    rates.axes(&mut svg, "orders per second")?;
    rates.line(&mut svg, &lines.placed, "placed")?;
    rates.line(&mut svg, &lines.notified, "notified")?;
    flight.axes(&mut svg, "orders in flight")?;
    let ends = [vec![(0.0, 0.0)], lines.in_flight.clone(), vec![(lines.seconds, 0.0)]];
    flight.line(&mut svg, &ends.concat(), "flight")?;

    let tick = [1, 2, 5, 10, 20, 30, 60].into_iter().find(|tick| lines.seconds <= f64::from(tick * 12)).unwrap_or(300);
    for second in (0..=lines.seconds as u32).step_by(tick as usize) {
        let (x, y) = (rates.x(f64::from(second)), FLIGHT.1 + 18.0);
        writeln!(svg, "<text class='middle' x='{x:.1}' y='{y}'>{second} s</text>")?;
    }
    for (class, x, what) in [
        ("placed", LEFT, "placed: acknowledged to the client"),
        ("notified", LEFT + 320.0, "notified: charged, and the customer written to"),
    ] {
        writeln!(svg, "<rect class='{class}' x='{x}' y='540' width='16' height='5'/>")?;
        writeln!(svg, "<text x='{}' y='547'>{what}</text>", x + 24.0)?;
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

/// A scale from zero to `top`, over some seconds.
struct Chart {
    place: (f64, f64),
    top: f64,
    seconds: f64,
}

impl Chart {
    fn x(&self, seconds: f64) -> f64 {
        LEFT + (RIGHT - LEFT) * seconds / self.seconds
    }

    fn y(&self, value: f64) -> f64 {
        let (above, below) = self.place;
        below - (below - above) * value.max(0.0) / self.top
    }

    fn axes(&self, svg: &mut String, title: &str) -> std::fmt::Result {
        for quarter in 0..=4 {
            let value = self.top * f64::from(quarter) / 4.0;
            let y = self.y(value);
            writeln!(svg, "<path d='M{LEFT} {y:.1}H{RIGHT}'/>")?;
            writeln!(svg, "<text class='end' x='{}' y='{:.1}'>{value:.0}</text>", LEFT - 8.0, y + 4.0)?;
        }
        writeln!(svg, "<text class='title' x='{}' y='{}'>{title}</text>", LEFT + 6.0, self.place.0 + 15.0)
    }

    fn line(&self, svg: &mut String, line: &Line, class: &str) -> std::fmt::Result {
        let points: Vec<_> = line.iter().map(|(x, y)| format!("{:.1},{:.1}", self.x(*x), self.y(*y))).collect();
        writeln!(svg, "<polyline class='{class}' points='{}'/>", points.join(" "))
    }
}

/// The next number that divides well into four.
fn round(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 1.2, 1.6, 2.0, 2.4, 3.2, 4.0, 6.0, 8.0, 10.0];
    steps.map(|step| step * power).into_iter().find(|step| *step >= value).unwrap_or(value)
}
