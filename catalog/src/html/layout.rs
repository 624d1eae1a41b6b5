//! Places the nodes of a graph in columns, so that most edges point to the right.

use super::columns::{Columns, Heading, Node};

/// A node's place, in units of the drawing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Place {
    pub(super) x: f64,
    pub(super) y: f64,
}

const BETWEEN_COLUMNS: f64 = 72.0;
const BETWEEN_ROWS: f64 = 14.0;

/// How wide the rows are at least of those nodes that have no edge.
const WIDTH: f64 = 1100.0;

/// Where everything is.
pub(super) struct Layout {
    pub(super) places: Vec<Place>,
    pub(super) size: Place,
    columns: Columns,
    lanes: Vec<Span>,
    /// Where each column ends.
    rights: Vec<f64>,
}

/// A level piece of an edge, to the left if it leads back.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Span {
    pub(super) start: f64,
    pub(super) end: f64,
    pub(super) y: f64,
}

impl Layout {
    pub(super) fn of(nodes: &[Node]) -> Self {
        let (linked, alone) = (0..nodes.len()).partition::<Vec<_>, _>(|node| is_linked(nodes, *node));
        let columns = Columns::of(nodes, &linked);
        let lanes = vec![Span::default(); columns.lanes.len()];
        let places = vec![Place::default(); nodes.len()];
        let mut layout = Self { places, size: Place::default(), columns, lanes, rights: Vec::new() };
        layout.place_columns(nodes);
        layout.place_rows(nodes, &alone);
        layout
    }

    /// The level pieces of an edge: to the end of its column, and past the nodes of those between; if it leads back, also past
    /// those of the columns that it begins and ends in.
    pub(super) fn way(&self, nodes: &[Node], from: usize, to: usize) -> Vec<Span> {
        let Node { width, height, .. } = nodes[from];
        let (start, y) = (self.places[from].x + width, self.places[from].y + height / 2.0);
        let (first, last) = (self.columns.of[from], self.columns.of[to]);
        let mut way = vec![Span { start, end: self.rights[first], y }];
        let lane =
            |column, heading| self.columns.lanes.get(&(to, column, heading)).map(|lane| self.lanes[lane - nodes.len()]);
        if last > first {
            way.extend((first + 1..last).filter_map(|column| lane(column, Heading::Right)));
        } else {
            let back = (last..=first).rev().filter_map(|column| lane(column, Heading::Left));
            way.extend(back.map(|Span { start, end, y }| Span { start: end, end: start, y }));
        }
        way
    }

    fn place_columns(&mut self, nodes: &[Node]) {
        let height_of = |member: &usize| nodes.get(*member).map_or(0.0, |node| node.height) + BETWEEN_ROWS;
        let height = |column: &Vec<usize>| column.iter().map(height_of).sum::<f64>() - BETWEEN_ROWS;
        let columns = &self.columns.members;
        self.size.y = columns.iter().map(height).fold(0.0, f64::max);
        let mut left = 0.0;
        for column in columns {
            let right =
                left + column.iter().filter_map(|node| nodes.get(*node)).map(|node| node.width).fold(0.0, f64::max);
            let mut y = (self.size.y - height(column)) / 2.0;
            for member in column {
                match self.places.get_mut(*member) {
                    Some(place) => *place = Place { x: left, y },
                    None => self.lanes[member - nodes.len()] = Span { start: left, end: right, y },
                }
                y += height_of(member);
            }
            self.rights.push(right);
            self.size.x = right;
            left = right + BETWEEN_COLUMNS;
        }
    }

    /// Puts those that have no edge below the others, from left to right.
    fn place_rows(&mut self, nodes: &[Node], alone: &[usize]) {
        let linked = self.size;
        let (mut x, mut tallest) = (0.0, 0.0);
        let mut y = if linked.y > 0.0 { linked.y + 2.0 * BETWEEN_ROWS } else { 0.0 };
        for node in alone {
            let Node { width, height, .. } = nodes[*node];
            if x > 0.0 && x + width > linked.x.max(WIDTH) {
                y += tallest + BETWEEN_ROWS;
                (x, tallest) = (0.0, 0.0);
            }
            self.places[*node] = Place { x, y };
            self.size = Place { x: self.size.x.max(x + width), y: self.size.y.max(y + height) };
            tallest = f64::max(tallest, height);
            x += width + BETWEEN_ROWS;
        }
    }
}

