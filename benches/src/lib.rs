//! What the benchmarks share: contenders, measured turn by turn.

mod pairs;
mod table;

pub use self::pairs::{Figures, Pair, median, time};
pub use self::table::{Table, handled};
