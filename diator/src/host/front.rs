use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::panic::panic_message;
use crate::stop::{StopSignal, Stopper};
use crate::{BoxError, BoxFuture};

/// A future that ends when a front must stop.
///
/// A clone ends at the same time.
///
/// # Example
///
/// ```
/// use diator::BoxError;
/// use diator::host::Stop;
///
/// async fn front(stop: Stop) -> Result<(), BoxError> {
///     // Let requests in, until the host stops.
///     stop.await;
///     Ok(())
/// }
/// # let _ = front;
/// ```
#[must_use = "it is a future: a front awaits it"]
pub struct Stop {
    signal: StopSignal,
    given: BoxFuture<'static, ()>,
}

impl Stop {
    fn new(signal: StopSignal) -> Self {
        let waits = signal.clone();
        Self { signal, given: Box::pin(async move { waits.given().await }) }
    }
}

impl Future for Stop {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.given.as_mut().poll(cx)
    }
}

impl Clone for Stop {
    fn clone(&self) -> Self {
        Self::new(self.signal.clone())
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stop").field("given", &self.signal.until().is_some()).finish()
    }
}

type Start = Box<dyn FnOnce(Stop) -> BoxFuture<'static, Result<(), BoxError>> + Send>;

/// The fronts of a host that does not run yet.
#[derive(Default)]
pub(super) struct Fronts(Vec<Start>);

impl Fronts {
    pub(super) fn add<F, R, E>(&mut self, front: F)
    where
        F: FnOnce(Stop) -> R + Send + 'static,
        R: IntoFuture<Output = Result<(), E>>,
        R::IntoFuture: Send + 'static,
        E: Into<BoxError> + Send + 'static,
    {
        self.0.push(Box::new(move |stop| {
            Box::pin(async move {
                let running = front(stop).into_future();
                running.await.map_err(Into::into)
            })
        }));
    }

    pub(super) fn start(self) -> RunningFronts {
        let (stopper, signal) = Stopper::new();
        let start = |front: Start| Some(tokio::spawn(front(Stop::new(signal.clone()))));
        RunningFronts { running: self.0.into_iter().map(start).collect(), stopper }
    }
}

impl fmt::Debug for Fronts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fronts").field(&self.0.len()).finish()
    }
}

/// Fronts, each in a task of its own. Dropping it aborts them.
#[derive(Debug)]
pub(super) struct RunningFronts {
    /// `None` once it has ended.
    running: Vec<Option<JoinHandle<Result<(), BoxError>>>>,
    stopper: Stopper,
}

impl RunningFronts {
    /// Waits for the first front that ends; without a front it waits for ever.
    pub(super) async fn first_end(&mut self) -> Result<(), BoxError> {
        poll_fn(|cx| {
            for front in &mut self.running {
                let Some(running) = front else { continue };
                if let Poll::Ready(ended) = Pin::new(running).poll(cx) {
                    *front = None;
                    return Poll::Ready(ended.unwrap_or_else(|error| Err(what_ended_it(error))));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Tells all fronts to stop, waits for them, and answers with the first error.
    pub(super) async fn stop(&mut self) -> Result<(), BoxError> {
        self.stopper.stop(Instant::now());
        let mut ended = Ok(());
        for front in &mut self.running {
            if let Some(running) = front {
                let end = running.await.unwrap_or_else(|error| Err(what_ended_it(error)));
                *front = None;
                ended = ended.and(end);
            }
        }
        ended
    }
}

impl Drop for RunningFronts {
    fn drop(&mut self) {
        self.running.iter().flatten().for_each(JoinHandle::abort);
    }
}

fn what_ended_it(error: tokio::task::JoinError) -> BoxError {
    match error.try_into_panic() {
        Ok(panic) => panic_message(&*panic).into(),
        Err(error) => error.into(),
    }
}
