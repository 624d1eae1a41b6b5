use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use diator::deliveries::DeliveryFilter;
use diator::endpoint::{Endpoint, ErrorPolicy, OnDead, Order};
use diator::host::Host;
use diator::outbox::{DeadLetters, OutboxStore, StoreSchema};
use diator::relay::Relay;
use diator::subscription::Subscription;
use diator::{BoxError, Inbox, Mediator};
use diator_faults::engine::Remote;
use diator_redis::{RedisBroker, RedisSubscription};
use diator_sqlx::{EntersRows, SqlxStore, StagesRows, Transaction};
use sqlx::Pool;

use crate::database::Database;
use crate::fail_point::{FailingInbox, FailingOutbox, FailingSubscription, Point};
use crate::handlers::{Behaviour, Ledger};
use crate::settings::{Role, Settings};
use crate::wrong::{Direct, Wrong, WrongInbox};

/// Does what the role says.
pub(crate) async fn run<DB: Database>(settings: Settings, stop: impl Future<Output = ()>) -> Result<(), BoxError>
where
    SqlxStore<DB>: OutboxStore + StoreSchema + DeadLetters,
    Transaction<DB>: Ledger + StagesRows + EntersRows,
{
    let pool = DB::connect(&settings)?;
    let store = SqlxStore::<DB>::new(pool.clone());
    match settings.role {
        Role::Schema => {
            store.apply().await?;
            DB::make_tables(&pool).await
        }
        Role::Replay => {
            let deliveries = inbox(&pool, &store, &settings)?.deliveries().ok_or("the inbox keeps no deliveries")?;
            deliveries.replay(&DeliveryFilter::dead()).await?;
            Ok(())
        }
        Role::Service => {
            if settings.prunes {
                tokio::spawn(prune(store.clone()));
            }
            let mediator = mediator(&pool, &store, &settings)?;
            let mut host = Host::new(mediator).endpoint(endpoint(&settings)?);
            if has_redis(&settings) {
                host = host.relay(relay(store, &settings)?);
            }
            Ok(host.run_until(stop).await?)
        }
    }
}

fn mediator<DB: Database>(pool: &Pool<DB>, store: &SqlxStore<DB>, settings: &Settings) -> Result<Mediator, BoxError>
where
    SqlxStore<DB>: OutboxStore + StoreSchema + DeadLetters,
    Transaction<DB>: Ledger + StagesRows + EntersRows,
{
    let behaviour = Behaviour {
        pause: settings.pause,
        mended: settings.mended,
        counters: settings.counters,
        inside: settings.fails_at(Point::Inside),
        failed: Mutex::new(BTreeSet::new()),
    };
    let services = DB::services(store)
        .alias::<dyn Ledger, Transaction<DB>>(|transaction| transaction)
        .singleton::<Behaviour>(Arc::new(behaviour));
    let builder = Mediator::from_registry().container(services);
    let outbox = FailingOutbox { inner: DB::outbox(store), fail: settings.fail.clone() };
    let builder = if has_redis(settings) {
        builder.broker(RedisBroker::new(settings.streams.config())?)
    } else {
        builder.relayed_elsewhere()
    };
    let builder = match (settings.wrong, DB::postgres(pool)) {
        (Some(Wrong::NoInbox), _) => builder.outbox(outbox),
        (Some(Wrong::NoOutbox), Some(postgres)) => {
            let broker = Direct { pool: postgres.clone(), fail: settings.fails_at(Point::Committed) };
            builder.inbox(inbox(pool, store, settings)?).broker(broker).without_broker()
        }
        _ => builder.inbox(inbox(pool, store, settings)?).outbox(outbox),
    };
    Ok(builder.build()?)
}

fn has_redis(settings: &Settings) -> bool {
    settings.streams.redis != 0
}

fn relay(store: impl OutboxStore, settings: &Settings) -> Result<Relay, BoxError> {
    let relay = Relay::new(store).broker(RedisBroker::new(settings.streams.config())?);
    Ok(relay.batch(100).partitions(16).lease(Duration::from_secs(2)).poll(Duration::from_millis(500)))
}

fn inbox<DB: Database>(
    pool: &Pool<DB>,
    store: &SqlxStore<DB>,
    settings: &Settings,
) -> Result<FailingInbox<impl Inbox + use<DB>>, BoxError>
where
    SqlxStore<DB>: OutboxStore + StoreSchema + DeadLetters,
    Transaction<DB>: Ledger + StagesRows + EntersRows,
{
    let inner = DB::inbox(store).with_retention(settings.retention);
    let inner = WrongInbox { inner, pool: DB::postgres(pool).cloned(), wrong: settings.wrong };
    Ok(FailingInbox::new(inner, settings.fail.clone(), &settings.folder)?)
}

fn endpoint(settings: &Settings) -> Result<Endpoint, BoxError> {
    let inner: Arc<dyn Subscription> = if has_redis(settings) {
        Arc::new(RedisSubscription::new(settings.streams.config())?)
    } else {
        Arc::new(Remote(settings.engine))
    };
    let subscription = FailingSubscription {
        inner,
        fail: settings.fail.clone(),
        acks_early: settings.wrong == Some(Wrong::AcksEarly),
    };
    let policy = ErrorPolicy::new()
        .immediately(settings.immediately)
        .later(settings.later.iter().copied())
        .on_dead(if settings.parks { OnDead::Park } else { OnDead::Continue });
    let endpoint = Endpoint::new("billing", subscription)
        .topics(["orders"])
        .order(if settings.in_order { Order::PerKey } else { Order::None })
        .concurrency(settings.concurrency)
        .max_handling(settings.max_handling)
        .errors(policy);
    Ok(endpoint)
}

/// As a relay does, though more often.
async fn prune<DB: Database>(store: SqlxStore<DB>) -> Result<(), BoxError>
where
    SqlxStore<DB>: OutboxStore + StoreSchema + DeadLetters,
    Transaction<DB>: Ledger + StagesRows + EntersRows,
{
    loop {
        store.prune_inbox(1_000).await?;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
