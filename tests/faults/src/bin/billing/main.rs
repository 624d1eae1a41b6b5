//! The consuming service that drills kill: two handlers for each order, which comes from Redis or over loopback from the engine of the drill.
//!
//! `billing <role> <name>=<value> …`; the roles are those of `Role`, the names those of `Settings`.

mod database;
mod fail_point;
mod handlers;
mod service;
mod settings;
mod wrong;

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use diator::BoxError;
use diator::host::shutdown_signal;
use sqlx::{Postgres, Sqlite};

use self::settings::Settings;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(std::io::stderr).with_ansi(false).init();
    let settings = Settings::read(std::env::args().skip(1))?;
    let mut stop = pin!(shutdown_signal());
    // From here on a signal does not end the process by itself.
    poll_fn(|cx| Poll::Ready(stop.as_mut().poll(cx).is_ready())).await;
    std::fs::write(&settings.ready, "")?;
    if settings.database.starts_with("postgres") {
        service::run::<Postgres>(settings, stop).await
    } else {
        service::run::<Sqlite>(settings, stop).await
    }
}
