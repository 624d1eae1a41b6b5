//! A Redis server of a test's own, and `redis-cli` to see what others see.
//!
//! Debian's package `redis-server` has both; `scripts/install-servers` installs it. A test that does not find them
//! fails.

mod cli;
mod process;

pub use self::cli::{ChannelListener, Fields, RedisCli, StreamListener};
pub use self::process::RedisServer;
