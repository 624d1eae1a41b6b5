//! An endpoint waits for a commit that has begun, and for what follows it, however long that takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use diator::async_trait;
use diator::container::{CommitError, UnitOfWork};
use diator::endpoint::{Endpoint, ErrorPolicy};
use diator::prelude::*;
use diator_testkit::TestHost;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

const LIMIT: Duration = Duration::from_secs(3);

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(topic = "orders")]
struct OrderPlaced {
    seconds_before: u64,
}

/// Counts its commits, each of which takes longer than a handler may.
#[derive(Clone, Default)]
struct Commits(Arc<AtomicUsize>);

struct SlowTransaction(Commits);

#[async_trait]
impl UnitOfWork for SlowTransaction {
    async fn commit(&self) -> Result<(), CommitError> {
        sleep(4 * LIMIT).await;
        self.0.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn roll_back(&self) -> Result<(), BoxError> {
        Ok(())
    }
}

#[event_handler(OrderPlaced, id = "billing.charge")]
struct Charge {
    _transaction: Arc<SlowTransaction>,
}

impl EventHandler<OrderPlaced> for Charge {
    async fn handle(&self, order: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        sleep(Duration::from_secs(order.seconds_before)).await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn the_limit_of_a_handler_ends_where_its_commit_begins() {
    let (broker, commits) = (InMemoryBroker::new(), Commits::default());
    let counted = commits.clone();
    let services = Services::new().unit_of_work_sync(move |_| Ok(SlowTransaction(counted.clone())));
    let mediator =
        Mediator::builder().handlers(handlers![Charge]).container(services).broker(broker.clone()).build().unwrap();
    let endpoint = Endpoint::new("billing", broker.clone())
        .topics(["orders"])
        .max_handling(LIMIT)
        .errors(ErrorPolicy::new().immediately(1));
    let test = TestHost::new(mediator, broker).endpoint(endpoint).start().await;

    test.publish(OrderPlaced { seconds_before: 0 }).await;
    test.settle().await;
    test.handled::<OrderPlaced>().once();
    test.handled::<OrderPlaced>().succeeded().once();
    assert_eq!(commits.0.load(Ordering::Relaxed), 1);

    // The limit still holds for what comes before.
    test.publish(OrderPlaced { seconds_before: 60 }).await;
    test.settle().await;
    test.handled::<OrderPlaced>().failed().times(2);
    assert_eq!(commits.0.load(Ordering::Relaxed), 1);
}
