//! The one connection that all calls share, and how it is replaced.
//!
//! The `redis` crate's own `ConnectionManager` does not serve: after a failure to connect that is no I/O error, a wrong
//! password or a server that is full, it never tries again; and its errors do not tell a message that was never sent
//! from one whose reply was lost.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, Pipeline, RedisConnectionInfo, RedisError, RedisResult, Value, cmd};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};

use super::config::Server;
use super::error::Failure;

/// How many commands may wait to be written before callers wait for room; none of them is dropped.
const WAITING: usize = 1024;

/// When a call began, and when it has to be over.
#[derive(Clone, Copy)]
pub(super) struct Span {
    begun: Instant,
    end: Instant,
}

impl Span {
    pub(super) fn new(length: Duration) -> Self {
        let begun = Instant::now();
        Self { begun, end: begun + length }
    }

    /// Whether nothing more may be sent.
    pub(super) fn is_over(self) -> bool {
        self.end <= Instant::now()
    }

    pub(super) fn length(self) -> Duration {
        self.end - self.begun
    }

    /// A call within this one, which leaves as much time again.
    fn half_of_the_rest(self) -> Self {
        let begun = Instant::now();
        Self { begun, end: begun + self.end.saturating_duration_since(begun) / 2 }
    }
}

pub(super) struct Link {
    server: Server,
    durable: bool,
    probe_after: Duration,
    epoch: Instant,
    current: RwLock<Option<Arc<Slot>>>,
}

/// A connection, or the making of it.
struct Slot {
    /// Every call that waits for it drives it: one that is held and not polled keeps no other from connecting.
    connection: Shared<BoxFuture<'static, Result<MultiplexedConnection, Failure>>>,
    /// When the server was last heard, in milliseconds since the link's epoch.
    heard: AtomicU64,
}

/// Stands for a server that did not answer in time: the next call asks it whether it still lives.
const SUSPECT: u64 = u64::MAX;

/// A connection to send over.
pub(super) struct Ready<'a> {
    link: &'a Link,
    slot: Arc<Slot>,
    connection: MultiplexedConnection,
}

impl Link {
    pub(super) fn new(server: Server, durable: bool, probe_after: Duration) -> Self {
        Self { server, durable, probe_after, epoch: Instant::now(), current: RwLock::new(None) }
    }

    /// The server's address, for error texts.
    pub(super) fn address(&self) -> &str {
        &self.server.address
    }

    /// Waits for a connection, no longer than the call may take.
    pub(super) async fn ready(&self, call: Span) -> Result<Ready<'_>, Failure> {
        let slot = self.slot();
        let silence = slot.silence(self.millis(call.begun));
        let Some(Ok(connection)) = slot.connection.peek().cloned() else {
            if silence > call.length() {
                // Those who began to make it have gone away.
                self.forget(&slot);
            }
            return self.connect(self.slot(), call).await;
        };
        let mut ready = Ready { link: self, slot, connection };
        if silence < self.probe_after || ready.lives(call.half_of_the_rest()).await {
            return Ok(ready);
        }
        self.forget(&ready.slot);
        self.connect(self.slot(), call).await
    }

    async fn connect(&self, slot: Arc<Slot>, call: Span) -> Result<Ready<'_>, Failure> {
        let made = timeout_at(call.end, slot.connection.clone()).await;
        match made.unwrap_or(Err(Failure::NotSent(call.length()))) {
            Ok(connection) => Ok(Ready { link: self, slot, connection }),
            Err(failure) => {
                self.forget(&slot);
                Err(failure)
            }
        }
    }

    /// The present connection; if there is none, the making of one, which the caller has to drive.
    fn slot(&self) -> Arc<Slot> {
        if let Some(slot) = &*self.current.read().unwrap_or_else(PoisonError::into_inner) {
            return slot.clone();
        }
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.get_or_insert_with(|| Arc::new(self.new_slot())).clone()
    }

    fn new_slot(&self) -> Slot {
        let connection = log_in(self.server.client.clone(), login(&self.server.login, self.durable), self.durable);
        Slot { connection: connection.boxed().shared(), heard: AtomicU64::new(self.millis(Instant::now())) }
    }

    /// Lets the next call make a new connection, unless another call has seen to it.
    fn forget(&self, slot: &Arc<Slot>) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, slot)) {
            *current = None;
        }
    }

    fn millis(&self, time: Instant) -> u64 {
        u64::try_from(time.saturating_duration_since(self.epoch).as_millis()).unwrap_or(u64::MAX - 1)
    }
}

impl Slot {
    fn silence(&self, now: u64) -> Duration {
        match self.heard.load(Ordering::Relaxed) {
            SUSPECT => Duration::MAX,
            heard => Duration::from_millis(now.saturating_sub(heard)),
        }
    }

    /// Notes that there was a reply to a call begun then; not each time, so that threads do not share the write.
    fn heard(&self, begun: u64) {
        const COARSE: u64 = 50;
        let last = self.heard.load(Ordering::Relaxed);
        if last == SUSPECT || last + COARSE <= begun {
            self.heard.store(begun, Ordering::Relaxed);
        }
    }
}

