//! Step 8, publishing: in order, after the commit, and what the broker does not take is told.

use std::sync::{Arc, Mutex};

use diator::Committed;
use diator::broker::{MessageBroker, PublishError, PublishErrorKind};
use diator::{DeliveryFailure, DeliveryState, SendError, Undelivered};
use diator_testkit::drop_after;
use diator_tests::{Ending, at_once};

use super::messages::{Act, Settled, act, announced, done, refuse, replicated, settled, settled_then};
use super::world::{Sent, Way, World, every_way};

every_way! {
    messages_are_published_in_order,
    a_broker_that_refuses_leaves_the_messages_unsent,
    a_permanent_refusal_leaves_the_messages_unsent,
    an_ambiguous_answer_leaves_the_messages_ambiguous,
    a_message_that_is_refused_in_the_middle_is_neither_lost_nor_doubled,
    the_response_can_be_had_from_the_error,
    a_response_of_another_type_cannot_be_had,
    what_is_undelivered_can_be_published_later_as_it_is,
    handlers_run_although_the_broker_refuses,
    the_broker_gets_its_messages_although_a_handler_fails,
    handlers_run_although_the_broker_hangs,
    a_broker_that_hangs_for_a_time_delays_the_answer,
    the_hook_takes_what_is_undelivered,
    the_hook_is_not_called_otherwise,
}

