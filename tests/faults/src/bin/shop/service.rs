use std::sync::Arc;
use std::time::{Duration, SystemTime};

use diator::broker::MessageBroker;
use diator::host::{Host, Stop};
use diator::middleware::{RetryMiddleware, RetryPolicy};
use diator::outbox::{DeadLetterFilter, DeadLetters, OutboxStore, StoreSchema};
use diator::relay::Relay;
use diator::{BoxError, Mediator};
use diator_redis::RedisBroker;
use diator_sqlx::{SqlxStore, StagesRows, Transaction, is_transient};
use sqlx::Pool;

use crate::broker::FailingBroker;
use crate::database::Database;
use crate::fail_point::{FailingOutbox, FailingStore, Point};
use crate::load::place_orders;
use crate::orders::OrderBook;
use crate::settings::{Role, Settings};
use crate::wrong::{EarlyOutbox, Wrong, WrongStore, relay_by_cursor, relay_what_is_free};

/// Does what the role says.
pub(crate) async fn run<DB: Database>(settings: Settings, stop: impl Future<Output = ()>) -> Result<(), BoxError>
where
    SqlxStore<DB>: OutboxStore + StoreSchema + DeadLetters,
    Transaction<DB>: OrderBook + StagesRows,
{
    let pool = DB::connect(&settings).await?;
    let store = SqlxStore::<DB>::new(pool.clone());
    match settings.role {
        Role::Schema => {
            store.apply().await?;
            DB::make_tables(&pool, settings.keys).await
        }
        Role::Replay => {
            DeadLetters::replay(&store, &DeadLetterFilter::default()).await?;
            Ok(())
        }
        Role::Again => {
            OutboxStore::replay(&store, SystemTime::UNIX_EPOCH, None).await?;
            Ok(())
        }
        Role::Relay => match (settings.wrong, DB::postgres(&pool)) {
            (Some(Wrong::KeepsCursor), Some(pool)) => relay_by_cursor(pool, &broker(&settings)?, stop).await,
            (Some(Wrong::SkipsLocked), Some(pool)) => relay_what_is_free(pool, &broker(&settings)?, stop).await,
            _ => Ok(relay(&pool, store, &settings)?.run_until(stop).await?),
        },
        Role::Load => {
            let mediator = mediator::<DB>(&store, &settings, true)?;
            place_orders(mediator, settings, stop).await.map(drop)
        }
        Role::Service => {
            let mediator = mediator::<DB>(&store, &settings, false)?;
            let relay = relay(&pool, store, &settings)?;
            let placing = mediator.clone();
            let front = move |stop: Stop| async move {
                let mut stop = std::pin::pin!(stop);
                if !place_orders(placing, settings, stop.as_mut()).await? {
                    // The relay goes on until it is told to stop.
                    stop.await;
                }
                Ok::<_, BoxError>(())
            };
            Ok(Host::new(mediator).relay(relay).front(front).run_until(stop).await?)
        }
    }
}

fn mediator<DB: Database>(store: &SqlxStore<DB>, settings: &Settings, elsewhere: bool) -> Result<Mediator, BoxError>
where
    SqlxStore<DB>: OutboxStore + StoreSchema + DeadLetters,
    Transaction<DB>: OrderBook + StagesRows,
{
    let services = DB::services(store).alias::<dyn OrderBook, Transaction<DB>>(|transaction| transaction);
    let outbox = FailingOutbox {
        inner: DB::outbox(store),
        staged: settings.fails_at(Point::Staged),
        committed: settings.fails_at(Point::Committed),
        pause: settings.stage_pause,
    };
    let mut builder = Mediator::from_registry().container(services);
    builder = match settings.wrong {
        Some(Wrong::NoOutbox) => builder,
        Some(Wrong::PublishesEarly) => {
            builder.outbox(EarlyOutbox { inner: outbox, broker: Arc::new(broker(settings)?) })
        }
        _ => builder.outbox(outbox),
    };
    let elsewhere = elsewhere && settings.wrong != Some(Wrong::NoOutbox);
    builder = if elsewhere { builder.relayed_elsewhere() } else { builder.broker(broker(settings)?) };
    if settings.attempts > 0 {
        let policy = RetryPolicy::new().attempts(settings.attempts).first_delay(Duration::from_millis(2));
        builder = builder.middleware(RetryMiddleware::new(policy)?.when_any(is_transient));
    }
    Ok(builder.build()?)
}

fn relay<DB: Database>(pool: &Pool<DB>, store: SqlxStore<DB>, settings: &Settings) -> Result<Relay, BoxError>
where
    SqlxStore<DB>: OutboxStore + StoreSchema + DeadLetters,
    Transaction<DB>: OrderBook + StagesRows,
{
    match (settings.wrong, DB::postgres(pool)) {
        (Some(wrong), Some(pool)) => relay_of(WrongStore { inner: store, pool: pool.clone(), wrong }, settings),
        _ => relay_of(store, settings),
    }
}

fn relay_of(store: impl OutboxStore, settings: &Settings) -> Result<Relay, BoxError> {
    let store = FailingStore {
        inner: store,
        claimed: settings.fails_at(Point::Claimed),
        mid_settle: settings.fails_at(Point::MidSettle),
        half_settled: settings.fails_at(Point::HalfSettled),
    };
    let relay = Relay::new(store).broker(broker(settings)?).batch(settings.batch).partitions(settings.partitions);
    Ok(relay.lease(settings.lease).poll(settings.poll))
}

fn broker(settings: &Settings) -> Result<impl MessageBroker + use<>, BoxError> {
    let inner = RedisBroker::new(settings.streams.config().max_body(10_000))?;
    Ok(FailingBroker {
        inner,
        mid_publish: settings.fails_at(Point::MidPublish),
        published: settings.fails_at(Point::Published),
        pause: settings.publish_pause,
    })
}
