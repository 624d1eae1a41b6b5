//! Lets each handler of an event take effect once, however often the message arrives.
//!
//! | trait | who calls it, and for what |
//! |---|---|
//! | [`Inbox`] | the mediator notes a message in the transaction of the handler that handles it |

mod contract;
mod in_memory;
mod in_memory_deliveries;

pub use self::contract::{Entry, Inbox, Seen};
pub use self::in_memory::InMemoryInbox;
pub use crate::deliveries::Turn;
