//! The driver of the engines: it keeps the contract of `diator::subscription`, and its calls fail, hang and come late.

mod deliveries;
mod verdicts;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use diator::subscription::{Capabilities, ConsumeError, Opened, Subscription, Wanted};
use tokio::time::sleep;

use self::deliveries::Deliveries;
use self::verdicts::Verdicts;
use crate::faults::Faults;
use crate::process::Process;
use crate::trace::Event;

/// A process's connection to the engine.
#[derive(Clone)]
pub(crate) struct Driver(pub(crate) Process);

impl Driver {
    fn chance(&self, rate: impl Fn(&Faults) -> u64) -> bool {
        let state = &mut *self.0.world().state();
        let rate = rate(&state.faults);
        state.random.chance(rate)
    }

    fn millis(&self, first: u64, last: u64) -> Duration {
        self.0.world().state().random.millis(first, last)
    }

    /// A call takes its time.
    async fn takes_time(&self) {
        self.0.step().await;
        if self.chance(|faults| faults.panics) {
            // As a panic, without the hook that would print it.
            std::panic::resume_unwind(Box::new("the driver panics"));
        }
        if self.chance(|faults| faults.slow) {
            sleep(self.millis(1, 800)).await;
            self.0.step().await;
        }
    }
}

#[async_trait]
impl Subscription for Driver {
    fn capabilities(&self) -> Capabilities {
        self.0.world().plan().traits.capabilities
    }

    async fn open(&self, _: &Wanted<'_>) -> Result<Opened, ConsumeError> {
        self.takes_time().await;
        let process = self.0.number();
        if self.chance(|faults| faults.open_hangs) {
            sleep(self.millis(1_000, 40_000)).await;
        }
        if self.chance(|faults| faults.open_fails) {
            self.0.world().note(Event::OpenFailed { process });
            return Err(ConsumeError::transient("the engine does not let it in"));
        }
        let opening = {
            let state = &mut *self.0.world().state();
            let opening = state.number();
            state.cut.insert(opening, false);
            opening
        };
        self.0.world().note(Event::Opened { process, opening });
        self.0.world().with_engine(|engine, at| engine.open(opening, at));
        // Dropped from here on, the opening ends.
        let settle = Arc::new(Verdicts::new(self.clone(), opening));
        self.takes_time().await;
        let source = Deliveries::new(self.clone(), opening);
        Ok(Opened::new(source, settle))
    }
}
