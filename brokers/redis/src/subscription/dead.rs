//! Dead letters.

use diator::subscription::{ConsumeError, Settled};
use redis::{Cmd, Value, cmd};

use super::entry::EntryId;
use super::in_hand::Held;
use super::opening::{Shared, Stream};
use super::script::Script;
use crate::deadline::Deadline;

const DEAD: Script = Script(include_str!("lua/dead.lua"));

/// Why a delivery is a dead letter.
pub(super) struct Why<'a> {
    pub(super) reason: &'a str,
    pub(super) kind: &'a str,
    pub(super) failures: u32,
}

/// What the script answered.
enum Written {
    Done,
    NotOurs,
    NoEntry,
}

/// Writes the letter and acknowledges the entry, in one go.
pub(super) async fn bury(shared: &Shared, held: &Held, why: &Why<'_>) -> Result<Settled, ConsumeError> {
    let (number, id) = held.place;
    let Some(stream) = shared.streams.get(number) else { return Ok(Settled::LockLost) };
    if !held.is_gone {
        match write(shared, stream, id, why).await? {
            Written::Done => return Ok(Settled::Done),
            Written::NotOurs => return Ok(Settled::LockLost),
            Written::NoEntry => {}
        }
    }
    // The stream has dropped the entry: what is left of the message is its body.
    let mut letter = cmd("XADD");
    letter.arg(&stream.letters).arg("*");
    describe(&mut letter, shared, &stream.position(id), why);
    letter.arg("body").arg(&*held.body);
    let deadline = Deadline::new(shared.engine.deadline);
    shared.ask(letter, deadline).await?;
    let mut ack = cmd("XACK");
    ack.arg(&stream.key).arg(&shared.group).arg(id);
    shared.ask(ack, deadline).await?;
    Ok(Settled::Done)
}

async fn write(shared: &Shared, stream: &Stream, id: EntryId, why: &Why<'_>) -> Result<Written, ConsumeError> {
    let mut command = DEAD.on(&[&stream.key, &stream.letters]);
    command.arg(&shared.group).arg(&shared.slot.name).arg(id);
    describe(&mut command, shared, &stream.position(id), why);
    match shared.ask(command, Deadline::new(shared.engine.deadline)).await? {
        Value::Int(1) => Ok(Written::Done),
        Value::Int(2) => Ok(Written::NoEntry),
        _ => Ok(Written::NotOurs),
    }
}

fn describe(command: &mut Cmd, shared: &Shared, position: &str, why: &Why<'_>) {
    command.arg("dead_letter_endpoint").arg(&shared.group);
    command.arg("dead_letter_reason").arg(why.reason);
    command.arg("dead_letter_kind").arg(why.kind);
    command.arg("dead_letter_failures").arg(why.failures);
    command.arg("dead_letter_position").arg(position);
}
