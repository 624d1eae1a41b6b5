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

/// What a host runs beside the mediator: a relay, an endpoint.
#[async_trait]
pub(super) trait Child: Send + Sync + 'static {
    /// What health and errors call it.
    fn name(&self) -> &str;

    /// Looks whether it can work at all; called once, before anything starts.
    async fn prepare(&self) -> Result<(), BoxError>;

    /// Works until the signal is given, and then until the moment that it names at most.
    ///
    /// An end before that is a failure: it is called again.
    async fn run(&self, stop: StopSignal) -> Result<(), BoxError>;
}

/// A child that is started again when it fails. Dropping it aborts it.
#[derive(Debug)]
pub(super) struct Supervised(JoinHandle<()>);

impl Supervised {
    pub(super) fn start(child: Arc<dyn Child>, stop: StopSignal, monitor: &HostMonitor) -> Self {
        let monitor = monitor.clone();
        Self(tokio::spawn(supervise(child, stop, monitor)))
    }

    /// Waits for its end; it must have been told to stop.
    pub(super) async fn ended(mut self) {
        // What it had to say of a failure is said.
        let _ended = (&mut self.0).await;
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn supervise(child: Arc<dyn Child>, stop: StopSignal, monitor: HostMonitor) {
    let mut pause = FIRST_PAUSE;
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
        // One that worked for a while failed for another reason than at its start.
        pause = if begun.elapsed() > LONGEST_PAUSE { FIRST_PAUSE } else { pause };
        tracing::error!(target: "diator", child = child.name(), error, ?pause, "a child of the host failed: it is started again");
        monitor.note_child(child.name(), ChildState::Restarting, Some(error));
        either(stop.given(), sleep(pause)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
