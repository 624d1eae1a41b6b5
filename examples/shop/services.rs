//! The parts of each service, and processes that run one or several services.

use std::env;
use std::time::Duration;

use diator::MessageBroker;
use diator::endpoint::{Endpoint, Order};
use diator::host::Host;
use diator::prelude::*;
use diator::registry::Handlers;
use diator::subscription::Subscription;
use tokio::net::TcpListener;

use crate::database::Database;
use crate::{billing, notifications, orders, web};

#[derive(Clone, Copy, Debug)]
pub enum Service {
    Web,
    Billing,
    Notifications,
}

impl Service {
    pub fn tables(self) -> &'static str {
        match self {
            Self::Web => orders::TABLES,
            Self::Billing => billing::TABLES,
            Self::Notifications => notifications::TABLES,
        }
    }

    pub fn handlers(self) -> Handlers {
        match self {
            Self::Web => handlers![
                orders::PlaceOrderHandler,
                orders::CancelOrderHandler,
                orders::OrderByIdHandler,
                orders::OrdersOfHandler
            ],
            Self::Billing => handlers![billing::Charge, billing::Refund],
            Self::Notifications => handlers![notifications::Write],
        }
    }

    /// The endpoint of the service; the web reads nothing.
    pub fn endpoint(self, subscription: impl Subscription) -> Option<Endpoint> {
        let (name, topic) = match self {
            Self::Web => return None,
            Self::Billing => ("billing", "orders"),
            Self::Notifications => ("notifications", "charges"),
        };
        Some(Endpoint::new(name, subscription).topics([topic]).handlers(self.handlers()).order(Order::PerKey))
    }
}

/// The mediator of a process with these services.
///
/// The outbox keeps the events of a handler in the handler's own transaction, and the inbox prevents that an event
/// takes effect twice.
pub fn mediator(services: &[Service], database: &Database, broker: impl MessageBroker) -> Result<Mediator, BoxError> {
    let store = &database.store;
    let mut builder = Mediator::builder().container(store.services()).broker(broker);
    for service in services {
        builder = builder.handlers(service.handlers());
    }
    if !without_outbox() {
        builder = builder.outbox(store.outbox()).inbox(store.inbox());
    }
    // The order stands: the client gets its answer, and the log has what was not published.
    Ok(builder.on_undelivered(|undelivered| tracing::error!("{undelivered}")).build()?)
}

/// A host that runs the relay, which publishes the events of the outbox, and the endpoints.
pub fn host(mediator: &Mediator, database: &Database, endpoints: impl IntoIterator<Item = Endpoint>) -> Host {
    let mut host = Host::new(mediator.clone());
    if !without_outbox() {
        // Where a relay was killed, another one publishes after this.
        let lease = Duration::from_secs(5);
        host = host.relay(database.store.relay().lease(lease).publish_deadline(lease / 2));
    }
    endpoints.into_iter().fold(host, Host::endpoint)
}

/// Lets requests in.
pub fn with_web(host: Host, mediator: Mediator, listener: TcpListener) -> Host {
    let routes = web::routes(mediator).merge(web::health_page(host.monitor()));
    host.front(|stop| axum::serve(listener, routes).with_graceful_shutdown(stop))
}

/// **Wrong on purpose**, for `scripts/drills --no-outbox`: events go to the broker after the commit, and no inbox notes
/// which events were handled.
fn without_outbox() -> bool {
    env::var_os("SHOP_LOSES_EVENTS").is_some()
}
