//! Drills of the inbox, of deliveries that wait and of dead letters.
//!
//! The engine is in this process; the service is another one, `bin/billing`. What it did, the judge reads with `psql` and `sqlite3`.

pub mod drills;
mod scene;

pub use self::drills::{COLUMNS, DRILLS};
pub use self::scene::{Order, Scene};
