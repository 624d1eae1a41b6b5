//! Where the process ends by itself, as `kill -9` would end it; all of it wraps public traits.

mod inbox;
mod outbox;
mod store;
mod subscription;

use std::future::poll_fn;
use std::pin::pin;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;

use diator::BoxError;
use diator_faults::die;

pub(crate) use self::inbox::FailingInbox;
pub(crate) use self::outbox::FailingOutbox;
pub(crate) use self::store::FailingStore;
pub(crate) use self::subscription::FailingSubscription;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// Deliveries have come, and the endpoint does not know of them.
    Taken,
    /// A handler has written, and has not ended.
    Inside,
    /// The COMMIT is about to be sent, or is on its way, or has just been answered.
    MidCommit,
    /// A handler's work is committed, and nobody knows.
    Committed,
    /// A batch of acknowledgements is about to be sent.
    BeforeAck,
    /// It is on its way.
    MidAck,
    /// The statement that keeps what waits for its time is on its way.
    MidPut,
    /// What waits for its time is kept, and not acknowledged.
    Scheduled,
    /// A dead letter is kept, and not acknowledged.
    Dead,
    /// Rows of the store are leased.
    Leased,
    /// The statement that settles rows of the store is on its way.
    MidSettle,
    /// It was answered, and nobody knows.
    Settled,
    /// The operator's statement is on its way.
    MidReplay,
}

pub(crate) type FailPoint = diator_faults::FailPoint<Point>;

impl FromStr for Point {
    type Err = BoxError;

    fn from_str(text: &str) -> Result<Self, BoxError> {
        Ok(match text {
            "taken" => Self::Taken,
            "inside" => Self::Inside,
            "mid-commit" => Self::MidCommit,
            "committed" => Self::Committed,
            "before-ack" => Self::BeforeAck,
            "mid-ack" => Self::MidAck,
            "mid-put" => Self::MidPut,
            "scheduled" => Self::Scheduled,
            "dead" => Self::Dead,
            "leased" => Self::Leased,
            "mid-settle" => Self::MidSettle,
            "settled" => Self::Settled,
            "mid-replay" => Self::MidReplay,
            _ => return Err("there is no such fail point".into()),
        })
    }
}

/// Ends the process if it fails at this point, and this time is the one.
fn pass(fail: Option<&FailPoint>, point: Point) {
    fail.filter(|fail| fail.point == point).into_iter().for_each(FailPoint::pass);
}

fn is_reached(fail: Option<&FailPoint>, point: Point) -> bool {
    fail.is_some_and(|fail| fail.point == point && fail.is_reached())
}

/// At which of its waits a call is left, in turns.
static WAITS: AtomicU32 = AtomicU32::new(0);

/// Begins something, and ends the process while it waits for an answer.
pub(crate) async fn die_amid<T>(call: impl Future<Output = T>) -> T {
    let mut call = pin!(call);
    let mut waits = WAITS.fetch_add(1, Ordering::Relaxed) + std::process::id() % 3;
    poll_fn(|cx| match call.as_mut().poll(cx) {
        Poll::Pending if waits > 0 => {
            waits -= 1;
            Poll::Pending
        }
        // What was written to the connection is with the system by now.
        _ => die(),
    })
    .await
}
