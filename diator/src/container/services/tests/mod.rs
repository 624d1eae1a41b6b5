mod ending;
mod modules;
mod providing;
mod replacing;
mod waiting;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::super::{Closing, CommitOutcome, Scope};
use super::*;

struct A(usize);
struct B(Arc<A>);
trait Number: Send + Sync {
    fn number(&self) -> usize;
}
impl Number for A {
    fn number(&self) -> usize {
        self.0
    }
}

/// Counts how often a factory ran; the count is what it built.
fn counting() -> (Arc<AtomicUsize>, impl Fn(&ServiceScope<'_>) -> Result<A, BoxError> + Send + Sync) {
    let count = Arc::new(AtomicUsize::new(0));
    let factory = {
        let count = count.clone();
        move |_: &ServiceScope<'_>| Ok(A(count.fetch_add(1, Ordering::SeqCst) + 1))
    };
    (count, factory)
}

fn open(services: &Services) -> Box<dyn Scope> {
    let Opening::Ready(Ok(scope)) = services.open(&Meta::new(), MessageKind::Command) else {
        panic!("it opens at once")
    };
    scope
}

async fn get<T: ?Sized + Send + Sync + 'static>(scope: &dyn Scope) -> Result<Arc<T>, String> {
    scope.get::<T>(&Meta::new()).await.map_err(|error| error.to_string())
}

fn singleton<T: ?Sized + Send + Sync + 'static>(services: &Services) -> Result<Arc<T>, String> {
    let mut slot = None;
    let resolved = services.singleton(&DependencyKey::of::<T>(), ServiceSlot::new(&mut slot));
    resolved.map_err(|error| error.to_string()).map(|()| slot.expect("it was put in its place"))
}

fn problems(services: &Services) -> Vec<String> {
    services.validate().unwrap_err().iter().map(ToString::to_string).collect()
}

async fn close(scope: Box<dyn Scope>, outcome: Outcome) -> Result<(), CommitError> {
    match scope.close(outcome) {
        Closing::Ready(closed) => closed,
        Closing::Pending(closing) => closing.await,
    }
}

