//! Locks that begin anew, and locks that end.

use std::collections::BTreeMap;
use std::time::Duration;

use diator::subscription::{ConsumeError, DeliveryTag, Settled};
use redis::{Pipeline, Value};
use tokio::time::Instant;

use super::entry::EntryId;
use super::opening::{Shared, accepted};
use super::script::{Script, array, int, script, unexpected};
use super::time::millis;
use crate::deadline::Deadline;

const HOLD: Script = script!("hold");
/// How many entries one call of the script holds; others wait for it.
const MOST: usize = 500;

/// Deliveries by the stream that they are of.
pub(super) type ByStream = BTreeMap<usize, Vec<(DeliveryTag, EntryId)>>;

/// Sets the locks of deliveries back: with an idle time of zero they begin anew, with one of a lock they end.
///
/// The answers are as many, and in the same order.
pub(super) async fn hold(shared: &Shared, tags: &[DeliveryTag], idle: Duration) -> Vec<Result<Settled, ConsumeError>> {
    let begun = Instant::now();
    let mut ours = ByStream::new();
    let mut answers: BTreeMap<DeliveryTag, Result<Settled, ConsumeError>> = BTreeMap::new();
    if !shared.is_over() {
        let mut state = shared.state();
        for &tag in tags {
            let Some(held) = state.in_hand.find(tag, begun) else { continue };
            let (stream, id) = held.place;
            if held.is_gone {
                // Nobody else can have it: its lock lasts as long as we like.
                state.in_hand.extended(tag, begun);
                answers.insert(tag, Ok(Settled::Done));
            } else {
                ours.entry(stream).or_default().push((tag, id));
            }
        }
    }
    let chunks: Vec<_> = ours.iter().flat_map(|(stream, some)| some.chunks(MOST).map(|some| (*stream, some))).collect();
    let mut pipeline = Pipeline::with_capacity(chunks.len());
    for (stream, some) in &chunks {
        let Some(stream) = shared.streams.get(*stream) else { continue };
        let mut command = HOLD.on(&[&stream.key]);
        command.arg(&shared.group).arg(&shared.slot.name).arg(millis(idle));
        some.iter().for_each(|(_, id)| _ = command.arg(id));
        pipeline.add_command(command);
    }
    if !chunks.is_empty() {
        let asked = shared.ask_all(&pipeline, Deadline::new(shared.engine.deadline)).await;
        let mut replies = asked.map(Vec::into_iter);
        for (_, some) in chunks {
            let reply = match &mut replies {
                Ok(replies) => replies.next().ok_or_else(unexpected).and_then(|reply| read(reply, some.len())),
                Err(error) => Err(again(error)),
            };
            for (number, (tag, _)) in some.iter().enumerate() {
                let of_one = reply.as_ref().map(|codes| codes.get(number).copied().unwrap_or_default());
                answers.insert(*tag, of_one.map(|code| note(shared, *tag, code, begun)).map_err(again));
            }
        }
    }
    tags.iter().map(|tag| answers.remove(tag).unwrap_or(Ok(Settled::LockLost))).collect()
}

fn read(reply: Value, count: usize) -> Result<Vec<i64>, ConsumeError> {
    if matches!(&reply, Value::ServerError(error) if error.details().is_some_and(|text| text.contains("NOGROUP"))) {
        // Without the group nothing is anybody's.
        return Ok(vec![0; count]);
    }
    array(accepted(reply)?)?.iter().map(int).collect()
}

fn note(shared: &Shared, tag: DeliveryTag, code: i64, begun: Instant) -> Settled {
    let mut state = shared.state();
    match code {
        1 => state.in_hand.extended(tag, begun),
        2 => {
            state.in_hand.gone(tag);
            state.in_hand.extended(tag, begun);
        }
        _ => {
            state.in_hand.forget(tag.0);
            return Settled::LockLost;
        }
    }
    Settled::Done
}

/// The same error for another delivery.
pub(super) fn again(error: &ConsumeError) -> ConsumeError {
    ConsumeError::new(error.kind(), error.to_string())
}
