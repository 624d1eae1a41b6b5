//! Step 7, the commit: the scope closes as a success, and what it could not commit did not happen.

use diator::Committed;
use diator::SendError;
use diator::container::CommitOutcome;
use diator_tests::{Ending, Entry, Log, Pace};
use tracing::Level;

use super::messages::{Act, Booked, act, announced, done, settled};
use super::world::{Way, World, every_way};

every_way! {
    the_commit_comes_after_all_handlers_and_before_all_that_leaves,
    a_commit_that_is_rolled_back_fails_the_message,
    a_commit_of_unknown_outcome_fails_the_message,
    a_slow_commit_fails_in_the_same_way,
    the_next_message_is_not_concerned,
}

/// Opens a scope whatever the way of sending, and has everything that follows a commit.
fn everything() -> Act {
    act(|cx| {
        cx.emit(announced("announced"));
        cx.emit(settled("settled"));
        cx.emit(Booked);
        done(Ok(1))
    })
}

async fn the_commit_comes_after_all_handlers_and_before_all_that_leaves(way: Way) {
    let world = World::new(way);
    world.container.close(Pace::Yielding(2));
    world.send(everything()).await.expect("it succeeds");
    let committed = world.journal.position(&Entry::Ended(0, Ending::Committed));
    assert!(world.journal.position(&Entry::note("booked in scope 0")) < world.journal.position(&Entry::CommitBegun(0)));
    assert!(world.journal.position(&Entry::note("settled")) > committed);
    assert!(world.journal.position(&Entry::Published("announced".into())) > committed);
}

/// The message fails as its commit does, and nothing of it leaves the process.
async fn assert_commit_fails(world: &World, expected: CommitOutcome, reason: &str) {
    world.container.fail_to_commit(expected);
    let log = Log::new(Level::ERROR);
    let _logging = tracing::subscriber::set_default(log.clone());
    let Err(error) = world.send(everything()).await else { panic!("the commit fails") };
    let lines = log.beginning("ERROR a message has to be delivered if its unit of work is committed");
    assert_eq!(lines.len(), usize::from(expected == CommitOutcome::Unknown), "nothing is lost silently: {log:?}");
    assert_eq!(error.committed(), if expected == CommitOutcome::Unknown { Committed::Unknown } else { Committed::No });
    let SendError::Commit { outcome, source } = error else { panic!("the commit fails: {error:?}") };
    assert_eq!((outcome, source.to_string()), (expected, reason.to_owned()));
    world.settle().await;
    assert_eq!(world.notes(), ["booked in scope 0"], "no handler runs after a commit that failed");
    assert_eq!(world.published(), [""; 0]);
    assert_eq!(world.endings(), [Ending::CommitFailed]);
}

async fn a_commit_that_is_rolled_back_fails_the_message(way: Way) {
    assert_commit_fails(&World::new(way), CommitOutcome::RolledBack, "a constraint was violated").await;
}

async fn a_commit_of_unknown_outcome_fails_the_message(way: Way) {
    assert_commit_fails(&World::new(way), CommitOutcome::Unknown, "the connection broke").await;
}

async fn a_slow_commit_fails_in_the_same_way(way: Way) {
    let world = World::new(way);
    world.container.close(Pace::Yielding(3));
    assert_commit_fails(&world, CommitOutcome::Unknown, "the connection broke").await;
}

async fn the_next_message_is_not_concerned(way: Way) {
    let world = World::new(way);
    world.container.fail_to_commit(CommitOutcome::RolledBack);
    assert!(world.send(everything()).await.is_err());
    world.container.recover();
    assert_eq!(world.send(everything()).await.expect("it succeeds"), 1);
    assert_eq!(world.published(), ["announced"]);
}
