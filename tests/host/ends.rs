use std::future::pending;
use std::time::Duration;

use diator::BoxError;
use diator::host::{HostError, Stop};
use diator::outbox::OutboxStore;
use diator::relay::Relay;
use tokio::time::{Instant, sleep};

use super::world::{Notes, Trouble, TroubledStore, Work, Worked, World};

#[tokio::test(start_paused = true)]
async fn fronts_end_first_then_messages_then_the_relay() {
    let (world, notes) = (World::new(), Notes::default());
    let (front, requests, mediator) = (notes.clone(), notes.clone(), world.mediator.clone());
    let host = world.host().relay(world.relay()).front(move |stop: Stop| async move {
        stop.await;
        // A request that came in before the end, and what it leaves running.
        let background = mediator.clone();
        tokio::spawn(async move {
            let sent = background.send(Work { takes: Duration::from_secs(3) }).await;
            requests.note(format!("the message has ended: {}", sent.is_ok()));
        });
        sleep(Duration::from_secs(2)).await;
        front.note("the front has ended");
        Ok::<_, BoxError>(())
    });
    let begun = Instant::now();
    host.run_until(sleep(Duration::from_secs(1))).await.unwrap();
    assert_eq!(notes.all(), ["the front has ended", "the message has ended: true"]);
    assert_eq!(world.broker.published().len(), 1, "the relay has published what the last message left");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(world.outbox.status().await.unwrap().pending, 0);
}

#[tokio::test(start_paused = true)]
async fn a_front_that_does_not_end_leaves_time_for_the_others() {
    let world = World::new();
    let host =
        world.host().relay(world.relay()).front(|_| pending::<Result<(), BoxError>>()).deadline(Duration::from_secs(8));
    let mediator = world.mediator.clone();
    let begun = Instant::now();
    let stop = async move {
        tokio::spawn(async move { mediator.send(Work { takes: Duration::from_secs(5) }).await });
        sleep(Duration::from_millis(10)).await;
    };
    let error = host.run_until(stop).await.unwrap_err();
    let HostError::Deadline { what: "a front", deadline, .. } = error else { panic!("{error}") };
    assert_eq!(deadline, Duration::from_secs(8));
    assert_eq!(world.broker.published().len(), 1);
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    assert_eq!(error.to_string(), "a front had not ended after 4s, which is its share of the deadline of 8s");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_does_not_end_is_dropped() {
    let world = World::new();
    let host = world.host().relay(world.relay()).deadline(Duration::from_secs(8));
    let mediator = world.mediator.clone();
    let stop = async move {
        tokio::spawn(async move { mediator.send(Work { takes: Duration::from_secs(500) }).await });
        sleep(Duration::from_millis(10)).await;
    };
    let begun = Instant::now();
    let error = host.run_until(stop).await.unwrap_err();
    assert!(matches!(error, HostError::Deadline { what: "a message", .. }), "{error}");
    assert!(begun.elapsed() <= Duration::from_secs(9), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_relay_whose_database_hangs_is_dropped() {
    let world = World::new();
    let store = TroubledStore::new(&world.outbox);
    let hangs = store.lease.clone();
    let host = world.host().relay(Relay::new(store)).deadline(Duration::from_secs(8));
    let begun = Instant::now();
    let stop = async move { *hangs.lock().unwrap() = Trouble::Hangs };
    let error = host.run_until(stop).await.unwrap_err();
    assert!(matches!(error, HostError::Deadline { what: "the relay", .. }), "{error}");
    assert_eq!(begun.elapsed(), Duration::from_secs(8));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_of_zero_drops_everything_at_once() {
    let world = World::new();
    let host = world.host().relay(world.relay()).front(|_| pending::<Result<(), BoxError>>()).deadline(Duration::ZERO);
    let begun = Instant::now();
    let error = host.run_until(sleep(Duration::from_secs(1))).await.unwrap_err();
    assert!(matches!(error, HostError::Deadline { .. }), "{error}");
    assert_eq!(begun.elapsed(), Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_of_ages_is_none() {
    World::without_outbox().host().deadline(Duration::MAX).run_until(sleep(Duration::from_secs(1))).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn dropping_it_drops_all_of_it() {
    let (world, notes) = (World::new(), Notes::default());
    struct Dropped(Notes);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.note("the front is dropped");
        }
    }
    let dropped = Dropped(notes.clone());
    let host = world.host().relay(world.relay()).front(move |_| async move {
        let _dropped = dropped;
        pending::<Result<(), BoxError>>().await
    });
    let monitor = host.monitor();
    {
        let mut running = Box::pin(host.run_until(pending::<()>()));
        tokio::select! {
            ended = &mut running => panic!("{ended:?}"),
            () = sleep(Duration::from_secs(1)) => {}
        }
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!(notes.all(), ["the front is dropped"]);
    assert!(!monitor.health().await.running);
    world.mediator.emit(Worked).await.unwrap();
    sleep(Duration::from_secs(60)).await;
    assert!(world.broker.is_empty(), "no relay is left");
    world.host().relay(world.relay()).run_until(world.broker.published_at_least(1)).await.unwrap();
}

#[cfg(all(unix, feature = "signal"))]
#[tokio::test]
async fn sigterm_ends_a_process_in_order() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    const IS_CHILD: &str = "DIATOR_TEST_HOST_CHILD";
    if std::env::var_os(IS_CHILD).is_some() {
        let world = World::new();
        let mediator = world.mediator.clone();
        let host = world.host().relay(world.relay()).front(|stop| async move {
            println!("the host runs");
            stop.await;
            mediator.send(Work { takes: Duration::from_millis(100) }).await
        });
        host.run_until(diator::host::shutdown_signal()).await.unwrap();
        println!("published: {}", world.broker.published().len());
        return;
    }
    for signal in ["-TERM", "-INT"] {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "host::ends::sigterm_ends_a_process_in_order", "--nocapture"]);
        let mut child = child.env(IS_CHILD, "1").stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut until = |text: &str| lines.by_ref().map_while(Result::ok).any(|line| line.contains(text));
        assert!(until("the host runs"));
        // The front runs already, and the signal is watched for from the first poll on.
        sleep(Duration::from_millis(200)).await;
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        assert!(until("published: 1"), "{signal}");
        assert!(child.wait().unwrap().success());
    }
}
