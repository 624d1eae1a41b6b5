//! A public request has a handler that nobody else can name.

#![deny(warnings)]

pub mod shop {
    #[derive(Debug, diator::Command)]
    #[request(response = u64)]
    pub struct PlaceOrder;
}

mod handling {
    mod deep {
        use diator::prelude::*;

        #[request_handler(crate::shop::PlaceOrder)]
        struct PlaceOrderHandler;

        type Context<'a> = RequestContext<'a, super::super::shop::PlaceOrder>;

        impl RequestHandler<crate::shop::PlaceOrder> for PlaceOrderHandler {
            async fn handle(&self, _: crate::shop::PlaceOrder, _: &mut Context<'_>) -> Result<u64, BoxError> {
                Ok(7)
            }
        }
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mediator = diator::Mediator::from_registry().build().unwrap();
    assert_eq!(runtime.block_on(mediator.send(shop::PlaceOrder)).unwrap(), 7);
}
