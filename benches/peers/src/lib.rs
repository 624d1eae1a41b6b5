//! diator beside its peers: each contender in a file of its own, in the way its own documentation shows.
//!
//! All do the same: add one to a number, note that an event came. What a crate cannot do is not there.

mod contenders;
mod fill;
mod table;
mod tables;

pub use self::table::{Answer, Table, handled, median};
pub use self::tables::{sizes, tables, two_tasks};
