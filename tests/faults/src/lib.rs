//! Fault drills of the outbox: real servers, a service that is killed, and a judge that shares no code with it.
//!
//! | part | file |
//! |---|---|
//! | the service that is killed | `bin/shop` |
//! | servers and processes of one drill, and its judge | `scene`, `servers`, `shop` |
//! | what happens in each drill | `drills` |
//! | one row of the table | `row` |
//! | the long form, which prints the table | `bin/drill` |
//!
//! This side links the testkit and no other crate of diator: what it knows of an outbox it reads with `psql`, `sqlite3` and
//! `redis-cli`.

pub mod drills;
mod row;
mod scene;
mod servers;
mod shop;

pub use self::drills::{DRILLS, Drill, Form};
pub use self::row::Row;
pub use self::scene::Scene;
pub use self::servers::{Database, Kind, Redis};
pub use self::shop::Shop;
