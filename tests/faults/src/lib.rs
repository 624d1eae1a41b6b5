//! Fault drills of the outbox and of the inbox: real servers, services that are killed, and judges that share no code with them.
//!
//! | part | file |
//! |---|---|
//! | the services that are killed: one places orders and relays their events, one handles payments | `bin/shop`, `bin/billing` |
//! | where a service ends by itself | `fail_point` |
//! | servers and processes of one drill of the outbox, and its judge | `scene`, `servers`, `process` |
//! | what happens in each of them, and one row of their table | `drills`, `row` |
//! | the same for the inbox | `inbox` |
//! | the engine of the inbox's drills | `engine` |
//! | the long form, which prints the tables | `bin/drill` |
//!
//! This side links the testkit, and of diator the broker in memory, which is the engine that `billing` consumes from. What it knows of an
//! outbox or an inbox it reads with `psql`, `sqlite3` and `redis-cli`.

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
