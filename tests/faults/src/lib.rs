//! Fault drills of the outbox, of the inbox, and of both in two services: real servers, services that are killed, and judges that share no code with them.
//!
//! | part | file |
//! |---|---|
//! | the services that are killed: one places orders and relays their events, one handles them | `bin/shop`, `bin/billing` |
//! | where a service ends by itself, and where it finds its streams | `fail_point`, `streams` |
//! | what a drill is, and one row of a table | `drill`, `row` |
//! | what all drills have: servers, a folder with processes, times, what a judge says | `servers`, `folder`, `process`, `times`, `verdict` |
//! | drills of the outbox: one with its servers, and what happens in each | `scene`, `drills` |
//! | the same for the inbox | `inbox` |
//! | the same for two services, end to end | `chain` |
//! | the engine of the inbox's drills | `engine` |
//! | the long form, which prints the tables | `bin/drill` |
//!
//! This side links the testkit, and of diator the broker in memory, which is the engine that `billing` consumes from. What it knows of an
//! outbox or an inbox it reads with `psql`, `sqlite3` and `redis-cli`.

pub mod chain;
pub mod drills;
pub mod engine;
pub mod inbox;

mod drill;
mod fail_point;
mod folder;
mod process;
mod row;
mod scene;
mod servers;
mod streams;
mod times;
mod verdict;

pub use self::drill::{Drill, Form, Judged};
pub use self::drills::DRILLS;
pub use self::fail_point::{FailPoint, die};
pub use self::process::Process;
pub use self::row::Row;
pub use self::scene::Scene;
pub use self::servers::{Database, Kind, Redis};
pub use self::streams::StreamSettings;
