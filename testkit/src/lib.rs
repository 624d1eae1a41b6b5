//! Conformance suites for the brokers and containers of [`diator`], and a server to break under them.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

pub mod broker;
mod polling;
mod server_process;

#[doc(hidden)]
pub use self::polling::__run;
pub use self::polling::{drop_after, within_patience, yields};
pub use self::server_process::ServerProcess;
