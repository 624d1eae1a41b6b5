//! One connection, and how far it is to be trusted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use redis::aio::MultiplexedConnection;
use redis::cmd;
use tokio::time::{Instant, timeout_at};

use super::deadline::Deadline;
use super::error::Failure;
use super::login::probe;

/// A result that several callers wait for: one that is held and not polled keeps no other from driving it.
type Awaited<T> = Shared<BoxFuture<'static, Result<T, Failure>>>;

/// A connection, or the making of it.
pub(super) struct Slot {
    connection: Awaited<MultiplexedConnection>,
    durable: bool,
    begun: Instant,
    /// When the server was last heard, in milliseconds since the beginning.
    heard: AtomicU64,
    /// When the last probe was sent that was answered, in the same unit; or [`SUSPECT`].
    vouched: AtomicU64,
    question: Mutex<Option<Question>>,
    /// When its renewal began the last time.
    renewing: Mutex<Instant>,
}

/// Stands for a call that was not answered, whether its time was up or its caller went away.
const SUSPECT: u64 = u64::MAX;

/// How many milliseconds a connection may be silent and still count as in use. One that ended is known to the client as
/// soon as its runtime had a turn, so it takes no round trip to find out.
const SILENCE: u64 = 5;

/// What is known of a connection before a message is given to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The server answered just now.
    InUse,
    /// The last probe still counts, and nothing was heard since some time.
    Silent,
    /// The last probe is too old, or a call was not answered.
    Due,
}

/// What became of a probe.
pub(super) enum Verdict {
    /// The server is what it was.
    Fit,
    /// It is not, or it does not answer: the connection must not be used any more.
    Unfit,
    /// The call has no time left to wait for the answer.
    OutOfTime,
}

/// A probe under way. It outlives the calls that wait for it: were each to begin its own, callers with little patience
/// would never see one fail.
#[derive(Clone)]
struct Question {
    asked: Instant,
    answer: Awaited<()>,
}

impl Slot {
    pub(super) fn new(
        connection: impl Future<Output = Result<MultiplexedConnection, Failure>> + Send + 'static,
        durable: bool,
    ) -> Self {
        Self {
            connection: connection.boxed().shared(),
            durable,
            begun: Instant::now(),
            heard: AtomicU64::new(0),
            vouched: AtomicU64::new(0),
            question: Mutex::new(None),
            renewing: Mutex::new(Instant::now()),
        }
    }

    /// The connection, if it is made.
    pub(super) fn connection(&self) -> Option<MultiplexedConnection> {
        self.connection.peek()?.as_ref().ok().cloned()
    }

    /// Waits until it is made; the caller drives that.
    pub(super) async fn made(&self, deadline: Deadline) -> Result<MultiplexedConnection, Failure> {
        timeout_at(deadline.end(), self.connection.clone()).await.unwrap_or(Err(Failure::NotSent(deadline.length())))
    }

    /// Whether it is older than that, and the caller is the one to see to it; after another such time, another caller is.
    pub(super) fn is_to_be_renewed(&self, age: Duration) -> bool {
        let mut begun = self.renewing.lock().unwrap_or_else(PoisonError::into_inner);
        let due = begun.elapsed() >= age;
        if due {
            *begun = Instant::now();
        }
        due
    }

    /// How long ago its making began.
    pub(super) fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    pub(super) fn standing(&self, deadline: Deadline, probe_after: Duration) -> Standing {
        let now = self.millis(deadline.begun());
        let vouched = self.vouched.load(Ordering::Relaxed);
        if vouched == SUSPECT || Duration::from_millis(now.saturating_sub(vouched)) >= probe_after {
            return Standing::Due;
        }
        let silence = now.saturating_sub(self.heard.load(Ordering::Relaxed));
        if silence < SILENCE { Standing::InUse } else { Standing::Silent }
    }

    /// Notes that there was a reply; once in a millisecond, so that threads seldom share the write.
    pub(super) fn heard(&self) {
        let now = self.millis(Instant::now());
        if self.heard.load(Ordering::Relaxed) < now {
            self.heard.store(now, Ordering::Relaxed);
        }
    }

    /// Lets the next call probe the connection before it uses it.
    pub(super) fn suspect(&self) {
        self.vouched.store(SUSPECT, Ordering::Relaxed);
    }

    /// Whether the client has seen the connection end, or has lost the runtime that drove it. It costs no round trip:
    /// the server's answer is nobody's.
    pub(super) fn has_ended(mut connection: MultiplexedConnection) -> bool {
        let mut knock = cmd("PING");
        knock.set_no_response(true);
        let sent = connection.send_packed_command(&knock).now_or_never();
        matches!(sent, Some(Err(_)))
    }

    /// Asks the server whether it is still what it was; a question that was asked already is not asked again.
    pub(super) async fn probe(
        &self,
        connection: &MultiplexedConnection,
        deadline: Deadline,
        patience: Duration,
    ) -> Verdict {
        loop {
            let question = self.question(connection);
            let limit = question.asked.checked_add(patience).unwrap_or(question.asked);
            match timeout_at(limit.min(deadline.end()), question.answer.clone()).await {
                Ok(Ok(())) => {
                    self.answered(&question);
                    // An older answer, which nobody waited for, does not say how things are now.
                    if Instant::now() < limit {
                        return Verdict::Fit;
                    }
                }
                Err(_) if deadline.end() < limit => return Verdict::OutOfTime,
                Ok(Err(_)) | Err(_) => return Verdict::Unfit,
            }
        }
    }

    fn question(&self, connection: &MultiplexedConnection) -> Question {
        let ask =
            || Question { asked: Instant::now(), answer: probe(connection.clone(), self.durable).boxed().shared() };
        self.asking().get_or_insert_with(ask).clone()
    }

    fn answered(&self, question: &Question) {
        let mut asking = self.asking();
        if asking.as_ref().is_some_and(|asking| asking.answer.ptr_eq(&question.answer)) {
            *asking = None;
            self.vouched.store(self.millis(question.asked), Ordering::Relaxed);
            self.heard();
        }
    }

    fn asking(&self) -> MutexGuard<'_, Option<Question>> {
        self.question.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn millis(&self, time: Instant) -> u64 {
        u64::try_from(time.saturating_duration_since(self.begun).as_millis()).unwrap_or(SUSPECT.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn trust_ends_with_time_silence_and_suspicion() {
        let second = Duration::from_secs(1);
        let slot = Slot::new(pending(), false);
        let standing = |slot: &Slot| slot.standing(Deadline::new(second), second);
        assert_eq!(standing(&slot), Standing::InUse);
        tokio::time::advance(Duration::from_millis(60)).await;
        assert_eq!(standing(&slot), Standing::Silent);
        slot.heard();
        assert_eq!(standing(&slot), Standing::InUse);
        slot.suspect();
        assert_eq!(standing(&slot), Standing::Due);
        slot.heard();
        assert_eq!(standing(&slot), Standing::Due, "only an answer to a probe clears it");
        let slot = Slot::new(pending(), false);
        tokio::time::advance(second).await;
        slot.heard();
        assert_eq!(standing(&slot), Standing::Due, "use does not replace a probe");
        assert_eq!(slot.standing(Deadline::new(second), Duration::MAX), Standing::InUse);
        assert_eq!(slot.standing(Deadline::new(second), Duration::ZERO), Standing::Due);
        assert_eq!(slot.age(), second);
    }
}
