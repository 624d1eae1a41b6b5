//! The task that reads: over a connection of its own, because a read that waits at the server holds up all that is sent after it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use diator::subscription::{ConsumeError, ConsumeErrorKind};
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Value, cmd};
use tokio::time::{Instant, timeout};

use super::entry::Entry;
use super::groups;
use super::opening::{Shared, accepted};
use super::outage::Outage;
use super::script::{array, int, parts, text};
use super::take::{Page, claim, own};
use super::time::{after, millis, sixths};
use crate::deadline::Deadline;
use crate::error::Failure;

/// How long a read waits at the server at most; so long another process may wait for what was given back.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// How many entries are taken in one go.
const MOST: usize = 1_000;

/// Reads until the opening ends. It connects anew where that can help, for as long as a lock lasts.
pub(super) async fn read_all(shared: Arc<Shared>) {
    let mut outage = Outage::new();
    while let Err(error) = read(&shared, &mut outage).await {
        let passes = matches!(error.kind(), ConsumeErrorKind::Transient { .. });
        if !passes || shared.silence() >= shared.lock() {
            return shared.end(error);
        }
        outage.goes_on(&shared.group, &error).await;
        if shared.state().is_deaf {
            return;
        }
    }
}

/// Reads over one connection until nothing more is to be read.
async fn read(shared: &Shared, outage: &mut Outage) -> Result<(), ConsumeError> {
    let mut reader = Reader::connect(shared).await?;
    let read = async {
        groups::make_anew(shared).await?;
        groups::tell_missed(shared).await?;
        reader.take_own().await?;
        while reader.has_room().await {
            outage.ends(&shared.group);
            if reader.is_claim_due() {
                groups::tell_missed(shared).await?;
                reader.claim_all().await?;
            } else if reader.is_quiet || !reader.look().await? {
                reader.wait().await?;
            }
        }
        Ok(())
    };
    read.await
}

struct Reader<'a> {
    shared: &'a Shared,
    connection: MultiplexedConnection,
    /// The connection's number at the server, where it tells that.
    id: Option<i64>,
    next_claim: Instant,
    /// The streams, in the order in which they are looked at.
    turns: VecDeque<usize>,
    /// Nothing was there a moment ago.
    is_quiet: bool,
}

impl<'a> Reader<'a> {
    async fn connect(shared: &'a Shared) -> Result<Self, ConsumeError> {
        let deadline = Deadline::new(shared.engine.deadline);
        let connecting = shared.engine.link.connection_of_its_own(deadline).await;
        let connection = connecting.map_err(|failure| shared.failed(&failure))?;
        let turns = (0..shared.streams.len()).collect();
        let mut reader = Self { shared, connection, id: None, next_claim: Instant::now(), turns, is_quiet: false };
        let mut who = cmd("CLIENT");
        who.arg("ID");
        reader.id = int(&reader.send(&who, Duration::ZERO).await?).ok();
        Ok(reader)
    }

    /// Sends a command that the server may answer so much later.
    async fn send(&mut self, command: &Cmd, waits: Duration) -> Result<Value, ConsumeError> {
        let within = self.shared.engine.deadline;
        let answer = timeout(within.saturating_add(waits), self.connection.send_packed_command(command)).await;
        let failure = match answer {
            Ok(Ok(answer)) => {
                self.shared.hears();
                return Ok(answer);
            }
            Ok(Err(error)) => Failure::Lost(error),
            Err(_) => Failure::NoReply(within),
        };
        Err(self.shared.failed(&failure))
    }

    /// Waits until the endpoint can take something; `false` if nothing more is to be read.
    async fn has_room(&mut self) -> bool {
        loop {
            let wanted = self.shared.wanted.notified();
            {
                let state = self.shared.state();
                if state.is_deaf {
                    return false;
                }
                if state.in_hand.room() > 0 {
                    return true;
                }
            }
            wanted.await;
        }
    }

    fn room(&self) -> usize {
        self.shared.state().in_hand.room().min(MOST)
    }

    fn is_claim_due(&self) -> bool {
        self.next_claim <= Instant::now() || self.shared.state().is_claim_due
    }

    /// Takes what is pending under this consumer's name: of a process that had it before, or of an answer that was lost.
    async fn take_own(&mut self) -> Result<(), ConsumeError> {
        for stream in 0..self.shared.streams.len() {
            let mut after = "0".to_owned();
            while !after.is_empty() && self.has_room().await {
                let Some(command) = own(self.shared, stream, &after, self.room()) else { break };
                after = self.take(&command, stream, false).await?;
            }
        }
        Ok(())
    }

