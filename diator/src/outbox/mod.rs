//! Events that commit with the data that they speak of, and where they wait until a broker has them.
//!
//! | part | what it is |
//! |---|---|
//! | [`Outbox`] | the mediator writes the events of a unit of work into its own transaction |
//! | [`OutboxStore`] | a [`Relay`](crate::relay::Relay) reads them from there, and notes down what became of them |
//! | [`DeadLetters`] | those that the broker refuses for good, in the hands of an operator |
//! | [`StoreSchema`] | the tables of all that |

mod contract;
mod dead_letters;
mod in_memory;
mod partition;
mod schema;
mod store;

pub use self::contract::{Outbox, StagedMessage};
pub use self::dead_letters::{DeadLetter, DeadLetterFilter, DeadLetters};
pub use self::in_memory::{InMemoryOutbox, InMemoryTransaction};
pub use self::partition::{PARTITIONS, partition_of};
pub use self::schema::{SchemaState, StoreSchema};
pub use self::store::{
    Claim, Cursor, Leased, LeasedPartition, OutboxRow, OutboxStatus, OutboxStore, ParkedKey, Place, RelayId,
    Settlement, Skip, SkippedRoute, Verdict,
};
