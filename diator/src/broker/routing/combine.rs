//! What several targets answered, made one.

// Times come from outside.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use std::error::Error;
use std::fmt;

use crate::broker::receipt::Answer;
use crate::broker::{Guarantees, PublishError, PublishErrorKind, Receipt};
use crate::shown::{self, Chain};

/// The answer of each target of a route: the source of the error of a [`RoutingBroker`](super::RoutingBroker).
///
/// Its text names each target by its number, in the order in which the route has them, with all causes of its error.
///
/// # Guarantees
///
/// There is one answer for each target, those that took the message included. If a driver answers for fewer messages
/// than it was given, the missing answers count as ambiguous.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
/// use diator::broker::{
///     InMemoryBroker, MessageBroker, MessageType, OutboundMessage, PublishErrorKind, Route, RoutingBroker, TargetAnswers,
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let (well, full) = (Arc::new(InMemoryBroker::new()), Arc::new(InMemoryBroker::new()));
/// full.refuse(PublishErrorKind::Fatal);
/// let broker = RoutingBroker::new().route(Route::message_type(MessageType::Ecst).to(well).to(full));
/// let message = OutboundMessage::new(uuid::Uuid::now_v7(), MessageType::Ecst, "UserChanged", *b"{}");
/// let error = broker.publish(&message).await.unwrap_err();
///
/// assert_eq!(error.kind(), PublishErrorKind::Ambiguous, "a retry reaches the first target again");
/// let answers = error.source_as::<TargetAnswers>().unwrap().answers();
/// assert!(answers[0].is_ok() && answers[1].is_err());
/// # }
/// ```
#[derive(Debug)]
pub struct TargetAnswers(Vec<Result<Receipt, PublishError>>);

impl TargetAnswers {
    /// The answers, in the order of the route's targets.
    pub fn answers(&self) -> &[Result<Receipt, PublishError>] {
        &self.0
    }
}

impl fmt::Display for TargetAnswers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, answer) in (1..).zip(&self.0) {
            write!(f, "{}target {number} ", if number == 1 { "" } else { "; " })?;
            match answer {
                Ok(_) => f.write_str("took it")?,
                Err(error) => write!(f, "answered: {}", shown::brief(Chain(error)))?,
            }
        }
        Ok(())
    }
}

// Its text holds the causes of all, because a source is but one of them.
impl Error for TargetAnswers {}

/// One answer for a message that went to several targets.
pub(super) fn combine(mut answers: Vec<Answer>) -> Answer {
    if let [_] = *answers {
        return answers.remove(0);
    }
    let Some(kind) = kind_of(&answers) else {
        return Ok(weakest_receipt(answers.into_iter().flatten()));
    };
    let taken = answers.iter().filter(|answer| answer.is_ok()).count();
    let error = PublishError::new(kind, format!("only {taken} of {} brokers took the message", answers.len()));
    let failed = answers.iter().filter_map(|answer| answer.as_ref().err());
    let worst = failed.max_by_key(|error| severity(error.kind())).and_then(PublishError::code).map(str::to_owned);
    let error = worst.into_iter().fold(error, PublishError::with_code);
    let error = if is_of_destinations(&answers) { error.concerning_destination() } else { error };
    Err(error.with_source(TargetAnswers(answers)))
}

/// What is known of a message that not every target took; `None` if all of them did.
///
/// Where one target has the message, or may have it, "not taken" would be a lie, whatever the others say.
fn kind_of(answers: &[Answer]) -> Option<PublishErrorKind> {
    let failed: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).map(PublishError::kind).collect();
    if failed.is_empty() {
        return None;
    }
    if failed.len() < answers.len() || failed.contains(&PublishErrorKind::Ambiguous) {
        return Some(PublishErrorKind::Ambiguous);
    }
    if failed.contains(&PublishErrorKind::Fatal) {
        return Some(PublishErrorKind::Fatal);
    }
    let times = failed.iter().filter_map(|kind| match kind {
        PublishErrorKind::Transient { retry_after } => *retry_after,
        _ => None,
    });
    Some(PublishErrorKind::Transient { retry_after: times.max() })
}

/// Whether no target refused the message for itself.
fn is_of_destinations(answers: &[Answer]) -> bool {
    let mut fatal =
        answers.iter().filter_map(|answer| answer.as_ref().err()).filter(|error| severity(error.kind()) == 2);
    fatal.all(PublishError::concerns_destination)
}

fn severity(kind: PublishErrorKind) -> u8 {
    match kind {
        PublishErrorKind::Transient { .. } => 0,
        PublishErrorKind::Ambiguous => 1,
        PublishErrorKind::Fatal => 2,
    }
}

fn weakest_receipt(receipts: impl Iterator<Item = Receipt>) -> Receipt {
    let strength = |receipt: &Receipt| match receipt {
        Receipt::Sent => 0,
        Receipt::Accepted => 1,
        Receipt::Persisted { .. } => 2,
    };
    receipts.min_by_key(strength).unwrap_or(Receipt::Sent)
}

pub(super) fn weakest(one: Guarantees, other: Guarantees) -> Guarantees {
    Guarantees {
        durable: one.durable && other.durable,
        ordered: one.ordered && other.ordered,
        ordered_by_key: one.ordered_by_key && other.ordered_by_key,
        confirmed: one.confirmed && other.confirmed,
        retained: one.retained && other.retained,
        deduplicated: one.deduplicated && other.deduplicated,
        max_body: [one.max_body, other.max_body].into_iter().flatten().min(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weakest_guarantee_counts() {
        let all = Guarantees::none().durable().ordered().confirmed().retained().deduplicated();
        assert_eq!(weakest(all, all), all);
        assert_eq!(weakest(all, Guarantees::none()), Guarantees::none());
        assert_eq!(weakest(all, Guarantees::none().ordered_by_key()), Guarantees::none().ordered_by_key());
        assert_eq!(weakest(all.max_body(9), all).max_body, Some(9));
        assert_eq!(weakest(all.max_body(9), all.max_body(7)).max_body, Some(7));
    }
}
