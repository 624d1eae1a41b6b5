//! What a subscription to Redis Streams does beyond the contract.

mod dead_letters;
mod dropped;
mod failover;
mod full;
mod groups;
mod idle;
mod names;
mod partitions;
mod permissions;
mod world;
