//! What the benchmarks share: pairs of contenders, measured turn by turn.

mod pairs;

pub use self::pairs::{Figures, Pair, median, time};
