use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::subscription::{
    Capabilities, ConsumeError, Delivery, DeliveryTag, Observation, Opened, Ownership, Release, Settle, Settled,
    Settlement, Source, Subscription, Taken, Verdict, Wanted,
};

/// Everything but what a test takes away.
pub(super) fn able() -> Capabilities {
    Capabilities::none()
        .ordered_by_key()
        .exclusive_keys()
        .competing()
        .broadcasts()
        .redelivers()
        .counts()
        .releases(Release::Uncounted)
        .locks_for(Duration::from_secs(30))
        .extends()
        .dead_letters()
        .settles_out_of_order()
}

/// An engine of which a test says what it yields and how it answers; it notes what it is told.
#[derive(Clone)]
pub(super) struct Engine(Arc<Inner>);

struct Inner {
    capabilities: Capabilities,
    state: Mutex<State>,
    news: Notify,
}

#[derive(Default)]
struct State {
    coming: VecDeque<Delivery>,
    owners: VecDeque<Taken>,
    errors: VecDeque<ConsumeError>,
    next_tag: u64,
    settled: Vec<Settlement>,
    extended: BTreeMap<DeliveryTag, usize>,
    revoked: Vec<Ownership>,
    log: Vec<String>,
    opened: usize,
    closed: usize,
    deaf: bool,
    trouble: Trouble,
    extensions_closed: bool,
    answers_nothing: bool,
    empty_batches: usize,
    yields_empty: bool,
    lost: Vec<DeliveryTag>,
    largest_credit: usize,
    due: Option<u64>,
    heard: Option<Duration>,
    credit: usize,
    batches: Vec<Vec<u64>>,
    refused: Vec<DeliveryTag>,
    wanted: String,
}

/// What happens to calls that settle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Trouble {
    #[default]
    None,
    Fails,
    Hangs,
    Panics,
    Closed,
    Late(Duration),
}

