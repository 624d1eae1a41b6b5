//! What a program can rely on in every container.
//!
//! Each function is a case: it panics where the container does not do what the case demands.
//! [`container_conformance!`](crate::container_conformance) makes tests of them all.

#![allow(clippy::unused_async, reason = "every case is run alike")]

use std::any::type_name;
use std::collections::HashSet;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::thread;

use diator::container::{CommitOutcome, DependencyKey, Lifetime, Opening};
use diator::registry::{Problem, ProblemKind};
use diator::{BuildError, Container, Mediator, MessageKind, Meta, SendError};
use tokio::task::JoinSet;

use super::Driver;
use super::handlers::{
    BeFaulty, CarryOn, Look, NeedAbsent, PanicFactory, Seen, TakeSteps, TellKind, TellKinds, Write, handlers,
    unresolvable,
};
use super::services::{Absent, Clock, Config, Probe, Repository, Session, Stamp};
use crate::polling::drop_after;

fn mediator<D: Driver>() -> (Mediator, Probe) {
    let probe = Probe::default();
    let builder = Mediator::builder().handlers(handlers()).container(D::container(probe.clone()));
    (builder.build().unwrap_or_else(|error| panic!("{error}")), probe)
}

async fn look(mediator: &Mediator) -> Seen {
    mediator.send(Look).await.expect("the container has all that it needs")
}

/// [`Container::lifetime`] must answer with what was registered, or with [`Lifetime::Unknown`] for every service.
pub async fn the_lifetimes_are_those_that_were_registered<D: Driver>() {
    let container = D::container(Probe::default());
    let expected = [
        (DependencyKey::of::<Probe>(), Lifetime::Singleton),
        (DependencyKey::of::<Config>(), Lifetime::Singleton),
        (DependencyKey::of::<dyn Clock>(), Lifetime::Singleton),
        (DependencyKey::of::<Session>(), Lifetime::Scoped),
        (DependencyKey::of::<dyn Repository>(), Lifetime::Scoped),
        (DependencyKey::of::<Meta>(), Lifetime::Scoped),
        (DependencyKey::of::<Stamp>(), Lifetime::Transient),
        (DependencyKey::of::<Absent>(), Lifetime::Missing),
    ];
    for (key, lifetime) in expected {
        let lifetime = if D::GUARANTEES.knows_lifetimes { lifetime } else { Lifetime::Unknown };
        assert_eq!(container.lifetime(&key), lifetime, "{key:?}");
    }
}

/// The wiring must show the same lifetimes for the fields of a handler.
pub async fn the_catalog_tells_the_lifetimes_that_the_container_knows<D: Driver>() {
    let (mediator, _) = mediator::<D>();
    let wiring = mediator.wiring();
    let look = wiring.requests.iter().find(|request| request.name == "Look").expect("it has a handler");
    let told = look.handlers[0].dependencies.iter().map(|dependency| (dependency.field, dependency.lifetime));
    let known = [
        ("config", Lifetime::Singleton),
        ("clock", Lifetime::Singleton),
        ("session", Lifetime::Scoped),
        ("repository", Lifetime::Scoped),
        ("optional_session", Lifetime::Scoped),
        ("stamp", Lifetime::Transient),
        ("other_stamp", Lifetime::Transient),
        ("absent", Lifetime::Missing),
        ("probe", Lifetime::Singleton),
        ("meta", Lifetime::Scoped),
    ];
    let unknown = known.map(|(field, _)| (field, Lifetime::Unknown));
    assert_eq!(told.collect::<Vec<_>>(), if D::GUARANTEES.knows_lifetimes { known } else { unknown });
}

/// A handler must get each service that it asks for, `None` for one that is not registered, and its message's [`Meta`].
pub async fn a_message_gets_all_that_it_asks_for<D: Driver>() {
    let (mediator, probe) = mediator::<D>();
    let meta = Meta::new().with_traceparent("00-1-2-01");
    let message = meta.message_id();
    let seen = mediator.with(meta).send(Look).await.expect("the container has all that it needs");
    assert_eq!((seen.session_of_repository, seen.optional_session), (seen.session, Some(seen.session)));
    assert!(!seen.has_absent);
    assert!(seen.probe.is(&probe));
    for meta in seen.metas {
        assert_eq!((meta.message_id(), meta.traceparent()), (message, Some("00-1-2-01")));
    }
}

