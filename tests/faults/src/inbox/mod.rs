//! Drills of the inbox, of deliveries that wait and of dead letters.
//!
//! The engine is in this process; the service is another one, `bin/billing`. What it did, the judge reads with `psql` and `sqlite3`.

pub mod drills;
mod row;
mod scene;

pub use self::drills::{DRILLS, Drill};
pub use self::row::Row;
pub use self::scene::{Payment, Scene};
