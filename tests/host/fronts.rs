use std::future::{pending, ready};
use std::time::Duration;

use diator::BoxError;
use diator::host::{HostError, Stop};
use diator_tests::Log;
use tokio::time::{Instant, sleep};
use tracing::Level;

use super::world::{Notes, World};

async fn until_stop(stop: Stop, notes: Notes, name: &'static str) -> Result<(), BoxError> {
    stop.await;
    notes.note(name);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn without_a_front_it_runs_until_it_is_told() {
    let begun = Instant::now();
    World::without_outbox().host().run_until(sleep(Duration::from_secs(5))).await.unwrap();
    assert_eq!(begun.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn all_fronts_are_told_to_stop() {
    let notes = Notes::default();
    let (one, other) = (notes.clone(), notes.clone());
    let host = World::without_outbox()
        .host()
        .front(|stop| until_stop(stop, one, "one"))
        .front(|stop| until_stop(stop, other, "other"));
    host.run_until(sleep(Duration::from_secs(1))).await.unwrap();
    let mut all = notes.all();
    all.sort();
    assert_eq!(all, ["one", "other"]);
}

#[tokio::test(start_paused = true)]
async fn a_front_that_ends_ends_the_host_and_the_other_fronts() {
    let notes = Notes::default();
    let other = notes.clone();
    let host = World::without_outbox()
        .host()
        .front(|_| ready(Ok::<_, BoxError>(())))
        .front(|stop| until_stop(stop, other, "other"));
    host.run_until(pending::<()>()).await.unwrap();
    assert_eq!(notes.all(), ["other"]);
}

#[tokio::test(start_paused = true)]
async fn a_front_that_fails_is_the_error_of_the_host() {
    let log = Log::new(Level::ERROR);
    let _guard = tracing::subscriber::set_default(log.clone());
    let notes = Notes::default();
    let other = notes.clone();
    let world = World::new();
    let host = world
        .host()
        .front(|_| ready(Err::<(), _>("the port is taken")))
        .front(|stop| until_stop(stop, other, "other"))
        .relay(world.relay());
    world.mediator.emit(super::world::Worked).await.unwrap();
    let Err(HostError::Front(error)) = host.run_until(pending::<()>()).await else { panic!("it fails") };
    assert_eq!(error.to_string(), "the port is taken");
    assert_eq!(notes.all(), ["other"]);
    assert_eq!(world.broker.published().len(), 1, "all else has ended in order");
    assert!(log.lines().len() == 1 && log.lines()[0].contains("the port is taken"), "{:?}", log.lines());
}

#[tokio::test(start_paused = true)]
async fn a_front_that_panics_is_a_front_that_fails() {
    async fn panics(_: Stop) -> Result<(), BoxError> {
        panic!("no port")
    }
    let Err(HostError::Front(error)) = World::without_outbox().host().front(panics).run_until(pending::<()>()).await
    else {
        panic!("it fails")
    };
    assert!(error.to_string().contains("no port"), "{error}");

    let host =
        World::without_outbox().host().front(|_| -> std::future::Ready<Result<(), BoxError>> { panic!("no address") });
    let Err(HostError::Front(error)) = host.run_until(pending::<()>()).await else { panic!("it fails") };
    assert!(error.to_string().contains("no address"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_front_that_fails_as_it_stops_is_told() {
    let fails = |stop: Stop| async move {
        stop.await;
        Err::<(), _>("it cannot stop")
    };
    let Err(HostError::Front(error)) = World::without_outbox().host().front(fails).run_until(ready(())).await else {
        panic!("it fails")
    };
    assert_eq!(error.to_string(), "it cannot stop");
}
