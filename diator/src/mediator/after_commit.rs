//! What goes on after a commit: it cannot be undone, and must not depend on who waits for it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::before_commit::Outgoing;
use super::enter::{Entering, Handling};
use super::events::EventEntry;
use super::execution::{Execution, MessageEnv};
use super::unit_state::{Lineage, UnitState};
use super::{Mediator, OnUndelivered};
use crate::broker::{OutboundMessage, PublishError};
use crate::container::CommitOutcome;
use crate::error::{Failure, answer};
use crate::event::{Emitted, Pending};
use crate::join::join_all;
use crate::middleware::{CommitGate, mark_span_failed};
use crate::panic::{catch_panic, panic_message};
use crate::undelivered::Undelivered;
use crate::{BoxError, BoxFuture, Meta, SendError};

/// The events of a unit of work that wait for its commit.
///
/// # Guarantees
///
/// - Each message is given to the broker at most once, and each `after_commit` handler runs at most once.
/// - However it ends, all that failed or was cut short is in one `Undelivered`.
/// - What an `after_commit` handler publishes follows the messages of the unit of work that caused it.
pub(super) struct Delivery {
    mediator: Mediator,
    meta: Meta,
    events: Vec<(Emitted, Lineage)>,
    outgoing: Outgoing,
    /// Open until the broker has answered for the messages of the unit of work that caused this one.
    cause: Option<watch::Receiver<()>>,
    // A mutex only because publishing and handling go on at the same time: nothing waits for it.
    progress: Mutex<Progress>,
}

/// How far a delivery has come, for the case that it is cut short.
struct Progress {
    publishing: Publishing,
    /// How many handlers have ended, in the order in which they run.
    handled: usize,
    unpublished: Undelivered,
    failed: Undelivered,
}

#[derive(Clone, Copy)]
enum Publishing {
    NotBegun,
    Begun,
    Answered,
}

const NOT_BEGUN: &str = "publishing was cut short before the broker got the message";
const BEGUN: &str = "publishing was cut short before the broker answered";
const UNHANDLED: &str = "the handler was cut short before its end";

impl Delivery {
    /// `None` if nothing waits.
    pub(super) fn new(
        mediator: &Mediator,
        meta: &Meta,
        events: Vec<(Emitted, Lineage)>,
        outgoing: Outgoing,
        cause: Option<watch::Receiver<()>>,
    ) -> Option<Self> {
        if events.is_empty() && matches!(&outgoing, Outgoing::Messages(messages) if messages.is_empty()) {
            return None;
        }
        let (mediator, meta) = (mediator.clone(), meta.clone());
        Some(Self { mediator, meta, events, outgoing, cause, progress: Mutex::new(Progress::new()) })
    }

    /// What is published, if it is committed.
    pub(super) fn messages(&self) -> &[OutboundMessage] {
        self.outgoing.messages()
    }

    /// Publishes the messages, and runs the handlers at the same time: neither keeps the other from its work.
    pub(super) async fn run(&self) -> Result<(), Failure> {
        if matches!(self.outgoing, Outgoing::Staged) {
            self.tell_outbox();
        }
        match (self.messages().is_empty(), self.events.is_empty()) {
            (_, true) => self.publish().await,
            (true, false) => self.handle_all(self.cause.as_ref()).await,
            (false, false) => self.publish_and_handle().await,
        }
        let undelivered = self.progress().undelivered();
        self.tell(undelivered)
    }

