use std::collections::HashSet;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::thread;

use diator::container::{DependencyKey, Lifetime, Opening};
use diator::registry::{Problem, ProblemKind};
use diator::{BuildError, Container, Mediator, Meta, SendError};
use diator_testkit::drop_after;
use tokio::task::JoinSet;

use super::Driver;
use super::handlers::{self, BeFaulty, CarryOn, Look, NeedAbsent, PanicFactory, Seen, TakeSteps, Write};
use super::services::{Absent, Clock, Config, Probe, Repository, Session, Stamp};

fn mediator<D: Driver>() -> (Mediator, Probe) {
    let probe = Probe::default();
    let builder = Mediator::builder().handlers(handlers::all()).container(D::container(probe.clone()));
    (builder.build().unwrap_or_else(|error| panic!("{error}")), probe)
}

async fn look(mediator: &Mediator) -> Seen {
    mediator.send(Look).await.unwrap()
}

pub(crate) async fn the_lifetimes_are_those_that_were_registered<D: Driver>() {
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

pub(crate) async fn the_catalog_tells_the_lifetimes_that_the_container_knows<D: Driver>() {
    let (mediator, _) = mediator::<D>();
    let catalog = mediator.catalog();
    let look = catalog.requests.iter().find(|request| request.name == "Look").unwrap();
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

pub(crate) async fn a_message_gets_all_that_it_asks_for<D: Driver>() {
    let (mediator, probe) = mediator::<D>();
    let meta = Meta::new().with_traceparent("00-1-2-01");
    let message = meta.message_id();
    let seen = mediator.with(meta).send(Look).await.unwrap();
    assert_eq!((seen.session_of_repository, seen.optional_session), (seen.session, Some(seen.session)));
    assert!(!seen.has_absent);
    assert!(seen.probe.is(&probe));
    for meta in seen.metas {
        assert_eq!((meta.message_id(), meta.traceparent()), (message, Some("00-1-2-01")));
    }
}

pub(crate) async fn singletons_are_shared_by_all_messages<D: Driver>() {
    let (mediator, _) = mediator::<D>();
    let (one, other) = (look(&mediator).await, look(&mediator).await);
    assert_eq!((one.config, one.clock), (other.config, other.clock));
    assert_ne!(one.session, other.session);
    let stamps = HashSet::from([one.stamps[0], one.stamps[1], other.stamps[0], other.stamps[1]]);
    assert_eq!(stamps.len(), 4, "a transient service is a new one each time");
}

pub(crate) async fn scoped_services_are_shared_by_all_handlers_of_one_message<D: Driver>() {
    let (mediator, probe) = mediator::<D>();
    let [outer, nested] = mediator.send(TakeSteps).await.unwrap();
    assert_eq!(nested, outer);
    assert_eq!(probe.take(), [outer.to_string(), "session dropped".to_owned()]);
}

pub(crate) async fn concurrent_messages_do_not_share_a_scope<D: Driver>() {
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

pub(crate) async fn a_scoped_service_is_one_also_for_those_who_ask_at_the_same_time<D: Driver>() {
    let container = D::container(Probe::default());
    for _ in 0..50 {
        let meta = Meta::new();
        let scope = match container.open(&meta) {
            Opening::Ready(scope) => scope.unwrap(),
            Opening::Pending(opening) => opening.await.unwrap(),
        };
        let ask = || {
            tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(scope.get::<dyn Repository>(&meta))
        };
        let asked: Vec<_> = thread::scope(|threads| {
            let asking: Vec<_> = (0..4).map(|_| threads.spawn(ask)).collect();
            asking.into_iter().map(|asking| asking.join().unwrap().unwrap()).collect()
        });
        assert!(asked.iter().all(|one| Arc::ptr_eq(one, &asked[0])));
    }
}

pub(crate) async fn what_is_not_registered_is_missed_as_early_as_can_be<D: Driver>() {
    let container = D::container(Probe::default());
    let built = Mediator::builder().handlers(handlers::unresolvable()).container(container).build();
    if D::GUARANTEES.knows_lifetimes {
        assert_eq!(kinds(&built.unwrap_err()), [ProblemKind::MissingDependency]);
        return;
    }
    let error = built.unwrap().send(NeedAbsent).await.unwrap_err();
    let SendError::Resolve { handler, source } = error else { panic!("{error}") };
    let text = source.to_string();
    assert!(handler.ends_with("NeedAbsentHandler"), "{handler}");
    assert!(text.starts_with("field `absent` needs `container::suite::services::Absent`"), "{text}");
    assert!(text.ends_with("the container has no `container::suite::services::Absent`"), "{text}");
}

pub(crate) async fn what_needs_itself_is_refused_before_the_first_message<D: Driver>() {
    let text = match catch_unwind(D::cyclic) {
        Ok(container) => {
            let built = Mediator::builder().handlers(handlers::unresolvable()).container(container).build();
            let problems = built.unwrap_err().problems().to_vec();
            let of_container = problems.iter().filter(|problem| problem.kind() == ProblemKind::Container);
            of_container.map(ToString::to_string).collect()
        }
        Err(panic) => *panic.downcast::<String>().unwrap(),
    };
    assert!(text.contains("Chicken") && text.contains("Egg"), "{text}");
}

fn kinds(error: &BuildError) -> Vec<ProblemKind> {
    error.problems().iter().map(Problem::kind).collect()
}

pub(crate) async fn a_factory_that_fails_or_panics_leaves_the_mediator_usable<D: Driver>() {
    let (mediator, probe) = mediator::<D>();
    if D::GUARANTEES.factories_may_fail {
        probe.spoil(1);
        let error = mediator.send(BeFaulty).await.unwrap_err();
        assert!(
            matches!(&error, SendError::Resolve { .. }) && format!("{error:?}").contains("the factory failed"),
            "{error:?}"
        );
    }
    mediator.send(BeFaulty).await.unwrap();
    probe.spoil(1);
    let panicking = mediator.clone();
    assert!(tokio::spawn(async move { panicking.send(PanicFactory).await }).await.unwrap_err().is_panic());
    mediator.send(PanicFactory).await.unwrap();
}

pub(crate) async fn a_message_that_succeeds_commits<D: Driver>() {
    let (mediator, probe) = mediator::<D>();
    mediator.send(Write::Succeed).await.unwrap();
    let mut notes = probe.take();
    notes.retain(|note| note != "session dropped");
    assert_eq!(notes, ["write something", "commit"]);
}

pub(crate) async fn a_message_that_fails_rolls_back<D: Driver>() {
    let (mediator, probe) = mediator::<D>();
    mediator.send(Write::Fail).await.unwrap_err();
    let mut notes = probe.take();
    notes.retain(|note| note != "session dropped");
    assert_eq!(notes, ["write something", "roll back"]);
}

pub(crate) async fn a_message_that_is_dropped_or_panics_drops_its_services<D: Driver>() {
    let (mediator, probe) = mediator::<D>();
    assert!(drop_after(5, mediator.send(Write::Hang)).await.is_none());
    assert_eq!(probe.take(), ["write something", "session dropped"]);
    let panicking = mediator.clone();
    assert!(tokio::spawn(async move { panicking.send(Write::Panic).await }).await.unwrap_err().is_panic());
    assert_eq!(probe.take(), ["write something", "session dropped"]);
    mediator.send(Write::Succeed).await.unwrap();
}

pub(crate) async fn a_nested_request_that_fails_undoes_its_own_work_only<D: Driver>() {
    let (mediator, probe) = mediator::<D>();
    mediator.send(CarryOn).await.unwrap();
    let mut notes = probe.take();
    notes.retain(|note| note != "session dropped");
    assert_eq!(notes, ["write before", "savepoint", "write something", "roll back to savepoint", "release", "commit"]);
}
