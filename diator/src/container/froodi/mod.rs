mod asynchronous;
mod question;
mod sync;

use std::sync::Arc;

use froodi::Context;

use super::Enlistment;
use crate::Meta;

pub(super) use self::question::Question;

/// What every component of one message may ask for.
fn context(meta: &Meta, enlistment: &Arc<Enlistment>) -> Context {
    let mut context = Context::new();
    context.insert_rc(Arc::new(meta.clone()));
    context.insert_rc(enlistment.clone());
    context
}
