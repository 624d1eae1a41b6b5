//! What goes on after a commit: it cannot be undone, and must not depend on who waits for it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tracing::Instrument;
use tracing::field::{self, Empty};

use super::dispatch::{Failure, Origin, Run, answer, widen};
use super::events::EventEntry;
use super::running::{Entered, Running};
use super::unit::{Lineage, Unit};
use super::{Mediator, OnUndelivered};
use crate::broker::{OutboundMessage, PublishError};
use crate::container::CommitOutcome;
use crate::event::Emitted;
use crate::join::join_all;
use crate::middleware::fail;
use crate::panic::{catch_panic, panic_message};
use crate::undelivered::{Undelivered, UndeliveredMessage};
use crate::{BoxError, BoxFuture, Meta, SendError, shown};

/// The events of a unit of work that wait for its commit.
pub(super) struct Delivery {
    mediator: Mediator,
    meta: Meta,
    events: Vec<(Emitted, Lineage)>,
    messages: Vec<OutboundMessage>,
    /// Open until the broker has answered for the messages of the unit of work that caused this one.
    cause: Option<watch::Receiver<()>>,
}

impl Delivery {
    /// `None` if nothing waits.
    pub(super) fn new(
        mediator: &Mediator,
        meta: &Meta,
        events: Vec<(Emitted, Lineage)>,
        messages: Vec<OutboundMessage>,
        cause: Option<watch::Receiver<()>>,
    ) -> Option<Self> {
        if events.is_empty() && messages.is_empty() {
            return None;
        }
        Some(Self { mediator: mediator.clone(), meta: meta.clone(), events, messages, cause })
    }

    /// Publishes the messages, and runs the handlers at the same time: neither keeps the other from its work.
    pub(super) async fn run(self) -> Result<(), Failure> {
        let undelivered = match (self.messages.is_empty(), self.events.is_empty()) {
            (_, true) => self.publish().await,
            (true, false) => self.handle_all(self.cause.as_ref()).await,
            (false, false) => self.publish_and_handle().await,
        };
        match (&self.mediator.0.on_undelivered, undelivered.is_empty()) {
            (_, true) => Ok(()),
            (Some(hook), false) => hand_over(&**hook, undelivered),
            (None, false) => Err(SendError::Undelivered(Box::new(undelivered)).into()),
        }
    }

