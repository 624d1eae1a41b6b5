//! What a broker does when another server takes over.
//!
//! Each function is a case: it panics where the broker does not do what the case demands.
//! [`broker_failover!`](crate::broker_failover) makes tests of them all.

use std::sync::Arc;
use std::time::Duration;

use diator::MessageBroker;
use diator::broker::PublishErrorKind;
use tokio::time::{sleep, timeout};

use super::faults::{SOON, is_transient};
use super::{Failover, message};
use crate::proxy::Proxy;

/// A service behind a proxy, whose server was demoted while the broker was connected.
struct Moved<D> {
    successor: D,
    broker: Arc<dyn MessageBroker>,
    /// What goes with the value.
    _former: (D, Proxy),
}

impl<D: Failover> Moved<D> {
    async fn new() -> Self {
        let (former, successor) = (D::start().await, D::start().await);
        let proxy = Proxy::start(former.server().address());
        let broker = former.connect_through(proxy.address());
        broker.publish(&message(0)).await.expect("the server is well");
        proxy.redirect(successor.server().address());
        former.demote(&successor);
        Self { successor, broker, _former: (former, proxy) }
    }
}

/// A broker in use must publish to the server that took over within 20 seconds, without a fatal error in between.
pub async fn a_service_that_moves_is_followed_in_use<D: Failover>() {
    let moved = Moved::<D>::new().await;
    let mut listener = moved.successor.listen().await;
    let broker = moved.broker.clone();
    let publishing = tokio::spawn(async move {
        loop {
            if let Err(error) = broker.publish(&message(1)).await {
                assert_ne!(error.kind(), PublishErrorKind::Fatal, "{error:?}");
            }
            sleep(Duration::from_millis(20)).await;
        }
    });
    let heard = timeout(SOON, listener.next()).await;
    publishing.abort();
    assert!(publishing.await.is_err_and(|end| end.is_cancelled()), "it publishes without a fatal error");
    heard.expect("it follows in time").expect("the server is well");
    // From now on, it is the successor's.
    let last = message(2);
    moved.broker.publish(&last).await.expect("the server is well");
    timeout(SOON, async { while listener.next().await.expect("the server is well").id != last.id {} })
        .await
        .expect("it arrives");
}

/// After a silence, the first message must go to the server that took over, or be a transient error.
pub async fn a_service_that_moves_in_silence_is_followed_at_once<D: Failover>() {
    let moved = Moved::<D>::new().await;
    let mut listener = moved.successor.listen().await;
    sleep(Duration::from_secs(3)).await;
    let first = message(1);
    while let Err(error) = moved.broker.publish(&first).await {
        assert!(is_transient(&error), "{error:?}");
        sleep(Duration::from_millis(20)).await;
    }
    let heard = timeout(SOON, listener.next()).await.expect("it arrives").expect("the server is well");
    assert_eq!(heard.id, first.id);
}
