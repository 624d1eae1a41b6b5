//! One HTTP client for each runtime: what drives a connection is the runtime that made it, and ends with it.

use std::sync::{Arc, PoisonError, RwLock, Weak};

use azure_core::HttpClient;
use reqwest::Client;
use tokio::runtime::{Handle, Id};
use tokio::task::AbortHandle;

use super::http::Transport;

/// Makes another client like the first.
pub(super) type Make = Box<dyn Fn() -> reqwest::Result<Client> + Send + Sync>;

pub(super) struct Clients {
    make: Make,
    tenants: RwLock<Vec<Tenant>>,
}

/// A runtime, and the client whose connections it drives.
struct Tenant {
    runtime: Id,
    transport: Arc<dyn HttpClient>,
    /// It is gone once the runtime has ended.
    life: Weak<()>,
    /// The task that holds the life.
    sentry: AbortHandle,
}

impl Clients {
    /// Makes sure that a client can be made.
    pub(super) fn new(make: Make) -> reqwest::Result<Self> {
        make()?;
        Ok(Self { make, tenants: RwLock::default() })
    }

    /// The client of the present runtime.
    pub(super) fn transport(&self) -> reqwest::Result<Arc<dyn HttpClient>> {
        let handle = Handle::current();
        let runtime = handle.id();
        let of = |tenants: &[Tenant]| {
            let tenant = tenants.iter().find(|tenant| tenant.runtime == runtime);
            tenant.map(|tenant| tenant.transport.clone())
        };
        if let Some(transport) = of(&self.tenants.read().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(transport);
        }
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(transport) = of(&tenants) {
            return Ok(transport);
        }
        tenants.retain(|tenant| tenant.life.strong_count() > 0);
        let transport: Arc<dyn HttpClient> = Arc::new(Transport((self.make)()?));
        let life = Arc::new(());
        let tenant = Tenant {
            runtime,
            transport: transport.clone(),
            life: Arc::downgrade(&life),
            sentry: handle.spawn(hold(life)).abort_handle(),
        };
        tenants.push(tenant);
        Ok(transport)
    }
}

async fn hold(_life: Arc<()>) {
    std::future::pending::<()>().await;
}

impl Drop for Tenant {
    fn drop(&mut self) {
        self.sentry.abort();
    }
}

#[cfg(test)]
mod tests {
    use tokio::runtime::{Builder, Runtime};

    use super::*;

    fn runtime() -> Runtime {
        Builder::new_current_thread().enable_all().build().expect("a runtime")
    }

    #[test]
    fn each_runtime_has_its_own_and_takes_it_along() {
        let clients = Clients::new(Box::new(|| Client::builder().build())).expect("it can be made");
        let get = |runtime: &Runtime| runtime.block_on(async { clients.transport().expect("it can be made") });
        let count = || clients.tenants.read().expect("nobody panics while holding it").len();
        let first = runtime();
        let of_first = get(&first);
        assert!(Arc::ptr_eq(&of_first, &get(&first)));
        for _ in 0..5 {
            assert!(!Arc::ptr_eq(&of_first, &get(&runtime())));
            assert!(count() <= 3, "those of runtimes that have ended are kept");
        }
        assert!(Arc::ptr_eq(&of_first, &get(&first)));
    }
}
