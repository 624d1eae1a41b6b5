use super::{Cause, WiredMessage};

/// Learns which handlers run, and which events and requests they cause.
///
/// Only the code of a handler says which messages it causes. An observer notes them while the tests of a program run:
/// [`MediatorBuilder::observe`](crate::MediatorBuilder::observe) takes one, and a mediator without an observer pays
/// nothing for it. `diator_catalog::ObservedCauses` is an observer that draws the graph of a program.
///
/// # Guarantees
///
/// - The mediator calls the observer from the task of the message, and waits for it: keep it short. Calls may come from
///   many threads at once.
/// - It calls [`ran`](Self::ran) before the handler runs, for each attempt, but not for a handler whose services could
///   not be resolved.
/// - It calls [`caused`](Self::caused) when a handler emits or sends, whether or not its unit of work commits. It does
///   not report a message that is sent or emitted outside of handlers, because that message has no cause.
/// - A panic of the observer counts as a panic of the handler that is reported.
///
/// # Example
///
/// ```
/// use std::sync::{Arc, Mutex};
///
/// use diator::prelude::*;
/// use diator::wiring::{Cause, Observer, WiredMessage};
///
/// # #[derive(Debug, Command)]
/// # struct PlaceOrder;
/// # #[derive(Debug, DomainEvent)]
/// # struct OrderPlaced;
/// # #[request_handler(PlaceOrder)]
/// # struct PlaceOrderHandler;
/// # impl RequestHandler<PlaceOrder> for PlaceOrderHandler {
/// #     async fn handle(&self, _: PlaceOrder, cx: &mut RequestContext<'_, PlaceOrder>) -> Result<(), BoxError> {
/// #         cx.emit(OrderPlaced);
/// #         Ok(())
/// #     }
/// # }
/// #[derive(Clone, Default)]
/// struct Emitted(Arc<Mutex<Vec<&'static str>>>);
///
/// impl Observer for Emitted {
///     fn ran(&self, _: Cause) {}
///
///     fn caused(&self, _: Cause, message: WiredMessage) {
///         if let WiredMessage::Event(event) = message {
///             self.0.lock().unwrap().push(event.name);
///         }
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let emitted = Emitted::default();
/// let mediator = Mediator::builder().handlers(handlers![PlaceOrderHandler]).observe(emitted.clone()).build()?;
/// mediator.send(PlaceOrder).await?;
/// assert_eq!(*emitted.0.lock().unwrap(), ["OrderPlaced"]);
/// # Ok(())
/// # }
/// ```
pub trait Observer: Send + Sync + 'static {
    /// A handler begins to run.
    fn ran(&self, handler: Cause);

    /// A handler has emitted an event, or sent a request.
    fn caused(&self, handler: Cause, message: WiredMessage);
}
