use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use super::super::unit_of_work::{Ending, end};
use super::super::{Closing, CommitError, DependencyKey, Outcome, TypeMap, UnitOfWork};
use super::state::{Built, Service};
use crate::BoxFuture;
use crate::location::Location;

/// What becomes of one type of service when its scope closes.
pub(super) trait Close: Send + Sync {
    fn close(&self, service: Service, outcome: Outcome) -> BoxFuture<'static, Result<(), CommitError>>;

    /// The service as a unit of work, if it is one.
    fn unit(&self, _service: Service) -> Option<Arc<dyn UnitOfWork>> {
        None
    }

    fn is_unit(&self) -> bool {
        false
    }

    /// What registers a service that can be closed so.
    fn how_to_register(&self) -> &'static str {
        "`scoped` or `scoped_async`"
    }
}

const MIXED_UP: &str = "a service of another type was kept in its place";

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
            Err(_) => Box::pin(async { Err(CommitError::unknown(MIXED_UP)) }),
        }
    }
}

/// A service that is a unit of work.
pub(super) struct CloseUnit<T>(PhantomData<fn(T)>);

impl<T> CloseUnit<T> {
    pub(super) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: UnitOfWork> Close for CloseUnit<T> {
    fn close(&self, service: Service, outcome: Outcome) -> BoxFuture<'static, Result<(), CommitError>> {
        let unit = self.unit(service);
        Box::pin(async move {
            match unit {
                Some(unit) => end(&*unit, outcome).await,
                None => Err(CommitError::unknown(MIXED_UP)),
            }
        })
    }

    fn unit(&self, service: Service) -> Option<Arc<dyn UnitOfWork>> {
        Some(service.downcast::<T>().ok()?)
    }

    fn is_unit(&self) -> bool {
        true
    }

    fn how_to_register(&self) -> &'static str {
        "`unit_of_work` only"
    }
}

/// Closes what a scope has built, the last built first.
pub(super) fn close(registered: &TypeMap<CloseRegistration>, built: Built, outcome: Outcome) -> Closing {
    let mut closes = Vec::new();
    for (id, service) in built.into_iter().rev() {
        if let Some(close) = registered.get(&id) {
            closes.push((close.clone(), service));
        }
    }
    match closes.is_empty() {
        true => Closing::Ready(Ok(())),
        false => Closing::Pending(Box::pin(close_all(closes, outcome))),
    }
}

async fn close_all(closes: Vec<(CloseRegistration, Service)>, outcome: Outcome) -> Result<(), CommitError> {
    let mut ending = Ending::new(outcome);
    for (closes, service) in closes {
        ending.note(closes.service.name(), closes.close.close(service, ending.outcome()).await);
    }
    ending.result()
}
