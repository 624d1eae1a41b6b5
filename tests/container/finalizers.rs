//! The finalizers of froodi run when the message has ended.

use std::sync::Arc;

use diator::container::Enlistment;
use diator::{Mediator, Meta};
use diator_testkit::container::{Probe, Session, Work, Write, handlers};
use diator_testkit::drop_after;
use froodi::DefaultScope::{App, Request};
use froodi::{Container, Inject, Registry, async_impl, declare, instance, registry};

/// A unit of work, a finalizer, and another that is asynchronous.
fn services(probe: &Probe, sessions: Registry) -> Registry {
    let work = registry! {
        scope(App) [
            provide(instance(probe.clone())),
        ],
        scope(Request) [
            provide(declare::<Enlistment>()),
            provide(
                |Inject(probe): Inject<Probe>, Inject(enlistment): Inject<Enlistment>| {
                    Ok(Work::enlisted(&probe, &enlistment))
                },
                finalizer = { let probe = probe.clone(); move |_: Arc<Work>| probe.note("work finalised") },
            ),
        ],
    };
    registry! { extend(work.into_registry(), sessions) }.into_registry()
}

fn sessions(probe: &Probe) -> Registry {
    registry! {
        scope(Request) [
            provide(declare::<Probe>()),
            provide(declare::<Meta>()),
            provide(
                |Inject(probe): Inject<Probe>, Inject(meta): Inject<Meta>| Ok(Session::of(&probe, meta)),
                finalizer = { let probe = probe.clone(); move |_: Arc<Session>| probe.note("session finalised") },
            ),
        ],
    }
    .into_registry()
}

fn async_sessions(probe: &Probe) -> Registry {
    let finalised = probe.clone();
    registry! {
        scope(Request) [
            provide(declare::<Probe>()),
            provide(declare::<Meta>()),
            provide(
                |Inject(probe): Inject<Probe>, Inject(meta): Inject<Meta>| async move { Ok(Session::of(&probe, meta)) },
                finalizer = move |_: Arc<Session>| {
                    let probe = finalised.clone();
                    async move { probe.note("session finalised") }
                },
            ),
        ],
    }
    .into_registry()
}

fn mediator(container: impl diator::Container) -> Mediator {
    Mediator::builder().handlers(handlers()).container(container).build().unwrap()
}

#[tokio::test]
async fn they_run_after_the_commit_the_last_built_first() {
    let probe = Probe::default();
    let mediator = mediator(Container::new(services(&probe, sessions(&probe))));
    mediator.send(Write::Succeed).await.unwrap();
    let finalised = ["session finalised", "work finalised", "session dropped"];
    assert_eq!(probe.take(), [&["write something", "commit"], &finalised[..]].concat());
    mediator.send(Write::Fail).await.unwrap_err();
    assert_eq!(probe.take(), [&["write something", "roll back"], &finalised[..]].concat());
}

#[tokio::test]
async fn they_run_if_the_message_is_dropped() {
    let probe = Probe::default();
    let mediator = mediator(Container::new(services(&probe, sessions(&probe))));
    assert!(drop_after(2, mediator.send(Write::Hang)).await.is_none());
    assert_eq!(probe.take(), ["write something", "session finalised", "work finalised", "session dropped"]);
}

#[tokio::test]
async fn asynchronous_ones_are_awaited() {
    let probe = Probe::default();
    let mediator = mediator(async_impl::Container::new(services(&probe, async_sessions(&probe))));
    mediator.send(Write::Succeed).await.unwrap();
    let notes = probe.take();
    assert_eq!(notes[..2], ["write something", "commit"]);
    assert!(
        notes.contains(&"session finalised".to_owned()) && notes.contains(&"work finalised".to_owned()),
        "{notes:?}"
    );
}

#[tokio::test]
async fn asynchronous_ones_do_not_run_if_the_message_is_dropped() {
    let probe = Probe::default();
    let mediator = mediator(async_impl::Container::new(services(&probe, async_sessions(&probe))));
    assert!(drop_after(2, mediator.send(Write::Hang)).await.is_none());
    let mut notes = probe.take();
    notes.sort();
    assert_eq!(notes, ["session dropped", "work finalised", "write something"]);
}
