//! How the streams of partitions are read that are leased.
//!
//! A process that stood still must read nothing of a partition that has gone to another one: the server would give it entries that the
//! other one never sees. So a script reads, which asks for the lease first; and what waits at the server is a read without the group.

use std::collections::VecDeque;
use std::time::Duration;

use diator::subscription::ConsumeError;
use redis::{Cmd, Value, cmd};
use tokio::time::Instant;

use super::groups;
use super::leases;
use super::line::Line;
use super::opening::{Shared, accepted};
use super::outage::Outage;
use super::reader::LONGEST_WAIT;
use super::script::{Script, array, parts, text};
use super::take::{Page, admit, claim_of_partition, is_of_no_group};
use super::time::{after, millis, sixths};

const READ: Script = Script(concat!(include_str!("lua/ids.lua"), include_str!("lua/read.lua")));

pub(super) struct PartitionReader<'a> {
    shared: &'a Shared,
    line: Line<'a>,
    /// All streams, in the order in which they are read.
    turns: VecDeque<usize>,
    next_care: Instant,
}

impl<'a> PartitionReader<'a> {
    pub(super) fn new(shared: &'a Shared, line: Line<'a>) -> Self {
        let turns = (0..shared.streams.len()).collect();
        Self { shared, line, turns, next_care: Instant::now() }
    }

    pub(super) async fn read(&mut self, outage: &mut Outage) -> Result<(), ConsumeError> {
        self.shared.state().owners.catch_up_anew();
        while self.shared.has_room().await {
            outage.ends(&self.shared.group);
            if self.next_care <= Instant::now() {
                groups::tell_missed(self.shared, &mut self.line).await?;
                groups::trim(self.shared, &mut self.line).await?;
                self.next_care = after(Instant::now(), LONGEST_WAIT.min(sixths(2, self.shared.lock())));
            }
            let (catching_up, owned) = {
                let mut state = self.shared.state();
                state.is_claim_due = false;
                (state.owners.catching_up(), state.owners.reading())
            };
            if let Some((stream, from)) = catching_up {
                self.catch_up(stream, &from).await?;
            } else if owned.is_empty() {
                // The keeper says when there is something.
                self.shared.wanted.notified().await;
            } else {
                self.look(&owned).await?;
            }
        }
        Ok(())
    }

    /// Takes what was given out before, in the order in which it was published.
    async fn catch_up(&mut self, stream: usize, from: &str) -> Result<(), ConsumeError> {
        let Some(command) = claim_of_partition(self.shared, stream, from, self.shared.room()) else { return Ok(()) };
        let sent = Instant::now();
        let answer = self.line.send(&command).await?;
        if is_of_no_group(&answer) {
            return groups::make_anew(self.shared).await;
        }
        let page = Page::read(accepted(answer)?)?;
        let cursor = page.cursor.clone();
        page.admit(self.shared, stream, sent, false)?;
        self.shared.state().owners.caught_up_to(stream, cursor);
        Ok(())
    }

    /// Reads what is there, or waits until there is something.
    async fn look(&mut self, owned: &[usize]) -> Result<(), ConsumeError> {
        self.turns.rotate_left(1);
        let streams: Vec<_> = self.turns.iter().copied().filter(|stream| owned.contains(stream)).collect();
        let keys: Vec<_> = streams.iter().filter_map(|stream| self.shared.streams.get(*stream)).collect();
        let keys: Vec<_> = keys.into_iter().map(|stream| stream.key.as_str()).collect();
        let leases = leases::key(self.shared);
        let mut command = READ.on(&[&[leases.as_str()], &*keys].concat());
        command.arg(&self.shared.group).arg(&self.shared.slot.name).arg(&self.shared.slot.token);
        command.arg(self.shared.room());
        let sent = Instant::now();
        let answer = self.line.send(&command).await?;
        if is_of_no_group(&answer) {
            return groups::make_anew(self.shared).await;
        }
        let [read, last] = parts(accepted(answer)?)?;
        if admit(self.shared, read, sent)? {
            return Ok(());
        }
        let last = array(last)?.into_iter().map(text).collect::<Result<Vec<_>, _>>()?;
        self.wait(&keys, &last).await
    }

    /// Waits at the server for what comes after these ids; it is read then.
    async fn wait(&mut self, keys: &[&str], last: &[String]) -> Result<(), ConsumeError> {
        let waits = self.next_care.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        let answer = self.line.send_to_wait(&wait_for(keys, last, waits), waits, 1).await?;
        match answer {
            // A stream that went away is made again by the next look.
            Value::ServerError(error) if error.code() == "UNBLOCKED" => Ok(()),
            answer => accepted(answer).map(drop),
        }
    }
}

fn wait_for(keys: &[&str], last: &[String], waits: Duration) -> Cmd {
    let mut command = cmd("XREAD");
    command.arg("COUNT").arg(1).arg("BLOCK").arg(millis(waits).max(1)).arg("STREAMS").arg(keys).arg(last);
    command
}
