use super::*;

#[tokio::test]
async fn a_module_brings_along_how_its_services_close() {
    let closed = Closed::default();
    let services = Services::new().value(1_u8).extend(closing(&closed, false));
    let scope = open(&services);
    get::<B>(&*scope).await.unwrap();
    close(scope, Outcome::Success).await.unwrap();
    assert_eq!(*closed.lock().unwrap(), [("b", Outcome::Success), ("a", Outcome::Success)]);
}

#[tokio::test]
async fn a_module_added_twice_is_there_once() {
    let closed = Closed::default();
    let module = closing(&closed, false);
    let services = Services::new().extend(module.clone()).extend(module);
    let scope = open(&services);
    get::<A>(&*scope).await.unwrap();
    close(scope, Outcome::Failure).await.unwrap();
    assert_eq!(*closed.lock().unwrap(), [("a", Outcome::Failure)]);
}

#[tokio::test]
async fn modules_may_need_each_other() {
    let one = Services::new().scoped(|_| Ok(A(1)));
    let other = Services::new().scoped(|scope| Ok(B(scope.get()?)));
    for services in [one.clone().extend(other.clone()), other.extend(one)] {
        services.validate().unwrap();
        assert_eq!(get::<B>(&*open(&services)).await.unwrap().0.0, 1);
    }
}

#[tokio::test]
async fn what_is_said_last_of_how_a_service_closes_holds() {
    let closed = Closed::default();
    let services = closing(&closed, true).on_close(|_: Arc<A>, _| async { Ok(()) });
    let scope = open(&services);
    get::<A>(&*scope).await.unwrap();
    close(scope, Outcome::Success).await.unwrap();
    assert!(closed.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_service_replaced_by_another_scoped_one_closes_as_it_did() {
    let closed = Closed::default();
    let services = closing(&closed, false).scoped(|_| Ok(A(9)));
    let scope = open(&services);
    assert_eq!(get::<A>(&*scope).await.unwrap().0, 9);
    close(scope, Outcome::Success).await.unwrap();
    assert_eq!(*closed.lock().unwrap(), [("a", Outcome::Success)]);
}

#[tokio::test]
async fn an_alias_follows_what_it_stands_for() {
    let services = Services::new().scoped(|_| Ok(A(1))).alias::<dyn Number, A>(|a| a);
    let replaced = services.clone().value(A(2));
    assert_eq!(replaced.lifetime(&DependencyKey::of::<dyn Number>()), Lifetime::Singleton);
    assert_eq!(get::<dyn Number>(&*open(&replaced)).await.unwrap().number(), 2);
    // The one that it was cloned from stays what it was.
    assert_eq!(get::<dyn Number>(&*open(&services)).await.unwrap().number(), 1);
}

#[tokio::test]
async fn an_alias_may_be_replaced_by_a_fake() {
    struct Fake;
    impl Number for Fake {
        fn number(&self) -> usize {
            0
        }
    }
    let services = Services::new().scoped(|_| Ok(A(1))).alias::<dyn Number, A>(|a| a);
    let services = services.singleton::<dyn Number>(Arc::new(Fake));
    assert_eq!(get::<dyn Number>(&*open(&services)).await.unwrap().number(), 0);
    assert_eq!(get::<A>(&*open(&services)).await.unwrap().0, 1);
}

#[tokio::test]
async fn a_factory_that_takes_time_may_do_without_a_service() {
    struct Asks(Option<Arc<A>>);
    let services =
        || Services::new().scoped_async(|scope| async move { Ok(Asks(scope.resolve_if_registered().await?)) });
    assert!(get::<Asks>(&*open(&services())).await.unwrap().0.is_none());
    let slow = services().scoped_async(|_| async {
        tokio::task::yield_now().await;
        Ok(A(1))
    });
    assert!(get::<Asks>(&*open(&slow)).await.unwrap().0.is_some());
    let failing = services().scoped_async::<A, _, _>(|_| async { Err("out of order".into()) });
    assert_eq!(get::<Asks>(&*open(&failing)).await.err().unwrap(), "out of order");
}

#[tokio::test]
async fn an_alias_of_what_is_missing_is_missing() {
    struct Asks(bool);
    let services = Services::new()
        .alias::<dyn Number, A>(|a| a)
        .scoped(|scope| Ok(Asks(scope.get_if_registered::<dyn Number>()?.is_some())));
    assert!(!get::<Asks>(&*open(&services)).await.unwrap().0);
}

/// Each asks in a way of its own: for the service, for its alias, and for what needs it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_asks_at_once_in_whatever_way_gets_one_service() {
    let count = Arc::new(AtomicUsize::new(0));
    let services = Services::new()
        .scoped_async({
            let count = count.clone();
            move |_| {
                let count = count.clone();
                async move {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    Ok(A(count.fetch_add(1, Ordering::SeqCst)))
                }
            }
        })
        .alias::<dyn Number, A>(|a| a)
        .scoped_async(|scope| async move { Ok(B(scope.resolve().await?)) });
    for _ in 0..20 {
        count.store(0, Ordering::SeqCst);
        let scope: Arc<dyn Scope> = Arc::from(open(&services));
        let asking: Vec<_> = (0..9)
            .map(|asker| {
                let scope = scope.clone();
                tokio::spawn(async move {
                    match asker % 3 {
                        0 => get::<A>(&*scope).await.map(|a| a.0),
                        1 => get::<dyn Number>(&*scope).await.map(|number| number.number()),
                        _ => get::<B>(&*scope).await.map(|b| b.0.0),
                    }
                })
            })
            .collect();
        for asked in asking {
            assert_eq!(asked.await.unwrap().unwrap(), 0);
        }
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }
}
