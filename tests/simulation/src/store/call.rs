use std::time::Duration;

use diator::BoxError;
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::Database;
use crate::engine::At;
use crate::process::Process;
use crate::trace::Event;

/// A call that comes later than this has failed, as far as the checker is concerned.
const SLOW: Duration = Duration::from_millis(800);

/// The database is away, for a while.
#[derive(Debug, thiserror::Error)]
#[error("the database is away")]
pub(super) struct Away;

/// What happens to a call.
#[derive(Clone, Copy)]
enum Luck {
    Good,
    /// Nothing is done.
    Fails,
    /// It is done, and nobody is told.
    AnswerLost,
    /// It is done after a while, whether or not somebody waits for it still.
    Late(Duration),
    Panics,
}

/// Does something with the database, on behalf of a process.
pub(super) async fn call<T: Send + 'static>(
    process: &Process,
    act: impl FnOnce(&mut Database, &mut At<'_>) -> T + Send + 'static,
) -> Result<T, BoxError> {
    process.step().await;
    let luck = luck(process);
    let (world, number) = (process.world().clone(), process.number());
    let failed = match luck {
        Luck::Good => false,
        Luck::Late(time) => time > SLOW,
        Luck::Fails | Luck::AnswerLost | Luck::Panics => true,
    };
    if failed {
        world.note(Event::StoreFailed { process: number });
    }
    let done = match luck {
        Luck::Fails => return Err(Away.into()),
        // As a panic, without the hook that would print it.
        Luck::Panics => std::panic::resume_unwind(Box::new("the store panics")),
        Luck::Good | Luck::AnswerLost => world.with_store(act),
        Luck::Late(time) => {
            let (told, answer) = oneshot::channel();
            tokio::spawn(async move {
                sleep(time).await;
                // Whoever asked may have gone.
                let _told = told.send(world.with_store(act));
                if failed {
                    world.note(Event::StoreFailed { process: number });
                }
            });
            answer.await?
        }
    };
    process.step().await;
    if matches!(luck, Luck::AnswerLost) { Err(Away.into()) } else { Ok(done) }
}

fn luck(process: &Process) -> Luck {
    let state = &mut *process.world().state();
    let (faults, random) = (&state.store_faults, &mut state.random);
    if random.chance(faults.fails) {
        Luck::Fails
    } else if random.chance(faults.answer_lost) {
        Luck::AnswerLost
    } else if random.chance(faults.panics) {
        Luck::Panics
    } else if random.chance(faults.late) {
        Luck::Late(random.millis(1_000, 40_000))
    } else if random.chance(faults.slow) {
        Luck::Late(random.millis(1, 800))
    } else {
        Luck::Good
    }
}
