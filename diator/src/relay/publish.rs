use std::collections::{HashMap, HashSet};
use std::iter;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::circuit::{Circuits, Pace};
use super::plan::{Group, Held, Wave, hold, is_held};
use super::{OnDead, Settings};
use crate::BoxFuture;
use crate::broker::{MessageBroker, OutboundMessage, PublishError, PublishErrorKind};
use crate::join::join_all;
use crate::outbox::{Place, Verdict};
use crate::panic::{catch_panic, panic_message};
use crate::stop::StopSignal;

/// Gives messages to the broker, and decides by its answers what becomes of their rows.
pub(super) struct Publisher {
    pub(super) broker: Arc<dyn MessageBroker>,
    pub(super) deadline: Duration,
    attempts: u32,
    on_dead: OnDead,
    pub(super) circuits: Circuits,
    /// Keys that must wait until the end of this turn, because one of their messages could not be published.
    pub(super) held: Held,
    /// Keys of rows that were left out, and that come after the rows that are about to be published.
    pub(super) behind: Held,
    /// Destinations that did not take a message in this turn: they get nothing until its end.
    pub(super) shut: HashSet<String>,
    /// The refused rows, each with the time of its next attempt.
    pub(super) refused: HashMap<Place, Instant>,
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
            circuits: Circuits::new(usize::try_from(settings.batch / 2).unwrap_or(usize::MAX), deadline),
            held: Held::new(),
            behind: Held::new(),
            shut: HashSet::new(),
            refused: HashMap::new(),
        }
    }

    /// Forgets what the last turn could not publish.
    pub(super) fn begin_turn(&mut self) {
        let now = Instant::now();
        self.held.clear();
        self.behind.clear();
        self.shut.clear();
        self.refused.retain(|_, due| *due > now);
    }

    /// When the relay may try the next held message; `None` if it holds none.
    pub(super) fn next_trial(&self, now: Instant) -> Option<Instant> {
        let refused = self.refused.values().copied().filter(|due| *due > now);
        self.circuits.next_trial(now).into_iter().chain(refused).min()
    }

    /// Publishes one wave after the other.
    ///
    /// No wave begins at `until` or later, when another relay may own the rows, or after the end of the time to stop. A row without a
    /// settlement stays pending.
    pub(super) async fn publish(
        &mut self,
        waves: Vec<Wave>,
        until: Instant,
        stop: &StopSignal,
    ) -> Vec<(Place, Verdict)> {
        let mut verdicts = Vec::new();
        let mut asked: HashMap<String, Pace> = HashMap::new();
        for wave in waves {
            let now = Instant::now();
            let in_time = now < until && stop.until().is_none_or(|end| now < end);
            let wave: Vec<_> = wave.into_iter().map(|group| self.without_held(group, in_time)).collect();
            let calls: Vec<BoxFuture<'_, _>> = wave.iter().map(|group| self.give(&group.messages)).collect();
            let answers = join_all(calls).await;
            for (group, (answers, took)) in wave.iter().zip(answers).filter(|(group, _)| !group.rows.is_empty()) {
                self.judge(group, answers, took, &mut verdicts);
                let pace = Pace { messages: group.rows.len(), took };
                let largest = asked.entry(group.destination.clone()).or_insert(pace);
                if pace.messages > largest.messages {
                    *largest = pace;
                }
            }
        }
        for (destination, pace) in asked.into_iter().filter(|(destination, _)| !self.shut.contains(destination)) {
            self.circuits.close(&destination, pace);
        }
        self.held.extend(self.behind.drain());
        verdicts
    }

    /// Leaves out the messages that must wait because an earlier one was not published.
    fn without_held(&mut self, group: Group, in_time: bool) -> Group {
        let is_open = self.shut.contains(&group.destination);
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

    /// Gives messages to the broker, which answers for each, and measures the time.
    ///
    /// The broker gets a little more time than its deadline, so that an answer at the deadline is not lost.
    fn give<'a>(&'a self, messages: &'a [OutboundMessage]) -> BoxFuture<'a, (Vec<Result<(), PublishError>>, Duration)> {
        Box::pin(async move {
            let begun = Instant::now();
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
            let answers = match timeout(self.deadline + self.deadline / 8, catch_panic(publishing)).await {
                Ok(Ok(answers)) => answers,
                Ok(Err(panic)) => unknown(&panic_message(&*panic)),
                Err(_) => unknown("the broker did not answer within its deadline"),
            };
            (answers, begun.elapsed())
        })
    }

    fn judge(
        &mut self,
        group: &Group,
        answers: Vec<Result<(), PublishError>>,
        took: Duration,
        verdicts: &mut Vec<(Place, Verdict)>,
    ) {
        let missing = iter::repeat_with(|| {
            Err(PublishError::ambiguous("the broker answered for fewer messages than it was given"))
        });
        for ((&(place, attempts), message), answer) in
            group.rows.iter().zip(&group.messages).zip(answers.into_iter().chain(missing))
        {
            let error = match answer {
                Ok(()) => {
                    verdicts.push((place, Verdict::Sent));
                    continue;
                }
                Err(error) => error,
            };
            hold(message, &mut self.held);
            if error.kind() == PublishErrorKind::Fatal && !error.concerns_destination() {
                verdicts.push((place, self.refuse(place, message, attempts, &error)));
                continue;
            }
            let retry_after = match error.kind() {
                PublishErrorKind::Transient { retry_after } => retry_after,
                _ => None,
            };
            // Other destinations wait for the answer of a slow one, so the relay tries that one less often.
            let pause = retry_after.unwrap_or_default().max(took * 3);
            self.circuits.open(&group.destination, error.to_string(), pause, Instant::now());
            self.shut.insert(group.destination.clone());
        }
    }

    /// Decides what becomes of a row whose message the broker refused.
    fn refuse(&mut self, place: Place, message: &OutboundMessage, attempts: u32, error: &PublishError) -> Verdict {
        let attempts = attempts.saturating_add(1);
        if attempts < self.attempts {
            self.refused.insert(place, Instant::now() + pause_after(attempts));
            return Verdict::Refused { attempts };
        }
        tracing::error!(
            target: "diator",
            {
                diator.message = %message.name,
                messaging.message.id = %message.id,
                messaging.destination.name = message.topic.as_deref(),
                error = error as &dyn std::error::Error,
            },
            "the broker refused a message for good; it becomes a dead letter"
        );
        Verdict::Dead { reason: error.to_string(), parks_key: self.on_dead == OnDead::Park && message.key.is_some() }
    }
}

/// How long a message waits after this number of refusals, so that somebody can mend the cause.
fn pause_after(attempts: u32) -> Duration {
    match attempts {
        0 | 1 => Duration::from_secs(1),
        2 => Duration::from_secs(10),
        _ => Duration::from_secs(60),
    }
}
