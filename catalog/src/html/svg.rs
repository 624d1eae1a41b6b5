use std::collections::HashMap;
use std::fmt;

use super::columns::Node;
use super::escape::{Text, class};
use super::layout::{Layout, Place, Span};
use crate::labels::{Labels, words};
use crate::mermaid::Message;
use diator::middleware::MessageKind;

/// The graph of what causes what, as inline SVG.
pub(super) struct Graph {
    boxes: Vec<Drawn>,
    nodes: Vec<Node>,
    ids: Vec<String>,
}

struct Drawn {
    class: String,
    title: String,
    lines: Vec<String>,
}

// Units of the drawing; the letters are those of a monospaced font of 13 and 11 units.
const TITLE_LETTER: f64 = 7.9;
const LINE_LETTER: f64 = 6.7;
const PADDING: f64 = 12.0;
const LINE: f64 = 16.0;
const TITLE: f64 = 30.0;
// Room for edges that turn at the outermost columns.
const MARGIN: f64 = 32.0;
const BEND: f64 = 36.0;
const LONGEST: usize = 44;

impl Graph {
    pub(super) fn of(messages: &[Message<'_>], labels: &Labels) -> Self {
        let ids: HashMap<_, _> = messages.iter().enumerate().map(|(id, message)| (message.type_name, id)).collect();
        let boxes: Vec<Drawn> = messages.iter().map(|message| Drawn::of(message, labels)).collect();
        let node = |(message, drawn): (&Message<'_>, &Drawn)| Node {
            width: drawn.width(),
            height: drawn.height(),
            targets: message.causes().filter_map(|cause| ids.get(cause).copied()).collect(),
        };
        let nodes = messages.iter().zip(&boxes).map(node).collect();
        Self { boxes, nodes, ids: messages.iter().map(|message| message.id.clone()).collect() }
    }

    fn edge(&self, layout: &Layout, from: usize, to: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = layout.way(&self.nodes, from, to);
        let Place { x, y } = layout.places[to];
        let (x, y) = (x - 3.0, y + self.nodes[to].height / 2.0);
        let (from, to) = (&self.ids[from], &self.ids[to]);
        write!(
            f,
            "<path data-from={from} data-to={to} marker-end=\"url(#arrow)\" d=\"M{:.1} {:.1}",
            way[0].start, way[0].y
        )?;
        let end = Span { start: x, end: x, y };
        for (span, next) in way.iter().zip(way.iter().skip(1).chain([&end])) {
            write!(f, "H{:.1}", span.end)?;
            curve(*span, *next, f)?;
        }
        writeln!(f, "\"/>")
    }
}

/// From one level piece to the next, leaving the one and entering the other in its direction.
fn curve(from: Span, to: Span, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (x1, y1, x2, y2) = (from.end, from.y, to.start, to.y);
    let heading = |span: Span| if span.end < span.start { -1.0 } else { 1.0 };
    let turns = heading(from) != heading(to);
    let bend = if turns { BEND } else { ((x2 - x1) / 2.0).abs().max(BEND) };
    write!(f, "C{:.1} {y1:.1} {:.1} {y2:.1} {x2:.1} {y2:.1}", x1 + heading(from) * bend, x2 - heading(to) * bend)
}

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layout = Layout::of(&self.nodes);
        let (width, height) = (layout.size.x + 2.0 * MARGIN, layout.size.y + 2.0 * MARGIN);
        writeln!(
            f,
            "<svg width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"-{MARGIN} -{MARGIN} {width:.0} {height:.0}\">"
        )?;
        writeln!(
            f,
            "<defs><marker id=arrow viewBox=\"0 0 8 8\" refX=6 refY=4 markerWidth=8 markerHeight=8 orient=auto>\
             <path d=\"M0 0L8 4L0 8z\"/></marker></defs>"
        )?;
        for (from, node) in self.nodes.iter().enumerate() {
            node.targets.iter().try_for_each(|to| self.edge(&layout, from, *to, f))?;
        }
        for (((drawn, node), place), id) in self.boxes.iter().zip(&self.nodes).zip(&layout.places).zip(&self.ids) {
            drawn.draw(id, node, *place, f)?;
        }
        writeln!(f, "</svg>")
    }
}

impl Drawn {
    fn of(message: &Message<'_>, labels: &Labels) -> Self {
        let mut lines: Vec<_> = message.handlers.iter().map(|handler| cut(&labels.label(&handler.type_name))).collect();
        if message.arrives() {
            lines.push("(from the broker)".to_owned());
        }
        if message.sent {
            lines.push("(to the broker)".to_owned());
        }
        if lines.is_empty() {
            let is_event = matches!(message.kind, MessageKind::NotificationEvent | MessageKind::EcstEvent);
            lines.push(if is_event { "(no handler emits it)" } else { "(nobody)" }.to_owned());
        }
        let title = cut(&labels.label(message.type_name));
        Self { class: class(words(message.kind)[0]), title, lines }
    }

    fn width(&self) -> f64 {
        let lines = self.lines.iter().map(|line| letters(line) * LINE_LETTER);
        lines.fold(letters(&self.title) * TITLE_LETTER, f64::max) + 2.0 * PADDING
    }

    fn height(&self) -> f64 {
        TITLE + LINE * f64::from(u16::try_from(self.lines.len()).unwrap_or(u16::MAX))
    }

    fn draw(
        &self,
        id: &str,
        Node { width, height, .. }: &Node,
        Place { x, y }: Place,
        f: &mut fmt::Formatter<'_>,
    ) -> fmt::Result {
        write!(f, "<a href=\"#{id}\" data-node={id} class=\"{}\" transform=\"translate({x:.1} {y:.1})\">", self.class)?;
        write!(f, "<rect width=\"{width:.1}\" height=\"{height:.1}\" rx=6 />")?;
        write!(f, "<text class=title x={PADDING} y=20>{}</text>", Text(&self.title))?;
        let mut y = 37.0;
        for line in &self.lines {
            write!(f, "<text x={PADDING} y={y}>{}</text>", Text(line))?;
            y += LINE;
        }
        writeln!(f, "</a>")
    }
}

fn letters(text: &str) -> f64 {
    f64::from(u16::try_from(text.chars().count()).unwrap_or(u16::MAX))
}

/// The beginning of a long name.
fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
