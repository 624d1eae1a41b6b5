//! What happens if the savepoints themselves fail, or are not there.

use std::sync::Arc;

use diator::{SendError, Services};

use super::ledger::{Bank, services};
use super::script::{Fail, Must, Try, With, Write, Writing, configured, mediator};

#[tokio::test]
async fn a_savepoint_that_cannot_be_set_keeps_the_request_from_beginning() {
    for with in [With::Services, With::Enlistment] {
        let bank = Arc::<Bank>::default();
        bank.fail_at("set");
        let steps = vec![Write("before"), Must(vec![Write("nested")])];
        let error = mediator(&bank, with).send(Writing(steps)).await.expect_err("it is passed on");
        assert_eq!(error.to_string(), "the container could not open a scope or keep a savepoint");
        assert_eq!(bank.committed(), [""; 0]);
    }
}

#[tokio::test]
async fn a_savepoint_that_cannot_be_set_does_not_spoil_the_rest() {
    let bank = Arc::<Bank>::default();
    bank.fail_at("set");
    let steps = vec![Write("before"), Try(vec![Write("nested")]), Write("after")];
    mediator(&bank, With::Services).send(Writing(steps)).await.expect("nothing was written that is in doubt");
    assert_eq!(bank.committed(), ["before", "after"]);
}

#[tokio::test]
async fn what_cannot_be_undone_alone_is_undone_with_the_rest() {
    for fault in ["roll back to", "release"] {
        for with in [With::Services, With::Enlistment] {
            let bank = Arc::<Bank>::default();
            bank.fail_at(fault);
            let steps = vec![Write("before"), Try(vec![Write("nested"), Fail]), Write("after")];
            let error = mediator(&bank, with).send(Writing(steps)).await.expect_err("it must not commit");
            assert!(matches!(error, SendError::RolledBack), "{error:?}");
            assert_eq!(bank.committed(), [""; 0]);
            assert_eq!(bank.log().last().map(String::as_str), Some("roll back"));
        }
    }
}

#[tokio::test]
async fn what_cannot_be_kept_has_failed() {
    let bank = Arc::<Bank>::default();
    bank.fail_at("release");
    let error = mediator(&bank, With::Services).send(Writing(vec![Try(vec![Write("nested")])])).await;
    assert!(matches!(error, Err(SendError::RolledBack)), "{error:?}");
    assert_eq!(bank.committed(), [""; 0]);
}

#[tokio::test]
async fn without_savepoints_a_swallowed_failure_undoes_all() {
    for with in [With::Services, With::Enlistment] {
        let bank = Arc::<Bank>::default();
        bank.forget_savepoints();
        let steps = vec![Write("before"), Try(vec![Write("nested"), Fail])];
        let error = mediator(&bank, with).send(Writing(steps)).await.expect_err("it must not commit");
        assert!(matches!(error, SendError::RolledBack), "{error:?}");
        assert_eq!(bank.log(), ["roll back"]);
    }
}

/// Whether a savepoint is offered must not depend on what happens to be built already.
#[tokio::test]
async fn one_service_that_closes_without_savepoints_is_enough_to_have_none() {
    struct File;
    let bank = Arc::<Bank>::default();
    let closing = |services: Services| services.scoped(|_| Ok(File)).on_close(|_: Arc<File>, _| async { Ok(()) });
    let mediator = configured(closing(services(&bank)), |builder| builder);
    let steps = vec![Write("before"), Try(vec![Write("nested"), Fail])];
    let error = mediator.send(Writing(steps)).await.expect_err("it must not commit");
    assert!(matches!(error, SendError::RolledBack), "{error:?}");
}

#[tokio::test]
async fn a_commit_that_fails_after_savepoints_says_so() {
    let bank = Arc::<Bank>::default();
    bank.fail_at("commit");
    let error = mediator(&bank, With::Services).send(Writing(vec![Try(vec![Write("nested"), Fail])])).await;
    assert!(matches!(error, Err(SendError::Commit { .. })), "{error:?}");
    assert_eq!(bank.committed(), [""; 0]);
}
