//! What several targets answered, made one.

use std::time::Duration;

use super::Answer;
use crate::broker::{Guarantees, PublishError, PublishErrorKind, Receipt};

/// One answer for a message that went to several targets.
pub(super) fn combine(mut answers: Vec<Answer>) -> Answer {
    if let [_] = *answers {
        return answers.remove(0);
    }
    let total = answers.len();
    let (taken, failed): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    let taken: Vec<_> = taken.into_iter().filter_map(Result::ok).collect();
    let failed = failed.into_iter().filter_map(Result::err).collect::<Vec<_>>();
    let kind = kind_of(&failed, taken.len());
    let Some(worst) = failed.into_iter().max_by_key(|error| severity(error.kind())) else {
        return Ok(weakest_receipt(taken));
    };
    let error = PublishError::new(kind, format!("only {} of {total} brokers took the message", taken.len()));
    let code = worst.code().map(str::to_owned);
    let error = code.into_iter().fold(error, PublishError::with_code);
    Err(error.with_source(worst))
}

fn kind_of(failed: &[PublishError], taken: usize) -> PublishErrorKind {
    let mut longest: Option<Duration> = None;
    let mut worst = if taken > 0 { 1 } else { 0 };
    for error in failed {
        worst = worst.max(severity(error.kind()));
        if let PublishErrorKind::Transient { retry_after } = error.kind() {
            longest = longest.max(retry_after);
        }
    }
    match worst {
        0 => PublishErrorKind::Transient { retry_after: longest },
        1 => PublishErrorKind::Ambiguous,
        _ => PublishErrorKind::Fatal,
    }
}

fn severity(kind: PublishErrorKind) -> u8 {
    match kind {
        PublishErrorKind::Transient { .. } => 0,
        PublishErrorKind::Ambiguous => 1,
        PublishErrorKind::Fatal => 2,
    }
}

fn weakest_receipt(receipts: Vec<Receipt>) -> Receipt {
    let strength = |receipt: &Receipt| match receipt {
        Receipt::Sent => 0,
        Receipt::Accepted => 1,
        Receipt::Persisted { .. } => 2,
    };
    receipts.into_iter().min_by_key(strength).unwrap_or(Receipt::Sent)
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
