use std::error::Error;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use super::super::{Closing, CommitError, DependencyKey, Outcome};
use super::Registry;
use super::state::{Built, Service};
use crate::BoxFuture;
use crate::registry::Location;

/// What becomes of one type of service when its scope closes.
pub(super) trait Close: Send + Sync {
    fn close(&self, service: Service, outcome: Outcome) -> BoxFuture<'static, Result<(), CommitError>>;
}

/// What was said to become of one type of service, and where.
#[derive(Clone)]
pub(super) struct CloseRegistration {
    pub(super) close: Arc<dyn Close>,
    pub(super) service: DependencyKey,
    pub(super) location: Location,
}

pub(super) struct OnClose<T, F> {
    close: F,
    service: PhantomData<fn(T)>,
}

impl<T, F> OnClose<T, F> {
    pub(super) fn new(close: F) -> Self {
        Self { close, service: PhantomData }
    }
}

impl<T, F, R> Close for OnClose<T, F>
where
    T: Send + Sync + 'static,
    F: Fn(Arc<T>, Outcome) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), CommitError>> + Send + 'static,
{
    fn close(&self, service: Service, outcome: Outcome) -> BoxFuture<'static, Result<(), CommitError>> {
        match service.downcast::<T>() {
            Ok(service) => Box::pin((self.close)(service, outcome)),
            Err(_) => Box::pin(async { Err(CommitError::unknown("a service of another type was kept in its place")) }),
        }
    }
}

/// Closes what a scope has built, the last built first.
pub(super) fn close(registry: &Registry, built: Built, outcome: Outcome) -> Closing {
    let mut closes = Vec::new();
    for (id, service) in built.into_iter().rev() {
        if let Some(close) = registry.closes.get(&id) {
            closes.push((close.clone(), service));
        }
    }
    match closes.is_empty() {
        true => Closing::Ready(Ok(())),
        false => Closing::Pending(Box::pin(close_all(closes, outcome))),
    }
}

async fn close_all(closes: Vec<(CloseRegistration, Service)>, mut outcome: Outcome) -> Result<(), CommitError> {
    let mut result = Ok(());
    let mut committed = false;
    for (closes, service) in closes {
        match closes.close.close(service, outcome).await {
            Ok(()) => committed |= outcome == Outcome::Success,
            Err(error) if result.is_ok() => {
                outcome = Outcome::Failure;
                // What another service has committed before stays committed.
                result = Err(if committed { CommitError::unknown(error.into_source()) } else { error });
            }
            Err(error) => {
                let error = error.into_source();
                let service = closes.service.name();
                tracing::warn!(
                    service,
                    error = &*error as &dyn Error,
                    "another service of the scope could not close either"
                );
            }
        }
    }
    result
}
