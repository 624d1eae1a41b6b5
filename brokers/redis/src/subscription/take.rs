//! What the server gives out: new entries, those of this consumer's name, and those that others have left or given back.

use std::time::Duration;

use diator::subscription::ConsumeError;
use redis::{Cmd, Value};
use tokio::time::Instant;

use super::entry::Entry;
use super::leases;
use super::opening::Shared;
use super::script::{Script, array, parts, script, text};
use super::time::millis;

const PENDING: Script = script!("pending");
const OWN: Script = script!("own");
const CLAIM: Script = script!("claim");

/// A part of what is pending.
pub(super) struct Page {
    /// Where to go on; empty or `0-0` at the end.
    pub(super) cursor: String,
    entries: Vec<Entry>,
    gone: Vec<Value>,
}

/// Asks in which streams something is pending under this consumer's name.
pub(super) fn pending_here(shared: &Shared) -> Cmd {
    let mut command = PENDING.on(&shared.keys());
    command.arg(&shared.group).arg(0).arg(&shared.slot.name);
    command
}

/// Asks in which of these streams something is pending that nobody has touched for so long.
pub(super) fn pending_anywhere(shared: &Shared, streams: &[usize], idle: Duration) -> Cmd {
    let streams: Vec<_> = streams.iter().filter_map(|stream| shared.streams.get(*stream)).collect();
    let keys: Vec<_> = streams.iter().map(|stream| &*stream.key).collect();
    let mut command = PENDING.on(&keys);
    command.arg(&shared.group).arg(millis(idle));
    command
}

/// The next of what is pending under this consumer's name.
pub(super) fn own(shared: &Shared, stream: usize, after: &str, count: usize) -> Option<Cmd> {
    let mut command = OWN.on(&[&shared.streams.get(stream)?.key]);
    command.arg(&shared.group).arg(&shared.slot.name).arg(after).arg(count);
    Some(command)
}

/// The next of what nobody has held for as long as a lock lasts.
pub(super) fn claim(shared: &Shared, stream: usize, from: &str, count: usize) -> Option<Cmd> {
    let mut command = CLAIM.on(&[&shared.streams.get(stream)?.key]);
    command.arg(&shared.group).arg(&shared.slot.name).arg(millis(shared.lock())).arg(from).arg(count);
    Some(command)
}

/// The next of what was given out of a partition that is ours, whoever has it.
pub(super) fn claim_of_partition(shared: &Shared, stream: usize, from: &str, count: usize) -> Option<Cmd> {
    let mut command = CLAIM.on(&[&shared.streams.get(stream)?.key, &leases::key(shared)]);
    command.arg(&shared.group).arg(&shared.slot.name).arg(0).arg(from).arg(count).arg(&shared.slot.token);
    Some(command)
}

impl Page {
    pub(super) fn read(answer: Value) -> Result<Self, ConsumeError> {
        let [cursor, entries, gone] = parts(answer)?;
        let entries = array(entries)?.into_iter().map(Entry::again).collect::<Result<_, _>>()?;
        Ok(Self { cursor: text(cursor)?, entries, gone: array(gone)? })
    }

    /// Takes it in hand. What is pending under our name may be there already; what was claimed is not, or its lock is over.
    pub(super) fn admit(
        self,
        shared: &Shared,
        stream: usize,
        received: Instant,
        is_claimed: bool,
    ) -> Result<(), ConsumeError> {
        let Some(of) = shared.streams.get(stream) else { return Ok(()) };
        if !self.gone.is_empty() {
            let gone = self.gone.into_iter().map(text).collect::<Result<Vec<_>, _>>()?;
            let text = "the stream dropped entries that were given out and not acknowledged: they are lost";
            let (endpoint, stream) = (&*shared.group, &*of.key);
            tracing::warn!(target: "diator", endpoint, stream, count = gone.len(), first = gone.first(), "{text}");
        }
        let mut state = shared.state();
        let owner = state.owners.at(stream, received);
        if shared.has_partitions() && owner.is_none() {
            // It was lost meanwhile, and its next owner finds these.
            return Ok(());
        }
        for entry in self.entries {
            if is_claimed || !state.in_hand.has((stream, entry.id), received) {
                state.in_hand.admit(stream, of, entry, received, owner);
            }
        }
        drop(state);
        shared.stirred.notify_one();
        Ok(())
    }
}

/// Takes in hand what `XREADGROUP` answered; `false` if that is nothing.
pub(super) fn admit(shared: &Shared, answer: Value, received: Instant) -> Result<bool, ConsumeError> {
    let read = array(answer)?;
    let is_something = !read.is_empty();
    for of_one in read {
        let [key, entries] = parts(of_one)?;
        let key = text(key)?;
        let entries = array(entries)?.into_iter().map(Entry::first).collect::<Result<Vec<_>, _>>()?;
        let stream = shared.streams.iter().enumerate().find(|(_, stream)| stream.key == key);
        let Some((number, stream)) = stream else { continue };
        let mut state = shared.state();
        let owner = state.owners.at(number, received);
        if shared.has_partitions() && owner.is_none() {
            continue;
        }
        for entry in entries {
            state.in_hand.admit(number, stream, entry, received, owner);
        }
    }
    if is_something {
        shared.stirred.notify_one();
    }
    Ok(is_something)
}

/// Whether the server says that the group, or its stream, does not exist.
pub(super) fn is_of_no_group(answer: &Value) -> bool {
    let Value::ServerError(error) = answer else { return false };
    let of_script = error.details().is_some_and(|details| details.contains("NOGROUP"));
    matches!(error.code(), "NOGROUP" | "UNBLOCKED") || of_script
}