impl Engine {
    pub(super) fn new(capabilities: Capabilities) -> Self {
        Self(Arc::new(Inner { capabilities, state: Mutex::default(), news: Notify::new() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The engine gets an event; the answer is the tag of its delivery.
    pub(super) fn publish(&self, key: &str, number: u32) -> DeliveryTag {
        self.publish_as("OrderPlaced", key, number, |delivery| delivery)
    }

    pub(super) fn publish_as(
        &self,
        name: &str,
        key: &str,
        number: u32,
        change: impl FnOnce(Delivery) -> Delivery,
    ) -> DeliveryTag {
        let body = json!({
            "message_type": "notification_event",
            "message_name": name,
            "message_id": Uuid::from_u128(u128::from(number) + 1),
            "payload": { "key": key, "number": number },
        });
        self.deliver(body.to_string().as_bytes(), |delivery| {
            let delivery = if key.is_empty() { delivery } else { delivery.with_key(key) };
            change(delivery)
        })
    }

    pub(super) fn deliver(&self, body: &[u8], change: impl FnOnce(Delivery) -> Delivery) -> DeliveryTag {
        let mut state = self.state();
        state.next_tag += 1;
        let tag = DeliveryTag(state.next_tag);
        state.coming.push_back(change(Delivery::new(tag, "orders", body)));
        drop(state);
        self.0.news.notify_waiters();
        tag
    }

    pub(super) fn revoke(&self, owner: Ownership, within: Duration) {
        self.tell(Taken::Revoking { owners: vec![owner], by: Instant::now() + within });
    }

    pub(super) fn lose(&self, owner: Ownership) {
        self.tell(Taken::Lost { owners: vec![owner] });
    }

    fn tell(&self, taken: Taken) {
        self.state().owners.push_back(taken);
        self.0.news.notify_waiters();
    }

    pub(super) fn fail_source(&self) {
        self.state().errors.push_back(ConsumeError::transient("the connection broke"));
        self.0.news.notify_waiters();
    }

    pub(super) fn be_deaf(&self, deaf: bool) {
        self.state().deaf = deaf;
        self.0.news.notify_waiters();
    }

    /// How many the engine says should be given out.
    pub(super) fn set_due(&self, due: u64) {
        self.state().due = Some(due);
    }

    pub(super) fn set_heard(&self, ago: Duration) {
        self.state().heard = Some(ago);
    }

    /// The engine will not take what becomes of this delivery.
    pub(super) fn refuse(&self, tag: DeliveryTag) {
        self.state().refused.push(tag);
    }

    /// What it was asked to settle, call by call.
    pub(super) fn batches(&self) -> Vec<Vec<u64>> {
        self.state().batches.clone()
    }

    /// The credit of the call of `next` that is under way.
    pub(super) fn credit(&self) -> usize {
        self.state().credit
    }

    /// What the endpoint wanted when it opened.
    pub(super) fn wanted(&self) -> String {
        self.state().wanted.clone()
    }

    pub(super) fn trouble(&self, trouble: Trouble) {
        self.state().trouble = trouble;
    }

    /// The connection is found to be over when a lock is to be extended.
    pub(super) fn close_extensions(&self) {
        self.state().extensions_closed = true;
    }

    /// It answers for none of the deliveries whose locks are to be extended.
    pub(super) fn answer_no_extensions(&self) {
        self.state().answers_nothing = true;
    }

    /// Its source yields batches without a delivery whenever it has none.
    pub(super) fn yield_empty(&self, yields_empty: bool) {
        self.state().yields_empty = yields_empty;
        self.0.news.notify_waiters();
    }

    /// How many batches without a delivery it has yielded.
    pub(super) fn empty_batches(&self) -> usize {
        self.state().empty_batches
    }

    /// From now on, somebody else has the delivery.
    pub(super) fn take_lock(&self, tag: DeliveryTag) {
        self.state().lost.push(tag);
    }

    pub(super) fn settled(&self) -> Vec<(u64, Verdict)> {
        self.state().settled.iter().map(|settlement| (settlement.tag.0, settlement.verdict.clone())).collect()
    }

    pub(super) fn verdict(&self, tag: DeliveryTag) -> Option<Verdict> {
        let state = self.state();
        state.settled.iter().find(|settlement| settlement.tag == tag).map(|settlement| settlement.verdict.clone())
    }

    /// Why the delivery is a dead letter.
    pub(super) fn dead(&self, tag: DeliveryTag) -> Option<String> {
        match self.verdict(tag)? {
            Verdict::DeadLetter { reason, .. } => Some(reason.into()),
            _ => None,
        }
    }

    pub(super) fn acked(&self) -> Vec<u64> {
        self.settled().into_iter().filter(|(_, verdict)| *verdict == Verdict::Ack).map(|(tag, _)| tag).collect()
    }

    pub(super) fn extensions(&self, tag: DeliveryTag) -> usize {
        self.state().extended.get(&tag).copied().unwrap_or_default()
    }

    pub(super) fn revoked(&self) -> Vec<Ownership> {
        self.state().revoked.clone()
    }

    /// What it was told, in its order.
    pub(super) fn log(&self) -> Vec<String> {
        self.state().log.clone()
    }

    pub(super) fn opened(&self) -> usize {
        self.state().opened
    }

    pub(super) fn closed(&self) -> usize {
        self.state().closed
    }

    pub(super) fn largest_credit(&self) -> usize {
        self.state().largest_credit
    }
}

#[async_trait]
impl Subscription for Engine {
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities
    }

    async fn open(&self, wanted: &Wanted<'_>) -> Result<Opened, ConsumeError> {
        let mut state = self.state();
        state.wanted = format!("{wanted:?}");
        state.opened += 1;
        state.deaf = state.deaf && state.opened == 1;
        drop(state);
        Ok(Opened::new(self.clone(), Arc::new(self.clone())))
    }
}

impl Engine {
    fn yielded(&self, credit: usize) -> Option<Result<Taken, ConsumeError>> {
        let mut state = self.state();
        if let Some(error) = state.errors.pop_front() {
            return Some(Err(error));
        }
        if let Some(news) = state.owners.pop_front() {
            return Some(Ok(news));
        }
        state.credit = credit;
        state.largest_credit = state.largest_credit.max(credit);
        let most = if state.deaf { 0 } else { credit.min(state.coming.len()) };
        let now = Instant::now();
        let deliveries: Vec<_> = state.coming.drain(..most).map(|delivery| delivery.with_received(now)).collect();
        let is_empty = deliveries.is_empty();
        let yields_empty = is_empty && state.yields_empty;
        state.empty_batches += usize::from(yields_empty);
        (!is_empty || yields_empty).then_some(Ok(Taken::Deliveries(deliveries)))
    }

    async fn wait(&self, credit: usize) -> Result<Taken, ConsumeError> {
        loop {
            let news = self.0.news.notified();
            if let Some(yielded) = self.yielded(credit) {
                return yielded;
            }
            news.await;
        }
    }
}

#[async_trait]
impl Source for Engine {
    async fn next(&mut self, credit: usize) -> Result<Taken, ConsumeError> {
        self.wait(credit).await
    }
}

#[async_trait]
impl Settle for Engine {
    async fn settle(&self, batch: &[Settlement]) -> Vec<Result<Settled, ConsumeError>> {
        let trouble = self.state().trouble;
        match trouble {
            Trouble::None => {}
            Trouble::Fails => {
                return batch.iter().map(|_| Err(ConsumeError::transient("not now"))).collect();
            }
            Trouble::Closed => {
                return batch.iter().map(|_| Err(ConsumeError::closed("the connection ended"))).collect();
            }
            Trouble::Hangs => std::future::pending().await,
            Trouble::Panics => panic!("the driver panics"),
            Trouble::Late(time) => sleep(time).await,
        }
        let mut state = self.state();
        let mut answers = Vec::new();
        state.batches.push(batch.iter().map(|settlement| settlement.tag.0).collect());
        for settlement in batch {
            if state.refused.contains(&settlement.tag) {
                answers.push(Err(ConsumeError::fatal("there is no place for it")));
                continue;
            }
            if state.lost.contains(&settlement.tag) {
                answers.push(Ok(Settled::LockLost));
                continue;
            }
            state.log.push(format!("settle {}", settlement.tag.0));
            state.settled.push(settlement.clone());
            answers.push(Ok(Settled::Done));
        }
        answers
    }

    async fn extend(&self, held: &[DeliveryTag]) -> Vec<Result<Settled, ConsumeError>> {
        let mut state = self.state();
        if state.extensions_closed {
            return held.iter().map(|_| Err(ConsumeError::closed("the connection ended"))).collect();
        }
        if state.answers_nothing {
            return Vec::new();
        }
        let mut answers = Vec::new();
        for tag in held {
            if state.lost.contains(tag) {
                answers.push(Ok(Settled::LockLost));
            } else {
                *state.extended.entry(*tag).or_default() += 1;
                answers.push(Ok(Settled::Done));
            }
        }
        answers
    }

    fn revoked(&self, owners: &[Ownership]) {
        let mut state = self.state();
        for owner in owners {
            state.revoked.push(*owner);
            state.log.push(format!("revoked {}", owner.partition));
        }
    }

    async fn observe(&self) -> Result<Observation, ConsumeError> {
        let state = self.state();
        let due = state.due.unwrap_or(state.coming.len() as u64);
        let observation = Observation::unknown().with_lag(state.coming.len() as u64).with_due(due);
        Ok(state.heard.map_or(observation, |heard| observation.with_heard(heard)))
    }

    async fn close(&self) {
        let mut state = self.state();
        state.closed += 1;
        state.log.push("close".to_owned());
    }
}
