//! How a handler is built, its type forgotten.

use std::convert::Infallible;
use std::sync::Arc;

use super::execution::{Execution, MessageEnv};
use crate::container::Container;
use crate::error::Failure;
use crate::error::ResolveError;
use crate::handler::AnyValue;
use crate::inject::{Dependency, Resolver, Slots};
use crate::maybe_ready::MaybeReady;
use crate::registry::HandlerDescriptor;
use crate::{MessageKind, Meta, SendError};

/// A handler's dependencies, and the functions that make it of them.
#[derive(Clone, Copy)]
pub(crate) struct Factory {
    handler: &'static str,
    dependencies: &'static [Dependency],
    slots: fn() -> Box<dyn Slots>,
    build: fn(Box<dyn Slots>) -> Arc<AnyValue>,
}

impl Factory {
    pub(crate) fn of(handler: &HandlerDescriptor) -> Self {
        let (slots, build) = handler.build;
        Self { handler: handler.handler(), dependencies: handler.dependencies(), slots, build }
    }

    /// Builds a handler of singletons.
    pub(crate) fn build_once(&self, container: &dyn Container) -> Result<Arc<AnyValue>, ResolveError> {
        let slots = Resolver::new(container, self.dependencies, (self.slots)()).singletons()?;
        Ok((self.build)(slots))
    }

    /// Asks for all that the handler needs, in a scope of its own that is dropped.
    pub(super) async fn try_for(
        &self,
        container: &dyn Container,
        kind: MessageKind,
    ) -> Result<(), SendError<Infallible>> {
        let meta = Meta::new();
        let scope = container.open(&meta, kind).get().await.map_err(SendError::Scope)?;
        let mut resolver = Resolver::new(container, self.dependencies, (self.slots)());
        resolver.services_in_time(&*scope, &meta).await;
        let resolved = resolver.end().map(drop);
        resolved.map_err(|source| SendError::Resolve { handler: self.handler, source })
    }

    /// Builds a handler of the services of one unit of work.
    pub(crate) fn build_for<'r>(
        &'r self,
        Execution { env, unit }: &'r mut Execution<'_>,
    ) -> MaybeReady<'r, Result<Arc<AnyValue>, Failure>> {
        let MessageEnv { mediator, meta } = env;
        let container = &*mediator.0.container;
        let mut resolver = Resolver::new(container, self.dependencies, (self.slots)());
        match unit.scope(container, meta) {
            MaybeReady::Ready(Err(failure)) => MaybeReady::Ready(Err(failure)),
            MaybeReady::Ready(Ok(scope)) if resolver.services_at_once(scope, meta) => {
                MaybeReady::Ready(self.built(resolver))
            }
            MaybeReady::Ready(Ok(scope)) => MaybeReady::pending(async move {
                resolver.services_in_time(scope, meta).await;
                self.built(resolver)
            }),
            MaybeReady::Pending(opening) => MaybeReady::pending(async move {
                resolver.services_in_time(opening.await?, meta).await;
                self.built(resolver)
            }),
        }
    }

    fn built(&self, resolver: Resolver<'_>) -> Result<Arc<AnyValue>, Failure> {
        match resolver.end() {
            Ok(slots) => Ok((self.build)(slots)),
            Err(source) => Err(SendError::Resolve { handler: self.handler, source }.into()),
        }
    }
}
