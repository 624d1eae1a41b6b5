use std::io;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{PgPool, Postgres};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use crate::store::{Shared, Task};

/// The times between two notifications of a process: one notification is enough for all commits of that time.
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);
/// A pause lasts so many times as long as the server took: a busy server gets fewer notifications.
const REST: u32 = 19;
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
/// It does not wait for the disk: no one needs a notification after a crash, and the wait would slow down the program's commits.
const TELL: &str = "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)";
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);
/// After this silence the listener asks whether its connection still works: a network can drop a connection without a sign.
const SILENCE: Duration = Duration::from_secs(30);
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

pub(super) fn committed(shared: &Shared<Postgres>) {
    let wake = &shared.wake;
    if wake.others {
        // The task must subscribe before the commit is noted.
        let (pool, channel, id) = (&shared.pool, &shared.sql.channel, wake.id);
        wake.keep_running(Task::Teller, || tell(pool.clone(), channel.clone(), id, wake.commits()));
    }
    wake.committed();
}

/// Notifies other processes outside of the program's transactions: a `NOTIFY` in them would make commits wait for each other.
async fn tell(pool: PgPool, channel: Arc<str>, id: Uuid, mut commits: watch::Receiver<u64>) {
    let id = id.to_string();
    while commits.changed().await.is_ok() {
        let begun = Instant::now();
        let told = sqlx::query(TELL).bind(&*channel).bind(&id).execute(&pool).await;
        if let Err(error) = told {
            // The relays also poll.
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "this process could not notify others of a commit"
            );
        }
        sleep((begun.elapsed() * REST).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)).await;
    }
}

pub(super) async fn woken(shared: &Shared<Postgres>) {
    let wake = &shared.wake;
    let relay = wake.relay();
    if wake.others {
        // A connection of its own, so that the program can use all of its pool.
        let options = || PgConnectOptions::clone(&shared.pool.connect_options());
        let (channel, id) = (&shared.sql.channel, wake.id);
        wake.keep_running(Task::Listener, || listen(options(), channel.clone(), id, relay.clone()));
    }
    relay.notified().await;
}

async fn listen(options: PgConnectOptions, channel: Arc<str>, own: Uuid, relay: Arc<Notify>) {
    let own = own.to_string();
    let mut backoff = FIRST_BACKOFF;
    let mut is_lost = false;
    loop {
        let error = match connect(options.clone(), &channel).await {
            Ok(mut listener) => {
                backoff = FIRST_BACKOFF;
                if std::mem::take(&mut is_lost) {
                    tracing::info!("the relay gets the notifications of other processes again");
                }
                // The relay may have missed commits meanwhile.
                relay.notify_one();
                forward(&mut listener, &own, &relay).await
            }
            Err(error) => error,
        };
        if !std::mem::replace(&mut is_lost, true) {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the relay gets no notifications of other processes until it is connected again; it polls meanwhile"
            );
        }
        sleep(backoff).await;
        backoff = (backoff * 2).min(LONGEST_BACKOFF);
    }
}

/// Makes a new pool each time: a dropped listener keeps its connection until the server has answered.
async fn connect(options: PgConnectOptions, channel: &str) -> sqlx::Result<PgListener> {
    let pool = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None).connect_lazy_with(options);
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    listener.listen(channel).await?;
    Ok(listener)
}

/// Wakes the relay until the connection is lost.
async fn forward(listener: &mut PgListener, own: &str, relay: &Notify) -> sqlx::Error {
    loop {
        match timeout(SILENCE, listener.try_recv()).await {
            // The relay already knows of the commits of this process.
            Ok(Ok(Some(notification))) if notification.payload() == own => {}
            Ok(Ok(Some(_))) => relay.notify_one(),
            Ok(Ok(None)) => return sqlx::Error::Io(io::ErrorKind::ConnectionAborted.into()),
            Ok(Err(error)) => return error,
            Err(_) => {
                if let Err(error) = ask(listener).await {
                    return error;
                }
            }
        }
    }
}

async fn ask(listener: &mut PgListener) -> sqlx::Result<()> {
    let asked = sqlx::raw_sql("SELECT 1").execute(listener);
    timeout(ANSWERS_WITHIN, asked)
        .await
        .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
        .map(drop)
}