/// A service that is built for a message must be able to learn the kind of the message that the scope was opened for.
pub async fn a_scope_is_told_what_its_message_is<D: Driver>() {
    let (mediator, probe) = mediator::<D>();
    let told = mediator.send(TellKind).await.expect("the container has all that it needs");
    assert_eq!(told, Some(MessageKind::Query));
    assert_eq!(probe.take(), ["commit"]);
    let told = mediator.send(TellKinds).await.expect("the container has all that it needs");
    assert_eq!(told, [Some(MessageKind::Command); 2], "a nested query shares the scope of its command");
    let mut notes = probe.take();
    notes.retain(|note| note != "savepoint" && note != "release");
    assert_eq!(notes, ["command", "commit", "domain_event", "commit"]);
}

/// Two messages must share the singletons, and have scoped and transient services of their own.
pub async fn singletons_are_shared_by_all_messages<D: Driver>() {
    let (mediator, _) = mediator::<D>();
    let (one, other) = (look(&mediator).await, look(&mediator).await);
    assert_eq!((one.config, one.clock), (other.config, other.clock));
    assert_ne!(one.session, other.session);
    let stamps = HashSet::from([one.stamps[0], one.stamps[1], other.stamps[0], other.stamps[1]]);
    assert_eq!(stamps.len(), 4, "a transient service is a new one each time");
}

/// The handlers of a message, of its nested request and of its event must share one scoped service, which is then
/// dropped.
pub async fn scoped_services_are_shared_by_all_handlers_of_one_message<D: Driver>() {
    let (mediator, probe) = mediator::<D>();
    let [outer, nested] = mediator.send(TakeSteps).await.expect("the container has all that it needs");
    assert_eq!(nested, outer);
    assert_eq!(probe.take(), [outer.to_string(), "session dropped".to_owned()]);
}

/// Forty messages at once must have a scope each, and share the singletons.
pub async fn concurrent_messages_do_not_share_a_scope<D: Driver>() {
    let (mediator, _) = mediator::<D>();
    let mut messages = JoinSet::new();
    for _ in 0..40 {
        let mediator = mediator.clone();
        messages.spawn(async move { look(&mediator).await });
    }
    let seen = messages.join_all().await;
    let sessions: HashSet<_> = seen.iter().map(|seen| seen.session).collect();
    let configs: HashSet<_> = seen.iter().map(|seen| seen.config).collect();
    assert_eq!((sessions.len(), configs.len()), (40, 1));
    for seen in seen {
        assert_eq!(seen.session_of_repository, seen.session);
        assert_eq!(seen.metas[0].message_id(), seen.metas[1].message_id());
    }
}

/// Four threads that ask one scope for a service at once must get the same one.
pub async fn a_scoped_service_is_one_also_for_those_who_ask_at_the_same_time<D: Driver>() {
    let container = D::container(Probe::default());
    for _ in 0..50 {
        let meta = Meta::new();
        let scope = match container.open(&meta, MessageKind::Command) {
            Opening::Ready(scope) => scope.expect("a scope can be opened"),
            Opening::Pending(opening) => opening.await.expect("a scope can be opened"),
        };
        let ask = || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            runtime.block_on(scope.get::<dyn Repository>(&meta))
        };
        let asked: Vec<_> = thread::scope(|threads| {
            let asking: Vec<_> = (0..4).map(|_| threads.spawn(ask)).collect();
            asking
                .into_iter()
                .map(|asking| asking.join().expect("it does not panic").expect("it is registered"))
                .collect()
        });
        assert!(asked.iter().all(|one| Arc::ptr_eq(one, &asked[0])));
    }
}

/// A service that is not registered must be a problem of `build()` where lifetimes are known, and else an error of the
/// message that names the field and the service.
pub async fn what_is_not_registered_is_missed_as_early_as_can_be<D: Driver>() {
    let container = D::container(Probe::default());
    let built = Mediator::builder().handlers(unresolvable()).container(container).build();
    if D::GUARANTEES.knows_lifetimes {
        assert_eq!(kinds(&built.expect_err("a service is missing")), [ProblemKind::MissingDependency]);
        return;
    }
    let mediator = built.expect("the container cannot tell yet");
    let error = mediator.send(NeedAbsent).await.expect_err("a service is missing");
    let SendError::Resolve { handler, source } = error else { panic!("{error}") };
    let text = source.to_string();
    assert!(handler.ends_with("NeedAbsentHandler"), "{handler}");
    let absent = type_name::<Absent>();
    assert!(text.starts_with(&format!("field `absent` needs `{absent}`")), "{text}");
    assert!(text.ends_with(&format!("the container has no `{absent}`")), "{text}");
}

