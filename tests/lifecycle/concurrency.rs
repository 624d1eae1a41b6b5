//! Many messages at once: each happens entirely or not at all, and none gets into another's unit of work.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use diator::SendError;
use diator_testkit::{drop_after, yields};
use diator_tests::{Ending, Entry, Pace};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::messages::{Act, act, announced, happened, happened_then, refuse};
use super::world::{Sent, Way, World};

const TASKS: usize = 64;
const MESSAGES: usize = 20;

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Succeeds,
    HandlerFails,
    NestedFails,
    EventFails,
    GivenUp,
}

impl Fate {
    const ALL: [Self; 5] = [Self::Succeeds, Self::HandlerFails, Self::NestedFails, Self::EventFails, Self::GivenUp];
}

/// Emits four events from four places, two of them nested, all under one label.
fn busy(label: String, fate: Fate) -> Act {
    act(move |cx| {
        Box::pin(async move {
            cx.emit(announced(&label));
            cx.emit(happened(&label));
            cx.send(nested(label.clone(), fate)).await?;
            yields(1).await;
            cx.emit(announced(&label));
            if fate == Fate::HandlerFails { refuse("in the handler") } else { Ok(1) }
        })
    })
}

fn nested(label: String, fate: Fate) -> Act {
    act(move |cx| {
        Box::pin(async move {
            cx.emit(announced(&label));
            cx.emit(happened_then(label.clone(), move |cx| {
                let label = label.clone();
                Box::pin(async move {
                    yields(1).await;
                    cx.emit(announced(label));
                    if fate == Fate::EventFails { Err("in the event's handler".into()) } else { Ok(()) }
                })
            }));
            if fate == Fate::NestedFails { refuse("in the nested handler") } else { Ok(1) }
        })
    })
}

/// Sends one message, and says whether it has happened; `None` if the sender went away and cannot know.
async fn send_one(world: &World, label: String, fate: Fate, number: usize) -> Option<bool> {
    let sending = world.send(busy(label, fate));
    let sent = match fate {
        Fate::GivenUp => drop_after(number, sending).await?,
        _ => sending.await,
    };
    assert_fate(fate, &sent);
    Some(sent.is_ok())
}

fn assert_fate(fate: Fate, sent: &Sent) {
    let as_expected = match fate {
        Fate::Succeeds | Fate::GivenUp => sent.is_ok(),
        Fate::HandlerFails | Fate::NestedFails => matches!(sent, Err(SendError::Handler(_))),
        Fate::EventFails => matches!(sent, Err(SendError::Event { .. })),
    };
    assert!(as_expected, "{fate:?}: {sent:?}");
}

/// Sends messages of every fate from many tasks, and returns what became of each label.
async fn send_from_many_tasks(world: &Arc<World>) -> HashMap<String, Option<bool>> {
    let start = Arc::new(Barrier::new(TASKS));
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let (world, start) = (world.clone(), start.clone());
        tasks.spawn(async move {
            start.wait().await;
            let mut results = Vec::new();
            for number in 0..MESSAGES {
                let label = format!("{task}.{number}");
                let fate = Fate::ALL[(task + number) % Fate::ALL.len()];
                results.push((label.clone(), send_one(&world, label, fate, number).await));
            }
            results
        });
    }
    tasks.join_all().await.into_iter().flatten().collect()
}

/// How often each label was published.
fn published(world: &World) -> HashMap<String, usize> {
    let mut published = HashMap::new();
    for label in world.published() {
        *published.entry(label).or_default() += 1;
    }
    published
}

async fn many_tasks_lose_and_invent_nothing(way: Way) {
    let world = Arc::new(World::new(way));
    world.container.open(Pace::Yielding(1));
    world.container.close(Pace::Yielding(1));
    let results = send_from_many_tasks(&world).await;
    world.settle().await;

    let mut published = published(&world);
    let mut happened = 0;
    for (label, result) in results {
        let times = published.remove(&label).unwrap_or_default();
        match result {
            Some(true) => assert_eq!(times, 4, "{label} has succeeded"),
            Some(false) => assert_eq!(times, 0, "{label} has failed"),
            None => assert!(times == 0 || times == 4, "{label} was given up, and was published {times} times"),
        }
        happened += usize::from(times > 0);
    }
    assert!(published.is_empty(), "nobody emitted these: {published:?}");
    let committed = world.endings().iter().filter(|ending| **ending == Ending::Committed).count();
    assert_eq!(committed, if way.scoped { happened } else { 0 }, "one commit for each message that happened");
}

macro_rules! many_tasks {
    ($($name:ident $way:ident),+) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $name() {
            let test = many_tasks_lose_and_invent_nothing(Way::$way);
            tokio::time::timeout(Duration::from_secs(120), test).await.expect("the test hangs");
        }
    )+ };
}

many_tasks!(
    many_tasks_send SEND,
    many_tasks_send_scoped SEND_SCOPED,
    many_tasks_send_through_middleware SEND_THROUGH_MIDDLEWARE,
    many_tasks_send_dyn SEND_DYN,
    many_tasks_send_dyn_scoped SEND_DYN_SCOPED,
    many_tasks_send_nested NESTED,
    many_tasks_send_nested_scoped NESTED_SCOPED,
    many_tasks_send_nested_dyn NESTED_DYN
);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn messages_that_nest_at_once_keep_their_scopes_apart() {
    let world = Arc::new(World::new(Way::SEND_SCOPED));
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let (world, journal) = (world.clone(), world.journal.clone());
        tasks.spawn(async move {
            let nesting = act(move |cx| {
                Box::pin(async move {
                    journal.note(format!("task {task}"));
                    cx.send(super::messages::KeepBooks).await.expect("it succeeds");
                    yields(3).await;
                    cx.send_dyn(super::messages::KeepBooks).await.expect("it succeeds");
                    Ok(1)
                })
            });
            world.send(nesting).await.expect("it succeeds");
        });
    }
    tasks.join_all().await;
    assert_eq!(world.endings(), [Ending::Committed; TASKS]);
    for scope in 0..TASKS {
        let kept = world.journal.count(&Entry::note(format!("kept in scope {scope}")));
        assert_eq!(kept, 2, "both nested requests of one message run in its scope {scope}");
    }
}
