//! How many replicas must have a message before it counts as taken.

use std::num::NonZeroU32;
use std::time::Duration;

use redis::{Pipeline, Value};

use super::error::refused;
use diator::broker::PublishError;

#[derive(Clone, Copy, Debug)]
pub(super) struct Replicas {
    count: NonZeroU32,
    /// How long they may take. The server answers nothing else on this connection meanwhile.
    patience: Duration,
}

impl Replicas {
    /// They may take half of the time that a call may take.
    pub(super) fn new(count: NonZeroU32, deadline: Duration) -> Self {
        Self { count, patience: deadline.checked_div(2).unwrap_or_default() }
    }

    /// Lets the server answer when they have all that this connection has written so far, or when their time is over.
    pub(super) fn ask(self, pipeline: &mut Pipeline) {
        // Zero would be without an end.
        let patience = self.patience.as_millis().max(1);
        pipeline.cmd("WAIT").arg(self.count.get()).arg(u64::try_from(patience).unwrap_or(u64::MAX));
    }

    /// What the answer means for each message that the server has taken.
    pub(super) fn check(self, answer: &Value) -> Result<(), PublishError> {
        let count = self.count;
        match answer {
            Value::Int(have) if *have >= i64::from(count.get()) => Ok(()),
            Value::Int(have) => Err(PublishError::ambiguous(format!(
                "redis has the message, but only {have} of the {count} replicas that must have it confirmed it within {:?}",
                self.patience
            ))),
            Value::ServerError(error) => Err(refused(error.clone())),
            _ => Err(PublishError::ambiguous("redis did not say how many replicas have the message")),
        }
    }
}

#[cfg(test)]
mod tests {
    use diator::broker::PublishErrorKind;
    use redis::parse_redis_value;

    use super::*;

    #[test]
    fn fewer_replicas_than_asked_for_make_a_message_ambiguous() {
        let replicas = Replicas::new(NonZeroU32::new(2).expect("it is more than zero"), Duration::from_secs(1));
        let kind = |answer: &Value| replicas.check(answer).map_err(|error| error.kind());
        let ambiguous = Err(PublishErrorKind::Ambiguous);
        assert_eq!([2, 3].map(|have| kind(&Value::Int(have))), [Ok(()), Ok(())]);
        assert_eq!([Value::Int(1), Value::Int(0), Value::Nil].map(|answer| kind(&answer)), [ambiguous; 3]);
        let refusal = b"-NOPERM User ada has no permissions to run the 'wait' command\r\n";
        let error = replicas.check(&parse_redis_value(refusal).expect("it is a reply"));
        let error = error.expect_err("nobody knows how many have it");
        assert!(error.kind() == PublishErrorKind::Fatal && error.concerns_destination(), "{error:?}");
    }

    #[test]
    fn the_wait_has_an_end() {
        let packed = |deadline| {
            let mut pipeline = Pipeline::new();
            Replicas::new(NonZeroU32::MIN, deadline).ask(&mut pipeline);
            String::from_utf8(pipeline.get_packed_pipeline()).expect("it is text")
        };
        assert!(packed(Duration::from_secs(5)).contains("WAIT\r\n$1\r\n1\r\n$4\r\n2500\r\n"));
        assert!(packed(Duration::ZERO).ends_with("$1\r\n1\r\n"), "zero would wait for ever");
    }
}
