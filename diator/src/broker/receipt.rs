use super::PublishError;

/// How far a broker went with a message when it answered `Ok`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Receipt {
    /// It was sent off, and nobody said whether somebody got it.
    Sent,
    /// The broker confirmed that it has the message; whether it outlives the broker is not said.
    Accepted,
    /// The broker confirmed that it stored the message.
    Persisted {
        /// Where, in the broker's own terms: a stream id, an offset.
        position: String,
    },
}

/// What a broker answers for one message.
pub(super) type Answer = Result<Receipt, PublishError>;
