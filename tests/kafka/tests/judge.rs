//! What the contract of subscriptions asks of Kafka, over a cluster that is mocked in this process.

#[path = "judge/cluster.rs"]
mod cluster;
#[path = "judge/conformance.rs"]
mod conformance;
#[path = "judge/endpoint.rs"]
mod endpoint;
