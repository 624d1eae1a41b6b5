use std::iter;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::circuit::Circuits;
use super::plan::{Group, Held, Wave, hold, is_held, plan};
use super::{CircuitState, OnDead, Settings};
use crate::BoxFuture;
use crate::broker::{MessageBroker, OutboundMessage, PublishError, PublishErrorKind};
use crate::join::join_all;
use crate::outbox::{OutboxRow, Place, Verdict};
use crate::panic::{catch_panic, panic_message};
use crate::stop::StopSignal;

/// Gives messages to the broker, and decides what becomes of their rows by what it answers.
pub(super) struct Publisher {
    pub(super) broker: Arc<dyn MessageBroker>,
    pub(super) deadline: Duration,
    pub(super) attempts: u32,
    pub(super) on_dead: OnDead,
    pub(super) circuits: Circuits,
    pub(super) held: Held,
    /// Keys of which something was left out that stands behind what is about to be published.
    behind: Held,
}

impl Publisher {
    pub(super) fn new(broker: Arc<dyn MessageBroker>, settings: &Settings) -> Self {
        let deadline = settings.publish_deadline(&*broker);
        let Settings { attempts, on_dead, .. } = *settings;
        Self {
            broker,
            deadline,
            attempts,
            on_dead,
            circuits: Circuits::default(),
            held: Held::new(),
            behind: Held::new(),
        }
    }

    /// Orders claimed rows into waves; what must not go now is left out.
    pub(super) fn plan(&mut self, rows: Vec<OutboxRow>) -> Vec<Wave> {
        plan(rows, &*self.broker, &mut self.circuits, &self.held, &mut self.behind)
    }

    /// Publishes one wave after the other; none begins at `until` or later, when somebody else may own the rows, or when the time
    /// to stop is over.
    ///
    /// A row without a settlement stays pending.
    pub(super) async fn publish(
        &mut self,
        waves: Vec<Wave>,
        until: Instant,
        stop: &StopSignal,
    ) -> Vec<(Place, Verdict)> {
        let mut verdicts = Vec::new();
        for wave in waves {
            let now = Instant::now();
            let in_time = now < until && stop.until().is_none_or(|end| now < end);
            let wave: Vec<_> = wave.into_iter().map(|group| self.without_held(group, in_time)).collect();
            let calls: Vec<BoxFuture<'_, _>> = wave.iter().map(|group| self.give(&group.messages)).collect();
            let answers = join_all(calls).await;
            for (group, answers) in wave.iter().zip(answers) {
                self.judge(group, answers, &mut verdicts);
            }
        }
        self.held.extend(self.behind.drain());
        verdicts
    }

    /// Leaves out what must wait, because something before it did not go.
    fn without_held(&mut self, group: Group, in_time: bool) -> Group {
        let is_open = self.circuits.state(&group.destination, Instant::now()) == CircuitState::Open;
        if in_time && !is_open && self.held.is_empty() {
            return group;
        }
        let Group { destination, rows, messages } = group;
        let (mut kept_rows, mut kept) = (Vec::new(), Vec::new());
        for (row, message) in rows.into_iter().zip(messages) {
            if !in_time || is_open || is_held(&message, &self.held) {
                hold(&message, &mut self.held);
            } else {
                kept_rows.push(row);
                kept.push(message);
            }
        }
        Group { destination, rows: kept_rows, messages: kept }
    }

    /// Gives messages to the broker; there is an answer for each.
    fn give<'a>(&'a self, messages: &'a [OutboundMessage]) -> BoxFuture<'a, Vec<Result<(), PublishError>>> {
        Box::pin(async move {
            let publishing = async {
                match messages {
                    [] => Vec::new(),
                    [message] => vec![self.broker.publish(message).await.map(drop)],
                    messages => {
                        self.broker.publish_batch(messages).await.into_iter().map(|answer| answer.map(drop)).collect()
                    }
                }
            };
            let unknown = |why: &str| messages.iter().map(|_| Err(PublishError::ambiguous(why.to_owned()))).collect();
            match timeout(self.deadline, catch_panic(publishing)).await {
                Ok(Ok(answers)) => answers,
                Ok(Err(panic)) => unknown(&panic_message(&*panic)),
                Err(_) => unknown("the broker did not answer within its deadline"),
            }
        })
    }

    fn judge(&mut self, group: &Group, answers: Vec<Result<(), PublishError>>, verdicts: &mut Vec<(Place, Verdict)>) {
        let missing = iter::repeat_with(|| {
            Err(PublishError::ambiguous("the broker answered for fewer messages than it was given"))
        });
        let answers = answers.into_iter().chain(missing);
        for ((&(place, attempts), message), answer) in group.rows.iter().zip(&group.messages).zip(answers) {
            let verdict = match answer {
                Ok(()) => {
                    self.circuits.close(&group.destination);
                    Some(Verdict::Sent)
                }
                Err(error) => {
                    hold(message, &mut self.held);
                    self.failed(group, message, attempts, &error)
                }
            };
            verdicts.extend(verdict.map(|verdict| (place, verdict)));
        }
    }

    /// What becomes of a row that did not go; `None` if it just stays pending.
    fn failed(
        &mut self,
        group: &Group,
        message: &OutboundMessage,
        attempts: u32,
        error: &PublishError,
    ) -> Option<Verdict> {
        let retry_after = match error.kind() {
            PublishErrorKind::Fatal => {
                // It answers, so that others may go there.
                self.circuits.close(&group.destination);
                return Some(self.refused(message, attempts, error));
            }
            PublishErrorKind::Transient { retry_after } => retry_after,
            PublishErrorKind::Ambiguous => None,
        };
        self.circuits.open(&group.destination, error.to_string(), retry_after, Instant::now());
        None
    }

    fn refused(&self, message: &OutboundMessage, attempts: u32, error: &PublishError) -> Verdict {
        if attempts.saturating_add(1) < self.attempts {
            return Verdict::Refused;
        }
        tracing::error!(
            target: "diator",
            {
                diator.message = %message.name,
                messaging.message.id = %message.id,
                messaging.destination.name = message.topic.as_deref(),
                error = error as &dyn std::error::Error,
            },
            "the broker refuses a message for good: it is a dead letter now"
        );
        Verdict::Dead { reason: error.to_string(), parks_key: self.on_dead == OnDead::Park && message.key.is_some() }
    }
}
