//! One struct handles requests and events, in any order of its attributes and derives.

use std::fmt::Debug;

use diator::prelude::*;
use diator::registry::Registered;

#[derive(Debug, Command)]
struct PlaceOrder;

#[derive(Debug, Command)]
struct CancelOrder;

#[derive(Debug, DomainEvent)]
struct OrderPlaced;

#[derive(Debug, DomainEvent)]
struct OrderCancelled;

#[derive(Clone)]
#[request_handler(PlaceOrder)]
#[derive(Debug)]
/// Documented.
#[event_handler(OrderPlaced, order = -10)]
#[request_handler(CancelOrder)]
#[derive(PartialEq)]
#[event_handler(OrderCancelled, after_commit)]
struct Orders {
    #[inject(default)]
    count: u64,
}
const LINE_OF_THE_STRUCT: u32 = line!() - 4;

impl<R: Command + Request<Response = (), Error = BoxError>> RequestHandler<R> for Orders {
    async fn handle(&self, _: R, cx: &mut RequestContext<'_, R>) -> Result<(), BoxError> {
        cx.emit(OrderPlaced);
        Ok(())
    }
}

impl<E: Event + Debug> EventHandler<E> for Orders {
    async fn handle(&self, event: &E, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        println!("{event:?}");
        Ok(())
    }
}

fn main() {
    let orders = Orders { count: 1 };
    assert_eq!(orders.clone(), orders);
    let messages: Vec<_> = Orders::DESCRIPTORS.iter().map(|one| (one.message(), one.location().line())).collect();
    let expected = ["PlaceOrder", "CancelOrder", "OrderPlaced", "OrderCancelled"];
    assert_eq!(messages.len(), expected.len());
    for ((message, at), name) in messages.into_iter().zip(expected) {
        assert!(message.ends_with(name), "{message}");
        assert_eq!(at, LINE_OF_THE_STRUCT);
    }
    assert!(Orders::DESCRIPTORS.iter().all(|one| one.location().file().ends_with("several_attributes.rs")));
}
