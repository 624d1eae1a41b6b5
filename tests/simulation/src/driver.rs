//! The driver of the engines: it keeps the contract of `diator::subscription`, and its calls fail, hang and come late.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use diator::subscription::{
    Capabilities, ConsumeError, Delivery, DeliveryTag, Observation, Opened, Ownership, Redelivered, Settle, Settled,
    Settlement, Source, Subscription, Taken, Verdict, Wanted,
};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::engine::{Farewell, Given, News};
use crate::faults::Faults;
use crate::plan::MessageKind;
use crate::process::Process;
use crate::trace::{Answer, Event};

/// A process's connection to the engine.
#[derive(Clone)]
pub(crate) struct Driver(pub(crate) Process);

impl Driver {
    fn chance(&self, rate: impl Fn(&Faults) -> u64) -> bool {
        let state = &mut *self.0.world().state();
        let rate = rate(&state.faults);
        state.random.chance(rate)
    }

    fn millis(&self, first: u64, last: u64) -> Duration {
        self.0.world().state().random.millis(first, last)
    }

    /// A call takes its time.
    async fn takes_time(&self) {
        self.0.step().await;
        if self.chance(|faults| faults.panics) {
            // As a panic, without the hook that would print it.
            std::panic::resume_unwind(Box::new("the driver panics"));
        }
        if self.chance(|faults| faults.slow) {
            sleep(self.millis(1, 800)).await;
            self.0.step().await;
        }
    }
}

#[async_trait]
impl Subscription for Driver {
    fn capabilities(&self) -> Capabilities {
        self.0.world().plan().traits.capabilities
    }

    async fn open(&self, _: &Wanted<'_>) -> Result<Opened, ConsumeError> {
        self.takes_time().await;
        let process = self.0.number();
        if self.chance(|faults| faults.open_hangs) {
            sleep(self.millis(1_000, 40_000)).await;
        }
        if self.chance(|faults| faults.open_fails) {
            self.0.world().note(Event::OpenFailed { process });
            return Err(ConsumeError::transient("the engine does not let it in"));
        }
        let opening = {
            let state = &mut *self.0.world().state();
            let opening = state.number();
            state.cut.insert(opening, false);
            opening
        };
        self.0.world().note(Event::Opened { process, opening });
        self.0.world().with_engine(|engine, at| engine.open(opening, at));
        // Dropped from here on, the opening ends.
        let settle = Arc::new(Verdicts { driver: self.clone(), opening, is_closed: AtomicBool::new(false) });
        self.takes_time().await;
        let source = Deliveries {
            driver: self.clone(),
            opening,
            read: VecDeque::new(),
            news: VecDeque::new(),
            is_deaf: false,
            gone: Vec::new(),
        };
        Ok(Opened::new(source, settle))
    }
}

/// What an opening yields.
struct Deliveries {
    driver: Driver,
    opening: usize,
    /// What was read and not yielded, and when it arrives.
    read: VecDeque<(Instant, Given)>,
    /// When the endpoint learns of it.
    news: VecDeque<(Instant, News)>,
    is_deaf: bool,
    /// Owners of which nothing is yielded any more.
    gone: Vec<Ownership>,
}

#[async_trait]
impl Source for Deliveries {
    async fn next(&mut self, credit: usize) -> Result<Taken, ConsumeError> {
        let driver = self.driver.clone();
        let world = driver.0.world();
        world.note(Event::Asked { opening: self.opening, credit });
        driver.0.step().await;
        if driver.chance(|faults| faults.panics) {
            std::panic::resume_unwind(Box::new("the driver panics"));
        }
        if driver.chance(|faults| faults.cut) {
            world.end(self.opening, Farewell::Broken);
        }
        loop {
            let changed = world.changed();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            let now = Instant::now();
            if world.state().cut.get(&self.opening).copied().unwrap_or(true) {
                world.end(self.opening, Farewell::Broken);
                return Err(ConsumeError::closed("the connection has ended"));
            }
            if let Some(taken) = self.taken(credit, now) {
                return Ok(taken);
            }
            let engine = world.look_at_engine(|engine, at| engine.next_moment(at.now));
            let arrivals = self.read.iter().map(|&(at, _)| at).filter(|_| credit > 0);
            let moments = arrivals.chain(self.news.iter().map(|&(at, _)| at)).chain(engine);
            let next = moments.filter(|&moment| moment > now).min();
            match next {
                // What ends just now is over a moment later.
                Some(next) => drop(timeout_at(next + Duration::from_millis(1), changed).await),
                None => changed.await,
            }
            driver.0.step().await;
        }
    }
}

