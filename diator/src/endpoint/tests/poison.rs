use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use uuid::Uuid;

use super::engine::{Engine, able};
use super::stores::{Faulty, Trouble};
use super::world::{Charge, Conduct, World, pass, secs};
use crate::endpoint::{AttemptLog, Attempts, Ended, ErrorPolicy, InMemoryAttemptLog};
use crate::subscription::{Redelivered, Verdict};
use crate::{BoxError, handlers};

const FIRST: Uuid = Uuid::from_u128(2);

#[tokio::test(start_paused = true)]
async fn a_message_that_ended_three_processes_is_a_dead_letter() {
    let log = InMemoryAttemptLog::new();
    for crashes in 0..4 {
        let engine = Engine::new(able());
        let mut world = World::new(engine.clone());
        world.script.say("charge", 1, [Conduct::Hang]);
        let tag = engine.publish_as("OrderPlaced", "", 1, |delivery| delivery.with_redelivered(Redelivered::Yes));
        let host = crate::host::Host::new(world.mediator.clone()).endpoint(world.endpoint().attempt_log(log.clone()));
        // Dropping the host is what a crash does.
        let crash = tokio::spawn(host.run_until(std::future::pending::<()>()));
        pass(secs(1)).await;
        crash.abort();
        pass(secs(1)).await;
        assert_eq!(world.script.runs().len(), usize::from(crashes < 3), "{crashes}");
        let dead =
            matches!(engine.verdict(tag), Some(Verdict::DeadLetter { reason, .. }) if reason.contains("3 times"));
        assert_eq!(dead, crashes == 3);
        world.script.say("charge", 1, []);
        let _left = &mut world;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_cut_off_at_the_end_is_no_crash() {
    let log = InMemoryAttemptLog::new();
    for _ in 0..5 {
        let engine = Engine::new(able());
        let mut world = World::new(engine.clone());
        world.script.say("charge", 1, [Conduct::Hang]);
        engine.publish_as("OrderPlaced", "", 1, |delivery| delivery.with_redelivered(Redelivered::Times(2)));
        world.start(world.endpoint().attempt_log(log.clone()));
        pass(secs(1)).await;
        assert_eq!(world.script.runs().len(), 1);
        world.stop().await.expect("the endpoint ends in time");
    }
    assert_eq!(log.begin("billing", &[FIRST]).await.expect("memory answers"), [Attempts::NONE]);
}

#[tokio::test(start_paused = true)]
async fn what_comes_again_runs_one_at_a_time_and_the_rest_goes_on() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    for number in 1..=3 {
        world.script.say("charge", number, [Conduct::Take(secs(10))]);
        engine.publish_as("OrderPlaced", "", number, |delivery| delivery.with_redelivered(Redelivered::Yes));
    }
    engine.publish("", 4);
    world.start(world.endpoint().attempt_log(InMemoryAttemptLog::new()));
    pass(secs(5)).await;
    assert_eq!(world.script.numbers("charge"), [1, 4]);
    pass(secs(30)).await;
    assert_eq!((world.script.numbers("charge"), engine.acked().len()), (vec![1, 4, 2, 3], 4));
}

/// Fails a few times, and counts its calls.
#[derive(Clone, Default)]
struct Failing {
    fails: Arc<AtomicUsize>,
    calls: Arc<AtomicUsize>,
}

#[async_trait]
impl AttemptLog for Failing {
    async fn begin(&self, _: &str, messages: &[Uuid]) -> Result<Vec<Attempts>, BoxError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let fails = self.fails.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if fails { Err("the database is away".into()) } else { Ok(vec![Attempts::NONE; messages.len()]) }
    }

    async fn end(&self, _: &str, _: &[(Uuid, Ended)]) -> Result<(), BoxError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_away_is_asked_again_and_nothing_is_counted() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    let log = Failing::default();
    log.fails.store(5, Ordering::SeqCst);
    world.start(world.endpoint().attempt_log(log.clone()));
    engine.publish_as("OrderPlaced", "", 1, |delivery| delivery.with_redelivered(Redelivered::Yes));
    pass(secs(1)).await;
    assert_eq!(world.script.runs(), []);
    pass(secs(120)).await;
    assert_eq!((engine.acked(), world.health().await.failed), (vec![1], 0));
}

