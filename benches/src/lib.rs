//! What the benchmarks share: pairs of contenders, measured turn by turn.

mod contest;
mod pairs;

pub use self::contest::Contest;
pub use self::pairs::{Figures, Pair, median, time};
