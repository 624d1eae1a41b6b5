use std::sync::Arc;

use froodi::{Container, ResolveErrorKind, async_impl};

use super::super::{DependencyKey, NotRegistered, ServiceSlot};
use crate::{BoxError, BoxFuture};

/// What a container is asked about one type.
///
/// It holds a concrete type as it is, and a trait object in an `Arc`.
#[derive(Clone, Copy)]
pub(crate) struct Question {
    pub(super) sync: fn(&Container, &DependencyKey, ServiceSlot<'_>) -> Result<(), BoxError>,
    pub(super) asynchronous: Asynchronous,
}

type Asynchronous =
    for<'a> fn(&'a async_impl::Container, DependencyKey, ServiceSlot<'a>) -> BoxFuture<'a, Result<(), BoxError>>;

impl Question {
    /// Where nothing is known about the type: asks for an `Arc` of it.
    pub(crate) const fn of<T: ?Sized + Send + Sync + 'static>() -> Self {
        Self {
            sync: |container, key, into| held_in_arc::<T>(key, container.get(), into),
            asynchronous: |container, key, into| {
                Box::pin(async move { held_in_arc::<T>(&key, container.get().await, into) })
            },
        }
    }

    /// Asks for the type, and for an `Arc` of it if there is none.
    pub(crate) const fn of_sized<T: Send + Sync + 'static>() -> Self {
        Self {
            sync: |container, key, mut into| match container.get::<T>() {
                Err(ResolveErrorKind::NoInstantiator { .. }) => held_in_arc::<T>(key, container.get(), into),
                service => into.put(service?),
            },
            asynchronous: |container, key, mut into| {
                Box::pin(async move {
                    match container.get::<T>().await {
                        Err(ResolveErrorKind::NoInstantiator { .. }) => {
                            held_in_arc::<T>(&key, container.get().await, into)
                        }
                        service => into.put(service?),
                    }
                })
            },
        }
    }
}

fn held_in_arc<T: ?Sized + Send + Sync + 'static>(
    key: &DependencyKey,
    service: Result<Arc<Arc<T>>, ResolveErrorKind>,
    mut into: ServiceSlot<'_>,
) -> Result<(), BoxError> {
    match service {
        Ok(service) => into.put::<T>(Arc::clone(&service)),
        Err(ResolveErrorKind::NoInstantiator { .. }) => Err(NotRegistered::new(*key).into()),
        Err(error) => Err(error.into()),
    }
}