#[tokio::test]
async fn a_singleton_is_the_same_everywhere_and_built_once() {
    let (count, factory) = counting();
    let services = Services::new().singleton_with(factory);
    services.validate().unwrap();
    let one = singleton::<A>(&services).unwrap();
    let other = get::<A>(&*open(&services)).await.unwrap();
    assert!(Arc::ptr_eq(&one, &other));
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn values_and_shared_services_are_singletons_too() {
    let services = Services::new().value(7_u8).singleton::<dyn Number>(Arc::new(A(5)));
    assert_eq!(services.lifetime(&DependencyKey::of::<u8>()), Lifetime::Singleton);
    assert_eq!(services.lifetime(&DependencyKey::of::<dyn Number>()), Lifetime::Singleton);
    let scope = open(&services);
    assert_eq!(*get::<u8>(&*scope).await.unwrap(), 7);
    assert_eq!(get::<dyn Number>(&*scope).await.unwrap().number(), 5);
}

#[tokio::test]
async fn a_scoped_service_is_shared_within_its_scope_and_not_across() {
    let (_, factory) = counting();
    let services = Services::new().scoped(factory).scoped(|scope| Ok(B(scope.get()?)));
    assert_eq!(services.lifetime(&DependencyKey::of::<A>()), Lifetime::Scoped);
    let (one, other) = (open(&services), open(&services));
    let a = get::<A>(&*one).await.unwrap();
    assert!(Arc::ptr_eq(&a, &get::<A>(&*one).await.unwrap()));
    assert!(Arc::ptr_eq(&a, &get::<B>(&*one).await.unwrap().0));
    assert!(!Arc::ptr_eq(&a, &get::<A>(&*other).await.unwrap()));
}

#[tokio::test]
async fn a_transient_service_is_new_each_time() {
    let (_, factory) = counting();
    let services = Services::new().transient(factory);
    assert_eq!(services.lifetime(&DependencyKey::of::<A>()), Lifetime::Transient);
    let scope = open(&services);
    assert_eq!((get::<A>(&*scope).await.unwrap().0, get::<A>(&*scope).await.unwrap().0), (1, 2));
}

#[tokio::test]
async fn an_alias_is_the_same_service_with_the_same_lifetime() {
    let (_, factory) = counting();
    let services = Services::new().scoped(factory).alias::<dyn Number, A>(|a| a);
    assert_eq!(services.lifetime(&DependencyKey::of::<dyn Number>()), Lifetime::Scoped);
    let scope = open(&services);
    assert_eq!(get::<dyn Number>(&*scope).await.unwrap().number(), 1);
    assert_eq!(get::<A>(&*scope).await.unwrap().0, 1);
}

#[tokio::test]
async fn an_alias_of_what_takes_time_takes_time() {
    let services = Services::new()
        .scoped_async(|_| async {
            tokio::task::yield_now().await;
            Ok(A(3))
        })
        .alias::<dyn Number, A>(|a| a);
    let scope = open(&services);
    assert_eq!(get::<dyn Number>(&*scope).await.unwrap().number(), 3);
    assert_eq!(get::<dyn Number>(&*scope).await.unwrap().number(), 3);
}

#[tokio::test]
async fn what_is_missing_is_named_with_who_needs_it() {
    let (services, line) = (Services::new().scoped(|scope| Ok(B(scope.get()?))), line!());
    let [a, b] = [std::any::type_name::<A>(), std::any::type_name::<B>()];
    let place = format!("{}:{line}", file!());
    assert_eq!(services.lifetime(&DependencyKey::of::<A>()), Lifetime::Missing);
    let error = get::<B>(&*open(&services)).await.err().unwrap();
    assert_eq!(error, format!("`{a}` is not registered (needed by `{b}`, registered at {place})"));
    assert_eq!(get::<A>(&*open(&services)).await.err().unwrap(), format!("`{a}` is not registered"));
}

#[tokio::test]
async fn an_arc_in_the_place_of_what_it_holds_is_named() {
    let (services, line) = (Services::new().value(Arc::new(A(1))).scoped(|scope| Ok(B(scope.get()?))), line!());
    let error = get::<B>(&*open(&services)).await.err().unwrap();
    let a = std::any::type_name::<A>();
    let hint = format!("`alloc::sync::Arc<{a}>` is registered instead, at {}:{line}: give that `Arc` to", file!());
    assert!(error.contains(&hint), "{error}");
    assert!(Container::hint(&services, &DependencyKey::of::<B>()).is_none());
}

#[tokio::test]
async fn an_optional_service_may_be_missing() {
    struct Asks(Option<Arc<A>>);
    let services = || Services::new().scoped(|scope| Ok(Asks(scope.get_if_registered()?)));
    assert!(get::<Asks>(&*open(&services())).await.unwrap().0.is_none());
    assert!(get::<Asks>(&*open(&services().value(A(1)))).await.unwrap().0.is_some());
    let failing = services().scoped::<A, _>(|_| Err("out of order".into()));
    assert_eq!(get::<Asks>(&*open(&failing)).await.err().unwrap(), "out of order");
}

#[tokio::test]
async fn a_singleton_cannot_have_what_belongs_to_a_message() {
    let (_, factory) = counting();
    let services = Services::new().scoped(factory).singleton_with(|scope| Ok(B(scope.get()?)));
    let [a, b] = [std::any::type_name::<A>(), std::any::type_name::<B>()];
    let expected = format!(
        "the singleton `{b}` cannot be built: the singleton `{b}` needs the scoped service `{a}`: make `{b}` scoped too, \
         or `{a}` a singleton"
    );
    assert_eq!(problems(&services), [expected]);
    let services = Services::new().scoped_async(|_| async { Ok(A(1)) }).singleton_with(|scope| Ok(B(scope.get()?)));
    assert!(problems(&services)[0].contains("needs the scoped service"));
}

struct X(Arc<Y>);
struct Y(Arc<X>);

fn chain(names: &[&str]) -> String {
    format!("a cycle of services: {}; let one of them do without the next", names.join(" -> "))
}

#[tokio::test]
async fn a_cycle_is_an_error_that_shows_the_chain() {
    let [x, y] = [std::any::type_name::<X>(), std::any::type_name::<Y>()];
    let scoped = Services::new().scoped(|scope| Ok(X(scope.get()?))).scoped(|scope| Ok(Y(scope.get()?)));
    assert_eq!(get::<X>(&*open(&scoped)).await.err().unwrap(), chain(&[x, y, x]));
    let transient = Services::new().transient(|scope| Ok(X(scope.get()?))).transient(|scope| Ok(Y(scope.get()?)));
    assert_eq!(get::<Y>(&*open(&transient)).await.err().unwrap(), chain(&[y, x, y]));
    let singleton =
        Services::new().singleton_with(|scope| Ok(X(scope.get()?))).singleton_with(|scope| Ok(Y(scope.get()?)));
    assert!(problems(&singleton)[0].ends_with(&chain(&[x, y, x])), "{:?}", problems(&singleton));
    let slow = Services::new()
        .scoped_async(|scope| async move { Ok(X(scope.resolve().await?)) })
        .scoped_async(|scope| async move { Ok(Y(scope.resolve().await?)) });
    assert_eq!(get::<X>(&*open(&slow)).await.err().unwrap(), chain(&[x, y, x]));
    // What the fields are for.
    let _ = |x: X, y: Y| (x.0, y.0);
}

#[tokio::test]
async fn aliases_that_lead_in_a_circle_or_nowhere_are_problems() {
    trait Other: Send + Sync {}
    let circle = Services::new()
        .alias::<dyn Number, dyn Other>(|_| Arc::new(A(0)))
        .alias::<dyn Other, dyn Number>(|_| unreachable!("nobody gets this far"));
    assert_eq!(circle.lifetime(&DependencyKey::of::<dyn Number>()), Lifetime::Unknown);
    assert_eq!(problems(&circle).len(), 2);
    assert!(get::<dyn Number>(&*open(&circle)).await.err().unwrap().starts_with("a cycle of services"));

    let nowhere = Services::new().alias::<dyn Number, A>(|a| a);
    assert_eq!(nowhere.lifetime(&DependencyKey::of::<dyn Number>()), Lifetime::Missing);
    assert!(problems(&nowhere)[0].ends_with("which is not registered"));
}

#[tokio::test]
async fn what_takes_time_must_be_awaited() {
    let services = Services::new().scoped_async(|_| async { Ok(A(1)) }).scoped(|scope| Ok(B(scope.get()?)));
    let scope = open(&services);
    let error = get::<B>(&*scope).await.err().unwrap();
    assert!(error.contains("takes time to build: ask for it with `resolve`"), "{error}");
    // Once it is there, it takes no time any more.
    get::<A>(&*scope).await.unwrap();
    assert_eq!(get::<B>(&*scope).await.unwrap().0.0, 1);
}

#[tokio::test]
async fn several_who_ask_at_once_get_one_service_that_takes_time() {
    let count = Arc::new(AtomicUsize::new(0));
    let services = Services::new().scoped_async({
        let count = count.clone();
        move |_| {
            let count = count.clone();
            async move {
                tokio::task::yield_now().await;
                Ok(A(count.fetch_add(1, Ordering::SeqCst)))
            }
        }
    });
    let scope = open(&services);
    let (a, b, c, d) = tokio::join!(get::<A>(&*scope), get::<A>(&*scope), get::<A>(&*scope), get::<A>(&*scope));
    assert!([b, c, d].into_iter().all(|other| Arc::ptr_eq(a.as_ref().unwrap(), &other.unwrap())));
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[test]
fn several_threads_that_ask_at_once_get_one_service() {
    let count = Arc::new(AtomicUsize::new(0));
    let slow = {
        let count = count.clone();
        move |_: &ServiceScope<'_>| {
            thread::sleep(Duration::from_millis(20));
            Ok(A(count.fetch_add(1, Ordering::SeqCst)))
        }
    };
    for services in [Services::new().scoped(slow.clone()), Services::new().singleton_with(slow)] {
        count.store(0, Ordering::SeqCst);
        let (scope, meta) = (open(&services), Meta::new());
        let ask = || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let mut slot = None;
            match scope.resolve(&DependencyKey::of::<A>(), &meta, ServiceSlot::new::<A>(&mut slot)) {
                Resolving::Ready(resolved) => resolved.unwrap(),
                Resolving::Pending(resolving) => runtime.block_on(resolving).unwrap(),
            }
            slot.unwrap()
        };
        let got: Vec<_> = thread::scope(|threads| {
            let asking: Vec<_> = (0..4).map(|_| threads.spawn(ask)).collect();
            asking.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(got.iter().all(|other| Arc::ptr_eq(&got[0], other)));
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_factory_that_fails_or_panics_runs_again_for_the_next() {
    let attempts = Arc::new(AtomicUsize::new(0));
    let services = Services::new().scoped({
        let attempts = attempts.clone();
        move |_| match attempts.fetch_add(1, Ordering::SeqCst) {
            0 => Err("not yet".into()),
            1 => panic!("worse"),
            attempt => Ok(A(attempt)),
        }
    });
    let scope = open(&services);
    assert_eq!(get::<A>(&*scope).await.err().unwrap(), "not yet");
    assert!(crate::panic::catch_panic(get::<A>(&*scope)).await.is_err());
    assert_eq!(get::<A>(&*scope).await.unwrap().0, 2);
}

#[tokio::test]
async fn registering_again_replaces_and_a_module_replaces_too() {
    let services = Services::new().value(1_u8).value(2_u8);
    assert_eq!(*singleton::<u8>(&services).unwrap(), 2);
    let services = services.extend(Services::new().value(3_u8).value("text"));
    assert_eq!(*singleton::<u8>(&services).unwrap(), 3);
    assert_eq!(*singleton::<&str>(&services).unwrap(), "text");
}

#[tokio::test]
async fn a_changed_clone_builds_its_singletons_anew() {
    let services = Services::new().value(1_usize).singleton_with(|scope| Ok(A(*scope.get::<usize>()?)));
    assert_eq!(singleton::<A>(&services).unwrap().0, 1);
    assert_eq!(singleton::<A>(&services.clone().value(2_usize)).unwrap().0, 2);
    assert!(Arc::ptr_eq(&singleton::<A>(&services).unwrap(), &singleton::<A>(&services.clone()).unwrap()));
}

#[tokio::test]
async fn the_messages_meta_can_be_asked_for() {
    struct Id(uuid::Uuid);
    let services = Services::new()
        .scoped(|scope| Ok(Id(scope.meta().message_id())))
        .scoped_async(|scope| async move { Ok(scope.meta().message_id()) });
    assert_eq!(services.lifetime(&DependencyKey::of::<Meta>()), Lifetime::Scoped);
    let (scope, meta) = (open(&services), Meta::new());
    let ids = [
        scope.get::<uuid::Uuid>(&meta).await.map(|id| *id).unwrap(),
        scope.get::<Id>(&meta).await.unwrap().0,
        scope.get::<Meta>(&meta).await.unwrap().message_id(),
    ];
    assert_eq!(ids, [meta.message_id(); 3]);
}

type Closed = Arc<Mutex<Vec<(&'static str, Outcome)>>>;

/// Two services that note how they are closed; `A` fails to do so if `fails`.
fn closing(closed: &Closed, fails: bool) -> Services {
    let note = |name: &'static str, fails: bool, outcome: Outcome, closed: Closed| async move {
        closed.lock().unwrap().push((name, outcome));
        if fails { Err(CommitError::rolled_back("no disk")) } else { Ok(()) }
    };
    let (for_a, for_b) = (closed.clone(), closed.clone());
    Services::new()
        .scoped(|_| Ok(A(0)))
        .scoped(|scope| Ok(B(scope.get()?)))
        .on_close(move |_: Arc<A>, outcome| note("a", fails, outcome, for_a.clone()))
        .on_close(move |_: Arc<B>, outcome| note("b", false, outcome, for_b.clone()))
}

#[tokio::test]
async fn closing_calls_what_was_built_the_last_first() {
    let closed = Closed::default();
    let services = closing(&closed, false);
    for outcome in [Outcome::Success, Outcome::Failure] {
        let scope = open(&services);
        get::<B>(&*scope).await.unwrap();
        close(scope, outcome).await.unwrap();
        assert_eq!(std::mem::take(&mut *closed.lock().unwrap()), [("b", outcome), ("a", outcome)]);
    }
}

#[tokio::test]
async fn what_was_not_built_is_not_closed() {
    let closed = Closed::default();
    let services = closing(&closed, false);
    let scope = open(&services);
    assert!(matches!(scope.close(Outcome::Success), Closing::Ready(Ok(()))));
    let scope = open(&services);
    get::<A>(&*scope).await.unwrap();
    close(scope, Outcome::Success).await.unwrap();
    assert_eq!(*closed.lock().unwrap(), [("a", Outcome::Success)]);
}

#[tokio::test]
async fn if_one_cannot_commit_the_rest_rolls_back() {
    let closed = Closed::default();
    let services = closing(&closed, true).scoped(|_| Ok(7_u8)).on_close({
        let closed = closed.clone();
        move |_: Arc<u8>, outcome| {
            closed.lock().unwrap().push(("u8", outcome));
            std::future::ready(Ok(()))
        }
    });
    let scope = open(&services);
    get::<u8>(&*scope).await.unwrap();
    get::<A>(&*scope).await.unwrap();
    let error = close(scope, Outcome::Success).await.unwrap_err();
    assert_eq!(error.outcome(), CommitOutcome::RolledBack);
    assert_eq!(*closed.lock().unwrap(), [("a", Outcome::Success), ("u8", Outcome::Failure)]);
}

#[tokio::test]
async fn if_another_has_committed_the_outcome_is_unknown() {
    let closed = Closed::default();
    let services = closing(&closed, true);
    let scope = open(&services);
    get::<B>(&*scope).await.unwrap();
    let error = close(scope, Outcome::Success).await.unwrap_err();
    assert_eq!(error.outcome(), CommitOutcome::Unknown);
    assert_eq!(error.into_source().to_string(), "no disk");
}

#[tokio::test]
async fn dropping_a_scope_drops_its_services_and_closes_nothing() {
    let closed = Closed::default();
    let services = closing(&closed, false);
    let scope = open(&services);
    let weak = Arc::downgrade(&get::<A>(&*scope).await.unwrap());
    assert!(weak.upgrade().is_some());
    drop(scope);
    assert!(weak.upgrade().is_none());
    assert!(closed.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_factory_that_keeps_its_scope_does_not_keep_the_services() {
    struct Keeps(OwnedServiceScope);
    let services = Services::new().scoped(|_| Ok(A(0))).scoped_async(|scope| async move { Ok(Keeps(scope)) });
    let scope = open(&services);
    let weak = Arc::downgrade(&get::<A>(&*scope).await.unwrap());
    get::<Keeps>(&*scope).await.unwrap().0.resolve::<A>().await.unwrap();
    drop(scope);
    assert!(weak.upgrade().is_none());
}