/// Two services that need each other must be refused, by name, when the container or the mediator is built.
pub async fn what_needs_itself_is_refused_before_the_first_message<D: Driver>() {
    let text = match catch_unwind(D::cyclic) {
        Ok(container) => {
            let built = Mediator::builder().handlers(unresolvable()).container(container).build();
            let problems = built.expect_err("two services need each other").problems().to_vec();
            let of_container = problems.iter().filter(|problem| problem.kind() == ProblemKind::Container);
            of_container.map(ToString::to_string).collect()
        }
        Err(panic) => match panic.downcast::<&str>() {
            Ok(text) => (*text).to_owned(),
            Err(panic) => *panic.downcast::<String>().expect("the panic has a text"),
        },
    };
    assert!(text.contains("Chicken") && text.contains("Egg"), "{text}");
}

/// In a task of its own, because the panic ends what runs it.
async fn assert_panics<T: Send + 'static>(message: impl Future<Output = T> + Send + 'static) {
    let ended = tokio::spawn(message).await.map(drop);
    assert!(ended.expect_err("it panics").is_panic());
}

fn kinds(error: &BuildError) -> Vec<ProblemKind> {
    error.problems().iter().map(Problem::kind).collect()
}

/// A factory that fails or panics must do so to its message alone, and be asked again for the next one.
pub async fn a_factory_that_fails_or_panics_leaves_the_mediator_usable<D: Driver>() {
    let (mediator, probe) = mediator::<D>();
    if D::GUARANTEES.factories_may_fail {
        probe.spoil(1);
        let error = mediator.send(BeFaulty).await.expect_err("the factory fails");
        assert!(
            matches!(&error, SendError::Resolve { .. }) && format!("{error:?}").contains("the factory failed"),
            "{error:?}"
        );
    }
    mediator.send(BeFaulty).await.expect("the factory succeeds again");
    probe.spoil(1);
    let panicking = mediator.clone();
    assert_panics(async move { panicking.send(PanicFactory).await }).await;
    mediator.send(PanicFactory).await.expect("the factory succeeds again");
}

/// A message that succeeds must commit its unit of work, once.
pub async fn a_message_that_succeeds_commits<D: Driver>() {
    let (mediator, probe) = mediator::<D>();
    mediator.send(Write::Succeed).await.expect("it commits");
    let mut notes = probe.take();
    notes.retain(|note| note != "session dropped");
    assert_eq!(notes, ["write something", "commit"]);
}

/// A message whose handler fails must roll its unit of work back, once.
pub async fn a_message_that_fails_rolls_back<D: Driver>() {
    let (mediator, probe) = mediator::<D>();
    mediator.send(Write::Fail).await.expect_err("its handler fails");
    let mut notes = probe.take();
    notes.retain(|note| note != "session dropped");
    assert_eq!(notes, ["write something", "roll back"]);
}

/// A commit that fails must fail the message, with what is known of the outcome.
pub async fn a_commit_that_fails_is_told<D: Driver>() {
    for outcome in [CommitOutcome::RolledBack, CommitOutcome::Unknown] {
        let (mediator, probe) = mediator::<D>();
        probe.fail_to_commit(outcome);
        match mediator.send(Write::Succeed).await {
            Err(SendError::Commit { outcome: told, source }) => {
                assert_eq!((told, source.to_string().as_str()), (outcome, "the commit failed"));
            }
            other => panic!("the commit failed: {other:?}"),
        }
        mediator.send(Write::Succeed).await.expect("the mediator stays usable");
    }
}

/// A message that is dropped or panics must drop its services, and commit nothing.
pub async fn a_message_that_is_dropped_or_panics_drops_its_services<D: Driver>() {
    let (mediator, probe) = mediator::<D>();
    assert!(drop_after(5, mediator.send(Write::Hang)).await.is_none());
    assert_eq!(probe.take(), ["write something", "session dropped"]);
    let panicking = mediator.clone();
    assert_panics(async move { panicking.send(Write::Panic).await }).await;
    assert_eq!(probe.take(), ["write something", "session dropped"]);
    mediator.send(Write::Succeed).await.expect("it commits");
}

/// A nested request that fails must be undone to its savepoint, and what its caller wrote must be committed.
pub async fn a_nested_request_that_fails_undoes_its_own_work_only<D: Driver>() {
    let (mediator, probe) = mediator::<D>();
    let sent = mediator.send(CarryOn).await;
    let mut notes = probe.take();
    notes.retain(|note| note != "session dropped");
    if !D::GUARANTEES.savepoints {
        // What cannot be undone alone must not be committed.
        assert!(matches!(sent, Err(SendError::RolledBack)), "{sent:?}");
        assert_eq!(notes, ["write before", "write something", "roll back"]);
        return;
    }
    sent.expect("its handler carries on");
    assert_eq!(notes, ["write before", "savepoint", "write something", "roll back to savepoint", "release", "commit"]);
}
