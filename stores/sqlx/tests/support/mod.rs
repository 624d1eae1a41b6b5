//! What the tests of the transaction share.

#![allow(dead_code, reason = "each test takes a part of it")]

pub(crate) mod log;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) mod outbox;
#[cfg(feature = "postgres")]
pub(crate) mod unit;

use std::future::{Future, poll_fn};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::{env, fs, process};

use diator_testkit::drop_after;

/// How a future is dropped that was pending so many times.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Drops {
    /// At once: what it has asked for is on its way.
    Early,
    /// When it is woken: what it has asked for is there, and it has not seen it.
    Late,
    /// After so many polls, whether it was woken or not.
    Polls,
}

pub(crate) const DROPS: [Drops; 3] = [Drops::Early, Drops::Late, Drops::Polls];

/// `Some` if it came to its end before it was dropped.
pub(crate) async fn dropped<F: Future>(drops: Drops, times: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut pending = 0;
    if let Drops::Polls = drops {
        return drop_after(times * times, future).await;
    }
    poll_fn(|cx| {
        if matches!(drops, Drops::Late) && pending > times {
            return Poll::Ready(None);
        }
        let polled = future.as_mut().poll(cx).map(Some);
        pending += usize::from(polled.is_pending());
        match drops {
            Drops::Early if polled.is_pending() && pending > times => Poll::Ready(None),
            _ => polled,
        }
    })
    .await
}

/// A directory that goes with the test.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("diator-transaction-{}-{number}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
