//! The library goes by another name.

mod my {
    pub(crate) use ::diator as framework;
}

use my::framework::prelude::*;

#[derive(Debug, Command)]
#[request(crate = my::framework)]
struct PlaceOrder;

#[derive(Debug, DomainEvent)]
#[event(crate = crate::my::framework)]
struct OrderPlaced;

#[derive(Debug, serde::Serialize, serde::Deserialize, EcstEvent)]
#[event(crate = my::framework)]
struct OrderChanged {}

#[event_handler(OrderPlaced, order = 1, crate = my::framework)]
#[request_handler(PlaceOrder, crate = my::framework)]
#[event_handler(OrderChanged)]
struct Orders;

impl RequestHandler<PlaceOrder> for Orders {
    async fn handle(&self, _: PlaceOrder, cx: &mut RequestContext<'_, PlaceOrder>) -> Result<(), BoxError> {
        cx.emit(OrderPlaced);
        Ok(())
    }
}

impl EventHandler<OrderPlaced> for Orders {
    async fn handle(&self, _: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

impl EventHandler<OrderChanged> for Orders {
    async fn handle(&self, _: &OrderChanged, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

fn main() {}
