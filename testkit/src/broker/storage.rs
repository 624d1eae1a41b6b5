//! What a durable broker does when its server stores messages no longer.
//!
//! Each function is a case: it panics where the broker does not do what the case demands.
//! [`broker_storage!`](crate::broker_storage) makes tests of them all.

use std::time::Duration;

use diator::MessageBroker;
use diator::broker::{PublishErrorKind, Receipt};
use tokio::time::{Instant, sleep};

use super::faults::SOON;
use super::{Login, Storage, message};

/// Within 20 seconds of a change of the server's settings, a broker in use must no longer answer that it stored a
/// message.
pub async fn storage_that_ends_is_noticed_in_use<D: Storage>() {
    assert!(D::GUARANTEES.durable);
    let driver = D::start().await;
    let broker = driver.connect(Login::Right);
    broker.publish(&message(0)).await.expect("the server is well");
    driver.stop_storing();
    let begun = Instant::now();
    while matches!(broker.publish(&message(1)).await, Ok(Receipt::Persisted { .. })) {
        assert!(begun.elapsed() < SOON, "it is still said to store messages");
        sleep(Duration::from_millis(20)).await;
    }
}

/// After a silence, the first message must be a fatal error, and not answered as if it were stored.
pub async fn storage_that_ended_in_silence_is_noticed_at_once<D: Storage>() {
    let driver = D::start().await;
    let broker = driver.connect(Login::Right);
    broker.publish(&message(0)).await.expect("the server is well");
    driver.stop_storing();
    sleep(Duration::from_secs(3)).await;
    let mut answers = broker.publish_batch(&[message(1), message(2)]).await;
    answers.push(broker.publish(&message(3)).await);
    for answer in answers {
        let error = answer.expect_err("it is not stored");
        assert_eq!(error.kind(), PublishErrorKind::Fatal, "{error:?}");
    }
}
