//! What the tests share: a journal, a container and a broker that write into it, and ways to drive a future by hand.
//!
//! There are no handlers here: a handler in a library would join the registry of every test program.

pub mod broker;
mod journal;
mod outbox;
mod polling;
mod recorder;
pub mod redis_server;
#[cfg(feature = "azure")]
pub mod service_bus;

pub use self::broker::RecordingBroker;
pub use self::journal::{Ending, Entry, Journal, ScopeId};
pub use self::outbox::RecordingOutbox;
pub use self::polling::{at_once, drop_after, eventually, yields};
pub use self::recorder::{Pace, Recorder, SideLedger, Transaction};
