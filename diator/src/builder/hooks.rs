use std::sync::Arc;

use super::MediatorBuilder;
use crate::mediator::EmittedEvent;
use crate::undelivered::Undelivered;
use crate::wiring::Observer;

impl MediatorBuilder {
    /// Calls the hook for each event that is emitted, of every kind, whether or not the event has a handler.
    ///
    /// The hook runs once the handler that emitted the event has succeeded, in the order in which events were emitted,
    /// and before the event's own handlers run: one of those can still undo the message. Keep the hook short: the
    /// message waits for it.
    ///
    /// # Example
    ///
    /// ```
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    /// use diator::prelude::*;
    ///
    /// #[derive(Debug, DomainEvent)]
    /// struct OrderPlaced;
    ///
    /// static EMITTED: AtomicUsize = AtomicUsize::new(0);
    /// # #[derive(Command)] struct Nothing;
    /// # #[request_handler(Nothing)] struct Handle;
    /// # impl RequestHandler<Nothing> for Handle {
    /// #     async fn handle(&self, _: Nothing, _: &mut RequestContext<'_, Nothing>) -> Result<(), BoxError> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// # let builder = Mediator::builder().handlers(handlers![Handle]);
    /// let mediator = builder
    ///     .on_emitted(|event| {
    ///         assert_eq!((event.kind.as_str(), event.name), ("domain_event", "OrderPlaced"));
    ///         EMITTED.fetch_add(1, Ordering::Relaxed);
    ///     })
    ///     .build()?;
    /// mediator.emit(OrderPlaced).await?;
    /// assert_eq!(EMITTED.load(Ordering::Relaxed), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_emitted(mut self, hook: impl Fn(&EmittedEvent) + Send + Sync + 'static) -> Self {
        self.on_emitted = Some(Arc::new(hook));
        self
    }

    /// Hands what a committed message could not deliver to the hook; `send` then returns `Ok`.
    ///
    /// The hook runs in the message's task: keep it short, and hand slow work to another task. When a runtime ends, the
    /// hook gets what the tasks of that runtime have not delivered; a task that the hook spawns there never runs.
    pub fn on_undelivered(mut self, hook: impl Fn(Undelivered) + Send + Sync + 'static) -> Self {
        self.on_undelivered = Some(Arc::new(hook));
        self
    }

    /// Reports to an observer which handlers run and what they cause, for test runs. A later observer replaces an
    /// earlier one.
    pub fn observe(mut self, observer: impl Observer) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }
}