/// Panics at the first call of each sort.
#[derive(Clone, Default)]
struct Panicking(Arc<AtomicUsize>);

#[async_trait]
impl AttemptLog for Panicking {
    async fn begin(&self, _: &str, messages: &[Uuid]) -> Result<Vec<Attempts>, BoxError> {
        assert_ne!(self.0.fetch_add(1, Ordering::SeqCst), 0, "the log panics");
        Ok(vec![Attempts::NONE; messages.len()])
    }

    async fn end(&self, _: &str, _: &[(Uuid, Ended)]) -> Result<(), BoxError> {
        panic!("the log panics")
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_panics_makes_no_dead_letter_and_acks_nothing_unhandled() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.start(world.endpoint().attempt_log(Panicking::default()));
    let tag = engine.publish_as("OrderPlaced", "", 1, |delivery| delivery.with_redelivered(Redelivered::Yes));
    pass(secs(120)).await;
    assert_eq!((world.script.numbers("charge"), engine.verdict(tag)), (vec![1], Some(Verdict::Ack)));
    assert_eq!(world.health().await.dead, 0);
}

#[tokio::test(start_paused = true)]
async fn a_first_delivery_costs_the_log_nothing() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    let log = Failing::default();
    world.start(world.endpoint().attempt_log(log.clone()));
    engine.publish("", 1);
    pass(secs(1)).await;
    assert_eq!((engine.acked(), log.calls.load(Ordering::SeqCst)), (vec![1], 0));
}

#[tokio::test(start_paused = true)]
async fn a_cut_is_noted_before_the_handler_is_dropped() {
    let log = InMemoryAttemptLog::new();
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Hang, Conduct::Hang]);
    let tag = engine.publish_as("OrderPlaced", "", 1, |delivery| delivery.with_redelivered(Redelivered::Yes));
    world.start(world.endpoint().attempt_log(log.clone()).max_handling(secs(3)));
    // At `max_handling`; the next attempt has begun by then.
    pass(secs(4)).await;
    assert_eq!((world.script.runs().len(), engine.verdict(tag)), (2, None));
    assert_eq!(log.begin("billing", &[FIRST]).await.expect("memory answers"), [Attempts::unended(1)]);
    pass(secs(4)).await;
    assert_eq!(engine.verdict(tag), Some(Verdict::Ack));
    assert_eq!(log.begin("billing", &[FIRST]).await.expect("memory answers"), [Attempts::NONE]);
}

/// Notes what it is asked to, and does not say so the first five times; of an end it notes nothing the first five times.
#[derive(Clone, Default)]
struct Silent {
    noted: InMemoryAttemptLog,
    calls: Arc<AtomicUsize>,
    ends: Arc<AtomicUsize>,
}

#[async_trait]
impl AttemptLog for Silent {
    async fn begin(&self, endpoint: &str, messages: &[Uuid]) -> Result<Vec<Attempts>, BoxError> {
        let known = self.noted.begin(endpoint, messages).await?;
        if self.calls.fetch_add(1, Ordering::SeqCst) < 5 { Err("the answer got lost".into()) } else { Ok(known) }
    }

    async fn end(&self, endpoint: &str, messages: &[(Uuid, Ended)]) -> Result<(), BoxError> {
        if self.ends.fetch_add(1, Ordering::SeqCst) < 5 {
            return Err("the log is away".into());
        }
        self.noted.end(endpoint, messages).await
    }
}

#[tokio::test(start_paused = true)]
async fn calls_of_the_log_that_fail_are_no_crashes() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Fail, Conduct::Fail]);
    let tag = engine.publish_as("OrderPlaced", "", 1, |delivery| delivery.with_redelivered(Redelivered::Yes));
    world.start(world.endpoint().attempt_log(Silent::default()));
    pass(secs(120)).await;
    assert_eq!((engine.verdict(tag), world.script.runs().len()), (Some(Verdict::Ack), 3));
}

