//! The type of an event has a constant in it that is called like something generated.

use diator::prelude::*;

const SLOT_0: usize = 3;

#[derive(Debug, DomainEvent)]
struct Happened<const SIZE: usize>;

#[event_handler(Happened<{ SLOT_0 }>)]
struct React;

impl EventHandler<Happened<3>> for React {
    async fn handle(&self, _: &Happened<3>, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Err("the user's".into())
    }
}

pub(crate) fn main() {
    let mediator = Mediator::builder().handlers(handlers![React]).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert!(runtime.block_on(mediator.emit(Happened::<3>)).is_err());
}