    /// Reports the commit to the outbox, whose panic must not stop the handlers.
    fn tell_outbox(&self) {
        let Some(outbox) = &self.mediator.0.outbox else { return };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| outbox.committed())) {
            tracing::error!(
                target: "diator",
                "the outbox panicked after a commit; a relay may publish its messages later: {}",
                panic_message(&*panic)
            );
        }
    }

    /// What comes of it if it is cut short: what has not come to its end is undelivered.
    pub(super) fn cut_short(&self) -> Result<(), Failure> {
        let mut progress = self.progress();
        for message in self.messages() {
            let error = match progress.publishing {
                Publishing::NotBegun => PublishError::transient(NOT_BEGUN),
                Publishing::Begun => PublishError::ambiguous(BEGUN),
                Publishing::Answered => break,
            };
            progress.unpublished.add_unpublished(message.clone(), error);
        }
        let handled = progress.handled;
        for (event, entry) in self.handlers().skip(handled) {
            progress.failed.add_failed(event.name(), entry.name, UNHANDLED.into());
        }
        let undelivered = progress.undelivered();
        drop(progress);
        self.tell(undelivered)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, undelivered: Undelivered) -> Result<(), Failure> {
        match (&self.mediator.0.on_undelivered, undelivered.is_empty()) {
            (_, true) => Ok(()),
            (Some(hook), false) => hand_over(&**hook, undelivered),
            (None, false) => Err(SendError::Undelivered(Box::new(undelivered)).into()),
        }
    }

    async fn publish_and_handle(&self) {
        // Closed when the broker has answered, whatever it said: then what the handlers emit may follow.
        let (answered, answer) = watch::channel(());
        let published: BoxFuture<'_, _> = Box::pin(async {
            self.publish().await;
            drop(answered);
        });
        join_all(vec![published, Box::pin(self.handle_all(Some(&answer)))]).await;
    }

    /// The `after_commit` handlers, in the order in which they run, each with its event.
    fn handlers(&self) -> impl Iterator<Item = (&dyn Pending, &EventEntry)> {
        self.events.iter().flat_map(|(event, _)| {
            let pending = event.pending();
            self.entries(pending).iter().map(move |entry| (pending, entry))
        })
    }

    fn entries(&self, event: &dyn Pending) -> &[EventEntry] {
        let route = self.mediator.0.events.get(&event.event().type_id());
        route.map_or(&[], |route| &route.after_commit)
    }

    /// Runs the `after_commit` handlers, one after the other; `cause` is what their messages come after.
    async fn handle_all(&self, cause: Option<&watch::Receiver<()>>) {
        for (event, lineage) in &self.events {
            let (event, lineage) = (event.pending(), lineage.clone().after(cause.cloned()));
            for entry in self.entries(event) {
                let meta = self.meta.clone();
                let gate = CommitGate::default();
                let handling = self.mediator.handle_apart(entry, event.event(), meta, lineage.clone(), None, &gate);
                let handled = handling.await;
                let mut progress = self.progress();
                progress.handled += 1;
                match handled {
                    Ok(_) => {}
                    Err(SendError::Undelivered(more)) => progress.failed.absorb(*more),
                    Err(SendError::Handler(source)) => progress.failed.add_failed(event.name(), entry.name, source),
                    Err(other) => progress.failed.add_failed(event.name(), entry.name, other.into()),
                }
            }
        }
    }

    async fn publish(&self) {
        let (Some(broker), false) = (&self.mediator.0.broker, self.messages().is_empty()) else { return };
        if let Some(mut cause) = self.cause.clone() {
            // Closed, which is all that is waited for, when the broker has answered for what caused these messages.
            while cause.changed().await.is_ok() {}
        }
        let span = tracing::info_span!(
            target: "diator",
            "publish",
            otel.kind = "producer",
            messaging.operation.name = "publish",
            messaging.batch.message_count = (self.messages().len() > 1).then_some(self.messages().len()),
            otel.status_code = Empty,
            error.type = Empty,
        );
        self.progress().publishing = Publishing::Begun;
        let publishing = async {
            match self.messages() {
                [message] => vec![broker.publish(message).await.map(drop)],
                messages => broker.publish_batch(messages).await.into_iter().map(|answer| answer.map(drop)).collect(),
            }
        };
        let answers = catch_panic(publishing.instrument(span.clone())).await.unwrap_or_else(|panic| {
            let text = panic_message(&*panic);
            self.messages().iter().map(|_| Err(PublishError::ambiguous(text.clone()))).collect()
        });
        self.answered(answers, &span);
    }

    /// Takes down what the broker said of each message.
    fn answered(&self, answers: Vec<Result<(), PublishError>>, span: &Span) {
        let mut answers = answers.into_iter();
        let mut progress = self.progress();
        progress.publishing = Publishing::Answered;
        for message in self.messages() {
            let answer = answers.next().unwrap_or_else(|| {
                Err(PublishError::ambiguous("the broker answered for fewer messages than it was given"))
            });
            span.in_scope(|| log_published(message, &answer));
            if let Err(error) = answer {
                mark_span_failed(span, error.kind().as_str());
                progress.unpublished.add_unpublished(message.clone(), error);
            }
        }
    }
}

