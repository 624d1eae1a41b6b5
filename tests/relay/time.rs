use std::time::{Duration, SystemTime};

use diator::broker::InMemoryBroker;
use diator::outbox::{InMemoryOutbox, OutboxStore, StagedMessage};
use diator::relay::RelayError;
use tokio::time::{Instant, sleep};

use super::world::*;

#[tokio::test(start_paused = true)]
async fn a_message_with_a_delay_goes_when_it_is_over() {
    let (outbox, broker) = (InMemoryOutbox::new(), InMemoryBroker::new());
    let begun = Instant::now();
    let delays =
        [60, 30, 90].map(|seconds| StagedMessage::new(message(Some("a"), seconds)).after(Duration::from_secs(seconds)));
    commit_staged(&outbox, delays.into()).await;
    let script = async {
        broker.published_at_least(1).await;
        let waited = begun.elapsed();
        assert!((30.0..31.0).contains(&waited.as_secs_f64()), "{waited:?}");
        broker.published_at_least(3).await;
    };
    relay(outbox.clone(), broker.clone()).run_until(script).await.unwrap();
    assert_eq!(bodies(&broker.published()), ["30", "60", "90"]);
}

#[tokio::test(start_paused = true)]
async fn sent_messages_stay_for_the_replay_window() {
    let (outbox, broker) = (InMemoryOutbox::new(), InMemoryBroker::new());
    commit(&outbox, (0..10).map(|number| message(None, number))).await;
    let window = Duration::from_secs(3_600);
    let relay = |outbox: &InMemoryOutbox| relay(outbox.clone(), broker.clone()).replay_window(window);
    run_for(relay(&outbox), Duration::from_secs(300)).await;
    assert_eq!(outbox.status().await.unwrap().sent, 10);
    let since = SystemTime::now() - Duration::from_secs(3_600);
    assert_eq!(OutboxStore::replay(&outbox, since, Some("others")).await.unwrap(), 0);
    assert_eq!(OutboxStore::replay(&outbox, since, Some("orders")).await.unwrap(), 10);
    run_for(relay(&outbox), Duration::from_secs(1)).await;
    assert_eq!(broker.len(), 20);
    run_for(relay(&outbox), window + Duration::from_secs(300)).await;
    assert_eq!(outbox.status().await.unwrap().sent, 0);
}

#[tokio::test(start_paused = true)]
async fn times_without_end_do_not_overflow() {
    let (outbox, broker) = (InMemoryOutbox::new(), InMemoryBroker::new());
    commit_staged(&outbox, vec![StagedMessage::new(message(None, 0)).after(Duration::MAX)]).await;
    commit(&outbox, [message(None, 1)]).await;
    let patient = relay(outbox.clone(), broker.clone()).drain(Duration::MAX).replay_window(Duration::MAX);
    patient.run_until(sleep(Duration::from_secs(100))).await.unwrap();
    assert_eq!(broker.len(), 1);
    for endless in
        [relay(outbox.clone(), broker.clone()).lease(Duration::MAX), relay(outbox, broker).poll(Duration::MAX)]
    {
        assert!(matches!(endless.run_until(sleep(Duration::from_secs(1))).await, Err(RelayError::Settings(_))));
    }
}
