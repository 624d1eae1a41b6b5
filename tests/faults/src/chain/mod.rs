//! Drills of two services, end to end.
//!
//! Commands that the shop acknowledges become rows, events of its outbox, entries of Redis Streams, effects of the billing service, events of that
//! service's outbox, and what a subscriber with the Python library sees. Each service has a PostgreSQL server of its own.

pub mod drills;
mod replication;
mod scene;

pub use self::drills::{COLUMNS, DRILLS};
pub use self::scene::{Scene, Way};
