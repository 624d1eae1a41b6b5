//! Services behind trait objects of all sorts.

#![deny(warnings)]

use std::sync::Arc;

use diator::prelude::*;

trait Hidden: Send + Sync {}

trait For<H: Handles>: Send + Sync {}

trait Handles {}

#[deprecated]
trait Old: Send + Sync {}

#[derive(Debug, DomainEvent)]
pub struct Rung;

#[event_handler(Rung)]
#[allow(deprecated, dead_code)]
pub struct Listener {
    hidden: Arc<dyn Hidden>,
    perhaps: Option<Arc<dyn Hidden>>,
    own: Arc<dyn For<Self>>,
    old: Arc<dyn Old>,
    count: Arc<dyn for<'a> Fn(&'a str) -> usize + Send + Sync>,
    sendable: Arc<std::sync::Mutex<Box<dyn FnMut() + Send>>>,
}

impl Handles for Listener {}

impl EventHandler<Rung> for Listener {
    async fn handle(&self, _: &Rung, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

fn main() {}
