//! What a connection is asked when it is made, and each time that it is probed.

use redis::{AsyncConnectionConfig, Client, Pipeline, RedisConnectionInfo, RedisError, Value};

use super::error::Failure;
use redis::aio::MultiplexedConnection;

/// How many commands may wait to be written before callers wait for room; none of them is dropped.
const WAITING: usize = 1024;

/// Connects, logs in, and asks everything that a probe asks.
pub(super) async fn log_in(
    client: Client,
    login: RedisConnectionInfo,
    durable: bool,
) -> Result<MultiplexedConnection, Failure> {
    // No time-outs of the client's own: the call's deadline holds for all of it.
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None)
        .set_pipeline_buffer_size(WAITING);
    let connecting = client.get_multiplexed_async_connection_with_config(&config);
    let connection = connecting.await.map_err(Failure::Unreachable)?;
    ask(connection.clone(), credentials(&login), durable).await?;
    Ok(connection)
}

/// Asks a connected server whether it still is what it was when the connection was made.
pub(super) async fn probe(connection: MultiplexedConnection, durable: bool) -> Result<(), Failure> {
    ask(connection, Pipeline::new(), durable).await
}

/// One round trip.
async fn ask(mut connection: MultiplexedConnection, mut first: Pipeline, durable: bool) -> Result<(), Failure> {
    let own = first.len();
    add_questions(&mut first, durable);
    let mut replies = connection.send_packed_commands(&first, 0, first.len()).await.map_err(Failure::Unreachable)?;
    let answers = replies.split_off(own.min(replies.len()));
    replies.iter().try_for_each(accepted)?;
    check(&answers)
}

fn credentials(info: &RedisConnectionInfo) -> Pipeline {
    let mut pipeline = Pipeline::new();
    if let Some(password) = info.password() {
        pipeline.cmd("AUTH").arg(info.username()).arg(password);
    }
    if info.db() != 0 {
        pipeline.cmd("SELECT").arg(info.db());
    }
    pipeline
}

/// `ROLE` tells a replica, `PING` whether the server takes commands at all, `CONFIG` whether it stores each message.
fn add_questions(pipeline: &mut Pipeline, durable: bool) {
    pipeline.cmd("ROLE");
    pipeline.cmd("PING");
    if durable {
        pipeline.cmd("CONFIG").arg("GET").arg("appendonly");
        pipeline.cmd("CONFIG").arg("GET").arg("appendfsync");
    }
}

fn check(answers: &[Value]) -> Result<(), Failure> {
    let [role, pong, settings @ ..] = answers else {
        // The client counts the answers.
        return Ok(());
    };
    accepted(pong)?;
    if is_replica(role) {
        return Err(Failure::Replica);
    }
    let wanted = ["yes", "always"];
    let differs = |(reply, wanted): (&Value, &str)| setting(reply).is_some_and(|value| value != wanted.as_bytes());
    if settings.iter().zip(wanted).any(differs) { Err(Failure::NotDurable) } else { Ok(()) }
}

/// Who may not even say `PING` may still be allowed to publish.
fn accepted(reply: &Value) -> Result<(), Failure> {
    match reply {
        Value::ServerError(error) if error.code() != "NOPERM" => {
            Err(Failure::Unreachable(RedisError::from(error.clone())))
        }
        _ => Ok(()),
    }
}

/// Whether `ROLE` says so; a server that does not answer it, or must not, is believed to be a primary.
fn is_replica(role: &Value) -> bool {
    match role {
        Value::Array(parts) => match parts.first() {
            Some(Value::BulkString(name)) => name == b"slave",
            _ => false,
        },
        _ => false,
    }
}

/// The value that `CONFIG GET` answered; `None` where the server does not say.
fn setting(reply: &Value) -> Option<&[u8]> {
    match reply {
        Value::Array(pair) => match &**pair {
            [_, Value::BulkString(value)] => Some(value),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(info: &RedisConnectionInfo, durable: bool) -> String {
        let mut pipeline = credentials(info);
        add_questions(&mut pipeline, durable);
        let text = String::from_utf8(pipeline.get_packed_pipeline()).expect("it is text");
        text.lines().filter(|line| !line.starts_with(['*', '$'])).collect::<Vec<_>>().join(" ")
    }

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn pair(first: &str, second: &str) -> Value {
        Value::Array(vec![bulk(first), bulk(second)])
    }

    fn error(line: &str) -> Value {
        redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).expect("it is a reply")
    }

    fn pong() -> Value {
        Value::SimpleString("PONG".to_owned())
    }

    fn primary() -> Value {
        Value::Array(vec![bulk("master"), Value::Int(0), Value::Array(vec![])])
    }

    #[test]
    fn the_login_says_what_it_must() {
        let bare = RedisConnectionInfo::default();
        assert_eq!(packed(&bare, false), "ROLE PING");
        assert_eq!(packed(&bare.clone().set_password("p"), false), "AUTH p ROLE PING");
        let all = bare.set_username("u").set_password("p").set_db(3);
        assert_eq!(packed(&all, true), "AUTH u p SELECT 3 ROLE PING CONFIG GET appendonly CONFIG GET appendfsync");
    }

    #[test]
    fn a_login_that_is_refused_is_no_connection() {
        assert!(accepted(&Value::Okay).is_ok() && accepted(&error("NOPERM no ping")).is_ok());
        assert!(check(&[primary(), pong()]).is_ok());
        for line in ["WRONGPASS no", "NOAUTH no", "LOADING wait", "ERR max number of clients reached"] {
            assert!(matches!(accepted(&error(line)), Err(Failure::Unreachable(_))), "{line}");
            assert!(matches!(check(&[error("NOPERM no"), error(line)]), Err(Failure::Unreachable(_))), "{line}");
        }
    }

    #[test]
    fn a_replica_is_told_and_silence_is_believed() {
        let replica =
            Value::Array(vec![bulk("slave"), bulk("127.0.0.1"), Value::Int(1), bulk("connect"), Value::Int(-1)]);
        assert!(matches!(check(&[replica, pong()]), Err(Failure::Replica)));
        for role in [primary(), error("NOPERM no role"), error("ERR unknown command 'ROLE'"), Value::Nil] {
            assert!(check(&[role, pong()]).is_ok());
        }
        assert!(check(&[error("NOPERM no role"), error("NOPERM no ping")]).is_ok());
    }

    #[test]
    fn durability_is_asked_for_and_silence_is_believed() {
        let check = |settings: [Value; 2]| check(&[&[primary(), pong()], &settings[..]].concat());
        assert!(check([pair("appendonly", "yes"), pair("appendfsync", "always")]).is_ok());
        assert!(check([error("NOPERM no config"), error("ERR unknown command")]).is_ok());
        assert!(check([Value::Array(vec![]), Value::Array(vec![])]).is_ok());
        for (append, sync) in [("no", "always"), ("yes", "everysec"), ("no", "no")] {
            let replies = [pair("appendonly", append), pair("appendfsync", sync)];
            assert!(matches!(check(replies), Err(Failure::NotDurable)), "{append} {sync}");
        }
    }
}
