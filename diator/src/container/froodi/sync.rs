use froodi::Container as Froodi;

use super::super::{
    Closing, Container, DependencyKey, Lifetime, Opening, Outcome, Resolving, Savepoint, Scope, ServiceSlot,
};
use super::entered::{Entered, open};
use crate::{BoxError, BoxFuture, MessageKind, Meta};

/// Resolves services from a container of [`froodi`], which the program gives to the mediator as it is.
///
/// Each message has a container of the next scope: with the default ones, of the scope `Request` if this is one of the
/// scope `App`. An injected `Arc<T>` is a component that was provided as `T` or as `Arc<T>`; an `Arc<dyn Trait>` is a
/// component that was provided as `Arc<dyn Trait>`. (The method `get` of `dyn Scope` does not know which it is, and
/// finds what is held in an `Arc`.) Every factory may ask for the [`Meta`] of the message, and for an
/// [`Enlistment`](crate::container::Enlistment), in which it enlists what it makes to commit or roll back with the
/// message. Both must be declared: `provide(Request, declare::<Meta>())`.
///
/// froodi does not tell what it can provide, so `build()` cannot report a missing dependency. A handler with
/// dependencies is built for each message. If it cannot be built, the message fails as
/// [`SendError::Resolve`](crate::SendError::Resolve), which names the handler, the field and the type. froodi logs what
/// it does not find as an error; that includes a concrete type which was provided as `Arc<T>`.
///
/// The finalizers run when the message ends, after the commit, and also if its future is dropped.
///
/// # Example
///
/// ```standalone_crate
/// # use std::sync::Arc;
/// # use diator::Meta;
/// # use diator::prelude::*;
/// use froodi::{Container, DefaultScope::Request, Inject, declare, registry};
///
/// struct Trace(Arc<Meta>);
///
/// # #[derive(Debug, Query)]
/// # #[request(response = bool)]
/// # struct IsTraced;
/// #[request_handler(IsTraced)]
/// struct IsTracedHandler { trace: Arc<Trace> }
/// # impl RequestHandler<IsTraced> for IsTracedHandler {
/// #     async fn handle(&self, _: IsTraced, _: &mut RequestContext<'_, IsTraced>) -> Result<bool, BoxError> {
/// #         Ok(self.trace.0.traceparent().is_some())
/// #     }
/// # }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let container = Container::new(registry! {
///     scope(Request) [
///         provide(declare::<Meta>()),
///         provide(|Inject(meta): Inject<Meta>| Ok(Trace(meta))),
///     ],
/// });
/// let mediator = Mediator::from_registry().container(container).build()?;
/// assert!(!mediator.send(IsTraced).await?);
/// # Ok(())
/// # }
/// ```
impl Container for Froodi {
    fn lifetime(&self, _: &DependencyKey) -> Lifetime {
        Lifetime::Unknown
    }

    fn singleton(&self, key: &DependencyKey, into: ServiceSlot<'_>) -> Result<(), BoxError> {
        (key.froodi().sync)(self, key, into)
    }

    fn open<'a>(&'a self, meta: &'a Meta, kind: MessageKind) -> Opening<'a> {
        open(meta, kind, |context| self.clone().enter().with_context(context).build())
    }
}

impl Scope for Entered<Froodi> {
    fn resolve<'a>(&'a self, key: &DependencyKey, _: &'a Meta, into: ServiceSlot<'a>) -> Resolving<'a> {
        Resolving::Ready((key.froodi().sync)(&self.container, key, into))
    }

    fn savepoint(&self) -> Option<BoxFuture<'_, Result<Box<dyn Savepoint>, BoxError>>> {
        self.enlistment.savepoint()
    }

    fn close(self: Box<Self>, outcome: Outcome) -> Closing {
        match self.enlistment.close(outcome) {
            Closing::Ready(closed) => {
                self.container.close();
                Closing::Ready(closed)
            }
            Closing::Pending(closing) => Closing::Pending(Box::pin(async move {
                let closed = closing.await;
                self.container.close();
                closed
            })),
        }
    }
}
