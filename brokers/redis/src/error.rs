//! What a reply, or the lack of one, means for the message.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use redis::{ErrorKind, RedisError, ServerError, Value};

use diator::broker::{PublishError, PublishErrorKind};
use diator::subscription::{ConsumeError, ConsumeErrorKind};

/// Why there is no reply; one reason serves for all messages of a pipeline.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// The deadline passed before anything was sent.
    NotSent(Duration),
    /// The server could not be reached, or refused the login; nothing was sent.
    Unreachable(RedisError),
    /// The server does not keep messages as it was said to; nothing was sent.
    NotDurable,
    /// The server is a replica: it would refuse an entry of a stream, and drop a message of a channel. Nothing was sent.
    Replica,
    /// The deadline passed before there was a reply.
    NoReply(Duration),
    /// The connection broke before there was a reply.
    Lost(RedisError),
}

impl Failure {
    /// The failure of a question that comes before the messages: none of these was sent.
    pub(super) fn of_question(self) -> Self {
        match self {
            Self::NoReply(time) => Self::NotSent(time),
            Self::Lost(error) => Self::Unreachable(error),
            failure => failure,
        }
    }

    /// The error for one message; `server` is its address, `suspicious` a size that may be the reason.
    pub(super) fn at(&self, server: &str, suspicious: Option<usize>) -> PublishError {
        match self {
            Self::NotSent(time) => {
                PublishError::transient(format!("the message could not be sent to redis at {server} within {time:?}"))
            }
            Self::Unreachable(error) => unreachable(error.clone(), server),
            Self::NotDurable => PublishError::fatal(format!(
                "redis at {server} does not write each message to disk: it needs `appendonly yes` and `appendfsync always`"
            ))
            .concerning_destination(),
            Self::Replica => PublishError::transient(format!("redis at {server} is a replica")).with_code("READONLY"),
            Self::NoReply(time) => PublishError::ambiguous(format!("redis at {server} did not answer within {time:?}")),
            Self::Lost(error) => {
                let reason = suspicious.map(|bytes| {
                    format!(
                        ": a message of {bytes} bytes may be more than its `proto-max-bulk-len` or \
                             `client-query-buffer-limit`"
                    )
                });
                let text = format!("the connection to redis at {server} broke{}", reason.unwrap_or_default());
                PublishError::ambiguous(text).with_source(error.clone())
            }
        }
    }
}

fn unreachable(error: RedisError, server: &str) -> PublishError {
    if let Ok(refusal) = ServerError::try_from(error.clone()) {
        // No message was given to it yet.
        return refused(refusal).concerning_destination();
    }
    let kind = match error.kind() {
        // Something answered that is no Redis, or whose certificate is not to be trusted.
        _ if is_distrust(&error) => PublishErrorKind::Fatal,
        ErrorKind::Client | ErrorKind::InvalidClientConfig => PublishErrorKind::Fatal,
        _ => PublishErrorKind::Transient { retry_after: None },
    };
    PublishError::new(kind, format!("redis at {server} could not be reached"))
        .with_source(error)
        .concerning_destination()
}

fn is_distrust(error: &RedisError) -> bool {
    // The client keeps its sources in an `Arc`, and shows that.
    let source = error.source().and_then(|source| source.downcast_ref::<Arc<dyn Error + Send + Sync>>());
    let source = source.and_then(|source| source.downcast_ref::<io::Error>());
    source.is_some_and(|error| error.kind() == io::ErrorKind::InvalidData)
}

/// Whether a reply says that this server, or this connection to it, is not the one to publish to: the service may have
/// moved to another server, or the login does not count any more.
pub(super) fn dooms(reply: &Value) -> bool {
    let Value::ServerError(error) = reply else { return false };
    matches!(error.code(), "READONLY" | "MASTERDOWN" | "LOADING" | "NOREPLICAS" | "NOAUTH") || is_protocol_error(error)
}

