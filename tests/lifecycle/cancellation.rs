//! Step 9, cancellation: a message whose sender goes away happens entirely or not at all, at every point.

use std::sync::{Arc, Mutex};

use diator::broker::PublishErrorKind;
use diator::container::CommitOutcome;
use diator_testkit::{drop_after, yields};
use diator_tests::{Ending, Entry, Pace};

use super::messages::{Act, Booked, act, announced, happened_then, refuse, settled_then};
use super::world::{Way, World, every_way};

every_way! {
    before_it_is_polled_nothing_happens,
    at_every_point_it_happens_or_it_does_not,
    at_every_point_with_a_slow_container,
    at_every_point_with_a_slow_broker,
    at_every_point_with_everything_slow,
    at_every_point_of_a_message_without_a_scope,
    at_every_point_of_a_message_that_fails,
    at_every_point_of_a_message_whose_commit_fails,
    what_is_undelivered_goes_to_the_hook_although_the_sender_has_gone,
}

/// Has something of everything, and is interrupted everywhere.
fn story() -> Act {
    act(|cx| {
        Box::pin(async move {
            cx.emit(announced("1"));
            yields(2).await;
            cx.send(without_scope()).await?;
            cx.emit(happened_then("event", |cx| {
                Box::pin(async move {
                    cx.emit(Booked);
                    yields(1).await;
                    cx.emit(announced("4"));
                    Ok(())
                })
            }));
            yields(1).await;
            Ok(7)
        })
    })
}

/// The part of it that needs no scope before the commit.
fn without_scope() -> Act {
    act(|cx| {
        Box::pin(async move {
            cx.emit(announced("2"));
            cx.emit(settled_then("settled", |cx| {
                Box::pin(async move {
                    yields(1).await;
                    cx.emit(announced("settled"));
                    Ok(())
                })
            }));
            yields(1).await;
            cx.emit(announced("3"));
            Ok(7)
        })
    })
}

/// What left the process, in the order in which it was emitted before the commit and by handlers after it.
fn left(world: &World) -> (Vec<String>, Vec<String>) {
    world.published().into_iter().partition(|label| label != "settled")
}

/// The message has not happened: nothing left the process, and its scope, if it had one, did not commit.
#[track_caller]
fn assert_undone(world: &World) {
    assert_eq!(world.published(), [""; 0]);
    assert!(!world.notes().iter().any(|note| note.starts_with("settled")), "{:?}", world.notes());
    let endings = world.endings();
    assert!(matches!(endings[..], [] | [Ending::Dropped | Ending::RolledBack]), "{endings:?}");
}

/// All of the message has happened, and once.
#[track_caller]
fn assert_happened(world: &World, expected: &[&str], scopes: usize) {
    let (before, after) = left(world);
    assert_eq!(before, expected);
    assert_eq!(after, ["settled"]);
    let settled: Vec<_> = world.notes().into_iter().filter(|note| note.starts_with("settled")).collect();
    assert_eq!(settled, ["settled", "settled too"]);
    assert_eq!(world.endings(), vec![Ending::Committed; scopes]);
}

/// How often a message was given up, and with what result.
#[derive(Default)]
struct GivenUp {
    undone: usize,
    happened: usize,
}

/// Drops the message after 0, 1, 2, … polls, until it comes to its end; asks each time whether it has happened.
async fn drop_everywhere(world: impl Fn() -> World, message: fn() -> Act, check: impl Fn(&World) -> bool) -> GivenUp {
    let mut given_up = GivenUp::default();
    for polls in 0.. {
        let world = world();
        let answer = drop_after(polls, world.send(message())).await;
        world.settle().await;
        let happened = check(&world);
        match answer {
            Some(answer) => {
                assert_eq!((answer.ok(), happened), (Some(7), true));
                break;
            }
            None if happened => given_up.happened += 1,
            None => given_up.undone += 1,
        }
    }
    given_up
}

/// Drops the story everywhere, in worlds that were prepared.
async fn drop_story_everywhere(way: Way, prepare: impl Fn(&World)) -> GivenUp {
    let world = || {
        let world = World::new(way);
        prepare(&world);
        world
    };
    let check = |world: &World| {
        let begun = world.journal.count(&Entry::CommitBegun(0)) > 0;
        match begun {
            // One scope for the message, and one for the handler after the commit that needs one.
            true => assert_happened(world, &["1", "2", "3", "4"], 2),
            false => assert_undone(world),
        }
        begun
    };
    let given_up = drop_everywhere(world, story, check).await;
    assert!(given_up.undone > 5, "the story is interrupted at least so often before its commit");
    given_up
}