/// A command that announces these and answers 7.
fn announcing<const N: usize>(labels: [&'static str; N]) -> Act {
    act(move |cx| {
        labels.into_iter().for_each(|label| cx.emit(announced(label)));
        done(Ok(7))
    })
}

#[track_caller]
fn undelivered(sent: Sent) -> Undelivered {
    match sent {
        Err(SendError::Undelivered(undelivered)) => *undelivered,
        other => panic!("something is undelivered: {other:?}"),
    }
}

/// What is to be delivered again of which so much is known.
fn keys(undelivered: &Undelivered, state: DeliveryState) -> Vec<&str> {
    let messages = undelivered.messages().iter().filter(|again| again.state == state);
    messages.filter_map(|again| again.message.key.as_deref()).collect()
}

/// What each failed publishing was about.
fn refused_events(undelivered: &Undelivered) -> Vec<(&str, PublishErrorKind)> {
    fn publishing(failure: &DeliveryFailure) -> (&str, PublishErrorKind) {
        match failure {
            DeliveryFailure::Publish { event, source } => (event, source.kind()),
            other => panic!("only publishing failed: {other:?}"),
        }
    }
    undelivered.failures().iter().map(publishing).collect()
}

async fn messages_are_published_in_order(way: Way) {
    let world = World::new(way);
    world.broker.yielding(2);
    world.send(announcing(["a", "b", "c"])).await.expect("it succeeds");
    assert_eq!(world.published(), ["a", "b", "c"]);
    world.assert_committed();
}

/// Sends what the broker refuses with such an error, and returns what is left of it.
async fn refused(way: Way, kind: PublishErrorKind) -> Undelivered {
    let world = World::new(way);
    world.broker.memory().refuse(kind);
    let sent = world.send(announcing(["a", "b"])).await;
    assert!(sent.as_ref().is_err_and(|error| error.committed() == Committed::Yes));
    world.assert_committed();
    assert_eq!(world.published(), [""; 0]);
    let undelivered = undelivered(sent);
    assert_eq!(refused_events(&undelivered), [("Announced", kind); 2]);
    undelivered
}

async fn a_broker_that_refuses_leaves_the_messages_unsent(way: Way) {
    let undelivered = refused(way, PublishErrorKind::Transient { retry_after: None }).await;
    assert_eq!(keys(&undelivered, DeliveryState::NotTaken), ["a", "b"]);
    assert_eq!(keys(&undelivered, DeliveryState::Ambiguous), [""; 0]);
}

async fn a_permanent_refusal_leaves_the_messages_unsent(way: Way) {
    let undelivered = refused(way, PublishErrorKind::Fatal).await;
    assert_eq!(keys(&undelivered, DeliveryState::NotTaken), ["a", "b"]);
    assert_eq!(keys(&undelivered, DeliveryState::Ambiguous), [""; 0]);
}

async fn an_ambiguous_answer_leaves_the_messages_ambiguous(way: Way) {
    let undelivered = refused(way, PublishErrorKind::Ambiguous).await;
    assert_eq!(keys(&undelivered, DeliveryState::NotTaken), [""; 0]);
    assert_eq!(keys(&undelivered, DeliveryState::Ambiguous), ["a", "b"]);
}

async fn a_message_that_is_refused_in_the_middle_is_neither_lost_nor_doubled(way: Way) {
    let world = World::new(way);
    world.broker.memory().refuse_if(|message| match message.key.as_deref() {
        Some("b") => Some(PublishError::fatal("too large")),
        Some("d") => Some(PublishError::ambiguous("no answer")),
        _ => None,
    });
    let undelivered = undelivered(world.send(announcing(["a", "b", "c", "d", "e"])).await);
    let published = world.published();
    let mut all: Vec<_> = published.iter().map(String::as_str).collect();
    assert!(all.is_sorted(), "{all:?}");
    assert!(keys(&undelivered, DeliveryState::NotTaken).contains(&"b"));
    assert!(keys(&undelivered, DeliveryState::NotTaken).is_sorted());
    all.extend(keys(&undelivered, DeliveryState::NotTaken));
    all.extend(keys(&undelivered, DeliveryState::Ambiguous));
    all.sort_unstable();
    assert_eq!(all, ["a", "b", "c", "d", "e"]);
}

async fn the_response_can_be_had_from_the_error(way: Way) {
    let world = World::new(way);
    world.broker.memory().refuse(PublishErrorKind::Fatal);
    let error = world.send(announcing(["a"])).await.expect_err("it is undelivered");
    assert_eq!(error.into_committed_response::<u32>().expect("it is the response's type"), 7);
}

async fn a_response_of_another_type_cannot_be_had(way: Way) {
    let world = World::new(way);
    world.broker.memory().refuse(PublishErrorKind::Fatal);
    let error = world.send(announcing(["a"])).await.expect_err("it is undelivered");
    let error = error.into_committed_response::<String>().expect_err("it is no text");
    assert_eq!(error.committed(), Committed::Yes, "the error is still the same");
    assert_eq!(error.into_committed_response::<u32>().expect("the response is still there"), 7);

    let error = world.send(act(|_| done(refuse("no")))).await.expect_err("it is refused");
    assert_eq!(error.committed(), Committed::No);
    assert!(matches!(error.into_committed_response::<u32>(), Err(SendError::Handler(_))), "a failure has no response");
}

async fn what_is_undelivered_can_be_published_later_as_it_is(way: Way) {
    let world = World::new(way);
    let offered = Arc::new(Mutex::new(Vec::new()));
    let seen = offered.clone();
    world.broker.memory().refuse_if(move |message| {
        seen.lock().expect("no test panics here").push(message.clone());
        Some(PublishError::transient("not now"))
    });
    let undelivered = undelivered(world.send(announcing(["a"])).await);
    let again: Vec<_> = undelivered.messages().iter().map(|again| again.message.clone()).collect();
    assert_eq!(again, *offered.lock().expect("no test panics here"), "id and body stay the same");

    world.broker.memory().accept();
    world.broker.publish(&again[0]).await.expect("it accepts again");
    assert_eq!(world.published(), ["a"]);
}

#[test]
fn without_a_runtime_it_is_published_in_place() {
    for way in [Way::SEND, Way::SEND_SCOPED, Way::SEND_DYN, Way::NESTED_DYN] {
        let world = World::new(way);
        assert_eq!(at_once(world.send(announcing_and_settling(settled("settled")))).expect("it succeeds"), 7);
        assert_eq!(world.notes(), ["settled", "settled too"]);
        assert_eq!(world.published(), ["a", "b"]);
    }
}

// --- Publishing and handlers do not hinder each other. ------------------------------------------

/// Has something to publish, and a handler that runs after the commit.
fn announcing_and_settling(settled: Settled) -> Act {
    act(move |cx| {
        cx.emit(announced("a"));
        cx.emit(settled);
        cx.emit(replicated("b"));
        done(Ok(7))
    })
}

async fn handlers_run_although_the_broker_refuses(way: Way) {
    let world = World::new(way);
    world.broker.memory().refuse(PublishErrorKind::Fatal);
    let undelivered = undelivered(world.send(announcing_and_settling(settled("settled"))).await);
    assert_eq!(world.notes(), ["settled", "settled too"]);
    assert_eq!(keys(&undelivered, DeliveryState::NotTaken), ["a", "b"]);
}

async fn the_broker_gets_its_messages_although_a_handler_fails(way: Way) {
    let world = World::new(way);
    let failing = settled_then("settled", |_| done(Err("the mail server is away".into())));
    let undelivered = undelivered(world.send(announcing_and_settling(failing)).await);
    assert_eq!(world.published(), ["a", "b"]);
    assert!(matches!(undelivered.failures(), [DeliveryFailure::AfterCommit { .. }]), "{undelivered:?}");
    let response = SendError::<()>::Undelivered(Box::new(undelivered)).into_committed_response::<u32>();
    assert_eq!(response.expect("the response is there"), 7);
}

async fn handlers_run_although_the_broker_hangs(way: Way) {
    let world = World::new(way);
    world.broker.memory().hang();
    let sent = drop_after(50, world.send(announcing_and_settling(settled("settled")))).await;
    assert!(sent.is_none(), "the broker hangs");
    assert_eq!(world.notes(), ["settled", "settled too"]);
    world.broker.memory().accept();
    world.settle().await;
    assert_eq!(world.published(), ["a", "b"], "although the sender has gone");
}

async fn a_broker_that_hangs_for_a_time_delays_the_answer(way: Way) {
    let world = World::new(way);
    world.broker.memory().hang();
    let sending = tokio::spawn(world.send(announcing(["a"])));
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    assert!(!sending.is_finished());
    world.broker.memory().accept();
    assert_eq!(sending.await.expect("nothing panics").expect("it succeeds"), 7);
    assert_eq!(world.published(), ["a"]);
}

// --- The hook. ----------------------------------------------------------------------------------

/// A world whose hook keeps what it gets.
fn with_hook(way: Way) -> (World, Arc<Mutex<Vec<Undelivered>>>) {
    let taken = Arc::new(Mutex::new(Vec::new()));
    let taking = taken.clone();
    let hook = move |undelivered| taking.lock().expect("no test panics here").push(undelivered);
    (World::with(way, |builder, _| builder.on_undelivered(hook)), taken)
}

async fn the_hook_takes_what_is_undelivered(way: Way) {
    let (world, taken) = with_hook(way);
    world.broker.memory().refuse_if(|message| match message.key.as_deref() {
        Some("a") => Some(PublishError::ambiguous("no answer")),
        _ => Some(PublishError::fatal("no topic")),
    });
    let failing = settled_then("settled", |_| done(Err("the mail server is away".into())));
    let answer = world.send(announcing_and_settling(failing)).await;
    assert_eq!(answer.expect("the hook takes care"), 7);
    let taken = taken.lock().expect("no test panics here");
    let [undelivered] = &taken[..] else { panic!("the hook is called once: {taken:?}") };
    assert_eq!(
        (keys(undelivered, DeliveryState::Ambiguous), keys(undelivered, DeliveryState::NotTaken)),
        (vec!["a"], vec!["b"])
    );
    assert_eq!(undelivered.failures().len(), 3, "{undelivered:?}");
}

async fn the_hook_is_not_called_otherwise(way: Way) {
    let (world, taken) = with_hook(way);
    world.send(announcing_and_settling(settled("settled"))).await.expect("it succeeds");
    assert!(world.send(act(|_| done(refuse("no")))).await.is_err());
    world.container.fail_to_commit(diator::container::CommitOutcome::Unknown);
    let committing = world.send(announcing(["never"])).await;
    assert_eq!(committing.is_err(), way.scoped, "without a scope there is no commit that could fail");
    assert!(taken.lock().expect("no test panics here").is_empty());
    if way.scoped {
        assert_eq!(world.endings().last(), Some(&Ending::CommitFailed));
    }
}
