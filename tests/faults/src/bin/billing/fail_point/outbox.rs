use std::time::Duration;

use diator::container::{DependencyKey, Scope};
use diator::outbox::{Outbox, StagedMessage};
use diator::{BoxError, Meta, async_trait};
use diator_faults::die;
use uuid::Uuid;

use super::{FailPoint, Point, is_reached, pass};

/// An outbox whose process ends in the middle of the commit, or right after it.
pub(crate) struct FailingOutbox<O> {
    pub(crate) inner: O,
    pub(crate) fail: Option<FailPoint>,
}

#[async_trait]
impl<O: Outbox> Outbox for FailingOutbox<O> {
    fn unit_of_work(&self) -> Option<DependencyKey> {
        self.inner.unit_of_work()
    }

    fn how_to_register(&self) -> Option<&str> {
        self.inner.how_to_register()
    }

    fn place(&self) -> Option<String> {
        self.inner.place()
    }

    async fn stage(&self, scope: &dyn Scope, meta: &Meta, messages: &[StagedMessage]) -> Result<(), BoxError> {
        self.inner.stage(scope, meta, messages).await?;
        if is_reached(self.fail.as_ref(), Point::MidCommit) {
            // The commit follows at once, and takes less than these two milliseconds.
            std::thread::spawn(|| {
                std::thread::sleep(Duration::from_micros(Uuid::new_v4().as_u128() as u64 % 2_000));
                die();
            });
        }
        Ok(())
    }

    fn committed(&self) {
        pass(self.fail.as_ref(), Point::Committed);
        self.inner.committed();
    }
}
