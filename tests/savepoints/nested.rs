//! What of a message is committed, if nested requests fail.

use std::sync::Arc;

use diator::SendError;

use super::ledger::Bank;
use super::script::{
    Conducting, Emit, Fail, GiveUp, Hang, Must, Step, Try, TryWithout, With, Write, Writing, mediator,
};

/// Each case with both containers.
macro_rules! cases {
    ($($case:ident),+ $(,)?) => { $(
        mod $case {
            #[tokio::test]
            async fn services() {
                super::$case(super::With::Services).await;
            }

            #[tokio::test]
            async fn enlistment() {
                super::$case(super::With::Enlistment).await;
            }
        }
    )+ };
}

cases! {
    a_failure_that_is_swallowed_undoes_its_own_writes_only,
    what_succeeds_stays,
    the_second_failure_is_undone_as_the_first_was,
    a_failure_within_a_success_is_undone_alone,
    a_success_within_a_failure_is_undone_with_it,
    events_of_what_failed_are_dropped_and_the_others_are_handled,
    an_event_handler_may_swallow_a_failure_too,
    a_failure_that_is_passed_on_undoes_all,
    a_failure_after_a_success_undoes_both,
    a_request_that_opened_the_scope_takes_it_along,
    a_request_that_is_given_up_cannot_be_undone_alone,
    a_request_that_opened_the_scope_and_is_given_up_takes_it_along,
    a_scope_that_was_taken_along_is_opened_again_by_event_handlers,
    without_nested_requests_nothing_is_set,
}

async fn committed(with: With, steps: Vec<Step>) -> Vec<&'static str> {
    let bank = Arc::default();
    mediator(&bank, with).send(Writing(steps)).await.expect("what failed was swallowed");
    bank.committed()
}

async fn a_failure_that_is_swallowed_undoes_its_own_writes_only(with: With) {
    let bank = Arc::<Bank>::default();
    let steps = vec![Write("before"), Try(vec![Write("nested"), Fail]), Write("after")];
    mediator(&bank, with).send(Writing(steps)).await.expect("the failure is swallowed");
    assert_eq!(bank.committed(), ["before", "after"]);
    assert_eq!(bank.log(), ["set diator_1", "roll back to diator_1", "release diator_1", "commit"]);
}

async fn what_succeeds_stays(with: With) {
    let steps = vec![Write("before"), Try(vec![Write("nested")]), Write("after")];
    assert_eq!(committed(with, steps).await, ["before", "nested", "after"]);
}

async fn the_second_failure_is_undone_as_the_first_was(with: With) {
    let failing = |entry| Try(vec![Write(entry), Fail]);
    let steps = vec![failing("one"), Try(vec![Write("two")]), failing("three"), Write("four")];
    assert_eq!(committed(with, steps).await, ["two", "four"]);
}

async fn a_failure_within_a_success_is_undone_alone(with: With) {
    let inner = Try(vec![Write("inner"), Fail]);
    let steps = vec![Write("outer"), Must(vec![Write("before"), inner, Write("after")])];
    assert_eq!(committed(with, steps).await, ["outer", "before", "after"]);
}

async fn a_success_within_a_failure_is_undone_with_it(with: With) {
    let steps = vec![Write("outer"), Try(vec![Write("before"), Must(vec![Write("inner")]), Fail])];
    assert_eq!(committed(with, steps).await, ["outer"]);
}

async fn events_of_what_failed_are_dropped_and_the_others_are_handled(with: With) {
    let steps = vec![
        Emit(vec![Write("first event")]),
        Try(vec![Emit(vec![Write("dropped")]), Fail]),
        Emit(vec![Write("second event")]),
    ];
    assert_eq!(committed(with, steps).await, ["first event", "second event"]);
}

async fn an_event_handler_may_swallow_a_failure_too(with: With) {
    let steps = vec![Write("command"), Emit(vec![Try(vec![Write("nested"), Fail]), Write("event")])];
    assert_eq!(committed(with, steps).await, ["command", "event"]);
}

async fn a_failure_that_is_passed_on_undoes_all(with: With) {
    let bank = Arc::<Bank>::default();
    let steps = vec![Write("before"), Must(vec![Write("nested"), Fail])];
    let error = mediator(&bank, with).send(Writing(steps)).await.expect_err("it is passed on");
    assert!(matches!(error, SendError::Handler(_)), "{error:?}");
    assert_eq!(bank.committed(), [""; 0]);
    assert_eq!(bank.log(), ["set diator_1", "roll back to diator_1", "release diator_1", "roll back"]);
}

async fn a_failure_after_a_success_undoes_both(with: With) {
    let bank = Arc::<Bank>::default();
    let steps = vec![Must(vec![Write("nested")]), Fail];
    mediator(&bank, with).send(Writing(steps)).await.expect_err("it fails");
    assert_eq!(bank.committed(), [""; 0]);
    assert_eq!(bank.log(), ["set diator_1", "release diator_1", "roll back"]);
}

async fn a_request_that_opened_the_scope_takes_it_along(with: With) {
    let bank = Arc::<Bank>::default();
    let steps = vec![Try(vec![Write("first"), Fail]), Try(vec![Write("second")]), Try(vec![Write("third"), Fail])];
    mediator(&bank, with).send(Conducting(steps)).await.expect("the failures are swallowed");
    assert_eq!(bank.committed(), ["second"]);
    assert_eq!(bank.log(), ["roll back", "set diator_1", "roll back to diator_1", "release diator_1", "commit"]);
}

async fn a_request_that_is_given_up_cannot_be_undone_alone(with: With) {
    let bank = Arc::<Bank>::default();
    let steps = vec![Write("before"), GiveUp(vec![Write("nested"), Hang]), Write("after")];
    let error = mediator(&bank, with).send(Writing(steps)).await.expect_err("nobody could wait for the undoing");
    assert!(matches!(error, SendError::RolledBack), "{error:?}");
    assert_eq!(bank.committed(), [""; 0]);
}

async fn a_request_that_opened_the_scope_and_is_given_up_takes_it_along(with: With) {
    let bank = Arc::<Bank>::default();
    let steps = vec![GiveUp(vec![Write("first"), Hang]), Try(vec![Write("second")])];
    mediator(&bank, with).send(Conducting(steps)).await.expect("it may go on");
    assert_eq!(bank.committed(), ["second"]);
    assert_eq!(bank.log(), ["dropped", "commit"]);
}

async fn a_scope_that_was_taken_along_is_opened_again_by_event_handlers(with: With) {
    let bank = Arc::<Bank>::default();
    let steps = vec![TryWithout(vec![Try(vec![Write("first")]), Fail]), Emit(vec![Write("event")])];
    mediator(&bank, with).send(Conducting(steps)).await.expect("the failure is swallowed");
    assert_eq!(bank.committed(), ["event"]);
    assert_eq!(bank.log(), ["roll back", "commit"]);
}

async fn without_nested_requests_nothing_is_set(with: With) {
    let bank = Arc::<Bank>::default();
    let steps = vec![Write("command"), Emit(vec![Write("event")])];
    mediator(&bank, with).send(Writing(steps)).await.expect("nothing fails");
    assert_eq!(bank.log(), ["commit"]);
}
