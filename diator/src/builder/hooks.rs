use std::sync::Arc;

use super::MediatorBuilder;
use crate::mediator::EmittedEvent;
use crate::undelivered::Undelivered;
use crate::wiring::Observer;

impl MediatorBuilder {
    /// Learns of each event that is emitted: of whatever kind, and whether or not anybody handles it.
    ///
    /// It is called once the handler that emitted the event has succeeded, in the order in which they were emitted, and
    /// before the event's own handlers run: one of those can still undo the message. Keep it short: the message waits.
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

    /// Takes what a committed message could not deliver; `send` then answers `Ok`.
    ///
    /// The hook runs in the message's task: keep it short, and hand on what takes time. When a runtime ends, the hook is told what
    /// its tasks have not delivered: a task that it spawns there never runs.
    pub fn on_undelivered(mut self, hook: impl Fn(Undelivered) + Send + Sync + 'static) -> Self {
        self.on_undelivered = Some(Arc::new(hook));
        self
    }

    /// Tells an observer which handlers run and what they cause: for test runs. The last one counts.
    pub fn observe(mut self, observer: impl Observer) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }
}
