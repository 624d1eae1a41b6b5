use std::sync::Arc;

use super::InMemoryBroker;
use crate::broker::{OutboundMessage, PublishError, PublishErrorKind};

type Judge = Arc<dyn Fn(&OutboundMessage) -> Option<PublishError> + Send + Sync>;

#[derive(Clone, Default)]
pub(super) enum Mode {
    #[default]
    Accept,
    Refuse(PublishErrorKind),
    RefuseNext(usize, PublishErrorKind),
    RefuseIf(Judge),
    Hang,
}

/// How it answers who publishes.
impl InMemoryBroker {
    /// Refuses every message with an error of this kind, those that hang included, until another call changes that.
    ///
    /// A broker that is down for now is `PublishErrorKind::Transient { retry_after: None }`.
    pub fn refuse(&self, kind: PublishErrorKind) {
        self.behave(Mode::Refuse(kind));
    }

    /// Refuses so many messages with an error of this kind, and accepts again after that.
    ///
    /// Zero means that it accepts from now on. Concurrent publishers share the count: no more than so many messages are refused.
    pub fn refuse_next(&self, count: usize, kind: PublishErrorKind) {
        self.behave(if count == 0 { Mode::Accept } else { Mode::RefuseNext(count, kind) });
    }

    /// Refuses the messages for which `judge` has an error, and accepts the others, until another call changes that.
    ///
    /// `judge` runs once for each message, on the thread that publishes, perhaps on several at once. It may use the
    /// broker itself. If it panics, `publish` panics.
    pub fn refuse_if(&self, judge: impl Fn(&OutboundMessage) -> Option<PublishError> + Send + Sync + 'static) {
        self.behave(Mode::RefuseIf(Arc::new(judge)));
    }

    /// Leaves every message without an answer, until another call changes that.
    pub fn hang(&self) {
        self.behave(Mode::Hang);
    }

    /// Accepts every message again; those that hang now get their answers.
    pub fn accept(&self) {
        self.behave(Mode::Accept);
    }

    fn behave(&self, mode: Mode) {
        self.state().mode = mode;
        self.shared.changed.notify_waiters();
    }
}

impl Mode {
    /// How to treat the message that comes now.
    pub(super) fn next(&mut self) -> Self {
        let now = self.clone();
        if let Self::RefuseNext(left, kind) = now {
            *self = if left > 1 { Self::RefuseNext(left - 1, kind) } else { Self::Accept };
        }
        now
    }
}

pub(super) fn refusal(kind: PublishErrorKind) -> PublishError {
    PublishError::new(kind, "the in-memory broker is set to refuse the message")
}
