//! The thread that polls: it reads, pauses and resumes, gives partitions up, and notices silence.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use diator::subscription::Taken;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message, Offset};
use tokio::time::Instant;

use crate::message::delivery;
use crate::rebalance::Context;
use crate::shared::Shared;
use crate::subscription::PATIENCE;

/// How long it waits for a message, and so how late it can be with anything else.
const TICK: Duration = Duration::from_millis(20);

pub(crate) fn run(consumer: &BaseConsumer<Context>, shared: &Shared) {
    while shared.state().over.is_none() {
        let polled = match consumer.poll(TICK) {
            Some(Ok(message)) => {
                arrive(&message, shared);
                Ok(())
            }
            // librdkafka mends the others by itself.
            Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => Err(error),
            Some(Err(_)) | None => Ok(()),
        };
        let steered = polled
            .and_then(|()| steer(consumer, shared))
            .and_then(|()| give_up(consumer, shared))
            .and_then(|()| rewind(consumer, shared));
        if let Err(error) = steered {
            shared.end(&error.to_string());
        }
        let silent = shared.state().silent_for();
        if silent > shared.silence {
            shared.end(&format!("no broker was heard of for {silent:?}"));
        }
    }
    // This leaves the group, whoever else still waits with the consumer.
    if consumer.close_queue().is_ok() {
        while !consumer.closed() {
            _ = consumer.poll(TICK);
        }
    }
    shared.left.send_replace(true);
}

fn arrive(message: &BorrowedMessage<'_>, shared: &Shared) {
    let mut state = shared.state();
    let place = (Arc::from(message.topic()), message.partition());
    let Some(owned) = state.owned.get(&place).filter(|owned| !owned.leaving && !state.deaf) else { return };
    let ownership = owned.ownership;
    state.last_tag += 1;
    let delivery = delivery(message, state.last_tag, place.0.clone(), ownership);
    state.ready.push_back((place, message.offset(), delivery));
    drop(state);
    shared.stirred.notify_waiters();
}

/// Pauses where enough was read ahead, and resumes where half of it was taken.
fn steer(consumer: &BaseConsumer<Context>, shared: &Shared) -> KafkaResult<()> {
    let mut state = shared.state();
    let ahead = state.ready.len();
    let pause = state.deaf || ahead >= shared.max_ahead || (state.paused && ahead > shared.max_ahead / 2);
    if pause == state.paused || state.owned.is_empty() {
        return Ok(());
    }
    state.paused = pause;
    let partitions = state.partitions();
    drop(state);
    if pause { consumer.pause(&partitions) } else { consumer.resume(&partitions) }
}

/// Gives up the partitions that are wanted back, when the endpoint has done so, or has had its time.
fn give_up(consumer: &BaseConsumer<Context>, shared: &Shared) -> KafkaResult<()> {
    let mut state = shared.state();
    let over = |by| Instant::now() >= by || consumer.assignment_lost();
    let Some(leaving) = state.leaving.take_if(|leaving| leaving.kept.is_empty() || over(leaving.by)) else {
        return Ok(());
    };
    state.give_up(&leaving.partitions);
    if !leaving.kept.is_empty() {
        state.news.push_back(Taken::Lost { owners: leaving.kept.into_iter().collect() });
    }
    drop(state);
    shared.stirred.notify_waiters();
    consumer.incremental_unassign(&leaving.partitions)
}

/// Goes back to what was not settled of the partitions that the endpoint gave up unasked: they are its own under another epoch.
fn rewind(consumer: &BaseConsumer<Context>, shared: &Shared) -> KafkaResult<()> {
    let rewinds = mem::take(&mut shared.state().rewinds);
    for (place, offset) in rewinds {
        if let Some(offset) = offset {
            consumer.seek(&place.0, place.1, Offset::Offset(offset), PATIENCE)?;
        }
        shared.state().own(place, offset);
    }
    Ok(())
}
