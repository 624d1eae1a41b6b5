//! Entries that were given out before: those of this consumer's name, and those that others have left or given back.

use diator::subscription::ConsumeError;
use redis::{Cmd, Value};
use tokio::time::Instant;

use super::entry::Entry;
use super::opening::{Shared, Stream};
use super::script::{Script, array, parts, text};
use super::time::millis;

const OWN: Script = Script(include_str!("lua/own.lua"));
const CLAIM: Script = Script(include_str!("lua/claim.lua"));

/// A part of what is pending.
pub(super) struct Page {
    /// Where to go on; empty or `0-0` at the end.
    pub(super) cursor: String,
    entries: Vec<Entry>,
    gone: Vec<Value>,
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
        let Some(Stream { topic, key }) = shared.streams.get(stream) else { return Ok(()) };
        if !self.gone.is_empty() {
            let gone = self.gone.into_iter().map(text).collect::<Result<Vec<_>, _>>()?;
            let text = "the stream dropped entries that were given out and not acknowledged: they are lost";
            let (endpoint, stream) = (&*shared.group, &**key);
            tracing::warn!(target: "diator", endpoint, stream, count = gone.len(), first = gone.first(), "{text}");
        }
        let mut state = shared.state();
        for entry in self.entries {
            if is_claimed || !state.in_hand.has((stream, entry.id), received) {
                state.in_hand.admit(stream, topic, entry, received);
            }
        }
        Ok(())
    }
}
