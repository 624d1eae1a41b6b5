//! A nested request whose future is forgotten half-way: nothing of it is dropped, and so nothing can undo it.
//!
//! A unit of work that is deeper than at its start must not commit.

use std::sync::Arc;

use diator::SendError;

use super::ledger::{Bank, Delay};
use super::script::{
    Conducting, Emit, Fail, Forget, ForgetAtOnce, Hang, Must, Step, Try, With, Write, Writing, mediator,
};

const CONTAINERS: [With; 2] = [With::Services, With::Enlistment];

/// With both containers, with and without savepoints.
async fn assert_rolled_back(steps: Vec<Step>) {
    for with in CONTAINERS {
        for savepoints in [true, false] {
            let bank = Arc::<Bank>::default();
            if !savepoints {
                bank.forget_savepoints();
            }
            let sent = mediator(&bank, with).send(Writing(steps.clone())).await;
            assert_eq!(bank.committed(), [""; 0], "half-done work is committed");
            assert!(sent.is_err(), "it said so");
        }
    }
}

/// Writes, and is forgotten.
fn forgotten() -> Step {
    Forget(vec![Write("forgotten"), Hang])
}

// --- While it is handled. -----------------------------------------------------------------------

/// What is half done is not committed.
#[tokio::test(start_paused = true)]
async fn by_the_handler_of_a_request() {
    assert_rolled_back(vec![Write("before"), forgotten(), Write("after")]).await;
}

/// What is half done is `SendError::RolledBack`.
#[tokio::test(start_paused = true)]
async fn by_the_handler_of_a_request_which_says_so() {
    let bank = Arc::<Bank>::default();
    let sent = mediator(&bank, With::Services).send(Writing(vec![Write("before"), forgotten()])).await;
    let Err(error) = sent else { panic!("the sender was told of a success") };
    assert!(matches!(error, SendError::RolledBack), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn by_the_handler_of_an_event() {
    assert_rolled_back(vec![Write("command"), Emit(vec![forgotten(), Write("event")])]).await;
}

/// A handler of an event begins at the depth of its event, whatever was forgotten before.
#[tokio::test(start_paused = true)]
async fn before_an_event_is_handled() {
    assert_rolled_back(vec![Emit(vec![Write("event")]), forgotten()]).await;
}

#[tokio::test(start_paused = true)]
async fn by_the_handler_of_an_event_before_another_is_handled() {
    assert_rolled_back(vec![Emit(vec![forgotten()]), Emit(vec![Write("another event")])]).await;
}

#[tokio::test(start_paused = true)]
async fn before_another_request_succeeds() {
    assert_rolled_back(vec![forgotten(), Must(vec![Write("another")])]).await;
}

#[tokio::test(start_paused = true)]
async fn two_levels_deep() {
    assert_rolled_back(vec![Write("outer"), Must(vec![Write("nested"), forgotten()])]).await;
}

/// The inner one is forgotten with the outer one.
#[tokio::test(start_paused = true)]
async fn with_a_request_of_its_own() {
    let steps = vec![Write("nested"), Must(vec![Write("inner"), Hang])];
    assert_rolled_back(vec![Write("outer"), Forget(steps)]).await;
}

#[tokio::test(start_paused = true)]
async fn with_the_events_that_it_emitted() {
    let steps = vec![Emit(vec![Write("forgotten")]), Hang];
    assert_rolled_back(vec![Write("before"), Forget(steps)]).await;
}

#[tokio::test(start_paused = true)]
async fn with_the_scope_that_it_opened() {
    for with in CONTAINERS {
        let bank = Arc::<Bank>::default();
        let sent = mediator(&bank, with).send(Conducting(vec![forgotten(), Try(vec![Write("second")])])).await;
        assert!(!bank.committed().contains(&"forgotten"), "half-done work is committed: {sent:?}");
    }
}

// --- While its savepoint is set, released or gone back to. --------------------------------------

/// What is committed if the database takes its time for one order; empty if all is rolled back.
async fn committed_with(slow: &'static str, steps: &[Step]) -> Vec<Vec<&'static str>> {
    let mut all = Vec::new();
    for with in CONTAINERS {
        for delay in [Delay::Before, Delay::After] {
            let bank = Arc::<Bank>::default();
            bank.take_time_at(slow, delay);
            let sent = mediator(&bank, with).send(Writing(steps.to_vec())).await;
            assert_eq!(sent.is_err(), bank.committed().is_empty(), "{sent:?}");
            all.push(bank.committed());
        }
    }
    all
}

#[tokio::test(start_paused = true)]
async fn while_its_savepoint_is_released() {
    let steps = [Write("before"), Forget(vec![Write("nested")]), Write("after")];
    for committed in committed_with("release", &steps).await {
        assert_eq!(committed, [""; 0], "half-done work is committed");
    }
}

/// If the database has done it, all of it may be undone as well.
#[tokio::test(start_paused = true)]
async fn while_it_is_undone() {
    let steps = [Write("before"), Forget(vec![Write("nested"), Fail]), Write("after")];
    for committed in committed_with("roll back to", &steps).await {
        assert!(!committed.contains(&"nested"), "half-done work is committed: {committed:?}");
    }
}

/// It has not begun.
#[tokio::test(start_paused = true)]
async fn while_its_savepoint_is_set() {
    let steps = [Write("before"), Forget(vec![Write("nested")]), Write("after")];
    for committed in committed_with("set", &steps).await {
        assert!(committed.is_empty() || committed == ["before", "after"], "half-done work: {committed:?}");
    }
}

// --- What may be committed. ---------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn what_has_not_begun_does_no_harm() {
    for with in CONTAINERS {
        let bank = Arc::<Bank>::default();
        let steps = vec![Write("before"), ForgetAtOnce(vec![Write("nested")]), Write("after")];
        mediator(&bank, with).send(Writing(steps)).await.expect("nothing is half done");
        assert_eq!(bank.committed(), ["before", "after"]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_failed_takes_what_it_forgot_along() {
    for with in CONTAINERS {
        let bank = Arc::<Bank>::default();
        let nested = vec![Write("nested"), forgotten(), Fail];
        let steps = vec![Write("before"), Try(nested), Write("after"), Emit(vec![Write("event")])];
        mediator(&bank, with).send(Writing(steps)).await.expect("what is half done is undone");
        assert_eq!(bank.committed(), ["before", "after", "event"]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_failed_without_a_savepoint_takes_all_along() {
    for with in CONTAINERS {
        let bank = Arc::<Bank>::default();
        bank.forget_savepoints();
        let steps = vec![Write("before"), Try(vec![forgotten(), Fail]), Write("after")];
        let error = mediator(&bank, with).send(Writing(steps)).await.expect_err("it cannot be undone alone");
        assert!(matches!(error, SendError::RolledBack), "{error:?}");
        assert_eq!(bank.committed(), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_opened_the_scope_and_failed_takes_it_along() {
    for with in CONTAINERS {
        let bank = Arc::<Bank>::default();
        let steps = vec![Try(vec![forgotten(), Fail]), Try(vec![Write("second")])];
        mediator(&bank, with).send(Conducting(steps)).await.expect("what is half done is undone");
        assert_eq!(bank.committed(), ["second"]);
    }
}