    async fn publish_and_handle(&self) -> Undelivered {
        // Closed when the broker has answered, whatever it said: then what the handlers emit may follow.
        let (answered, answer) = watch::channel(());
        let published: BoxFuture<'_, _> = Box::pin(async {
            let published = self.publish().await;
            drop(answered);
            published
        });
        let mut undelivered = Undelivered::new();
        for part in join_all(vec![published, Box::pin(self.handle_all(Some(&answer)))]).await {
            undelivered.absorb(part);
        }
        undelivered
    }

    /// Runs the `after_commit` handlers, one after the other; `cause` is what their messages come after.
    async fn handle_all(&self, cause: Option<&watch::Receiver<()>>) -> Undelivered {
        let mut undelivered = Undelivered::new();
        for (event, lineage) in &self.events {
            self.handle(event, lineage.clone().after(cause.cloned()), &mut undelivered).await;
        }
        undelivered
    }

    async fn handle(&self, event: &Emitted, lineage: Lineage, undelivered: &mut Undelivered) {
        let pending = event.pending();
        let Some(route) = self.mediator.0.events.get(&pending.event().type_id()) else { return };
        for entry in &route.after_commit {
            let handling = self.mediator.handle_apart(entry, pending.event(), self.meta.clone(), lineage.clone());
            match handling.await {
                Ok(()) => {}
                Err(SendError::Undelivered(more)) => undelivered.absorb(*more),
                Err(SendError::Handler(source)) => undelivered.add_failed(pending.name(), entry.name, source),
                Err(other) => undelivered.add_failed(pending.name(), entry.name, other.into()),
            }
        }
    }

    async fn publish(&self) -> Undelivered {
        let mut undelivered = Undelivered::new();
        let (Some(broker), false) = (&self.mediator.0.broker, self.messages.is_empty()) else { return undelivered };
        if let Some(mut cause) = self.cause.clone() {
            // Closed, which is all that is waited for, when the broker has answered for what caused these messages.
            while cause.changed().await.is_ok() {}
        }
        let span = tracing::info_span!(
            target: "diator",
            "publish",
            otel.kind = "producer",
            messaging.operation.name = "publish",
            messaging.batch.message_count = (self.messages.len() > 1).then_some(self.messages.len()),
            otel.status_code = Empty,
            error.type = Empty,
        );
        let publishing = async {
            match &*self.messages {
                [message] => vec![broker.publish(message).await.map(drop)],
                messages => broker.publish_batch(messages).await.into_iter().map(|answer| answer.map(drop)).collect(),
            }
        };
        let answers = catch_panic(publishing.instrument(span.clone())).await.unwrap_or_else(|panic| {
            let text = panic_message(&*panic);
            self.messages.iter().map(|_| Err(PublishError::ambiguous(text.clone()))).collect()
        });
        let mut answers = answers.into_iter();
        for message in &self.messages {
            let answer = answers.next().unwrap_or_else(|| {
                Err(PublishError::ambiguous("the broker answered for fewer messages than it was given"))
            });
            span.in_scope(|| log_published(message, &answer));
            if let Err(error) = answer {
                fail(&span, error.kind().as_str());
                undelivered.add_unpublished(message.clone(), error);
            }
        }
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
    /// Lets one handler handle an event in a unit of work of its own; a panic is a failure of that handler.
    pub(super) async fn handle_apart(
        &self,
        entry: &EventEntry,
        event: &(dyn std::any::Any + Send + Sync),
        meta: Meta,
        lineage: Lineage,
    ) -> Result<(), SendError<BoxError>> {
        let handling = async {
            // Not counted as a message: it runs within one, or within a task, and does so while the mediator shuts down.
            let origin = Origin { mediator: self, meta };
            let mut unit = Unit::caused_by(lineage);
            let handling = entry.handler.handle(event, Run { origin: &origin, unit: &mut unit });
            let handled = handling.await.map_err(|error| *error);
            if unit.is_untouched() {
                return handled;
            }
            let ended = Run { origin: &origin, unit: &mut unit }.end(handled.is_ok(), None).get().await;
            answer(handled, ended)
        };
        catch_panic(self.within(handling))
            .await
            .unwrap_or_else(|panic| Err(SendError::Handler(panic_message(&*panic).into())))
    }

    /// Runs what must come to its end although its sender may go away, in a task that a shutdown waits for.
    ///
    /// Without a tokio runtime it runs in place.
    pub(super) async fn finish_in_a_task(
        &self,
        rest: impl Future<Output = Result<(), Failure>> + Send + 'static,
    ) -> Result<(), Failure> {
        let Ok(runtime) = Handle::try_current() else { return rest.await };
        let running = Entered::new(Tasks(self.clone()));
        let task = async move { Report { ended: Some(rest.await), _running: running } };
        match runtime.spawn(task.in_current_span()).await {
            Ok(report) => report.read(),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(cancelled) => {
                    Err(SendError::Commit { outcome: CommitOutcome::Unknown, source: Box::new(cancelled) }.into())
                }
            },
        }
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

/// Counts tasks instead of messages.
struct Tasks(Mediator);

impl AsRef<Running> for Tasks {
    fn as_ref(&self) -> &Running {
        &self.0.0.tasks
    }
}

/// How a task ended; if nobody is left to read of a failure, it is logged.
///
/// The task counts as running until then: a shutdown that was clean has told of every loss.
struct Report {
    ended: Option<Result<(), Failure>>,
    _running: Entered<Tasks>,
}

impl Report {
    fn read(mut self) -> Result<(), Failure> {
        self.ended.take().unwrap_or(Ok(()))
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        let Some(Err(failure)) = self.ended.take() else { return };
        let failure = widen::<BoxError>(failure);
        tracing::error!(
            error = &failure as &dyn std::error::Error,
            "a message failed at or after its commit, and its sender had gone"
        );
        if let SendError::Undelivered(undelivered) = &failure {
            undelivered.messages().iter().for_each(log_undelivered);
        }
    }
}

/// Writes a message down whole, so that it can be published again from the log; nothing in it can forge a line there.
fn log_undelivered(UndeliveredMessage { message, state }: &UndeliveredMessage) {
    tracing::error!(
        target: "diator",
        {
            diator.message = %message.name,
            diator.message_type = message.message_type.as_str(),
            messaging.message.id = %message.id,
            messaging.message.conversation_id = message.correlation_id.map(field::display),
            messaging.destination.name = message.topic.as_deref(),
            diator.causation_id = message.causation_id.map(field::display),
            diator.key = message.key.as_deref().map(shown::json),
            diator.state = state.as_str(),
            traceparent = message.traceparent.as_deref(),
            content_type = %message.content_type,
            headers = ?message.headers,
            body = shown::json(&String::from_utf8_lossy(&message.body)),
        },
        "a message has to be delivered again"
    );
}
