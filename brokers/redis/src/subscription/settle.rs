//! What becomes of deliveries.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use diator::subscription::{ConsumeError, DeliveryTag, Observation, Ownership, Settle, Settled, Settlement, Verdict};
use redis::{Pipeline, cmd};
use tokio::time::Instant;

use super::dead::{Why, bury};
use super::hold::{ByStream, again, hold};
use super::leases;
use super::observe::observe;
use super::opening::{Opening, Shared, accepted};
use crate::deadline::Deadline;

/// How many entries one `XACK` names.
const MOST: usize = 1_000;

type Answers = BTreeMap<DeliveryTag, Result<Settled, ConsumeError>>;

#[async_trait]
impl Settle for Opening {
    async fn settle(&self, batch: &[Settlement]) -> Vec<Result<Settled, ConsumeError>> {
        let shared = &self.shared;
        let of = |wanted: fn(&Verdict) -> bool| {
            let tags = batch.iter().filter(move |settlement| wanted(&settlement.verdict));
            tags.map(|settlement| settlement.tag).collect::<Vec<_>>()
        };
        let mut answers = Answers::new();
        ack(shared, &of(|verdict| *verdict == Verdict::Ack), &mut answers).await;
        if !shared.has_partitions() {
            release(shared, &of(|verdict| *verdict == Verdict::Release), &mut answers).await;
        }
        for Settlement { tag, verdict, .. } in batch {
            match verdict {
                Verdict::DeadLetter { reason, kind, failures, .. } if !answers.contains_key(tag) => {
                    let why = Why { reason, kind, failures: *failures };
                    answers.insert(*tag, dead_letter(shared, *tag, &why).await);
                }
                Verdict::Release if shared.has_partitions() => {
                    let error = ConsumeError::fatal("a delivery of a partition stays with the partition's owner");
                    answers.insert(*tag, Err(error));
                }
                Verdict::Retry { .. } => {
                    let error = ConsumeError::fatal("redis streams cannot deliver an entry again after a time");
                    answers.insert(*tag, Err(error));
                }
                _ => {}
            }
        }
        // A delivery that is there twice was settled the first time.
        batch.iter().map(|settlement| answers.remove(&settlement.tag).unwrap_or(Ok(Settled::LockLost))).collect()
    }

    async fn extend(&self, held: &[DeliveryTag]) -> Vec<Result<Settled, ConsumeError>> {
        hold(&self.shared, held, Duration::ZERO).await
    }

    fn revoked(&self, owners: &[Ownership]) {
        let mut state = self.shared.state();
        state.owners.give_up(owners);
        state.in_hand.drop_owners(owners);
        drop(state);
        self.shared.interrupt.notify_one();
    }

    async fn observe(&self) -> Result<Observation, ConsumeError> {
        observe(&self.shared).await
    }

    async fn close(&self) {
        let shared = &self.shared;
        self.stop_reading(shared.engine.deadline).await;
        if !shared.is_over() {
            if shared.has_partitions() {
                leases::give_all_up(shared).await;
            } else {
                let held = shared.state().in_hand.all();
                hold(shared, &held, shared.lock()).await;
            }
            shared.slot.leave(&shared.engine, Deadline::new(shared.engine.deadline)).await;
        }
        shared.end(ConsumeError::closed("the opening was closed"));
    }
}

/// Acknowledges all of these in one go.
///
/// An entry that is not pending any more is done, too: somebody has acknowledged it.
async fn ack(shared: &Shared, tags: &[DeliveryTag], answers: &mut Answers) {
    let mut ours = ByStream::new();
    if !shared.is_over() {
        let (state, now) = (shared.state(), Instant::now());
        for &tag in tags {
            if let Some(held) = state.in_hand.find(tag, now) {
                ours.entry(held.place.0).or_default().push((tag, held.place.1));
            }
        }
    }
    let chunks: Vec<_> = ours.iter().flat_map(|(stream, some)| some.chunks(MOST).map(|some| (*stream, some))).collect();
    if chunks.is_empty() {
        return;
    }
    let mut pipeline = Pipeline::with_capacity(chunks.len());
    for (stream, some) in &chunks {
        let Some(stream) = shared.streams.get(*stream) else { continue };
        let mut command = cmd("XACK");
        command.arg(&stream.key).arg(&shared.group);
        some.iter().for_each(|(_, id)| _ = command.arg(id));
        pipeline.add_command(command);
    }
    let mut replies = shared.ask_all(&pipeline, Deadline::new(shared.engine.deadline)).await.map(Vec::into_iter);
    let mut state = shared.state();
    for (_, some) in chunks {
        let done = match &mut replies {
            Ok(replies) => replies.next().map_or(Ok(()), |reply| accepted(reply).map(drop)),
            Err(error) => Err(again(error)),
        };
        for (tag, _) in some {
            if done.is_ok() {
                state.in_hand.forget(tag.0);
            }
            answers.insert(*tag, done.as_ref().map(|()| Settled::Done).map_err(again));
        }
    }
}

/// Gives deliveries back, to whoever claims them first.
async fn release(shared: &Shared, tags: &[DeliveryTag], answers: &mut Answers) {
    if tags.is_empty() {
        return;
    }
    for (tag, answer) in tags.iter().zip(hold(shared, tags, shared.lock()).await) {
        let mut state = shared.state();
        let is_gone = state.in_hand.find(*tag, Instant::now()).is_some_and(|held| held.is_gone);
        let answer = answer.and_then(|answer| if is_gone { Err(gone()) } else { Ok(answer) });
        if answer.is_ok() {
            state.in_hand.forget(tag.0);
            state.is_claim_due = true;
        }
        answers.insert(*tag, answer);
    }
    shared.interrupt.notify_one();
}

/// What goes back can be read again only from the stream.
fn gone() -> ConsumeError {
    ConsumeError::fatal("the stream has dropped the entry, so that it cannot be given back")
}

async fn dead_letter(shared: &Shared, tag: DeliveryTag, why: &Why<'_>) -> Result<Settled, ConsumeError> {
    if shared.is_over() {
        return Ok(Settled::LockLost);
    }
    let held = shared.state().in_hand.find(tag, Instant::now()).cloned();
    let Some(held) = held else { return Ok(Settled::LockLost) };
    let settled = bury(shared, &held, why).await?;
    shared.state().in_hand.forget(tag.0);
    Ok(settled)
}