impl Ready<'_> {
    /// Sends a command and waits for the reply, no longer than the call may take.
    pub(super) async fn command(&mut self, call: Span, command: &Cmd) -> Result<Value, Failure> {
        let reply = timeout_at(call.end, self.connection.send_packed_command(command)).await;
        self.judge(call, reply)
    }

    /// The same for several commands at once; there are as many replies.
    pub(super) async fn pipeline(&mut self, call: Span, pipeline: &Pipeline) -> Result<Vec<Value>, Failure> {
        let replies = timeout_at(call.end, self.connection.send_packed_commands(pipeline, 0, pipeline.len())).await;
        self.judge(call, replies)
    }

    fn judge<T>(&self, call: Span, reply: Result<RedisResult<T>, Elapsed>) -> Result<T, Failure> {
        match reply {
            Ok(Ok(reply)) => {
                self.slot.heard(self.link.millis(call.begun));
                Ok(reply)
            }
            Ok(Err(error)) => {
                self.link.forget(&self.slot);
                Err(Failure::Lost(error))
            }
            Err(_) => {
                self.slot.heard.store(SUSPECT, Ordering::Relaxed);
                Err(Failure::NoReply(call.length()))
            }
        }
    }

    /// Asks the server; any reply is a sign of life.
    async fn lives(&mut self, question: Span) -> bool {
        self.command(question, &cmd("PING")).await.is_ok()
    }
}

async fn log_in(client: Client, login: Pipeline, durable: bool) -> Result<MultiplexedConnection, Failure> {
    // No time-outs of the client's own: the call's deadline holds for all of it.
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None)
        .set_pipeline_buffer_size(WAITING);
    let connecting = client.get_multiplexed_async_connection_with_config(&config);
    let mut connection = connecting.await.map_err(Failure::Unreachable)?;
    let replies = connection.send_packed_commands(&login, 0, login.len()).await.map_err(Failure::Unreachable)?;
    check_login(replies, durable)?;
    Ok(connection)
}

/// What is said first; its last command tells whether the server takes commands at all.
fn login(info: &RedisConnectionInfo, durable: bool) -> Pipeline {
    let mut login = Pipeline::new();
    if let Some(password) = info.password() {
        login.cmd("AUTH").arg(info.username()).arg(password);
    }
    if info.db() != 0 {
        login.cmd("SELECT").arg(info.db());
    }
    login.cmd("PING");
    if durable {
        login.cmd("CONFIG").arg("GET").arg("appendonly");
        login.cmd("CONFIG").arg("GET").arg("appendfsync");
    }
    login
}

fn check_login(mut replies: Vec<Value>, durable: bool) -> Result<(), Failure> {
    let settings = if durable { replies.split_off(replies.len().saturating_sub(2)) } else { Vec::new() };
    for reply in replies {
        match reply {
            // Who may not even say `PING` may still be allowed to publish.
            Value::ServerError(error) if error.code() != "NOPERM" => {
                return Err(Failure::Unreachable(RedisError::from(error)));
            }
            _ => {}
        }
    }
    let wanted = ["yes", "always"];
    let differs = |(reply, wanted): (&Value, &str)| setting(reply).is_some_and(|value| value != wanted.as_bytes());
    if settings.iter().zip(wanted).any(differs) { Err(Failure::NotDurable) } else { Ok(()) }
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
    use std::future::pending;

    use super::*;

    fn packed(info: &RedisConnectionInfo, durable: bool) -> String {
        let text = String::from_utf8(login(info, durable).get_packed_pipeline()).expect("it is text");
        text.lines().filter(|line| !line.starts_with(['*', '$'])).collect::<Vec<_>>().join(" ")
    }

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn config(name: &str, value: &str) -> Value {
        Value::Array(vec![bulk(name), bulk(value)])
    }

    fn error(line: &str) -> Value {
        redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).expect("it is a reply")
    }

    #[test]
    fn the_login_says_what_it_must() {
        let bare = RedisConnectionInfo::default();
        assert_eq!(packed(&bare, false), "PING");
        assert_eq!(packed(&bare.clone().set_password("p"), false), "AUTH p PING");
        let all = bare.set_username("u").set_password("p").set_db(3);
        assert_eq!(packed(&all, true), "AUTH u p SELECT 3 PING CONFIG GET appendonly CONFIG GET appendfsync");
    }

    #[test]
    fn a_login_that_is_refused_is_no_connection() {
        let pong = || Value::SimpleString("PONG".to_owned());
        assert!(check_login(vec![Value::Okay, pong()], false).is_ok());
        assert!(check_login(vec![Value::Okay, error("NOPERM no ping")], false).is_ok());
        for line in ["WRONGPASS no", "NOAUTH no", "LOADING wait", "ERR max number of clients reached"] {
            assert!(matches!(check_login(vec![error(line)], false), Err(Failure::Unreachable(_))), "{line}");
        }
    }

    #[test]
    fn durability_is_asked_for_and_silence_is_believed() {
        let check = |replies: [Value; 2]| check_login([vec![Value::Okay], replies.to_vec()].concat(), true);
        assert!(check([config("appendonly", "yes"), config("appendfsync", "always")]).is_ok());
        assert!(check([error("NOPERM no config"), error("ERR unknown command")]).is_ok());
        assert!(check([Value::Array(vec![]), Value::Array(vec![])]).is_ok());
        for (append, sync) in [("no", "always"), ("yes", "everysec"), ("no", "no")] {
            let replies = [config("appendonly", append), config("appendfsync", sync)];
            assert!(matches!(check(replies), Err(Failure::NotDurable)), "{append} {sync}");
        }
        assert!(matches!(
            check_login(vec![error("NOAUTH no"), Value::Nil, Value::Nil], true),
            Err(Failure::Unreachable(_))
        ));
    }

    #[test]
    fn silence_is_measured() {
        let slot = Slot { connection: pending().boxed().shared(), heard: AtomicU64::new(0) };
        slot.heard(100);
        assert_eq!(slot.silence(1100), Duration::from_secs(1));
        slot.heard(120);
        assert_eq!(slot.silence(1100), Duration::from_secs(1));
        slot.heard.store(SUSPECT, Ordering::Relaxed);
        assert_eq!(slot.silence(1100), Duration::MAX);
        slot.heard(1000);
        assert_eq!(slot.silence(900), Duration::ZERO);
    }
}
