use std::sync::Arc;

use async_trait::async_trait;

use super::super::unit_of_work::{UnitSavepoint, savepoint_name};
use super::super::{Closing, CommitError, Outcome, Savepoint};
use super::close;
use super::registry::Registry;
use super::state::State;
use crate::{BoxError, BoxFuture};

/// Marks a place in all that the scope has built, if all of it can go back there.
pub(super) fn savepoint<'a>(
    registry: &'a Arc<Registry>,
    state: &'a Arc<State>,
) -> Option<BoxFuture<'a, Result<Box<dyn Savepoint>, BoxError>>> {
    // Asked of the registrations too, so that it does not depend on what was built before the nested request.
    let mut closes = registry.closes.values();
    if registry.closes.is_empty() || !closes.all(|closes| closes.close.is_unit()) {
        return None;
    }
    let (built, units) = state.mark(|id, service| registry.closes.get(&id)?.close.unit(service.clone()));
    if !units.iter().all(|unit| unit.savepoints().is_some()) {
        return None;
    }
    Some(Box::pin(async move {
        let units = UnitSavepoint { name: savepoint_name(state.next_savepoint()), units };
        units.set().await?;
        let (registry, state) = (registry.clone(), state.clone());
        Ok(Box::new(ServiceSavepoint { registry, state, built, units }) as Box<dyn Savepoint>)
    }))
}

struct ServiceSavepoint {
    registry: Arc<Registry>,
    state: Arc<State>,
    /// How many services there were.
    built: usize,
    units: UnitSavepoint,
}

#[async_trait]
impl Savepoint for ServiceSavepoint {
    async fn undo(&mut self) -> Result<(), BoxError> {
        // What was built since goes: it may have begun something of its own.
        let since = self.state.forget_from(self.built);
        if let Closing::Pending(closing) = close::close(&self.registry.closes, since, Outcome::Failure) {
            closing.await.map_err(CommitError::into_source)?;
        }
        self.units.undo().await
    }

    async fn release(self: Box<Self>) -> Result<(), BoxError> {
        self.units.release().await
    }
}