impl Progress {
    fn new() -> Self {
        let (unpublished, failed) = (Undelivered::new(), Undelivered::new());
        Self { publishing: Publishing::NotBegun, handled: 0, unpublished, failed }
    }

    /// All that was not delivered so far: first what was not published, then what the handlers left.
    fn undelivered(&mut self) -> Undelivered {
        let mut undelivered = self.unpublished.take();
        undelivered.absorb(self.failed.take());
        undelivered
    }
}

/// Gives the hook what was not delivered. A hook that panics must not take messages with it.
fn hand_over(hook: &OnUndelivered, undelivered: Undelivered) -> Result<(), Failure> {
    let (messages, failures) = (undelivered.messages().to_vec(), undelivered.to_string());
    catch_unwind(AssertUnwindSafe(|| hook(undelivered))).map_err(|panic| {
        let undelivered = Undelivered::of_hook(messages, failures, panic_message(&*panic));
        SendError::Undelivered(Box::new(undelivered)).into()
    })
}

impl Mediator {
    /// Lets one handler handle an event in a unit of work of its own, if it has not done so before; a panic is a failure of that
    /// handler.
    pub(super) async fn handle_apart(
        &self,
        entry: &EventEntry,
        event: &(dyn std::any::Any + Send + Sync),
        meta: Meta,
        lineage: Lineage,
        entering: Option<Entering<'_>>,
        gate: &CommitGate,
    ) -> Result<Handling, SendError<BoxError>> {
        let handling = async {
            // Not counted as a message: it runs within one, or within a task, and does so while the mediator shuts down.
            let env = MessageEnv { mediator: self, meta };
            let mut unit = UnitState::caused_by(lineage, entry.pipeline.info.kind);
            let mut execution = Execution { env: &env, unit: &mut unit };
            if let Some(entering) = entering
                // In a box, so that it costs nothing where there is no inbox.
                && let Some(handling) = Box::pin(execution.enter(entering)).await?
            {
                return Ok(handling);
            }
            gate.handle();
            let handled = entry.handle(event, &mut execution).await.map_err(|error| *error);
            if unit.is_untouched() {
                return handled.map(|()| Handling::Handled);
            }
            // Middleware may skip a handler that fails: then nothing of it is kept, and the answer stands.
            let keep = handled.is_ok() && !unit.is_only_skipped();
            let ended = Execution { env: &env, unit: &mut unit }.end(keep, Some(gate)).settled().await;
            answer(handled, ended).map(|()| Handling::Handled)
        };
        let mut handling = pin!(handling);
        catch_panic(self.within(handling.as_mut())).await.unwrap_or_else(|panic| {
            let source = panic_message(&*panic).into();
            Err(match gate.has_begun() {
                true => SendError::Commit { outcome: CommitOutcome::Unknown, source },
                false => SendError::Handler(source),
            })
        })
    }
}

/// What a trace shows of a message that the broker was given.
fn log_published(message: &OutboundMessage, answer: &Result<(), PublishError>) {
    let OutboundMessage { id, name, .. } = message;
    let topic = message.topic.as_deref();
    match answer {
        Ok(()) => tracing::info!(
            target: "diator",
            { diator.message = %name, messaging.message.id = %id, messaging.destination.name = topic },
            "published"
        ),
        Err(error) => tracing::warn!(
            target: "diator",
            {
                diator.message = %name,
                messaging.message.id = %id,
                messaging.destination.name = topic,
                error = error as &dyn std::error::Error,
            },
            "not published"
        ),
    }
}
