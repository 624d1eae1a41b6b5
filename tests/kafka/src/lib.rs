//! A driver of Kafka that judges the contract of subscriptions. It is no product.
//!
//! The contract, [`diator::subscription`], was written beside an engine in memory that can do everything. This driver asks whether a
//! log fits it: partitions with owners, offsets with a low watermark, revocation in mid work, pause and resume for credit. Its tests
//! run the conformance suite and whole endpoints over librdkafka's `MockCluster`, which needs no server.
//!
//! | question | answer |
//! |---|---|
//! | who polls? | a thread for each opening (`polling`), so that `max.poll.interval.ms` is met however long handlers take |
//! | what is credit? | the source keeps up to `max_ahead` messages; with more, all partitions are paused, and resumed at half of it |
//! | what is an owner? | a partition, and a number that this opening counts: `rdkafka` does not tell the generation of the group |
//! | what does a rebalance do? | partitions that are wanted back are told as `Revoking`; the thread goes on polling, and unassigns them when the endpoint gave them up, or when its time is over |
//! | what is given up unasked? | a partition whose verdict was refused: it goes back to its first message that is not settled, under another number |
//! | what is an ack? | the commit of the next offset; the endpoint settles a partition in order, so that no unfinished message is passed, and the driver refuses a commit that would |
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
//!   owned. Its session lasts 30 s, which only C can change; a real one lasts 45 s.
//! - **A rebalance that does not wait.** It has no rebalance timeout: a member that never gives a partition up keeps it.
//! - **A member that is fenced at once.** `rdkafka` has no name for the heartbeat of KIP-848, so that no error can be put into one. The
//!   cases lose partitions by hiding the coordinator for longer than a session.
//! - **A commit for a partition of others.** The mock compares the epoch of the member alone, and a real broker no more than that.
//! - **Retention, compaction, transactions** with aborted messages, replicas that are behind, quotas, authorisation, and offsets that
//!   expire.

mod message;
mod polling;
mod rebalance;
mod settle;
mod shared;
mod source;
mod subscription;

pub use self::subscription::Kafka;
