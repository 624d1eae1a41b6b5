//! Which nodes stand in which column, and in which order.

use std::collections::BTreeMap;

/// A node's size, and where its edges go.
pub(super) struct Node {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) targets: Vec<usize>,
}

/// The columns of a graph, from left to right.
pub(super) struct Columns {
    /// What stands in each, from top to bottom: nodes, and lanes, whose numbers come after those of the nodes.
    pub(super) members: Vec<Vec<usize>>,
    /// The column of each node.
    pub(super) of: Vec<usize>,
    /// Where edges cross a column, by what they lead to, by the column, and by where they head: the edges to one node
    /// share a lane.
    pub(super) lanes: BTreeMap<(usize, usize, Heading), usize>,
}

/// Which way an edge crosses a column: one that closes a circle leads back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Heading {
    Right,
    Left,
}

/// How often the order is gone over, there and back.
const SWEEPS: usize = 4;

impl Columns {
    /// Each node stands right of all that lead to it, but for edges that close a circle.
    pub(super) fn of(nodes: &[Node], linked: &[usize]) -> Self {
        let order = forward_order(nodes);
        let mut of = vec![0; nodes.len()];
        for (node, targets) in &order {
            targets.iter().for_each(|target| of[*target] = of[*target].max(of[*node] + 1));
        }
        let mut members = vec![Vec::new(); of.iter().max().map_or(0, |last| last + 1)];
        linked.iter().for_each(|node| members[of[*node]].push(*node));
        let mut columns = Self { members, of, lanes: BTreeMap::new() };
        let mut edges = columns.add_lanes(nodes.len(), &order);
        edges.extend(columns.add_lanes_back(nodes));
        edges.sort_unstable();
        edges.dedup();
        columns.sort(&edges);
        columns
    }

    /// The edges that are left if each leads to the next column only.
    fn add_lanes(&mut self, nodes: usize, order: &[(usize, Vec<usize>)]) -> Vec<(usize, usize)> {
        let mut edges = Vec::new();
        for (node, targets) in order {
            for target in targets {
                let mut from = *node;
                for column in self.of[*node] + 1..self.of[*target] {
                    let lane = self.lane(nodes, (*target, column, Heading::Right));
                    edges.push((from, lane));
                    from = lane;
                }
                edges.push((from, *target));
            }
        }
        edges
    }

    /// What leads back goes around the boxes in all columns from its end to its beginning; the edges between those lanes.
    fn add_lanes_back(&mut self, nodes: &[Node]) -> Vec<(usize, usize)> {
        let (mut edges, of) = (Vec::new(), self.of.clone());
        for (end, Node { targets, .. }) in of.iter().copied().zip(nodes) {
            for target in targets.iter().filter(|target| of[**target] <= end) {
                let columns = of[*target]..=end;
                let lanes: Vec<_> =
                    columns.map(|column| self.lane(nodes.len(), (*target, column, Heading::Left))).collect();
                edges.extend(lanes.windows(2).map(|pair| (pair[0], pair[1])));
            }
        }
        edges
    }

    fn lane(&mut self, nodes: usize, key: (usize, usize, Heading)) -> usize {
        let next = nodes + self.lanes.len();
        *self.lanes.entry(key).or_insert_with(|| {
            self.members[key.1].push(next);
            next
        })
    }

    /// Sorts each column by the middle of what its members are joined with, so that fewer edges cross.
    fn sort(&mut self, edges: &[(usize, usize)]) {
        let places = self.of.len() + self.lanes.len();
        let (mut before, mut after) = (vec![Vec::new(); places], vec![Vec::new(); places]);
        for (from, to) in edges {
            after[*from].push(*to);
            before[*to].push(*from);
        }
        for _ in 0..SWEEPS {
            (1..self.members.len()).for_each(|column| self.sort_column(column, column - 1, &before));
            (1..self.members.len()).rev().for_each(|column| self.sort_column(column - 1, column, &after));
        }
    }

    fn sort_column(&mut self, column: usize, beside: usize, joined: &[Vec<usize>]) {
        // Columns are centred, and so are the rows.
        let rows = |column: &[usize]| -> BTreeMap<usize, isize> {
            let middle = column.len() as isize - 1;
            column.iter().zip(0..).map(|(member, row)| (*member, 2 * row - middle)).collect()
        };
        let (own, other) = (rows(&self.members[column]), rows(&self.members[beside]));
        let middle = |member: &usize| {
            let rows: Vec<_> = joined[*member].iter().filter_map(|one| other.get(one)).collect();
            // In thousandths, because places between two rows have to be told apart.
            let sum: isize = rows.iter().copied().sum();
            (1000 * sum).checked_div(rows.len() as isize).unwrap_or(1000 * own[member])
        };
        self.members[column].sort_by_cached_key(middle);
    }
}

/// The nodes so that each comes before its targets, with those targets that close no circle.
fn forward_order(nodes: &[Node]) -> Vec<(usize, Vec<usize>)> {
    enum Step {
        Enter(usize),
        Leave(usize),
    }
    let (mut begun, mut done) = (vec![false; nodes.len()], vec![false; nodes.len()]);
    let mut order = Vec::new();
    for start in 0..nodes.len() {
        let mut steps = vec![Step::Enter(start)];
        // Its own stack instead of recursion: a chain of messages may be long.
        while let Some(step) = steps.pop() {
            match step {
                Step::Enter(node) if begun[node] => {}
                Step::Enter(node) => {
                    begun[node] = true;
                    steps.push(Step::Leave(node));
                    steps.extend(nodes[node].targets.iter().rev().map(|target| Step::Enter(*target)));
                }
                Step::Leave(node) => {
                    // What is begun and not done leads here: an edge back.
                    let forward = nodes[node].targets.iter().copied().filter(|target| done[*target]).collect();
                    done[node] = true;
                    order.push((node, forward));
                }
            }
        }
    }
    order.reverse();
    order
}