impl Deliveries {
    /// What can be yielded now.
    fn taken(&mut self, credit: usize, now: Instant) -> Option<Taken> {
        let world = self.driver.0.world().clone();
        while let Some(news) = world.look_at_engine(|engine, at| engine.news(self.opening, at)) {
            let is_late = self.driver.chance(|faults| faults.late);
            let time = if is_late { self.driver.millis(1, 900) } else { Duration::ZERO };
            let after = self.news.back().map_or(now, |&(at, _)| at);
            self.news.push_back(((now + time).max(after), news));
        }
        if let Some(&(at, news)) = self.news.front()
            && at <= now
        {
            self.news.pop_front();
            return Some(self.tell(news));
        }
        if self.is_deaf || credit == 0 {
            return None;
        }
        if self.read.is_empty() && self.driver.chance(|faults| faults.deaf) {
            self.is_deaf = true;
            return None;
        }
        if let Some(room) = credit.checked_sub(self.read.len()).filter(|&room| room > 0) {
            let mut given = world.look_at_engine(|engine, at| engine.take(self.opening, room, at));
            given.retain(|given| given.owner.is_none_or(|owner| !self.gone.contains(&owner)));
            let is_late = !given.is_empty() && self.driver.chance(|faults| faults.late);
            let time = if is_late { self.driver.millis(1, 1_500) } else { Duration::ZERO };
            let after = self.read.back().map_or(now, |&(at, _)| at);
            self.read.extend(given.into_iter().map(|given| ((now + time).max(after), given)));
        }
        let mut deliveries = Vec::new();
        while deliveries.len() < credit
            && let Some(&(at, given)) = self.read.front()
            && at <= now
        {
            self.read.pop_front();
            let Some(delivery) = self.delivery(given, now) else {
                // What comes later of its key must not come before it.
                if world.plan().traits.capabilities.ordered_by_key {
                    world.end(self.opening, Farewell::Broken);
                    break;
                }
                continue;
            };
            deliveries.push(delivery);
        }
        (!deliveries.is_empty()).then_some(Taken::Deliveries(deliveries))
    }

    fn tell(&mut self, news: News) -> Taken {
        let world = self.driver.0.world();
        let (News::Revoking { owner, .. } | News::Lost { owner }) = news;
        self.gone.push(owner);
        self.read.retain(|(_, given)| given.owner != Some(owner));
        let opening = self.opening;
        let known = (owner.partition, owner.epoch);
        match news {
            News::Revoking { by, .. } => {
                world.note(Event::Revoking { opening, owner: known, by: by - world.begun() });
                Taken::Revoking { owners: vec![owner], by }
            }
            News::Lost { .. } => {
                world.note(Event::Lost { opening, owner: known });
                Taken::Lost { owners: vec![owner] }
            }
        }
    }

    /// What waited here is locked anew, as the contract asks; if that is impossible, it has gone.
    fn delivery(&self, given: Given, now: Instant) -> Option<Delivery> {
        let world = self.driver.0.world();
        let plan = world.plan();
        let Given { tag, mut from, entry, message, .. } = given;
        if let Some(lock) = plan.traits.capabilities.lock
            && now > from
        {
            if plan.traits.capabilities.extends {
                let extended = world.look_at_engine(|engine, at| engine.extend(self.opening, tag, at));
                if extended == Settled::LockLost {
                    return None;
                }
                from = now;
            } else if now >= from + lock {
                return None;
            }
        }
        let until = plan.traits.capabilities.lock.map(|lock| world.since_begun(from + lock));
        let owner = given.owner.map(|owner| (owner.partition, owner.epoch));
        world.note(Event::Given { opening: self.opening, tag: tag.0, entry, message, owner, until });
        let planned = &plan.messages[message];
        let redelivered = match (plan.traits.capabilities.counts, given.times) {
            (true, times) => Redelivered::Times(times),
            (false, _) if plan.seed.is_multiple_of(2) => Redelivered::Unknown,
            (false, 0) => Redelivered::No,
            (false, _) => Redelivered::Yes,
        };
        let mut delivery = Delivery::new(tag, "orders", planned.body.clone())
            .with_received(from)
            .with_position(entry.to_string())
            .with_redelivered(redelivered)
            .with_failures(given.failures);
        if let Some(key) = planned.key {
            delivery = delivery.with_key(key.to_string());
        }
        if let Some(owner) = given.owner {
            delivery = delivery.with_owner(owner);
        }
        if planned.kind == MessageKind::Unreadable && message.is_multiple_of(2) {
            delivery = delivery.with_unreadable("the driver could not read it");
        }
        Some(delivery)
    }
}

