//! What a reply, or the lack of one, means for the message.

use std::io;
use std::time::Duration;

use ::redis::{ErrorKind, RedisError, ServerError};

use crate::broker::{PublishError, PublishErrorKind};

/// Why there is no reply; one reason serves for all messages of a pipeline.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// The deadline passed before anything was sent.
    NotSent(Duration),
    /// The server could not be reached, or refused the login; nothing was sent.
    Unreachable(RedisError),
    /// The server does not keep messages as it was said to; nothing was sent.
    NotDurable,
    /// The deadline passed before there was a reply.
    NoReply(Duration),
    /// The connection broke before there was a reply.
    Lost(RedisError),
}

impl Failure {
    /// The error for one message; `server` is its address.
    pub(super) fn at(&self, server: &str) -> PublishError {
        match self {
            Self::NotSent(time) => {
                PublishError::transient(format!("the message could not be sent to redis at {server} within {time:?}"))
            }
            Self::Unreachable(error) => unreachable(error.clone(), server),
            Self::NotDurable => PublishError::fatal(format!(
                "redis at {server} does not write each message to disk: it needs `appendonly yes` and `appendfsync always`"
            )),
            Self::NoReply(time) => PublishError::ambiguous(format!("redis at {server} did not answer within {time:?}")),
            Self::Lost(error) => {
                PublishError::ambiguous(format!("the connection to redis at {server} broke")).with_source(error.clone())
            }
        }
    }
}

fn unreachable(error: RedisError, server: &str) -> PublishError {
    if let Ok(refusal) = ServerError::try_from(error.clone()) {
        return refused(refusal);
    }
    let kind = match error.kind() {
        // Something answered that is no Redis, or whose certificate is not to be trusted.
        _ if is_distrust(&error) => PublishErrorKind::Fatal,
        ErrorKind::Client | ErrorKind::InvalidClientConfig => PublishErrorKind::Fatal,
        _ => PublishErrorKind::Transient { retry_after: None },
    };
    PublishError::new(kind, format!("redis at {server} could not be reached")).with_source(error)
}

fn is_distrust(error: &RedisError) -> bool {
    let source = std::error::Error::source(error);
    source.and_then(|source| source.downcast_ref::<io::Error>()).is_some_and(|error| error.kind() == io::ErrorKind::InvalidData)
}

/// The server's own no: the command was not carried out.
pub(super) fn refused(error: ServerError) -> PublishError {
    let code = error.code().to_owned();
    let details = error.details().unwrap_or_default();
    let (kind, text) = match &*code {
        "LOADING" | "BUSY" | "READONLY" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" | "OOM" | "MISCONF"
        | "NOREPLICAS" => (PublishErrorKind::Transient { retry_after: None }, "redis cannot take the message now"),
        // It has no code of its own.
        "ERR" if details.contains("max number of clients") => {
            (PublishErrorKind::Transient { retry_after: None }, "redis has too many connections")
        }
        "NOAUTH" | "WRONGPASS" => (PublishErrorKind::Fatal, "redis refused the login"),
        "NOPERM" => (PublishErrorKind::Fatal, "redis does not permit the user to publish"),
        _ => (PublishErrorKind::Fatal, "redis refused the message"),
    };
    PublishError::new(kind, text).with_code(code).with_source(error)
}
