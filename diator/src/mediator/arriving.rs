//! Handlers of notification and ECST events: they wait for what arrives, also where this process emits the event itself.

use std::any::TypeId;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::Level;

use super::events::EventHandlers;
use crate::container::TypeMap;
use crate::event::Pending;

/// The events that have such handlers here, and whether it was said that these do not run for what is emitted here.
pub(crate) struct Arriving(TypeMap<AtomicBool>);

impl Arriving {
    /// Those of the broker's events that have a handler.
    pub(crate) fn of(for_the_broker: impl Iterator<Item = TypeId>, routes: &TypeMap<EventHandlers>) -> Self {
        let handled = for_the_broker.filter(|event| routes.contains_key(event));
        Self(handled.map(|event| (event, AtomicBool::new(false))).collect())
    }

    /// Says it of an event that is emitted, once.
    pub(crate) fn tell_emitted(&self, event: &dyn Pending) {
        if !tracing::event_enabled!(target: "diator", Level::DEBUG) {
            return;
        }
        if let Some(told) = self.0.get(&event.event().type_id())
            && !told.swap(true, Ordering::Relaxed)
        {
            tracing::debug!(
                target: "diator",
                { diator.message = event.name() },
                "the event's handlers in this process run when it arrives from the broker, not when this process emits it"
            );
        }
    }
}
