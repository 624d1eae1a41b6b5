use crate::broker::OutboundMessage;

/// A message that an endpoint of an [`InMemoryBroker`](crate::InMemoryBroker) gave up.
///
/// Tests read them with [`dead_letters`](crate::InMemoryBroker::dead_letters).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InMemoryDeadLetter {
    /// The message as it was published.
    pub message: OutboundMessage,
    /// Why the endpoint gave the message up; or why the engine did, if it has a limit of its own.
    pub reason: Box<str>,
    /// How often it was delivered before.
    pub deliveries: u32,
}
