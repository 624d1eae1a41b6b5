use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use diator::async_trait;
use diator::subscription::{
    ConsumeError, Delivery, DeliveryTag, Observation, Ownership, Settle, Settled, Settlement, Verdict,
};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode::{
    MessageSizeTooLarge, StaleMemberEpoch, TopicAuthorizationFailed as NotAllowed, UnknownTopic as NoTopic,
    UnknownTopicOrPartition as NoPartition,
};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::Offset;
use tokio::time::{Instant, timeout};

use crate::message::letter_headers;
use crate::rebalance::Context;
use crate::shared::Place;
use crate::subscription::{Opening, PATIENCE, all_partitions, blocking, transient};

type Committed = BTreeMap<Place, KafkaResult<()>>;

/// Where the verdicts of one opening go.
pub(crate) struct KafkaSettle {
    pub(crate) opening: Arc<Opening>,
    pub(crate) endpoint: String,
    pub(crate) topics: Vec<String>,
    pub(crate) letters: FutureProducer,
    /// A client that is no member of the group.
    pub(crate) onlooker: Arc<BaseConsumer>,
}

#[async_trait]
impl Settle for KafkaSettle {
    async fn settle(&self, batch: &[Settlement]) -> Vec<Result<Settled, ConsumeError>> {
        let mut accepted = BTreeSet::new();
        let mut failed: BTreeMap<Ownership, ConsumeError> = BTreeMap::new();
        let mut offsets = BTreeMap::new();
        let mut owners = Vec::new();
        for Settlement { tag, verdict, .. } in batch {
            let known = self.find(*tag);
            owners.push(known.as_ref().map(|(owner, ..)| *owner));
            let Some((owner, place, offset)) = known.filter(|(owner, ..)| !failed.contains_key(owner)) else {
                continue;
            };
            match self.prepare(*tag, owner, verdict, &accepted).await {
                Ok(()) => {
                    accepted.insert(*tag);
                    offsets.insert(place, offset + 1);
                }
                Err(error) => _ = failed.insert(owner, error),
            }
        }
        let committed = self.commit(offsets).await;
        let answer = |(settlement, owner): (&Settlement, Option<Ownership>)| {
            let Some(owner) = owner else { return Ok(Settled::LockLost) };
            match failed.get(&owner).filter(|_| !accepted.contains(&settlement.tag)) {
                Some(error) => Err(ConsumeError::new(error.kind(), error.to_string())),
                None => self.answer(settlement.tag, &committed),
            }
        };
        batch.iter().zip(owners).map(answer).collect()
    }

    async fn extend(&self, held: &[DeliveryTag]) -> Vec<Result<Settled, ConsumeError>> {
        held.iter().map(|_| Err(ConsumeError::fatal("kafka has no locks"))).collect()
    }

    fn revoked(&self, owners: &[Ownership]) {
        let mut state = self.opening.shared.state();
        let unasked = state.owned.iter().filter(|(_, owned)| !owned.leaving && owners.contains(&owned.ownership));
        let unasked: Vec<_> = unasked.map(|(place, _)| place.clone()).collect();
        unasked.iter().for_each(|place| state.rewind(place));
        state.held.retain(|_, held| !owners.contains(&held.ownership));
        if let Some(leaving) = &mut state.leaving {
            leaving.kept.retain(|owner| !owners.contains(owner));
        }
    }

    async fn observe(&self) -> Result<Observation, ConsumeError> {
        let (onlooker, topics) = (self.onlooker.clone(), self.topics.clone());
        let waits = blocking(move || lag(&onlooker, &topics)).await?.map_err(|error| transient("observe", error))?;
        let state = self.opening.shared.state();
        let lag = waits.values().map(|(committed, end)| end - committed).sum();
        let due = state.owned.iter().filter(|(_, owned)| !owned.leaving).map(|(place, owned)| {
            let (committed, end) = waits.get(place).copied().unwrap_or_default();
            end.saturating_sub(owned.yielded.and_then(|offset| offset.try_into().ok()).unwrap_or(committed))
        });
        Ok(Observation::unknown().with_lag(lag).with_due(due.sum()).with_heard(state.silent_for()))
    }

    async fn close(&self) {
        self.opening.shared.end("it was closed");
        let mut left = self.opening.shared.left.subscribe();
        _ = timeout(PATIENCE, left.wait_for(|left| *left)).await;
    }
}

impl KafkaSettle {
    fn find(&self, tag: DeliveryTag) -> Option<(Ownership, Place, i64)> {
        let state = self.opening.shared.state();
        state.held.get(&tag.0).map(|held| (held.ownership, held.place.clone(), held.offset))
    }