    /// Takes what others have left or given back.
    async fn claim_all(&mut self) -> Result<(), ConsumeError> {
        self.shared.state().is_claim_due = false;
        for stream in 0..self.shared.streams.len() {
            let mut from = "0-0".to_owned();
            while self.has_room().await {
                let Some(command) = claim(self.shared, stream, &from, self.room()) else { break };
                from = self.take(&command, stream, true).await?;
                if from.is_empty() || from == "0-0" {
                    break;
                }
            }
        }
        self.next_claim = after(Instant::now(), LONGEST_WAIT.min(sixths(1, self.shared.lock())));
        Ok(())
    }

    async fn take(&mut self, command: &Cmd, stream: usize, is_claimed: bool) -> Result<String, ConsumeError> {
        let sent = Instant::now();
        let page = match self.send(command, Duration::ZERO).await? {
            answer if is_of_no_group(&answer) => return self.make_groups().await.map(|()| String::new()),
            answer => Page::read(accepted(answer)?)?,
        };
        let cursor = page.cursor.clone();
        page.admit(self.shared, stream, sent, is_claimed)?;
        self.shared.stirred.notify_one();
        Ok(cursor)
    }

    /// Reads what is there, each stream in its turn; `false` if there is nothing.
    async fn look(&mut self) -> Result<bool, ConsumeError> {
        let count = self.shared.streams.len();
        let mut looked_at = 0;
        while looked_at < count {
            let room = self.room();
            if room == 0 {
                return Ok(true);
            }
            let some = room.min(count.saturating_sub(looked_at));
            let streams: Vec<_> = self.turns.drain(..some).collect();
            self.turns.extend(&streams);
            let each = room.checked_div(some).unwrap_or_default();
            let sent = Instant::now();
            let answer = self.send(&self.read_of(&streams, each, None), Duration::ZERO).await?;
            if self.admit(answer, sent).await? {
                return Ok(true);
            }
            looked_at = looked_at.saturating_add(some);
        }
        Ok(false)
    }

    /// Waits at the server for what comes.
    async fn wait(&mut self) -> Result<(), ConsumeError> {
        let streams: Vec<_> = (0..self.shared.streams.len()).collect();
        let now = Instant::now();
        let waits = self.next_claim.saturating_duration_since(now).max(Duration::from_millis(1));
        let each = {
            let mut state = self.shared.state();
            let room = state.in_hand.room().min(MOST);
            if room == 0 || state.is_deaf || state.is_claim_due {
                return Ok(());
            }
            // The server answers with the first stream that has something; only where several have at that moment it is more.
            state.waiting = self.id.map(|id| (id, room));
            room.checked_div(streams.len()).unwrap_or_default().max(1)
        };
        let answer = self.send(&self.read_of(&streams, each, Some(waits)), waits).await;
        self.shared.state().waiting = None;
        // Where the process itself stood still, the entries were given out long ago.
        let received = Instant::now().min(after(now, waits));
        self.is_quiet = !self.admit(answer?, received).await?;
        Ok(())
    }

    fn read_of(&self, streams: &[usize], each: usize, waits: Option<Duration>) -> Cmd {
        let mut command = cmd("XREADGROUP");
        command.arg("GROUP").arg(&self.shared.group).arg(&self.shared.slot.name).arg("COUNT").arg(each);
        if let Some(waits) = waits {
            command.arg("BLOCK").arg(millis(waits).max(1));
        }
        command.arg("STREAMS");
        for stream in streams.iter().filter_map(|stream| self.shared.streams.get(*stream)) {
            command.arg(&stream.key);
        }
        for _ in streams {
            command.arg(">");
        }
        command
    }

    /// Takes in hand what a read answered; `false` if that is nothing.
    async fn admit(&mut self, answer: Value, received: Instant) -> Result<bool, ConsumeError> {
        if is_of_no_group(&answer) {
            self.make_groups().await?;
            return Ok(true);
        }
        let read = array(accepted(answer)?)?;
        if read.is_empty() {
            return Ok(false);
        }
        for of_one in read {
            let [key, entries] = parts(of_one)?;
            let key = text(key)?;
            let Some((number, stream)) = self.shared.streams.iter().enumerate().find(|(_, stream)| stream.key == key)
            else {
                continue;
            };
            let entries = array(entries)?.into_iter().map(Entry::first).collect::<Result<Vec<_>, _>>()?;
            let mut state = self.shared.state();
            for entry in entries {
                state.in_hand.admit(number, &stream.topic, entry, received);
            }
        }
        self.is_quiet = false;
        self.shared.stirred.notify_one();
        Ok(true)
    }

    /// The groups are gone. Somebody who removes them again and again must not make this a busy loop.
    async fn make_groups(&mut self) -> Result<(), ConsumeError> {
        groups::make_anew(self.shared).await?;
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok(())
    }
}

/// Whether the server says that the group, or its stream, does not exist.
fn is_of_no_group(answer: &Value) -> bool {
    let Value::ServerError(error) = answer else { return false };
    let of_script = error.details().is_some_and(|details| details.contains("NOGROUP"));
    matches!(error.code(), "NOGROUP" | "UNBLOCKED") || of_script
}