/// The server closes the connection after it.
fn is_protocol_error(error: &ServerError) -> bool {
    error.code() == "ERR" && error.details().is_some_and(|details| details.starts_with("Protocol error"))
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
        "ERR" if is_protocol_error(&error) => (PublishErrorKind::Fatal, "redis cannot read a message of that size"),
        "NOAUTH" | "WRONGPASS" => (PublishErrorKind::Fatal, "redis refused the login"),
        "NOPERM" => (PublishErrorKind::Fatal, "redis does not permit the user to publish"),
        _ => (PublishErrorKind::Fatal, "redis refused the message"),
    };
    let concerns_destination = is_of_server(&error);
    let error = PublishError::new(kind, text).with_code(code).with_source(error);
    if concerns_destination { error.concerning_destination() } else { error }
}

/// Whether the server would refuse every message so. A `NOPERM` may speak of one stream or channel.
fn is_of_server(error: &ServerError) -> bool {
    let details = error.details().unwrap_or_default();
    match error.code() {
        "NOAUTH" | "WRONGPASS" | "MOVED" => true,
        "NOPERM" => details.contains("to run the"),
        "ERR" => details.starts_with("unknown command"),
        _ => false,
    }
}

/// What a failure means for somebody who consumes: whether something was sent does not matter, because it can be asked again.
pub(super) fn consume_error(failure: &Failure, server: &str) -> ConsumeError {
    let source = match failure {
        Failure::NotSent(time) => {
            return ConsumeError::transient(format!("redis at {server} could not be asked within {time:?}"));
        }
        Failure::Unreachable(error) => match ServerError::try_from(error.clone()) {
            Ok(refusal) => return refused_consumer(refusal),
            Err(_) => Some(error),
        },
        Failure::Lost(error) => Some(error),
        Failure::NotDurable | Failure::Replica | Failure::NoReply(_) => None,
    };
    let error = failure.at(server, None);
    let error = ConsumeError::new(kind_of(error.kind()), error.to_string());
    match source {
        Some(source) => error.with_source(source.clone()),
        None => error,
    }
}

/// The server's own no to a command of a subscription.
pub(super) fn refused_consumer(error: ServerError) -> ConsumeError {
    let (kind, code) = (kind_of(refused(error.clone()).kind()), error.code().to_owned());
    ConsumeError::new(kind, format!("redis refused a command of the subscription ({code})")).with_source(error)
}

fn kind_of(kind: PublishErrorKind) -> ConsumeErrorKind {
    match kind {
        PublishErrorKind::Fatal => ConsumeErrorKind::Fatal,
        PublishErrorKind::Transient { retry_after } => ConsumeErrorKind::Transient { retry_after },
        _ => ConsumeErrorKind::Transient { retry_after: None },
    }
}

#[cfg(test)]
mod tests {
    use redis::{Value, parse_redis_value};

    use super::*;

    const TRANSIENT: PublishErrorKind = PublishErrorKind::Transient { retry_after: None };