/// Where the verdicts of an opening go.
struct Verdicts {
    driver: Driver,
    opening: usize,
    is_closed: AtomicBool,
}

impl Verdicts {
    fn is_over(&self) -> bool {
        self.driver.0.world().state().cut.get(&self.opening).copied().unwrap_or(true)
    }

    /// Whether this verdict is refused; those of its owner behind it are then refused too, where order counts.
    fn settle_one(&self, settlement: &Settlement) -> Result<Settled, ConsumeError> {
        let is_dead = matches!(settlement.verdict, Verdict::DeadLetter { .. });
        if self.driver.chance(|faults| if is_dead { faults.settle_refused * 4 } else { faults.settle_refused / 4 }) {
            self.driver.0.world().state().has_refused = true;
            return Err(ConsumeError::fatal("the engine does not take this verdict"));
        }
        if self.driver.chance(|faults| faults.settle_fails / 4) {
            return Err(ConsumeError::transient("the engine is busy"));
        }
        Ok(self.driver.0.world().with_engine(|engine, at| engine.settle(self.opening, settlement, at)))
    }

    fn settle_all(&self, batch: &[Settlement]) -> Vec<Result<Settled, ConsumeError>> {
        let in_order = !self.driver.capabilities().settles_out_of_order;
        // The partitions of an owner that has failed: those of the batch behind it are not asked for.
        let mut failed: Vec<(Option<usize>, String, bool)> = Vec::new();
        let mut answers = Vec::new();
        for settlement in batch {
            let owner = self.partition(settlement.tag);
            if let Some((_, text, is_fatal)) = failed.iter().find(|(other, ..)| in_order && *other == owner) {
                let error =
                    if *is_fatal { ConsumeError::fatal(text.clone()) } else { ConsumeError::transient(text.clone()) };
                answers.push(Err(error));
                continue;
            }
            let answer = self.settle_one(settlement);
            if let Err(error) = &answer {
                let is_fatal = error.kind() == diator::subscription::ConsumeErrorKind::Fatal;
                failed.push((owner, error.to_string(), is_fatal));
            }
            answers.push(answer);
        }
        answers
    }

    fn partition(&self, tag: DeliveryTag) -> Option<usize> {
        self.driver.0.world().look_at_engine(|engine, _| engine.partition(self.opening, tag))
    }

    fn note_answers(&self, batch: &[Settlement], answers: &[Result<Settled, ConsumeError>]) {
        for (settlement, answer) in batch.iter().zip(answers) {
            let answer = match answer {
                Ok(Settled::Done) => Answer::Done,
                Ok(Settled::LockLost) => Answer::LockLost,
                Err(error) if error.kind() == diator::subscription::ConsumeErrorKind::Fatal => Answer::Refused,
                Err(_) => Answer::Failed,
            };
            self.driver.0.world().note(Event::Answered { opening: self.opening, tag: settlement.tag.0, answer });
        }
    }
}

