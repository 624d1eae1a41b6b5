use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use diator::subscription::{
    ConsumeError, ConsumeErrorKind, DeliveryTag, Observation, Ownership, Settle, Settled, Settlement, Subscription,
    Verdict,
};
use tokio::time::{Instant, sleep, sleep_until};

use super::Driver;
use crate::engine::Farewell;
use crate::trace::{Answer, Event};

/// Where the verdicts of an opening go.
pub(super) struct Verdicts {
    driver: Driver,
    opening: usize,
    is_closed: AtomicBool,
}

impl Verdicts {
    pub(super) fn new(driver: Driver, opening: usize) -> Self {
        Self { driver, opening, is_closed: AtomicBool::new(false) }
    }

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
                let is_fatal = error.kind() == ConsumeErrorKind::Fatal;
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
                Err(error) if error.kind() == ConsumeErrorKind::Fatal => Answer::Refused,
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
        let tags = batch.iter().map(|settlement| settlement.tag).collect();
        let mut unanswered = Unanswered { driver, opening: self.opening, tags };
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
        unanswered.tags.clear();
        self.note_answers(batch, &answers);
        answers
    }

    async fn extend(&self, held: &[DeliveryTag]) -> Vec<Result<Settled, ConsumeError>> {
        let (driver, opening, called) = (&self.driver, self.opening, Instant::now());
        let mut unanswered = Unanswered { driver, opening, tags: held.to_vec() };
        driver.takes_time().await;
        let world = driver.0.world();
        let fails = driver.chance(|faults| faults.extend_fails);
        let hangs = driver.chance(|faults| faults.extend_hangs);
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
        unanswered.tags.clear();
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

/// A call that has not answered: it fails, panics, or nobody waits for it any more.
struct Unanswered<'a> {
    driver: &'a Driver,
    opening: usize,
    tags: Vec<DeliveryTag>,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        for tag in self.tags.iter().filter(|_| !self.driver.0.is_dead()) {
            self.driver.0.world().note(Event::Unanswered { opening: self.opening, tag: tag.0 });
        }
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
