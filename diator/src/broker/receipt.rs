use super::PublishError;

/// How far a broker went with a message when it answered `Ok`.
///
/// # Guarantees
///
/// - Each variant promises what those before it promise, and more.
/// - No variant says whether a consumer has the message.
/// - A broker that is [`confirmed`](super::Guarantees::confirmed) must never answer [`Sent`](Self::Sent), and a broker
///   that is [`durable`](super::Guarantees::durable) must answer [`Persisted`](Self::Persisted): the conformance suite
///   checks both.
/// - The mediator treats every receipt as a success.
///
/// # Example
///
/// ```
/// use diator::broker::Receipt;
///
/// fn position(receipt: &Receipt) -> Option<&str> {
///     match receipt {
///         Receipt::Persisted { position } => Some(position),
///         _ => None,
///     }
/// }
/// assert_eq!(position(&Receipt::Persisted { position: "1732311113-0".to_owned() }), Some("1732311113-0"));
/// assert_eq!(position(&Receipt::Accepted), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Receipt {
    /// The message was sent, and nobody confirmed that somebody has it.
    Sent,
    /// The broker confirmed that it has the message, but not that the message survives the broker.
    Accepted,
    /// The broker confirmed that it stored the message.
    Persisted {
        /// The place of the message in the broker's own terms: a stream id, an offset.
        position: String,
    },
}

/// What a broker answers for one message.
pub(super) type Answer = Result<Receipt, PublishError>;
