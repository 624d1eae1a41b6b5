//! Messages that do not come to their end.

use std::sync::Arc;

use diator_tests::drop_after;
use tokio::sync::Notify;

use super::database::Database;
use super::script::{Emit, Hang, Must, Panic, See, Step, Write, Writing, mediator};

/// A command, two event handlers and a nested request.
fn long() -> Vec<Step> {
    vec![Write(1), Must(vec![Write(2)]), Emit(vec![Write(3)]), Emit(vec![Write(4)])]
}

#[tokio::test]
async fn dropped_at_any_point_it_leaves_nothing_or_all() {
    let (mut nothing, mut all) = (0, 0);
    for polls in 0.. {
        let database = Database::new().await;
        let mediator = mediator(&database);
        let ended = drop_after(polls, mediator.send(Writing(long()))).await;
        // The one connection of the pool is free again, and in no transaction.
        let mut rest = long();
        rest.retain(|step| matches!(step, Write(_)));
        let unwritten = mediator.send(Writing(rest)).await;
        match (ended, unwritten) {
            (Some(sent), _) => {
                sent.unwrap();
                break;
            }
            (None, Ok(())) => nothing += 1,
            // Who goes away once it commits does not keep it from that.
            (None, Err(error)) => {
                assert_eq!(database.entries().await, [1, 2, 3, 4], "{error:?}");
                all += 1;
            }
        }
    }
    assert!(nothing > 0 && nothing + all > 5, "{nothing} {all}");
}

#[tokio::test]
async fn dropped_while_an_event_handler_waits_it_leaves_nothing() {
    let database = Database::new().await;
    let mediator = mediator(&database);
    let hangs = Arc::new(Notify::new());
    let steps = vec![Write(1), Emit(vec![Write(2)]), Emit(vec![Write(3), Hang(hangs.clone())])];
    tokio::select! {
        sent = mediator.send(Writing(steps)) => panic!("it was to hang: {sent:?}"),
        () = hangs.notified() => {}
    }
    mediator.send(Writing(vec![See(&[]), Write(4)])).await.unwrap();
    assert_eq!(database.entries().await, [4]);
}

#[tokio::test]
async fn a_panic_in_the_last_event_handler_rolls_all_back() {
    let database = Database::new().await;
    let mediator = mediator(&database);
    let sending = {
        let mediator = mediator.clone();
        async move { mediator.send(Writing(vec![Write(1), Emit(vec![Write(2)]), Emit(vec![Write(3), Panic])])).await }
    };
    assert!(tokio::spawn(sending).await.unwrap_err().is_panic());
    mediator.send(Writing(vec![See(&[]), Write(4)])).await.unwrap();
    assert_eq!(database.entries().await, [4]);
}