    /// Does what comes before the commit.
    async fn prepare(
        &self,
        tag: DeliveryTag,
        owner: Ownership,
        verdict: &Verdict,
        accepted: &BTreeSet<DeliveryTag>,
    ) -> Result<(), ConsumeError> {
        let passes = self
            .opening
            .shared
            .state()
            .held
            .range(..tag.0)
            .any(|(earlier, held)| held.ownership == owner && !accepted.contains(&DeliveryTag(*earlier)));
        if passes {
            return Err(ConsumeError::fatal("kafka is asked to commit an offset that passes an earlier message"));
        }
        match verdict {
            Verdict::Ack => Ok(()),
            Verdict::DeadLetter { reason, .. } => self.bury(tag, reason).await,
            _ => Err(ConsumeError::fatal("kafka can neither release nor retry")),
        }
    }

    async fn bury(&self, tag: DeliveryTag, reason: &str) -> Result<(), ConsumeError> {
        let shared = &self.opening.shared;
        let delivery = shared.state().held.get(&tag.0).filter(|held| !held.buried).map(|held| held.delivery.clone());
        let Some(delivery) = delivery else { return Ok(()) };
        let sent = match self.send(&delivery, &delivery.body, reason).await {
            Err(KafkaError::MessageProduction(MessageSizeTooLarge)) => {
                self.send(&delivery, &delivery.body[..delivery.body.len() / 2], reason).await
            }
            sent => sent,
        };
        sent.map_err(|error| match error.rdkafka_error_code() {
            Some(NoTopic | NoPartition | NotAllowed | MessageSizeTooLarge) => {
                ConsumeError::fatal("kafka has no place for dead letters").with_source(error)
            }
            _ => transient("keep a dead letter", error),
        })?;
        if let Some(held) = shared.state().held.get_mut(&tag.0) {
            held.buried = true;
        }
        Ok(())
    }

    async fn send(&self, delivery: &Delivery, body: &[u8], reason: &str) -> KafkaResult<()> {
        let topic = format!("{}.dead", delivery.topic);
        let headers = letter_headers(delivery, &self.endpoint, reason);
        let mut record = FutureRecord::to(&topic).payload(body).headers(headers);
        record.key = delivery.key.as_deref();
        self.letters.send::<str, _, _>(record, PATIENCE).await.map(drop).map_err(|(error, _)| error)
    }

    /// Commits the offsets, each in a request of its own: librdkafka does not tell a commit that waits which of its partitions failed,
    /// and `rdkafka` gives one that does not wait no answer at all.
    async fn commit(&self, offsets: BTreeMap<Place, i64>) -> Committed {
        let consumer = self.opening.shared.state().consumer.upgrade();
        let Some(consumer) = consumer.filter(|_| !offsets.is_empty()) else { return Committed::new() };
        let asked = blocking(move || {
            let end = Instant::now() + PATIENCE;
            offsets.into_iter().map(|(place, offset)| (place.clone(), commit(&consumer, &place, offset, end))).collect()
        });
        asked.await.unwrap_or_default()
    }

    fn answer(&self, tag: DeliveryTag, committed: &Committed) -> Result<Settled, ConsumeError> {
        let mut state = self.opening.shared.state();
        let Some(held) = state.held.get(&tag.0) else {
            // It was given up meanwhile: an ack may be true nevertheless.
            return Ok(Settled::LockLost);
        };
        match committed.get(&held.place) {
            Some(Ok(())) => {
                state.held.remove(&tag.0);
                Ok(Settled::Done)
            }
            Some(Err(error)) => Err(transient("commit", error.clone())),
            None => Err(ConsumeError::transient("kafka did not answer a commit in time")),
        }
    }
}

fn commit(consumer: &BaseConsumer<Context>, (topic, partition): &Place, offset: i64, end: Instant) -> KafkaResult<()> {
    let mut partitions = TopicPartitionList::new();
    partitions.add_partition_offset(topic, *partition, Offset::Offset(offset))?;
    loop {
        let committed = consumer.commit(&partitions, CommitMode::Sync);
        match committed.as_ref().err().and_then(KafkaError::rdkafka_error_code) {
            // The group has gone on to another epoch, and this member will know in a moment.
            Some(StaleMemberEpoch) if Instant::now() < end => {
                thread::sleep(Duration::from_millis(50));
            }
            _ => return committed,
        }
    }
}

/// What is committed of each partition, and its end.
fn lag(onlooker: &BaseConsumer, topics: &[String]) -> KafkaResult<BTreeMap<Place, (u64, u64)>> {
    let committed = onlooker.committed_offsets(all_partitions(onlooker, topics)?, PATIENCE)?;
    let number = |offset: i64| offset.try_into().unwrap_or_default();
    let mut lag = BTreeMap::new();
    for at in committed.elements() {
        let (low, high) = onlooker.fetch_watermarks(at.topic(), at.partition(), PATIENCE)?;
        let committed = if let Offset::Offset(offset) = at.offset() { offset.max(low) } else { low };
        lag.insert((at.topic().into(), at.partition()), (number(committed), number(high)));
    }
    Ok(lag)
}
