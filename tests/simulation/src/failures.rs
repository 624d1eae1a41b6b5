//! How handlers fail, where the policy of the endpoint has a rule for it.

/// What all messages need is away.
#[derive(Debug, thiserror::Error)]
#[error("it is down")]
pub(crate) struct Down;

/// Somebody else holds what it needs.
#[derive(Debug, thiserror::Error)]
#[error("it is busy")]
pub(crate) struct Busy;

/// No retry can help.
#[derive(Debug, thiserror::Error)]
#[error("it is hopeless")]
pub(crate) struct Hopeless;
