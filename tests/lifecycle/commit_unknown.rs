//! A commit that a middleware lets go of: it goes on, so that nobody may say that it did not happen.

use std::future::poll_fn;
use std::task::Poll;

use diator::Committed;
use diator::middleware::{Answered, Call, MessageInfo, Middleware, Next};
use diator_tests::{Ending, Entry, Journal, Pace};

use super::messages::{Act, Booked, act, announced, done, settled};
use super::world::{Way, World, every_way};

every_way! {
    /// Of an error that is not committed, nothing that the message did was kept.
    what_a_middleware_drops_while_it_commits_is_not_denied,
    what_a_middleware_forgets_while_it_commits_is_not_denied,
    what_a_middleware_waits_for_is_known,
}

/// What the middleware does with a message that commits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Drop,
    Forget,
    Wait,
}

/// Refuses the message from outside while it commits.
struct Hasty {
    root: &'static str,
    manner: Manner,
    journal: Journal,
}

#[diator::async_trait]
impl Middleware for Hasty {
    fn applies_to(&self, info: &MessageInfo) -> bool {
        info.message == self.root
    }

    async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
        if self.manner == Manner::Wait {
            return next.run(call).await;
        }
        let mut handling = Box::pin(next.run(call));
        while self.journal.count(&Entry::CommitBegun(0)) == 0 {
            let polled = poll_fn(|cx| Poll::Ready(handling.as_mut().poll(cx))).await;
            assert!(polled.is_pending(), "the commit takes its time");
            tokio::task::yield_now().await;
        }
        match self.manner {
            Manner::Forget => std::mem::forget(handling),
            Manner::Drop | Manner::Wait => drop(handling),
        }
        call.reject("there is no time for it")
    }
}

fn world(way: Way, manner: Manner) -> World {
    let root = if way.is_nested() { "Relay" } else { "Act" };
    let world =
        World::with(way, |builder, journal| builder.middleware(Hasty { root, manner, journal: journal.clone() }));
    world.container.close(Pace::Yielding(5));
    world
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

async fn assert_not_denied(way: Way, manner: Manner) {
    let world = world(way, manner);
    let Err(error) = world.send(everything()).await else { panic!("it is refused") };
    world.settle().await;
    assert_eq!(world.published(), ["announced"], "what follows the commit goes on");
    assert_eq!(world.journal.endings()[0], Ending::Committed);
    assert_ne!(error.committed(), Committed::No, "a commit that happened is denied: {error:?}");
}

async fn what_a_middleware_drops_while_it_commits_is_not_denied(way: Way) {
    assert_not_denied(way, Manner::Drop).await;
}

async fn what_a_middleware_forgets_while_it_commits_is_not_denied(way: Way) {
    assert_not_denied(way, Manner::Forget).await;
}

async fn what_a_middleware_waits_for_is_known(way: Way) {
    let world = world(way, Manner::Wait);
    assert_eq!(world.send(everything()).await.expect("it succeeds"), 1);
    world.settle().await;
    assert_eq!(world.published(), ["announced"]);
}
