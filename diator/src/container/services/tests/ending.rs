use tokio::sync::Notify;

use super::*;

/// A service through which its message's services can be asked for later.
struct Keeps(OwnedServiceScope);

#[tokio::test]
async fn nothing_scoped_is_built_after_the_scope_is_closed() {
    let closed = Arc::new(AtomicUsize::new(0));
    let c = closed.clone();
    let services = Services::new()
        .scoped(|_| Ok(A(0)))
        .on_close(move |_: Arc<A>, _| {
            c.fetch_add(1, Ordering::SeqCst);
            async { Ok(()) }
        })
        .scoped_async(|scope| async move { Ok(Keeps(scope)) });
    let scope = open(&services);
    let keeps = get::<Keeps>(&*scope).await.unwrap();
    assert!(matches!(scope.close(Outcome::Success), Closing::Ready(Ok(()))));
    let late = keeps.0.resolve::<A>().await;
    assert!(late.is_err(), "built after the close; on_close called {} times", closed.load(Ordering::SeqCst));
}

#[tokio::test]
async fn what_is_still_being_built_at_the_close_is_not_kept() {
    let go = Arc::new(Notify::new());
    let g = go.clone();
    let services = Services::new().scoped_async(|scope| async move { Ok(Keeps(scope)) }).scoped_async(move |_| {
        let g = g.clone();
        async move {
            g.notified().await;
            Ok(A(1))
        }
    });
    let scope = open(&services);
    let keeps = get::<Keeps>(&*scope).await.unwrap();
    let slow = tokio::spawn(async move { keeps.0.resolve::<A>().await.map_err(|e| e.to_string()) });
    tokio::task::yield_now().await;
    drop(scope);
    go.notify_one();
    let late = slow.await.unwrap();
    assert!(late.is_err(), "handed out after the close: it would neither commit nor be known of");
}

#[tokio::test]
async fn what_a_panic_leaves_unclosed_is_dropped() {
    struct Noisy(Arc<Mutex<Vec<&'static str>>>);
    impl Drop for Noisy {
        fn drop(&mut self) {
            self.0.lock().unwrap().push("dropped");
        }
    }
    let log = Arc::new(Mutex::new(vec![]));
    let l = log.clone();
    let services = Services::new()
        .scoped(move |_| Ok(Noisy(l.clone())))
        .on_close(|n: Arc<Noisy>, _| async move {
            n.0.lock().unwrap().push("closed");
            Ok(())
        })
        .scoped(|_| Ok(A(0)))
        .on_close(|_: Arc<A>, _| async { panic!("closer") });
    let scope = open(&services);
    get::<Noisy>(&*scope).await.unwrap();
    get::<A>(&*scope).await.unwrap();
    let Closing::Pending(closing) = scope.close(Outcome::Success) else { panic!() };
    assert!(tokio::spawn(closing).await.unwrap_err().is_panic());
    assert_eq!(*log.lock().unwrap(), ["dropped"]);
}