async fn before_it_is_polled_nothing_happens(way: Way) {
    let world = World::new(way);
    drop(world.send(story()));
    world.settle().await;
    assert_eq!(world.journal.entries(), []);
}

async fn at_every_point_it_happens_or_it_does_not(way: Way) {
    drop_story_everywhere(way, |_| {}).await;
}

async fn at_every_point_with_a_slow_container(way: Way) {
    let given_up = drop_story_everywhere(way, slow_container).await;
    assert!(given_up.happened > 2, "the commit itself takes longer");
}

fn slow_container(world: &World) {
    world.container.open(Pace::Yielding(2));
    world.container.resolve(Pace::Yielding(1));
    world.container.close(Pace::Yielding(3));
}

async fn at_every_point_with_a_slow_broker(way: Way) {
    let given_up = drop_story_everywhere(way, |world| world.broker.yielding(2)).await;
    assert!(given_up.happened > 2, "the publishing takes longer");
}

async fn at_every_point_with_everything_slow(way: Way) {
    let slow = |world: &World| {
        slow_container(world);
        world.broker.yielding(2);
    };
    let given_up = drop_story_everywhere(way, slow).await;
    assert!(given_up.happened > 5, "commit and publishing take longer");
}

async fn at_every_point_of_a_message_without_a_scope(way: Way) {
    let world = || {
        let world = World::new(way);
        world.broker.yielding(1);
        world
    };
    let check = |world: &World| {
        // Where the handler needs no scope, there is no commit to be seen: then it begins with what follows it.
        let happened = !world.published().is_empty() || !world.notes().is_empty();
        match happened {
            true => assert_happened(world, &["2", "3"], usize::from(way.scoped) + 1),
            false => assert_undone(world),
        }
        happened
    };
    let given_up = drop_everywhere(world, without_scope, check).await;
    assert!(given_up.undone > 1 && given_up.happened > 1, "it is dropped on both sides of the commit");
}

async fn at_every_point_of_a_message_that_fails(way: Way) {
    let failing = || {
        act(|cx| {
            Box::pin(async move {
                cx.send(story()).await?;
                yields(1).await;
                refuse("after all")
            })
        })
    };
    for polls in 0.. {
        let world = World::new(way);
        slow_container(&world);
        let answer = drop_after(polls, world.send(failing())).await;
        world.settle().await;
        assert_undone(&world);
        if answer.is_some() {
            return;
        }
    }
}

async fn at_every_point_of_a_message_whose_commit_fails(way: Way) {
    for polls in 0.. {
        let world = World::new(way);
        slow_container(&world);
        world.container.fail_to_commit(CommitOutcome::Unknown);
        let answer = drop_after(polls, world.send(story())).await;
        world.settle().await;
        assert_eq!(world.published(), [""; 0]);
        let endings = world.endings();
        match world.journal.count(&Entry::CommitBegun(0)) {
            0 => assert_undone(&world),
            _ => assert_eq!(endings, [Ending::CommitFailed], "it was not interrupted"),
        }
        if answer.is_some() {
            return;
        }
    }
}

async fn what_is_undelivered_goes_to_the_hook_although_the_sender_has_gone(way: Way) {
    for polls in 0.. {
        let told = Arc::new(Mutex::new(Vec::new()));
        let telling = told.clone();
        let hook = move |undelivered: diator::Undelivered| {
            let unsent = undelivered.messages().iter().filter_map(|again| again.message.key.clone());
            telling.lock().expect("no test panics here").extend(unsent);
        };
        let world = World::with(way, |builder, _| builder.on_undelivered(hook));
        slow_container(&world);
        world.broker.yielding(1);
        world.broker.memory().refuse(PublishErrorKind::Fatal);
        let answer = drop_after(polls, world.send(story())).await;
        world.settle().await;
        let mut told = told.lock().expect("no test panics here").clone();
        told.sort_unstable();
        match world.journal.count(&Entry::CommitBegun(0)) {
            0 => assert_eq!(told, [""; 0]),
            _ => assert_eq!(told, ["1", "2", "3", "4", "settled"], "each of them once"),
        }
        if answer.is_some() {
            return;
        }
    }
}
