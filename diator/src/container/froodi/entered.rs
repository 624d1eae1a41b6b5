use std::error::Error;
use std::sync::Arc;

use froodi::Context;

use super::super::{Enlistment, Opening, Scope};
use crate::{MessageKind, Meta};

/// The container of one message, a synchronous or an asynchronous one.
pub(super) struct Entered<C> {
    // Dropped before the container, so that the finalizers come last here too.
    pub(super) enlistment: Arc<Enlistment>,
    pub(super) container: C,
}

/// Opens the container of one message; every component in it may ask for what the context holds.
pub(super) fn open<'a, C, E>(meta: &Meta, kind: MessageKind, enter: impl FnOnce(Context) -> Result<C, E>) -> Opening<'a>
where
    Entered<C>: Scope + 'static,
    E: Error + Send + Sync + 'static,
{
    let enlistment = Arc::new(Enlistment::of(kind));
    let mut context = Context::new();
    context.insert_rc(Arc::new(meta.clone()));
    context.insert_rc(enlistment.clone());
    Opening::Ready(match enter(context) {
        Ok(container) => Ok(Box::new(Entered { enlistment, container })),
        Err(error) => Err(error.into()),
    })
}
