//! What the tests share: a journal, a log, a container and a broker that write into it, ways to drive a future by hand, and a
//! Redis server.
//!
//! There are no handlers here: a handler in a library would join the registry of every test program.

mod journal;
mod log;
mod outbox;
mod polling;
mod recorder;
mod recording_broker;
pub mod redis_server;

pub use self::journal::{Ending, Entry, Journal, ScopeId};
pub use self::log::Log;
pub use self::outbox::RecordingOutbox;
pub use self::polling::{at_once, eventually};
pub use self::recorder::{Pace, Recorder, SideLedger, Transaction};
pub use self::recording_broker::RecordingBroker;
