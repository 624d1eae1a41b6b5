use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use diator::deliveries::{DeliveryFilter, DeliveryState, DeliveryStatus, DeliveryStore, KeptDelivery, WHOLE_MESSAGE};
use diator::wiring::WiredEndpoint;
use uuid::Uuid;

/// What the endpoints of a test host keep in the delivery store of the mediator's inbox.
pub(super) struct Kept {
    store: Option<Arc<dyn DeliveryStore>>,
    /// The former names of endpoints, under which there may be rows, each with the present one.
    formerly: HashMap<String, String>,
    /// The rows as they were seen at last, for a store that does not answer at once.
    seen: Mutex<Vec<KeptDelivery>>,
}

/// A message that an endpoint gave up.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    pub(super) endpoint: String,
    pub(super) message: Uuid,
    /// `None` for what cannot be read.
    pub(super) name: Option<String>,
    pub(super) reason: String,
}

impl Kept {
    pub(super) fn new(store: Option<Arc<dyn DeliveryStore>>, endpoints: &[WiredEndpoint]) -> Self {
        let former = |endpoint: &WiredEndpoint| {
            let name = endpoint.name.clone();
            endpoint.formerly.clone().into_iter().map(move |former| (former, name.clone()))
        };
        Self { store, formerly: endpoints.iter().flat_map(former).collect(), seen: Mutex::default() }
    }

    /// Whether an endpoint handles the rows under this name: its own, or one that it had before.
    fn is_of(&self, name: &str, endpoint: &str) -> bool {
        name == endpoint || self.formerly.get(name).is_some_and(|present| present == endpoint)
    }

    pub(super) fn store(&self) -> Option<&dyn DeliveryStore> {
        self.store.as_deref()
    }

    /// Looks at the store.
    pub(super) async fn look(&self) {
        if let Some(store) = &self.store
            && let Ok(rows) = store.list(&DeliveryFilter::default()).await
        {
            *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = rows;
        }
    }

    /// How many rows of an endpoint wait for their time or their turn, and will come.
    pub(super) async fn waiting(&self, endpoint: &str) -> u64 {
        let Some(store) = &self.store else { return 0 };
        // One that does not answer has nothing that would come.
        let all = store.status().await.unwrap_or_default();
        let ours = all.iter().filter(|status| self.is_of(&status.endpoint, endpoint));
        ours.map(|&DeliveryStatus { waiting, parked, .. }| waiting - parked).sum()
    }

    fn rows(&self) -> Vec<KeptDelivery> {
        let look = pin!(self.look());
        // A store in memory answers at once.
        let _looked: Poll<()> = look.poll(&mut Context::from_waker(Waker::noop()));
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn dead_letters(&self, endpoint: &str) -> Vec<Letter> {
        let letter = |kept: KeptDelivery| match kept.state {
            DeliveryState::Dead { reason, .. } if self.is_of(&kept.delivery.endpoint, endpoint) => {
                let handler = kept.delivery.handler;
                let of_handler = if *handler == *WHOLE_MESSAGE { String::new() } else { format!("{handler}: ") };
                Some(Letter {
                    endpoint: endpoint.to_owned(),
                    message: kept.delivery.message,
                    name: kept.delivery.name.map(String::from),
                    reason: format!("{of_handler}{}", reason.text),
                })
            }
            _ => None,
        };
        self.rows().into_iter().filter_map(letter).collect()
    }

    /// The messages that wait for an endpoint.
    pub(super) fn messages(&self, endpoint: &str) -> Vec<Uuid> {
        let rows = self.rows().into_iter().filter(|row| self.is_of(&row.delivery.endpoint, endpoint));
        rows.filter(|row| matches!(row.state, DeliveryState::Waiting { .. })).map(|row| row.delivery.message).collect()
    }
}
