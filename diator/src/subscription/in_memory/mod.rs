//! The consuming half of the in-memory broker: an engine with every capability, each of which can be switched off.
//!
//! It crosses the public contract alone, and calls no handler. All that it knows is in [`InMemoryGroups`], which have neither a
//! clock nor tasks: who asks, says what time it is.
//!
//! | part | file |
//! |---|---|
//! | what is opened, and how it is set up | `subscription` |
//! | the two sides of an opening | `opening`, `source`, `settle` |
//! | all endpoints | `groups` |
//! | what the openings of one endpoint share | `group` |
//! | what one opening does with it | `membership` |
//! | what one opening holds | `member` |
//! | who gets which partition | `partition`, `sharing` |
//! | a message that waits | `entry` |
//! | what tests ask and break | `dead_letter`, `faults` |

mod dead_letter;
mod entry;
mod faults;
mod group;
mod groups;
mod member;
mod membership;
mod opening;
mod partition;
mod settle;
mod sharing;
mod source;
mod subscription;

pub use self::dead_letter::InMemoryDeadLetter;
pub(crate) use self::groups::InMemoryGroups;
pub use self::subscription::InMemorySubscription;

#[cfg(test)]
mod tests;
