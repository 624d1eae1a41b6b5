//! How the streams of partitions are read that are leased.
//!
//! A process that stood still must read nothing of a partition that has gone to another one: the server would give it entries that the
//! other one never sees. So a script reads, which asks for the lease first; and what waits at the server is a read without the group.

use std::collections::VecDeque;
use std::time::Duration;

use diator::subscription::ConsumeError;
use redis::{Cmd, Value, cmd};
use tokio::time::Instant;

use super::care::Care;
use super::groups;
use super::leases;
use super::line::Line;
use super::opening::{Shared, accepted};
use super::outage::Outage;
use super::reader::LONGEST_WAIT;
use super::script::{Script, array, int, numbers, parts, script, text};
use super::take::{Page, admit, claim_of_partition, is_of_no_group, pending_anywhere};
use super::time::millis;

const READ: Script = script!("ids", "read");

pub(super) struct PartitionReader<'a> {
    shared: &'a Shared,
    line: Line<'a>,
    /// All streams, in the order in which they are read.
    turns: VecDeque<usize>,
    care: Care,
}

impl<'a> PartitionReader<'a> {
    pub(super) fn new(shared: &'a Shared, line: Line<'a>, care: Care) -> Self {
        let turns = (0..shared.streams.len()).collect();
        Self { shared, line, turns, care }
    }

    pub(super) async fn read(&mut self, outage: &mut Outage) -> Result<(), ConsumeError> {
        self.shared.state().owners.catch_up_anew();
        while self.shared.has_room().await {
            outage.ends(&self.shared.group);
            self.care.take(self.shared, &mut self.line).await?;
            let (new, catching_up, owned) = {
                let mut state = self.shared.state();
                state.is_claim_due = false;
                (state.owners.new_ones(), state.owners.catching_up(), state.owners.reading())
            };
            if !new.is_empty() {
                self.look_at(&new).await?;
            } else if let Some((stream, from)) = catching_up {
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

    /// Asks of which partitions something was given out before; one question for all of them.
    async fn look_at(&mut self, new: &[usize]) -> Result<(), ConsumeError> {
        let sent = Instant::now();
        let answer = self.line.send(&pending_anywhere(self.shared, new, Duration::ZERO)).await?;
        if is_of_no_group(&answer) {
            return groups::make_anew(self.shared).await;
        }
        let found = numbers(accepted(answer)?)?;
        let mut state = self.shared.state();
        for (number, &stream) in new.iter().enumerate() {
            if state.owners.at(stream, sent).is_some() {
                state.owners.looked_at(stream, found.contains(&number));
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
        let mut state = self.shared.state();
        if state.owners.at(stream, sent).is_some() {
            state.owners.caught_up_to(stream, cursor);
        }
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
        let [read, last, lost] = parts(accepted(answer)?)?;
        if int(&lost)? > 0 {
            self.shared.state().is_renewal_due = true;
            self.shared.interrupt.notify_one();
        }
        if admit(self.shared, read, sent)? {
            self.care.stirs();
            return Ok(());
        }
        let last = array(last)?.into_iter().map(text).collect::<Result<Vec<_>, _>>()?;
        self.wait(&keys, &last).await
    }

    /// Waits at the server for what comes after these ids; it is read then.
    async fn wait(&mut self, keys: &[&str], last: &[String]) -> Result<(), ConsumeError> {
        const ASKED: usize = 1;
        loop {
            let waits = self.care.next().saturating_duration_since(Instant::now()).min(LONGEST_WAIT);
            if waits.is_zero() || self.shared.state().forbids_to_wait(ASKED) {
                return Ok(());
            }
            match self.line.send_to_wait(&wait_for(keys, last, ASKED, waits), waits, ASKED).await? {
                // Nothing came.
                Value::Nil => {}
                // A stream that went away is made again by the next look.
                Value::ServerError(error) if error.code() == "UNBLOCKED" => return Ok(()),
                answer => return accepted(answer).map(drop),
            }
        }
    }
}

fn wait_for(keys: &[&str], last: &[String], count: usize, waits: Duration) -> Cmd {
    let mut command = cmd("XREAD");
    command.arg("COUNT").arg(count).arg("BLOCK").arg(millis(waits).max(1)).arg("STREAMS").arg(keys).arg(last);
    command
}
