//! Every call of a store on SQLite that writes waits in the queue of the store's transactions.
//!
//! No connection here waits for a lock: a call that asks SQLite while another one writes gets `SQLITE_BUSY` at once.
#![cfg(feature = "sqlite")]

mod support;

use std::fmt::Debug;
use std::pin::pin;
use std::time::Duration;

use diator::BoxError;
use diator::container::UnitOfWork;
use diator::deliveries::{
    AttemptLog, DeadReason, DeliveryFilter, DeliverySettlement, DeliveryStore, DeliveryVerdict, Ended, NewDelivery,
    NewState,
};
use diator::outbox::{DeadLetterFilter, DeadLetters, OutboxStore, Place, RelayId, Settlement, StoreSchema, Verdict};
use diator_sqlx::{Mode, SqlxStore, sqlite_options};
use diator_testkit::within_patience;
use sqlx::{Sqlite, SqlitePool};
use support::Directory;
use support::outbox::{commit_one, message};
use tokio::time::sleep;
use uuid::Uuid;

const LONG: Duration = Duration::from_secs(3_600);

/// Fails if the call ends while another transaction writes, or cannot go on after it.
async fn waits_its_turn<T: Debug>(
    store: &SqlxStore<Sqlite>,
    name: &str,
    call: impl Future<Output = Result<T, BoxError>>,
) -> T {
    let writer = store.transaction(Mode::Write);
    drop(writer.connection().await.unwrap());
    let mut call = pin!(call);
    tokio::select! {
        ended = call.as_mut() => panic!("{name} did not wait: {ended:?}"),
        // A call that is slower than this is not caught, and one that waits is never blamed.
        () = sleep(Duration::from_millis(30)) => {}
    }
    writer.commit().await.unwrap();
    call.await.unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn delivery() -> NewDelivery {
    NewDelivery::new("billing", "billing.charge", Uuid::now_v7(), "orders", *b"{}")
}

#[tokio::test]
async fn what_a_relay_and_its_operators_call() {
    within_patience(async {
        let directory = Directory::new();
        let options = sqlite_options().filename(directory.0.join("a.sqlite")).busy_timeout(Duration::ZERO);
        let store = SqlxStore::new(SqlitePool::connect_lazy_with(options));
        waits_its_turn(&store, "apply", store.apply()).await;
        commit_one(&store, message(Some("a"), 1)).await;
        let relay = RelayId(Uuid::now_v7());
        let leased = waits_its_turn(&store, "lease", store.lease(relay, 16, LONG)).await.partitions;
        let settled = Settlement {
            place: Place { partition: leased[0].partition, seq: 1 },
            epoch: leased[0].epoch,
            verdict: Verdict::Sent,
        };
        waits_its_turn(&store, "settle", store.settle(&[settled])).await;
        waits_its_turn(&store, "release", store.release(&leased)).await;
        waits_its_turn(&store, "prune", store.prune(relay, LONG, 10)).await;
        waits_its_turn(&store, "prune_inbox", store.prune_inbox(10)).await;
        waits_its_turn(&store, "replay", OutboxStore::replay(&store, std::time::UNIX_EPOCH, None)).await;
        let all = DeadLetterFilter::default();
        waits_its_turn(&store, "replay of dead letters", DeadLetters::replay(&store, &all)).await;
        waits_its_turn(&store, "discard of dead letters", DeadLetters::discard(&store, &all)).await;
    })
    .await;
}

#[tokio::test]
async fn what_an_endpoint_and_its_operators_call() {
    within_patience(async {
        let directory = Directory::new();
        let options = sqlite_options().filename(directory.0.join("a.sqlite")).busy_timeout(Duration::ZERO);
        let store = SqlxStore::new(SqlitePool::connect_lazy_with(options));
        store.apply().await.unwrap();
        let (kept, log) = (store.deliveries(), store.attempt_log());
        let mut dead = delivery();
        dead.state = NewState::Dead(DeadReason::new("Handler", "declined"));
        waits_its_turn(&store, "put", kept.put(&[delivery(), dead])).await;
        let leased = waits_its_turn(&store, "lease", kept.lease("billing", 1, LONG)).await;
        let lease = leased[0].lease;
        waits_its_turn(&store, "extend", kept.extend(&[lease], LONG)).await;
        let settled = DeliverySettlement { lease, verdict: DeliveryVerdict::Handled };
        waits_its_turn(&store, "settle", kept.settle(&[settled])).await;
        let all = DeliveryFilter::default();
        waits_its_turn(&store, "replay", kept.replay(&all)).await;
        waits_its_turn(&store, "hasten", kept.hasten(&all)).await;
        waits_its_turn(&store, "discard", kept.discard(&all)).await;
        let message = Uuid::now_v7();
        waits_its_turn(&store, "begin", log.begin("billing", &[message])).await;
        waits_its_turn(&store, "end", log.end("billing", &[(message, Ended::Handled)])).await;
    })
    .await;
}
