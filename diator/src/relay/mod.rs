//! Publishes what stands in an outbox.

/// Publishes what stands in an outbox.
#[derive(Debug)]
pub struct Relay;
