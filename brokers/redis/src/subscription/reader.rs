//! The task that reads, and how it reads streams that all processes of the endpoint share.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use diator::subscription::{ConsumeError, ConsumeErrorKind};
use redis::{Cmd, Value, cmd};
use tokio::time::Instant;

use super::care::{self, Care};
use super::groups;
use super::line::Line;
use super::opening::{Shared, accepted};
use super::outage::Outage;
use super::partition_reader::PartitionReader;
use super::script::numbers;
use super::take::{Page, admit, claim, is_of_no_group, own, pending_anywhere, pending_here};
use super::time::{after, millis};

/// How long a read waits at the server at most; so long another process may wait for what was given back.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(10);

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
    let mut line = Line::connect(shared).await?;
    groups::make_anew(shared).await?;
    let mut care = Care::new(shared);
    care.take(shared, &mut line).await?;
    if shared.has_partitions() {
        return PartitionReader::new(shared, line, care).read(outage).await;
    }
    let mut reader = Reader::new(shared, line, care);
    reader.take_own().await?;
    while shared.has_room().await {
        outage.ends(&shared.group);
        reader.care.take(shared, &mut reader.line).await?;
        if reader.is_claim_due() {
            reader.claim_all().await?;
        } else if reader.is_quiet || !reader.look().await? {
            reader.wait().await?;
        }
    }
    Ok(())
}

struct Reader<'a> {
    shared: &'a Shared,
    line: Line<'a>,
    care: Care,
    next_claim: Instant,
    /// The streams, in the order in which they are looked at.
    turns: VecDeque<usize>,
    /// Nothing was there a moment ago.
    is_quiet: bool,
}

impl<'a> Reader<'a> {
    fn new(shared: &'a Shared, line: Line<'a>, care: Care) -> Self {
        let turns = (0..shared.streams.len()).collect();
        Self { shared, line, care, next_claim: Instant::now(), turns, is_quiet: false }
    }

    fn is_claim_due(&self) -> bool {
        self.next_claim <= Instant::now() || self.shared.state().is_claim_due
    }

    /// Takes what is pending under this consumer's name: of a process that had it before, or of an answer that was lost.
    async fn take_own(&mut self) -> Result<(), ConsumeError> {
        for stream in self.pending(&pending_here(self.shared)).await? {
            let mut after = "0".to_owned();
            while !after.is_empty() && self.shared.has_room().await {
                let Some(command) = own(self.shared, stream, &after, self.shared.room()) else { break };
                after = self.take(&command, stream, false).await?;
            }
        }
        Ok(())
    }

    /// Takes what others have left or given back.
    async fn claim_all(&mut self) -> Result<(), ConsumeError> {
        self.shared.state().is_claim_due = false;
        for stream in self.pending(&self.left()).await? {
            let mut from = "0-0".to_owned();
            while self.shared.has_room().await {
                let Some(command) = claim(self.shared, stream, &from, self.shared.room()) else { break };
                from = self.take(&command, stream, true).await?;
                if from.is_empty() || from == "0-0" {
                    break;
                }
            }
        }
        self.next_claim = after(Instant::now(), care::usual(self.shared));
        Ok(())
    }

    /// Asks in which streams something is pending that nobody has held for as long as a lock lasts.
    fn left(&self) -> Cmd {
        let streams: Vec<_> = (0..self.shared.streams.len()).collect();
        pending_anywhere(self.shared, &streams, self.shared.lock())
    }

    /// In which streams something is pending; one question for all of them.
    async fn pending(&mut self, question: &Cmd) -> Result<Vec<usize>, ConsumeError> {
        let answer = self.line.send(question).await?;
        if is_of_no_group(&answer) {
            // There is nothing in a new group.
            return groups::make_anew(self.shared).await.map(|()| Vec::new());
        }
        let streams = numbers(accepted(answer)?)?;
        if !streams.is_empty() {
            self.care.stirs();
        }
        Ok(streams)
    }

    async fn take(&mut self, command: &Cmd, stream: usize, is_claimed: bool) -> Result<String, ConsumeError> {
        let sent = Instant::now();
        let page = match self.line.send(command).await? {
            answer if is_of_no_group(&answer) => return groups::make_anew(self.shared).await.map(|()| String::new()),
            answer => Page::read(accepted(answer)?)?,
        };
        let cursor = page.cursor.clone();
        page.admit(self.shared, stream, sent, is_claimed)?;
        Ok(cursor)
    }

    /// Reads what is there, each stream in its turn; `false` if there is nothing.
    async fn look(&mut self) -> Result<bool, ConsumeError> {
        let count = self.shared.streams.len();
        let mut looked_at = 0;
        while looked_at < count {
            let room = self.shared.room();
            if room == 0 {
                return Ok(true);
            }
            let some = room.min(count.saturating_sub(looked_at));
            let streams: Vec<_> = self.turns.drain(..some).collect();
            self.turns.extend(&streams);
            let each = room.checked_div(some).unwrap_or_default();
            let sent = Instant::now();
            let answer = self.line.send(&self.read_of(&streams, each, None)).await?;
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
        let next = self.next_claim.min(self.care.next());
        let waits = next.saturating_duration_since(now).max(Duration::from_millis(1));
        // The server answers with the first stream that has something; only where several have at that moment it is more.
        let room = self.shared.room();
        let each = room.checked_div(streams.len()).unwrap_or_default().max(1);
        let answer = self.line.send_to_wait(&self.read_of(&streams, each, Some(waits)), waits, room.max(1)).await;
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
            groups::make_anew(self.shared).await?;
            return Ok(true);
        }
        let is_something = admit(self.shared, accepted(answer)?, received)?;
        if is_something {
            self.care.stirs();
        }
        self.is_quiet &= !is_something;
        Ok(is_something)
    }
}
