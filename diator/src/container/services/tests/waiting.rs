use std::sync::Barrier;
use std::sync::mpsc;

use super::*;

/// Runs it on another thread, and fails instead of hanging.
fn within<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(run()));
    receiver.recv_timeout(Duration::from_secs(5)).expect("it hangs, or panicked")
}

#[test]
fn cycle_across_two_threads_is_no_deadlock() {
    within(|| {
        let met = Arc::new(Barrier::new(2));
        let (m1, m2) = (met.clone(), met);
        let n = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
        let (n1, n2) = (n.clone(), n);
        let services = Services::new()
            .scoped(move |s| {
                if n1.0.fetch_add(1, Ordering::SeqCst) == 0 {
                    m1.wait();
                }
                Ok(X(s.get()?))
            })
            .scoped(move |s| {
                if n2.1.fetch_add(1, Ordering::SeqCst) == 0 {
                    m2.wait();
                }
                Ok(Y(s.get()?))
            });
        let scope = open(&services);
        let meta = Meta::new();
        thread::scope(|t| {
            let x = t.spawn(|| {
                let mut p = None;
                matches!(
                    scope.resolve(&DependencyKey::of::<X>(), &meta, ServiceSlot::new::<X>(&mut p)),
                    Resolving::Ready(Err(_))
                )
            });
            let y = t.spawn(|| {
                let mut p = None;
                matches!(
                    scope.resolve(&DependencyKey::of::<Y>(), &meta, ServiceSlot::new::<Y>(&mut p)),
                    Resolving::Ready(Err(_))
                )
            });
            assert!(x.join().unwrap() && y.join().unwrap());
        });
    });
}

#[tokio::test(start_paused = true)]
async fn async_cycle_across_two_askers_is_no_deadlock() {
    let services = Services::new()
        .scoped_async(|s| async move {
            tokio::task::yield_now().await;
            Ok(X(s.resolve().await?))
        })
        .scoped_async(|s| async move {
            tokio::task::yield_now().await;
            Ok(Y(s.resolve().await?))
        });
    let scope = open(&services);
    let both = async { tokio::join!(get::<X>(&*scope), get::<Y>(&*scope)) };
    let (x, y) = tokio::time::timeout(Duration::from_secs(60), both).await.expect("it hangs");
    let (x, y) = (x.err().unwrap(), y.err().unwrap());
    assert!(x.contains("cycle") && y.contains("cycle"));
}

#[tokio::test]
async fn a_mixed_cycle_shows_the_whole_chain() {
    let services =
        Services::new().scoped_async(|s| async move { Ok(X(s.resolve().await?)) }).scoped(|s| Ok(Y(s.get()?)));
    let e = get::<X>(&*open(&services)).await.err().unwrap();
    let [x, y] = [std::any::type_name::<X>(), std::any::type_name::<Y>()];
    assert!(e.contains(&format!("{x} -> {y} -> {x}")), "{e}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn async_panic_and_cancellation_leave_the_cell_empty() {
    let n = Arc::new(AtomicUsize::new(0));
    let m = n.clone();
    let services = Services::new().scoped_async(move |_| {
        let i = m.fetch_add(1, Ordering::SeqCst);
        async move {
            match i {
                0 => panic!("no"),
                1 => std::future::pending().await,
                2 => return Err("bad".into()),
                _ => {}
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok::<_, BoxError>(A(i))
        }
    });
    let scope: Arc<dyn Scope> = Arc::from(open(&services));
    let s = scope.clone();
    assert!(tokio::spawn(async move { get::<A>(&*s).await.map(|_| ()) }).await.unwrap_err().is_panic());
    assert!(tokio::time::timeout(Duration::from_millis(10), get::<A>(&*scope)).await.is_err());
    assert!(get::<A>(&*scope).await.is_err());
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let s = scope.clone();
            tokio::spawn(async move { get::<A>(&*s).await.unwrap().0 })
        })
        .collect();
    for t in tasks {
        assert_eq!(t.await.unwrap(), 3);
    }
}

#[test]
fn sync_waiters_do_not_starve_the_runtime() {
    within(|| {
        let rt = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
        rt.block_on(async {
            let services = Services::new().scoped(|_| {
                tokio::task::block_in_place(|| {
                    tokio::runtime::Handle::current().block_on(tokio::time::sleep(Duration::from_millis(50)));
                });
                Ok(A(1))
            });
            let scope: Arc<dyn Scope> = Arc::from(open(&services));
            let tasks: Vec<_> = (0..8)
                .map(|_| {
                    let scope = scope.clone();
                    tokio::spawn(async move { get::<A>(&*scope).await.unwrap().0 })
                })
                .collect();
            for t in tasks {
                assert_eq!(t.await.unwrap(), 1);
            }
        });
    });
}
