//! A shutdown while many tasks send: every message has either fully happened or was refused.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use diator::SendError;
use diator_testkit::drop_after;
use diator_tests::{Ending, Pace, eventually};
use tokio::task::JoinSet;

use super::world::{Conduct, Gate, Sent, World, work};

const TASKS: usize = 64;

/// Sends until it is refused; returns what became of each label, `None` where the sender went away.
async fn send_until_refused(world: Arc<World>, task: usize) -> Vec<(String, Option<Sent>)> {
    let gate = Gate::opened();
    let mut results = Vec::new();
    for number in 0.. {
        let label = format!("{task}.{number}");
        let conduct = [Conduct::Succeed, Conduct::SendAnother, Conduct::Fail][number % 3];
        let sending = world.mediator.send(work(&label, &gate, conduct));
        let sent = match number % 4 {
            0 => drop_after(task % 5, sending).await,
            _ => Some(sending.await),
        };
        let refused = matches!(sent, Some(Err(SendError::ShuttingDown)));
        results.push((label, sent));
        if refused {
            break;
        }
        // Without it, a task that is always answered at once would keep its thread.
        tokio::task::yield_now().await;
    }
    results
}

/// How often each label was published.
fn published(world: &World) -> HashMap<String, usize> {
    let mut published = HashMap::new();
    for label in world.journal.published() {
        *published.entry(label).or_default() += 1;
    }
    published
}

/// Shuts down in the middle of it, and accounts for every message.
async fn shut_down_under_load(slow: bool) {
    let world = Arc::new(World::new());
    if slow {
        world.container.open(Pace::Yielding(1));
        world.container.close(Pace::Yielding(2));
        world.broker.yielding(2);
    }
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        tasks.spawn(send_until_refused(world.clone(), task));
    }
    eventually(|| world.journal.published().len() > 4 * TASKS).await;
    let report = world.mediator.shutdown(Duration::from_secs(60)).await;
    assert!(report.is_clean(), "{report:?}");
    let at_the_end = world.journal.entries();
    let results: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();

    assert_eq!(world.journal.entries(), at_the_end, "nothing happens once the shutdown is clean");
    let refused = results.iter().filter(|(_, sent)| matches!(sent, Some(Err(SendError::ShuttingDown)))).count();
    assert_eq!(refused, TASKS, "each task is refused in the end");
    account_for(&world, results);
}

/// Everything that succeeded was published once, nothing else was, and there is one commit for each.
fn account_for(world: &World, results: Vec<(String, Option<Sent>)>) {
    let mut published = published(world);
    let mut happened = 0;
    for (label, sent) in results {
        let times = published.remove(&label).unwrap_or_default();
        // One that sends another publishes for both or for none.
        if let Some(nested) = published.remove(&format!("{label}, nested")) {
            assert_eq!((times, nested), (1, 1), "{label}");
        }
        match sent {
            Some(Ok(())) => assert_eq!(times, 1, "{label} has succeeded"),
            Some(Err(_)) => assert_eq!(times, 0, "{label} has failed or was refused"),
            None => assert!(times <= 1, "{label} was given up, and was published {times} times"),
        }
        happened += times;
    }
    assert!(published.is_empty(), "nobody sent these: {published:?}");
    let committed = world.journal.endings().into_iter().filter(|ending| *ending == Ending::Committed).count();
    assert_eq!(committed, happened);
}

/// Does it several times, since each time it comes out differently.
async fn shut_down_under_load_again_and_again(slow: bool) {
    for _ in 0..10 {
        let test = tokio::time::timeout(Duration::from_secs(60), shut_down_under_load(slow));
        test.await.expect("the test hangs");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_message_happens_or_is_refused() {
    shut_down_under_load_again_and_again(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_slow_message_happens_or_is_refused() {
    shut_down_under_load_again_and_again(true).await;
}
