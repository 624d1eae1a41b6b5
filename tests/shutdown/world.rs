//! A command that waits until the test lets it go on, and a mediator to shut down.

use std::sync::Arc;
use std::time::Duration;

use diator::MediatorBuilder;
use diator::prelude::*;
use diator_tests::{Journal, Recorder, RecordingBroker, SideLedger};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

/// Waits at its gate, then announces its label and settles it after the commit.
#[derive(Command)]
pub(crate) struct Work {
    pub(crate) label: String,
    pub(crate) gate: Gate,
    pub(crate) conduct: Conduct,
    /// Where the handler waits that runs after the commit.
    pub(crate) settling: Gate,
}

/// What a command does once its gate is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conduct {
    Succeed,
    Fail,
    Panic,
    SendAnother,
}

/// Keeps a command waiting; clones are the same gate.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Semaphore>);

impl Gate {
    pub(crate) fn closed() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    pub(crate) fn opened() -> Self {
        let gate = Self::closed();
        gate.open();
        gate
    }

    pub(crate) fn open(&self) {
        self.0.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    async fn pass(&self) {
        drop(self.0.acquire().await.expect("a gate is never removed"));
    }
}

#[request_handler(Work)]
pub(crate) struct WorkHandler {
    journal: Arc<Journal>,
    _ledger: Arc<SideLedger>,
}

impl RequestHandler<Work> for WorkHandler {
    async fn handle(&self, command: Work, cx: &mut RequestContext<'_, Work>) -> Result<(), BoxError> {
        let Work { label, gate, conduct, settling } = command;
        self.journal.note(format!("{label} begins"));
        gate.pass().await;
        cx.emit(Announced { label: label.clone() });
        cx.emit(Settled { label: label.clone(), gate: settling });
        match conduct {
            Conduct::Succeed => Ok(()),
            Conduct::Fail => Err("told to fail".into()),
            Conduct::Panic => panic!("told to panic"),
            Conduct::SendAnother => {
                cx.send(work(&format!("{label}, nested"), &gate, Conduct::Succeed)).await?;
                Ok(())
            }
        }
    }
}

#[derive(Serialize, Deserialize, NotificationEvent)]
#[event(key = label)]
pub(crate) struct Announced {
    pub(crate) label: String,
}

#[derive(DomainEvent)]
pub(crate) struct Settled {
    label: String,
    gate: Gate,
}

#[event_handler(Settled, after_commit)]
pub(crate) struct Settle {
    journal: Arc<Journal>,
}

impl EventHandler<Settled> for Settle {
    async fn handle(&self, event: &Settled, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        event.gate.pass().await;
        self.journal.note(format!("{} settled", event.label));
        Ok(())
    }
}

/// A mediator, and what it stands on.
pub(crate) struct World {
    pub(crate) journal: Journal,
    pub(crate) container: Recorder,
    pub(crate) broker: RecordingBroker,
    pub(crate) mediator: Mediator,
}

/// What came of a command.
pub(crate) type Sent = Result<(), SendError<BoxError>>;

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) fn with(configure: impl FnOnce(MediatorBuilder) -> MediatorBuilder) -> Self {
        let journal = Journal::default();
        let (container, broker) = (Recorder::new(journal.clone()), RecordingBroker::new(journal.clone()));
        let builder = Mediator::builder().handlers(handlers![WorkHandler, Settle]);
        let mediator = configure(builder.container(container.clone()).broker(broker.clone())).build();
        Self { journal, container, broker, mediator: mediator.expect("the world is in order") }
    }

    /// Sends a command from a task of its own, and lets it come as far as it can.
    pub(crate) async fn spawn(&self, label: &str, gate: &Gate, conduct: Conduct) -> tokio::task::JoinHandle<Sent> {
        let (mediator, work) = (self.mediator.clone(), work(label, gate, conduct));
        let task = tokio::spawn(async move { mediator.send(work).await });
        diator_testkit::yields(10).await;
        task
    }

    /// Begins a shutdown in a task of its own, which has an hour, and lets it come as far as it can.
    pub(crate) async fn spawn_shutdown(&self) -> tokio::task::JoinHandle<diator::ShutdownReport> {
        let mediator = self.mediator.clone();
        let task = tokio::spawn(async move { mediator.shutdown(Duration::from_secs(60 * 60)).await });
        diator_testkit::yields(10).await;
        task
    }
}

/// When a world goes, each of its scopes must have ended, and exactly once.
impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _each_ended_once = self.journal.endings();
        }
    }
}

pub(crate) fn work(label: &str, gate: &Gate, conduct: Conduct) -> Work {
    Work { label: label.to_owned(), gate: gate.clone(), conduct, settling: Gate::opened() }
}
