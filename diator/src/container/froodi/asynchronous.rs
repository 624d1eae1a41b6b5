use froodi::async_impl::Container as Froodi;

use super::super::{
    Closing, Container, DependencyKey, Lifetime, Opening, Outcome, Resolving, Savepoint, Scope, ServiceSlot,
};
use super::entered::{Entered, open};
use crate::{BoxError, BoxFuture, MessageKind, Meta};

/// Works like the synchronous container of [`froodi`], but factories and finalizers may take time.
///
/// If the message's future is dropped, nobody can await a finalizer: asynchronous finalizers then do not run.
///
/// froodi runs one factory of a type at a time, whatever the scope: a slow one makes other messages wait.
///
/// # Example
///
/// ```standalone_crate
/// # use std::sync::Arc;
/// # use diator::Meta;
/// # use diator::prelude::*;
/// use froodi::{async_impl::Container, DefaultScope::Request, Inject, declare, registry};
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
///         provide(|Inject(meta): Inject<Meta>| async { Ok(Trace(meta)) }),
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

    fn singleton(&self, key: &DependencyKey, _: ServiceSlot<'_>) -> Result<(), BoxError> {
        Err(format!("`{}` may take time to build, and is not known to be a singleton", key.name()).into())
    }

    fn open<'a>(&'a self, meta: &'a Meta, kind: MessageKind) -> Opening<'a> {
        open(meta, kind, |context| self.clone().enter().with_context(context).build())
    }
}

impl Scope for Entered<Froodi> {
    fn resolve<'a>(&'a self, key: &DependencyKey, _: &'a Meta, into: ServiceSlot<'a>) -> Resolving<'a> {
        Resolving::Pending((key.froodi().asynchronous)(&self.container, *key, into))
    }

    fn savepoint(&self) -> Option<BoxFuture<'_, Result<Box<dyn Savepoint>, BoxError>>> {
        self.enlistment.savepoint()
    }

    fn close(self: Box<Self>, outcome: Outcome) -> Closing {
        Closing::Pending(Box::pin(async move {
            let closed = match self.enlistment.close(outcome) {
                Closing::Ready(closed) => closed,
                Closing::Pending(closing) => closing.await,
            };
            self.container.close().await;
            closed
        }))
    }
}