/// Does not answer the first time that it is to note an end.
#[derive(Clone, Default)]
struct Hanging(Arc<AtomicUsize>);

#[async_trait]
impl AttemptLog for Hanging {
    async fn begin(&self, _: &str, messages: &[Uuid]) -> Result<Vec<Attempts>, BoxError> {
        Ok(vec![Attempts::NONE; messages.len()])
    }

    async fn end(&self, _: &str, _: &[(Uuid, Ended)]) -> Result<(), BoxError> {
        if self.0.fetch_add(1, Ordering::SeqCst) == 0 { std::future::pending().await } else { Ok(()) }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_cut_off_when_its_handlers_are_done_is_not_handled_again() {
    let engine = Engine::new(able().locks_for(secs(3)));
    let mut world = World::new(engine.clone());
    world.start(world.endpoint().attempt_log(Hanging::default()));
    let again = |delivery: crate::subscription::Delivery| delivery.with_redelivered(Redelivered::Yes);
    let first = engine.publish_as("OrderPlaced", "", 1, again);
    pass(secs(1)).await;
    engine.fail_source();
    pass(secs(8)).await;
    assert_eq!((engine.verdict(first), engine.opened()), (Some(Verdict::Release), 2));
    let second = engine.publish_as("OrderPlaced", "", 1, again);
    pass(secs(1)).await;
    assert_eq!((engine.verdict(second), world.script.numbers("charge")), (Some(Verdict::Ack), vec![1]));
}

/// Never notes an end.
#[derive(Clone, Default)]
struct Endless(InMemoryAttemptLog);

#[async_trait]
impl AttemptLog for Endless {
    async fn begin(&self, endpoint: &str, messages: &[Uuid]) -> Result<Vec<Attempts>, BoxError> {
        self.0.begin(endpoint, messages).await
    }

    async fn end(&self, _: &str, _: &[(Uuid, Ended)]) -> Result<(), BoxError> {
        Err("the log is away".into())
    }
}

#[tokio::test(start_paused = true)]
async fn ends_that_the_log_does_not_note_are_no_crashes_of_this_process_however_often_the_message_comes() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    let policy = ErrorPolicy::new().immediately(0).later([secs(600)]);
    world.start(world.endpoint().errors(policy).attempt_log(Endless::default()));
    world.script.say("charge", 1, [Conduct::Fail]);
    for _ in 0..6 {
        // It has failed, rests in hand, and goes to nobody else when its lock is lost.
        let tag = engine.publish_as("OrderPlaced", "", 1, |delivery| delivery.with_redelivered(Redelivered::Yes));
        pass(secs(1)).await;
        assert_eq!(engine.verdict(tag), None);
        engine.take_lock(tag);
        pass(secs(20)).await;
    }
    assert_eq!(world.health().await.dead, 0);
}

#[tokio::test(start_paused = true)]
async fn nor_are_they_however_often_a_row_is_leased() {
    let (engine, inbox) = (Engine::new(able()), Faulty::default());
    let mut world = World::stored(engine.clone(), handlers![Charge], inbox.clone());
    let policy = ErrorPolicy::new().immediately(0).later([secs(1); 8]);
    let fails = || Conduct::Fail;
    world.script.say("charge", 1, [fails(), Conduct::Hang, fails(), fails(), fails(), fails(), fails()]);
    world.start(world.endpoint().errors(policy).max_handling(secs(35)).attempt_log(Endless::default()));
    engine.publish("", 1);
    // From its first lost lease on, the row may have ended a process.
    inbox.troubles(|troubles| troubles.extend = Trouble::Fails);
    pass(secs(40)).await;
    inbox.troubles(|troubles| troubles.extend = Trouble::None);
    pass(secs(60)).await;
    assert_eq!((inbox.shown().await, world.script.numbers("charge").len()), (vec![], 8));
}
