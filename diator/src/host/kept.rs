use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::deliveries::{DeliveryStatus, DeliveryStore};
use crate::shown;

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// How old an answer may be: the store counts its rows for it.
const FRESH: Duration = Duration::from_secs(5);

/// Asks the store what it keeps for the endpoints of a host, and not too often.
pub(super) struct Kept {
    store: Arc<dyn DeliveryStore>,
    last: Mutex<Option<(Instant, Answer)>>,
}

/// What the store keeps for each endpoint, or why that is not known.
pub(super) type Answer = Result<Vec<DeliveryStatus>, String>;

impl Kept {
    pub(super) fn new(store: Arc<dyn DeliveryStore>) -> Self {
        Self { store, last: Mutex::default() }
    }

    pub(super) async fn status(&self) -> Answer {
        let mut last = self.last.lock().await;
        if let Some((at, answer)) = &*last
            && at.elapsed() < FRESH
        {
            return answer.clone();
        }
        let answer = match timeout(PATIENCE, self.store.status()).await {
            Ok(answer) => answer.map_err(|error| shown::text(shown::Chain(&*error))),
            Err(_) => Err(format!("the database did not answer within {PATIENCE:?}")),
        };
        *last = Some((Instant::now(), answer.clone()));
        answer
    }
}
