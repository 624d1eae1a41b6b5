//! A driver of Kafka that judges the contract of subscriptions. It is no product.
//!
//! The contract, [`diator::subscription`], was written beside an engine in memory that can do everything. This driver asks whether a
//! log fits it: partitions with owners, offsets with a low watermark, revocation in mid work, pause and resume for credit. Its tests
//! run the conformance suite and whole endpoints over librdkafka's `MockCluster`, which needs no server.
//!
//! | question | answer |
//! |---|---|
//! | who polls? | a thread for each opening, so that `max.poll.interval.ms` is met however long handlers take: [`polling`] |
//! | what is credit? | the source keeps up to `max_ahead` messages; with more, all partitions are paused, and resumed at half of it |
//! | what is an owner? | a partition, and the number of the assignment in which this opening got it: librdkafka does not tell the generation |
//! | what does a rebalance do? | partitions that are wanted back are told as `Revoking`; the thread goes on polling, and unassigns them when the endpoint gave them up, or when its time is over |
//! | what is an ack? | the commit of the next offset; the endpoint settles a partition in order, so that no unfinished message is passed |
//! | what is a dead letter? | a message on `<topic>.dead`, confirmed, and then an ack |
//! | who is heard of? | the brokers: librdkafka's statistics count what was received from them |
//!
//! It speaks the group protocol of KIP-848 (`group.protocol=consumer`), in which partitions are revoked one by one.
//!
//! # What `MockCluster` cannot show
//!
//! - **The classic protocol.** Its group refuses commits as soon as somebody joins, where a real broker takes them until the rebalance
//!   is over: no work could be settled during a revocation.
//! - **A process that dies without a word.** Dropping a consumer leaves the group, and the mock forgets at once what a closed connection
//!   owned. How long a session lasts, and `max.poll.interval.ms`, are not seen: its session is 30 s, and its timer unlocks a lock
//!   that it does not hold.
//! - **A rebalance that does not wait.** It has no rebalance timeout: a member that never gives a partition up keeps it.
//! - **Retention, compaction, transactions** with aborted messages, replicas that are behind, quotas, authorisation, and offsets that
//!   expire.
//! - **A commit that a foreign member may not do:** neither the mock nor a real broker compares its partitions with the assignment.

mod message;
mod polling;
mod rebalance;
mod settle;
mod shared;
mod source;
mod subscription;

pub use self::subscription::Kafka;
