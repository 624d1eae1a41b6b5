use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::health::{ChildState, HostMonitor};
use crate::BoxError;
use crate::panic::{catch_panic, panic_message};
use crate::race::either;
use crate::stop::StopSignal;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A child that fails sooner has not worked.
const LEAST_WORK: Duration = Duration::from_secs(1);

/// A part that a host runs and restarts, such as a relay.
#[async_trait]
pub(super) trait Child: Send + Sync + 'static {
    /// Its name in the health and in errors.
    fn name(&self) -> &str;

    /// Checks whether it can work; the host calls it once, before anything starts.
    async fn prepare(&self) -> Result<(), BoxError>;

    /// Works until the signal is given, and then at most until the moment that the signal names.
    ///
    /// An end before the signal is a failure, and the host calls it again.
    async fn run(&self, stop: StopSignal) -> Result<(), BoxError>;
}

/// A child that restarts after a failure. Dropping it aborts the child.
#[derive(Debug)]
pub(super) struct Supervised(JoinHandle<()>);

impl Supervised {
    pub(super) fn start(child: Arc<dyn Child>, stop: StopSignal, monitor: &HostMonitor) -> Self {
        let monitor = monitor.clone();
        Self(tokio::spawn(supervise(child, stop, monitor)))
    }

    /// Waits for its end; the signal must have been given.
    pub(super) async fn ended(mut self) {
        // The log and the health already have its failures.
        let _ended = (&mut self.0).await;
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn supervise(child: Arc<dyn Child>, stop: StopSignal, monitor: HostMonitor) {
    let mut pause = Duration::ZERO;
    loop {
        let begun = Instant::now();
        monitor.note_child(child.name(), ChildState::Running, None);
        let ended = catch_panic(child.run(stop.clone())).await;
        if stop.until().is_some() {
            monitor.note_child(child.name(), ChildState::Ended, None);
            return;
        }
        let error = match ended {
            Ok(Ok(())) => "it ended by itself".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(panic) => panic_message(&*panic),
        };
        // A child that worked for longer than it had to wait has failed for a new reason, and starts again soon.
        let has_worked = begun.elapsed() > pause.max(LEAST_WORK);
        pause = if has_worked { FIRST_PAUSE } else { (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE) };
        tracing::error!(target: "diator", child = child.name(), error, ?pause, "a child of the host failed; the host starts it again");
        monitor.note_child(child.name(), ChildState::Restarting, Some(error));
        either(stop.given(), sleep(pause)).await;
    }
}
