//! What the benchmarks share: pairs of contenders, measured turn by turn.

mod arguments;
mod contest;
pub mod machine;
mod pairs;

pub use self::arguments::{Arguments, Effort};
pub use self::contest::Contest;
pub use self::pairs::{Figures, Pair, median, time};
