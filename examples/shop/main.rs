//! A shop of three services: orders over the web, billing, and notifications. It loses nothing, and does nothing twice.
//!
//! ```sh
//! cargo run --release --example shop
//! ```
//!
//! runs all of it in one process, on SQLite and the broker in memory, places some thousand orders, and prints what
//! became of them. The log begins with a warning: the broker in memory keeps nothing when the process ends.
//!
//! The same services run as processes of their own, on PostgreSQL and Redis Streams:
//!
//! ```sh
//! export REDIS_URL=redis://127.0.0.1:6379 DATABASE_URL=postgres://postgres@127.0.0.1/shop
//! cargo run --release --features postgres,redis --example shop -- setup web     # makes the tables
//! cargo run --release --features postgres,redis --example shop -- web           # or `billing`, or `notifications`
//! ```
//!
//! Each service has a database of its own, which you make and name in its `DATABASE_URL`, for `setup` too, and as many processes as you like.
//! Redis must have `appendonly yes` and `appendfsync always`.
//! `scripts/drills` starts all of it, kills and stops it, and counts.
//!
//! | to read | file |
//! |---|---|
//! | the events, which are all that the services know of each other | `contracts` |
//! | the business of each service | `orders`, `billing`, `notifications` |
//! | the web | `web` |
//! | the services as processes | `services`, `database`; `distributed` on PostgreSQL and Redis |
//! | the load, the table and the picture | `demo`, `load`, `samples`, `picture` |
//! | a subscriber written in Python | `subscriber.py` |

#![allow(unreachable_pub, reason = "a program has no callers")]

mod billing;
mod contracts;
mod database;
#[cfg(not(all(feature = "postgres", feature = "redis")))]
mod demo;
#[cfg(all(feature = "postgres", feature = "redis"))]
mod distributed;
#[cfg(not(all(feature = "postgres", feature = "redis")))]
mod load;
mod notifications;
mod orders;
mod picture;
mod samples;
mod services;
#[cfg(test)]
mod tests;
mod web;

use std::{env, io};

use diator::BoxError;

#[cfg(not(all(feature = "postgres", feature = "redis")))]
use crate::demo::start;
#[cfg(all(feature = "postgres", feature = "redis"))]
use crate::distributed::start;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    let words: Vec<String> = env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["picture", path] => picture::draw_lines(path.as_ref(), &io::read_to_string(io::stdin())?),
        ref words => start(words).await,
    }
}
