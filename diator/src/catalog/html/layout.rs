//! Places the nodes of a graph in columns, so that most edges point to the right.

/// A node's place, in units of the drawing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Place {
    pub(super) x: f64,
    pub(super) y: f64,
}

/// A node's size, and where its edges go.
pub(super) struct Node {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) targets: Vec<usize>,
}

const BETWEEN_COLUMNS: f64 = 72.0;
const BETWEEN_ROWS: f64 = 14.0;

/// How wide the rows are at least of those nodes that have no edge.
const WIDTH: f64 = 1100.0;

/// A place for each node, and the size of it all.
pub(super) fn place(nodes: &[Node]) -> (Vec<Place>, Place) {
    let mut places = vec![Place::default(); nodes.len()];
    let (linked, alone) = (0..nodes.len()).partition::<Vec<_>, _>(|node| is_linked(nodes, *node));
    let linked = place_columns(nodes, &linked, &mut places);
    let whole = place_rows(nodes, &alone, linked, &mut places);
    (places, whole)
}

fn is_linked(nodes: &[Node], node: usize) -> bool {
    !nodes[node].targets.is_empty() || nodes.iter().any(|other| other.targets.contains(&node))
}

fn place_columns(nodes: &[Node], linked: &[usize], places: &mut [Place]) -> Place {
    let mut columns = columns(nodes);
    columns.iter_mut().for_each(|column| column.retain(|node| linked.contains(node)));
    let columns = order(nodes, columns);
    let mut whole = Place { x: 0.0, y: columns.iter().map(|column| height(nodes, column)).fold(0.0, f64::max) };
    for column in columns.iter().filter(|column| !column.is_empty()) {
        let left = if whole.x > 0.0 { whole.x + BETWEEN_COLUMNS } else { 0.0 };
        let widest = column.iter().map(|node| nodes[*node].width).fold(0.0, f64::max);
        let mut y = (whole.y - height(nodes, column)) / 2.0;
        for node in column {
            places[*node] = Place { x: left, y };
            y += nodes[*node].height + BETWEEN_ROWS;
        }
        whole.x = left + widest;
    }
    whole
}

/// Puts those that have no edge below the others, from left to right.
fn place_rows(nodes: &[Node], alone: &[usize], linked: Place, places: &mut [Place]) -> Place {
    let (mut whole, mut x, mut tallest) = (linked, 0.0, 0.0);
    let mut y = if linked.y > 0.0 { linked.y + 2.0 * BETWEEN_ROWS } else { 0.0 };
    for node in alone {
        let Node { width, height, .. } = nodes[*node];
        if x > 0.0 && x + width > linked.x.max(WIDTH) {
            y += tallest + BETWEEN_ROWS;
            (x, tallest) = (0.0, 0.0);
        }
        places[*node] = Place { x, y };
        whole = Place { x: whole.x.max(x + width), y: whole.y.max(y + height) };
        tallest = f64::max(tallest, height);
        x += width + BETWEEN_ROWS;
    }
    whole
}

fn height(nodes: &[Node], column: &[usize]) -> f64 {
    column.iter().map(|node| nodes[*node].height + BETWEEN_ROWS).sum::<f64>() - BETWEEN_ROWS
}

/// The nodes by column: each right of all that lead to it, but for edges that close a circle.
fn columns(nodes: &[Node]) -> Vec<Vec<usize>> {
    let mut depth = vec![0; nodes.len()];
    for node in forward_order(nodes) {
        for target in nodes[node.0].targets.iter().filter(|target| node.1.contains(target)) {
            depth[*target] = depth[*target].max(depth[node.0] + 1);
        }
    }
    let mut columns = vec![Vec::new(); depth.iter().max().map_or(0, |deepest| deepest + 1)];
    depth.iter().enumerate().for_each(|(node, depth)| columns[*depth].push(node));
    columns
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

/// Sorts each column by the middle of what leads to it, so that fewer edges cross.
fn order(nodes: &[Node], mut columns: Vec<Vec<usize>>) -> Vec<Vec<usize>> {
    for column in 1..columns.len() {
        let rows: Vec<(usize, usize)> = columns[..column]
            .iter()
            .flat_map(|column| column.iter().enumerate().map(|(row, node)| (*node, row)))
            .collect();
        let middle = |node: usize| {
            let rows: Vec<_> =
                rows.iter().filter(|(from, _)| nodes[*from].targets.contains(&node)).map(|(_, row)| *row).collect();
            // In thousandths, because places between two rows have to be told apart.
            (rows.iter().sum::<usize>() * 1000).checked_div(rows.len()).unwrap_or_default()
        };
        columns[column].sort_by_key(|node| (middle(*node), *node));
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(columns(&nodes).len(), 3000);
    }
}