#[async_trait]
impl Settle for Verdicts {
    async fn settle(&self, batch: &[Settlement]) -> Vec<Result<Settled, ConsumeError>> {
        let driver = &self.driver;
        driver.takes_time().await;
        if driver.chance(|faults| faults.settle_hangs) {
            sleep(driver.millis(1_000, 40_000)).await;
        }
        let all = |error: fn() -> ConsumeError| batch.iter().map(|_| Err(error())).collect::<Vec<_>>();
        let mut answers = if self.is_over() {
            match driver.0.world().state().random.chance(500) {
                true => all(|| ConsumeError::closed("the connection has ended")),
                false => batch.iter().map(|_| Ok(Settled::LockLost)).collect(),
            }
        } else if driver.chance(|faults| faults.settle_fails) {
            all(|| ConsumeError::transient("the engine is away"))
        } else {
            self.settle_all(batch)
        };
        if driver.chance(|faults| faults.settle_hangs) {
            sleep(driver.millis(1_000, 40_000)).await;
        }
        driver.takes_time().await;
        let in_order = !driver.capabilities().settles_out_of_order;
        if !in_order || !self.is_over() {
            for place in 0..answers.len() {
                if answers[place].is_ok() && driver.chance(|faults| faults.answer_lost) {
                    let owner = self.partition(batch[place].tag);
                    for other in place..answers.len() {
                        let is_behind = in_order && self.partition(batch[other].tag) == owner;
                        if other == place || is_behind {
                            answers[other] = Err(ConsumeError::transient("the answer of the engine got lost"));
                        }
                    }
                }
            }
        }
        self.note_answers(batch, &answers);
        answers
    }

    async fn extend(&self, held: &[DeliveryTag]) -> Vec<Result<Settled, ConsumeError>> {
        let (driver, opening, called) = (&self.driver, self.opening, Instant::now());
        driver.takes_time().await;
        let world = driver.0.world();
        let fails = driver.chance(|faults| faults.extend_fails);
        let hangs = driver.chance(|faults| faults.extend_hangs);
        if fails || hangs {
            held.iter().for_each(|tag| world.note(Event::NotExtended { opening, tag: tag.0 }));
        }
        if hangs {
            sleep(driver.millis(500, 40_000)).await;
        }
        if fails || self.is_over() {
            let error = || ConsumeError::transient("the engine does not extend");
            return held.iter().map(|_| Err(error())).collect();
        }
        let extend = |&tag: &DeliveryTag| world.look_at_engine(|engine, at| engine.extend(opening, tag, at));
        let answers: Vec<_> = held.iter().map(extend).collect();
        driver.takes_time().await;
        if let Some(lock) = driver.capabilities().lock {
            for (tag, _) in held.iter().zip(&answers).filter(|(_, answer)| **answer == Settled::Done) {
                world.note(Event::Extended { opening, tag: tag.0, until: world.since_begun(called + lock) });
            }
        }
        for (tag, _) in held.iter().zip(&answers).filter(|(_, answer)| **answer == Settled::LockLost) {
            world.note(Event::LockLost { opening, tag: tag.0 });
        }
        answers.into_iter().map(Ok).collect()
    }

    fn revoked(&self, owners: &[Ownership]) {
        if !self.driver.0.is_dead() && !self.is_over() {
            self.driver.0.world().with_engine(|engine, at| engine.given_up(self.opening, owners, at));
        }
    }

    async fn observe(&self) -> Result<Observation, ConsumeError> {
        self.driver.takes_time().await;
        if self.driver.chance(|faults| faults.observe_fails) {
            return Err(ConsumeError::transient("the engine cannot be asked"));
        }
        let due = self.driver.0.world().look_at_engine(|engine, at| engine.due(self.opening, at));
        Ok(Observation::unknown().with_lag(due).with_due(due))
    }

    async fn close(&self) {
        self.driver.takes_time().await;
        if self.driver.chance(|faults| faults.close_hangs) {
            sleep(self.driver.millis(100, 5_000)).await;
        }
        self.is_closed.store(true, Ordering::Relaxed);
        self.driver.0.world().end(self.opening, Farewell::Closed);
        self.driver.0.step().await;
    }
}

impl Drop for Verdicts {
    /// The engine sees in a while that the connection has ended.
    fn drop(&mut self) {
        if self.is_closed.load(Ordering::Relaxed) {
            return;
        }
        let (world, opening) = (self.driver.0.world().clone(), self.opening);
        let after = world.state().random.millis(0, 5_000);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                sleep_until(Instant::now() + after).await;
                world.end(opening, Farewell::Broken);
            });
        }
    }
}