fn is_linked(nodes: &[Node], node: usize) -> bool {
    !nodes[node].targets.is_empty() || nodes.iter().any(|other| other.targets.contains(&node))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(nodes: &[Node]) -> (Vec<Place>, Place) {
        let layout = Layout::of(nodes);
        (layout.places, layout.size)
    }

    fn graph(edges: &[&[usize]]) -> Vec<Node> {
        edges.iter().map(|targets| Node { width: 100.0, height: 20.0, targets: targets.to_vec() }).collect()
    }

    #[test]
    fn a_chain_goes_to_the_right() {
        let (places, whole) = place(&graph(&[&[1], &[2], &[]]));
        assert!(places[0].x < places[1].x && places[1].x < places[2].x, "{places:?}");
        assert_eq!(whole, Place { x: 3.0 * 100.0 + 2.0 * BETWEEN_COLUMNS, y: 20.0 });
    }

    #[test]
    fn the_longest_way_decides() {
        let (places, _) = place(&graph(&[&[1, 2], &[2], &[]]));
        assert!(places[1].x < places[2].x);
    }

    #[test]
    fn an_edge_passes_by_the_nodes_between() {
        // Three ways from 0 to 4: past 1, past 2 and 3, and by itself.
        let nodes = graph(&[&[1, 2, 4], &[4], &[3], &[4], &[]]);
        let layout = Layout::of(&nodes);
        let way = layout.way(&nodes, 0, 4);
        assert_eq!(way.len(), 3, "out of its column, and across two: {way:?}");
        assert_free(&layout, &way[1..]);
        assert_eq!(layout.way(&nodes, 3, 4).len(), 1);
    }

    /// The pieces of a way pass by all nodes of their columns.
    fn assert_free(layout: &Layout, way: &[Span]) {
        for lane in way {
            let boxes = layout.places.iter().filter(|place| place.x == lane.start.min(lane.end));
            assert!(boxes.clone().count() > 0);
            for place in boxes {
                assert!(lane.y < place.y || lane.y > place.y + 20.0, "{lane:?} {place:?}");
            }
        }
    }

    #[test]
    fn an_edge_back_goes_around_the_boxes() {
        for (edges, from, columns) in
            [(&[&[1][..], &[0]][..], 1, 2), (&[&[1], &[2], &[0, 3], &[]], 2, 3), (&[&[1], &[1]], 1, 1)]
        {
            let nodes = graph(edges);
            let layout = Layout::of(&nodes);
            let way = layout.way(&nodes, from, nodes[from].targets[0]);
            assert_eq!(way.len(), 1 + columns, "{way:?}");
            assert_free(&layout, &way[1..]);
            assert!(way[1..].iter().all(|lane| lane.start > lane.end), "to the left: {way:?}");
        }
    }

    #[test]
    fn neighbours_stand_side_by_side() {
        // Listed crosswise.
        let (places, _) = place(&graph(&[&[3], &[4], &[3], &[], &[]]));
        assert!((places[0].y - places[2].y).abs() < 40.0, "both lead to the same: {places:?}");
    }

    #[test]
    fn circles_and_loops_come_to_an_end() {
        let (places, _) = place(&graph(&[&[1], &[0, 2], &[2]]));
        assert!(places[0].x < places[1].x && places[1].x < places[2].x, "{places:?}");
    }

    #[test]
    fn no_two_nodes_overlap() {
        let edges: Vec<Vec<usize>> =
            (0..60).map(|node: usize| (1..4).map(|step| (node * 7 + step * 13) % 60).collect()).collect();
        let (places, whole) = place(&graph(&edges.iter().map(Vec::as_slice).collect::<Vec<_>>()));
        for (number, a) in places.iter().enumerate() {
            assert!(a.x + 100.0 <= whole.x && a.y + 20.0 <= whole.y + 0.001);
            for b in &places[..number] {
                assert!((a.x - b.x).abs() >= 100.0 || (a.y - b.y).abs() >= 20.0, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn what_has_no_edge_stands_in_rows_below() {
        let mut edges: Vec<&[usize]> = vec![&[]; 30];
        edges[3] = &[4];
        let (places, whole) = place(&graph(&edges));
        let below = places.iter().filter(|place| place.y > 20.0).count();
        assert_eq!((below, places[3].y), (28, places[4].y));
        assert!(whole.x <= WIDTH && whole.y > 100.0, "{whole:?}");
    }

    #[test]
    fn nothing_takes_no_room() {
        assert_eq!(place(&[]), (Vec::new(), Place::default()));
    }

    #[test]
    fn a_long_chain_does_not_overflow_the_stack() {
        let nodes: Vec<Node> = (0..3000)
            .map(|node| Node { width: 1.0, height: 1.0, targets: if node < 2999 { vec![node + 1] } else { vec![] } })
            .collect();
        assert_eq!(Layout::of(&nodes).rights.len(), 3000);
    }
}
