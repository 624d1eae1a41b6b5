//! Generated code needs nothing of the prelude.

#![no_implicit_prelude]

#[derive(::core::fmt::Debug, ::core::clone::Clone, ::diator::Command)]
#[request(response = u64, idempotent)]
struct PlaceOrder;

#[derive(::core::fmt::Debug, ::diator::Query)]
struct CountOrders;

#[derive(::core::fmt::Debug, ::diator::DomainEvent)]
struct OrderPlaced;

#[derive(::core::fmt::Debug, ::serde::Serialize, ::serde::Deserialize, ::diator::NotificationEvent)]
#[event(topic = "orders", key = id, alias = "Changed")]
struct OrderChanged {
    id: u64,
}

#[::diator::request_handler(PlaceOrder, CountOrders)]
#[::diator::event_handler(OrderPlaced)]
#[::diator::event_handler(OrderChanged)]
struct Orders {
    store: ::std::sync::Arc<u64>,
    #[inject(clone)]
    handle: ::std::sync::Arc<str>,
    #[inject(default)]
    count: u64,
}

type Answer<T> = ::core::result::Result<T, ::diator::BoxError>;

impl ::diator::RequestHandler<PlaceOrder> for Orders {
    async fn handle(&self, _: PlaceOrder, _: &mut ::diator::RequestContext<'_, PlaceOrder>) -> Answer<u64> {
        let _ = (&self.store, &self.handle);
        ::core::result::Result::Ok(self.count)
    }
}

impl ::diator::RequestHandler<CountOrders> for Orders {
    async fn handle(&self, _: CountOrders, _: &mut ::diator::RequestContext<'_, CountOrders>) -> Answer<()> {
        ::core::result::Result::Ok(())
    }
}

impl ::diator::EventHandler<OrderPlaced> for Orders {
    async fn handle(&self, _: &OrderPlaced, _: &mut ::diator::EventContext<'_>) -> Answer<()> {
        ::core::result::Result::Ok(())
    }
}

impl ::diator::EventHandler<OrderChanged> for Orders {
    async fn handle(&self, event: &OrderChanged, _: &mut ::diator::EventContext<'_>) -> Answer<()> {
        let _ = event.id;
        ::core::result::Result::Ok(())
    }
}

fn main() {}
