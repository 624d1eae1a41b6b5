//! A macro of the program's own writes messages and handlers.

#![deny(warnings)]

use diator::prelude::*;

macro_rules! handle {
    ($handler:ident, $response:ty, $($request:ident),*) => {
        $(
            #[derive(Debug, Command)]
            #[request(response = $response)]
            struct $request;
        )*

        handle!(@handler $handler, $response, $($request),*);
    };
    (@handler $handler:ident, $response:ty, $($request:ty),*) => {
        #[request_handler($($request),*)]
        struct $handler {
            #[inject(default)]
            answer: $response,
        }

        $(
            impl RequestHandler<$request> for $handler {
                async fn handle(
                    &self,
                    _: $request,
                    _: &mut RequestContext<'_, $request>,
                ) -> Result<$response, BoxError> {
                    Ok(self.answer)
                }
            }
        )*
    };
}

handle!(Orders, u64, PlaceOrder, CancelOrder);

macro_rules! fixed {
    () => {
        #[derive(Debug, serde::Serialize, serde::Deserialize, EcstEvent)]
        #[event(key = id)]
        struct OrderChanged {
            id: u64,
        }

        #[event_handler(OrderChanged, order = 3)]
        struct UpdateView;

        impl EventHandler<OrderChanged> for UpdateView {
            async fn handle(&self, event: &OrderChanged, _: &mut EventContext<'_>) -> Result<(), BoxError> {
                println!("{}", event.id);
                Ok(())
            }
        }
    };
}

fixed!();

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mediator = Mediator::from_registry().broker(InMemoryBroker::new()).build().unwrap();
    assert_eq!(runtime.block_on(mediator.send(PlaceOrder)).unwrap(), 0);
    assert_eq!(runtime.block_on(mediator.send(CancelOrder)).unwrap(), 0);
    assert_eq!(OrderChanged { id: 8 }.key().unwrap(), "8");
}
