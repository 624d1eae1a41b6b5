//! Numbered names of consumers, leased.
//!
//! A consumer's name says whose a pending entry is, so no two processes may have the same one. Names that a process makes up pile up in
//! the group with each start; names of hosts are the same in two processes of one host. So a process leases the lowest number that is
//! free, and gives it back at the end.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use diator::subscription::ConsumeError;
use redis::Pipeline;
use tokio::time::Instant;

use super::Engine;
use super::opening::{Stream, accepted};
use super::script::{Script, int, script, unexpected};
use super::time::{after, millis};
use crate::deadline::Deadline;
use crate::error::consume_error;
use crate::partitions::fnv_1a;

const SLOTS: Script = script!("members", "slots");
const LEAVE: Script = script!("leave");

/// A number that nobody else has.
pub(super) struct Slot {
    pub(super) key: String,
    /// What only this opening knows. It begins alike in all processes that read the same streams.
    pub(super) token: String,
    pub(super) number: i64,
    /// As the name of a consumer.
    pub(super) name: String,
    until: Mutex<Instant>,
}

impl Slot {
    /// Takes the lowest number that is free.
    pub(super) async fn take(
        engine: &Engine,
        endpoint: &str,
        streams: &[Stream],
        deadline: Deadline,
    ) -> Result<Self, ConsumeError> {
        let (key, token) = (format!("diator:slots:{endpoint}"), format!("{:016x}:{}", digest(streams), random()));
        let number = ask(engine, &key, &token, -1, deadline).await?;
        let until = Mutex::new(after(deadline.begun(), engine.streams.lock));
        Ok(Self { key, token, number, name: number.to_string(), until })
    }

    /// Leases it for another period; `false` if somebody else has it.
    pub(super) async fn renew(&self, engine: &Engine, deadline: Deadline) -> Result<bool, ConsumeError> {
        let is_ours = ask(engine, &self.key, &self.token, self.number, deadline).await? == self.number;
        if is_ours {
            self.lasts(after(deadline.begun(), engine.streams.lock));
        }
        Ok(is_ours)
    }

    /// It was leased until then.
    pub(super) fn lasts(&self, until: Instant) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    /// Gives it back.
    pub(super) async fn leave(&self, engine: &Engine, deadline: Deadline) {
        let mut pipeline = Pipeline::with_capacity(1);
        let mut leave = LEAVE.on(&[&self.key]);
        leave.arg(&self.token).arg(self.number);
        pipeline.add_command(leave);
        // If nobody hears it, the lease ends by itself.
        let _ = engine.ask(&pipeline, deadline).await;
    }

    /// Until when nobody else may have it.
    pub(super) fn until(&self) -> Instant {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody else may have it.
    pub(super) fn is_over(&self) -> bool {
        self.until() <= Instant::now()
    }
}

async fn ask(engine: &Engine, key: &str, token: &str, slot: i64, deadline: Deadline) -> Result<i64, ConsumeError> {
    let mut pipeline = Pipeline::with_capacity(1);
    let mut command = SLOTS.on(&[key]);
    command.arg(token).arg(millis(engine.streams.lock)).arg(slot);
    pipeline.add_command(command);
    let failed = |failure| consume_error(&failure, engine.link.address());
    let answer = engine.ask(&pipeline, deadline).await.map_err(failed)?.pop().ok_or_else(unexpected)?;
    int(&accepted(answer)?)
}

/// The same for all who read these streams.
fn digest(streams: &[Stream]) -> u64 {
    let mut keys: Vec<_> = streams.iter().map(|stream| &*stream.key).collect();
    keys.sort_unstable();
    fnv_1a(keys.join("\n").as_bytes())
}

/// A text that nobody else has: each state of the hash is seeded anew by the system.
fn random() -> String {
    let [first, second] = [(), ()].map(|()| RandomState::new().hash_one(Instant::now()));
    format!("{first:016x}{second:016x}")
}