    fn answer(line: &str) -> PublishError {
        match parse_redis_value(format!("-{line}\r\n").as_bytes()) {
            Ok(Value::ServerError(error)) => refused(error),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_code_has_its_kind() {
        for line in [
            "LOADING Redis is loading the dataset in memory",
            "BUSY Redis is busy running a script.",
            "READONLY You can't write against a read only replica.",
            "MASTERDOWN Link with MASTER is down",
            "CLUSTERDOWN Hash slot not served",
            "TRYAGAIN Multiple keys request during rehashing of slot",
            "OOM command not allowed when used memory > 'maxmemory'.",
            "MISCONF Redis is configured to save RDB snapshots",
            "NOREPLICAS Not enough good replicas to write.",
            "ERR max number of clients reached",
        ] {
            assert_eq!(answer(line).kind(), TRANSIENT, "{line}");
        }
        for line in [
            "NOAUTH Authentication required.",
            "WRONGPASS invalid username-password pair or user is disabled.",
            "NOPERM this user has no permissions to run the 'publish' command",
            "WRONGTYPE Operation against a key holding the wrong kind of value",
            "MOVED 3999 127.0.0.1:6381",
            "ERR unknown command 'XADD'",
            "SOMETHING new",
        ] {
            assert_eq!(answer(line).kind(), PublishErrorKind::Fatal, "{line}");
        }
    }

    #[test]
    fn what_concerns_every_message_is_told_apart() {
        for line in [
            "NOAUTH Authentication required.",
            "WRONGPASS invalid username-password pair or user is disabled.",
            "NOPERM this user has no permissions to run the 'publish' command",
            "NOPERM User ada has no permissions to run the 'xadd' command",
            "MOVED 3999 127.0.0.1:6381",
            "ERR unknown command 'XADD', with args beginning with: 'orders'",
        ] {
            assert!(answer(line).concerns_destination(), "{line}");
        }
        for line in [
            "NOPERM No permissions to access a key",
            "NOPERM No permissions to access a channel",
            "WRONGTYPE Operation against a key holding the wrong kind of value",
            "ERR Protocol error: invalid bulk length",
            "SOMETHING new",
            "OOM command not allowed when used memory > 'maxmemory'.",
        ] {
            assert!(!answer(line).concerns_destination(), "{line}");
        }
        let concerns = |failure: Failure| failure.at("host:1", None).concerns_destination();
        assert!(concerns(Failure::Unreachable(RedisError::from(io::Error::from(io::ErrorKind::InvalidData)))));
        assert!(concerns(Failure::NotDurable));
        assert!(!concerns(Failure::Replica), "that is transient");
    }

    #[test]
    fn a_reply_that_dooms_the_connection_is_known() {
        let reply = |line: &str| parse_redis_value(format!("-{line}\r\n").as_bytes()).expect("it is a reply");
        for line in [
            "READONLY You can't write against a read only replica.",
            "MASTERDOWN Link with MASTER is down",
            "LOADING Redis is loading the dataset in memory",
            "NOREPLICAS Not enough good replicas to write.",
            "NOAUTH Authentication required.",
            "ERR Protocol error: invalid bulk length",
        ] {
            assert!(dooms(&reply(line)), "{line}");
        }
        for line in ["OOM no", "WRONGTYPE no", "NOPERM no", "BUSY no", "ERR unknown command", "ERR"] {
            assert!(!dooms(&reply(line)), "{line}");
        }
        assert!(!dooms(&Value::SimpleString("READONLY".to_owned())));
    }

    #[test]
    fn the_code_is_redis_own_and_the_source_has_its_words() {
        let error = answer("OOM command not allowed");
        assert_eq!(error.to_string(), "redis cannot take the message now (OOM)");
        assert!(error.source().is_some_and(|source| source.to_string().contains("command not allowed")));
        assert_eq!(answer("NOPERM no").to_string(), "redis does not permit the user to publish (NOPERM)");
        assert_eq!(answer("NOAUTH no").code(), Some("NOAUTH"));
    }

    #[test]
    fn what_was_not_sent_is_transient_and_what_was_lost_ambiguous() {
        let second = Duration::from_secs(1);
        let io = |kind| RedisError::from(io::Error::from(kind));
        let kind = |failure: Failure| failure.at("host:1", None).kind();
        assert_eq!(kind(Failure::NotSent(second)), TRANSIENT);
        assert_eq!(kind(Failure::NoReply(second)), PublishErrorKind::Ambiguous);
        for error in [io::ErrorKind::ConnectionRefused, io::ErrorKind::TimedOut, io::ErrorKind::BrokenPipe] {
            assert_eq!(kind(Failure::Unreachable(io(error))), TRANSIENT);
            assert_eq!(kind(Failure::Lost(io(error))), PublishErrorKind::Ambiguous);
        }
        assert_eq!(kind(Failure::Unreachable(io(io::ErrorKind::InvalidData))), PublishErrorKind::Fatal);
        assert_eq!(kind(Failure::NotDurable), PublishErrorKind::Fatal);
        assert_eq!(kind(Failure::Replica), TRANSIENT);
        let text = |failure: Failure, size| failure.at("host:1", size).to_string();
        assert_eq!(text(Failure::NoReply(second), Some(5)), "redis at host:1 did not answer within 1s");
        let lost = || Failure::Lost(io(io::ErrorKind::BrokenPipe));
        assert_eq!(text(lost(), None), "the connection to redis at host:1 broke");
        assert!(
            text(lost(), Some(5)).contains("broke: a message of 5 bytes may be more than its `proto-max-bulk-len`")
        );
    }
}
