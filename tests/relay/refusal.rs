use std::time::Duration;

use diator::broker::{InMemoryBroker, PublishError};
use diator::outbox::{DeadLetterFilter, DeadLetters, InMemoryOutbox, OutboxStore};
use diator::relay::OnDead;

use super::world::*;

const TIME: Duration = Duration::from_secs(30);

async fn with_poison(on_dead: OnDead) -> (InMemoryOutbox, InMemoryBroker) {
    let (outbox, broker) = (InMemoryOutbox::new(), InMemoryBroker::new());
    broker.refuse_if(|message| (body(message) == "poison").then(|| PublishError::fatal("too large")));
    let rows = [("a", "1"), ("a", "poison"), ("a", "2"), ("b", "3"), ("a", "4")];
    commit(&outbox, rows.map(|(key, body)| message(Some(key), body))).await;
    run_for(relay(outbox.clone(), broker.clone()).on_dead(on_dead), TIME).await;
    (outbox, broker)
}

fn of_a(broker: &InMemoryBroker) -> Vec<String> {
    bodies(&broker.published().into_iter().filter(|m| m.key.as_deref() == Some("a")).collect::<Vec<_>>())
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_parks_its_key_until_it_is_replayed() {
    let (outbox, broker) = with_poison(OnDead::Park).await;
    let all = DeadLetterFilter::default();
    let dead = outbox.list(&all).await.unwrap();
    assert_eq!((dead.len(), dead[0].attempts, dead[0].parks_key), (1, 3, true));
    assert_eq!(of_a(&broker), ["1"]);
    assert_eq!(broker.len(), 2, "the other key goes on");
    let status = outbox.status().await.unwrap();
    assert_eq!((status.pending, status.parked, status.dead, status.oldest_seconds), (2, 2, 1, None));

    broker.accept();
    assert_eq!(DeadLetters::replay(&outbox, &all).await.unwrap(), 1);
    run_for(relay(outbox.clone(), broker.clone()), TIME).await;
    assert_eq!(of_a(&broker), ["1", "poison", "2", "4"]);
}

#[tokio::test(start_paused = true)]
async fn a_discarded_dead_letter_frees_its_key() {
    let (outbox, broker) = with_poison(OnDead::Park).await;
    assert_eq!(outbox.discard(&DeadLetterFilter::default()).await.unwrap(), 1);
    run_for(relay(outbox.clone(), broker.clone()), TIME).await;
    assert_eq!(of_a(&broker), ["1", "2", "4"]);
}

#[tokio::test(start_paused = true)]
async fn a_key_can_go_on_without_its_dead_letter() {
    let (_, broker) = with_poison(OnDead::Continue).await;
    assert_eq!(of_a(&broker), ["1", "2", "4"]);
}
