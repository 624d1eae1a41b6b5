//! Commits events together with the data that they describe, and keeps them until a broker has them.
//!
//! | trait | who calls it, and for what |
//! |---|---|
//! | [`Outbox`] | the mediator writes the events of a unit of work in the transaction of that unit of work |
//! | [`OutboxStore`] | a [`Relay`](crate::relay::Relay) reads the events, and notes the broker's answers |
//! | [`DeadLetters`] | an operator lists, replays and discards the events that the broker refused for good |
//! | [`StoreSchema`] | an operator makes and checks the tables |

mod contract;
mod dead_letters;
mod in_memory;
mod partition;
mod schema;
mod store;

pub use self::contract::{Outbox, StagedMessage};
pub use self::dead_letters::{DeadLetter, DeadLetterFilter, DeadLetters};
pub(crate) use self::in_memory::Joined;
pub use self::in_memory::{InMemoryOutbox, InMemoryTransaction};
pub use self::partition::{PARTITIONS, partition_of};
pub use self::schema::{SchemaState, StoreSchema};
pub use self::store::{
    Claim, Cursor, Leased, LeasedPartition, OutboxRow, OutboxStatus, OutboxStore, ParkedKey, Place, RelayId,
    Settlement, Skip, SkippedRoute, Verdict,
};
