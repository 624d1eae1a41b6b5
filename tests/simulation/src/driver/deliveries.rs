use std::collections::VecDeque;
use std::future::pending;
use std::time::Duration;

use async_trait::async_trait;
use diator::subscription::{ConsumeError, Delivery, Ownership, Redelivered, Settled, Source, Taken};
use tokio::time::{Instant, timeout_at};

use super::Driver;
use crate::engine::{Farewell, Given, News};
use crate::plan::MessageKind;
use crate::trace::Event;

/// What an opening yields.
pub(super) struct Deliveries {
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
        if driver.0.is_dead() {
            pending::<()>().await;
        }
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

impl Drop for Deliveries {
    fn drop(&mut self) {
        if !self.driver.0.is_dead() {
            self.driver.0.world().note(Event::Left { opening: self.opening });
        }
    }
}

impl Deliveries {
    pub(super) fn new(driver: Driver, opening: usize) -> Self {
        let (read, news) = (VecDeque::new(), VecDeque::new());
        Self { driver, opening, read, news, is_deaf: false, gone: Vec::new() }
    }

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
        world.note(Event::Given {
            opening: self.opening,
            tag: tag.0,
            entry,
            message,
            owner,
            until,
            failures: given.failures,
        });
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
