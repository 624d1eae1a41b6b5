use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::Notify;

use super::{Guarantees, MessageBroker, OutboundMessage, PublishError, PublishErrorKind, Receipt};

/// A broker that keeps what was published, for tests and for programs that nobody listens to.
///
/// It can be told to misbehave as brokers do: to [`refuse`](Self::refuse) and to [`hang`](Self::hang). A test asks it
/// with [`assert_published`](Self::assert_published) and its neighbours.
///
/// # Guarantees
///
/// - Clones share everything: what was published, and how the broker behaves.
/// - Messages are kept in the order in which they were accepted, each exactly as it was given, until
///   [`take_published`](Self::take_published) takes them. There is no limit: who publishes for ever, must take.
/// - What was refused is not kept, whatever the kind of the refusal; nor is a message whose `publish` was dropped
///   while the broker hung.
/// - A message with an id that was published before is kept a second time.
/// - All methods may be called from many threads and tasks at once.
/// - It names no [`deadline`](MessageBroker::deadline): a message that hangs does so until the broker behaves otherwise.
/// - Every method that changes its behaviour, except [`hang`](Self::hang), lets the messages that hang now get their answers.
///
/// # Example
///
/// ```
/// use diator::broker::{InMemoryBroker, MessageBroker, MessageType, OutboundMessage, PublishErrorKind};
/// use uuid::Uuid;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let broker = InMemoryBroker::new();
/// let message = OutboundMessage::new(Uuid::now_v7(), MessageType::Notification, "UserJoined", *b"{}");
///
/// broker.refuse_next(1, PublishErrorKind::Ambiguous);
/// assert!(broker.publish(&message).await.is_err());
/// broker.publish(&message).await?;
/// assert_eq!(broker.published(), [message]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct InMemoryBroker {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    published: Vec<OutboundMessage>,
    mode: Mode,
}

type Judge = Arc<dyn Fn(&OutboundMessage) -> Option<PublishError> + Send + Sync>;

#[derive(Clone, Default)]
enum Mode {
    #[default]
    Accept,
    Refuse(PublishErrorKind),
    RefuseNext(usize, PublishErrorKind),
    RefuseIf(Judge),
    Hang,
}

impl InMemoryBroker {
    /// An empty broker that accepts everything.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What was published, oldest first.
    #[must_use]
    pub fn published(&self) -> Vec<OutboundMessage> {
        self.state().published.clone()
    }

    /// The bodies of what was published, oldest first; one that is not JSON comes as a text.
    #[must_use]
    pub fn published_json(&self) -> Vec<Value> {
        self.published().iter().map(|message| json(&message.body)).collect()
    }

    /// Removes what was published, and returns it, oldest first.
    ///
    /// The broker goes on as before: it neither forgets how it behaves, nor wakes those who wait in
    /// [`published_at_least`](Self::published_at_least).
    pub fn take_published(&self) -> Vec<OutboundMessage> {
        std::mem::take(&mut self.state().published)
    }

    /// How many messages it keeps.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state().published.len()
    }

    /// Whether it keeps none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until it keeps so many messages, and returns them; for ever, if they do not come.
    ///
    /// Dropping the future is harmless.
    pub async fn published_at_least(&self, count: usize) -> Vec<OutboundMessage> {
        loop {
            let changed = self.shared.changed.notified();
            let published = self.published();
            if published.len() >= count {
                return published;
            }
            changed.await;
        }
    }

    /// Refuses every message with an error of this kind, those that hang included, until told otherwise.
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

    /// Refuses the messages for which `judge` has an error, and accepts the others, until told otherwise.
    ///
    /// `judge` runs once for each message, on the thread that publishes, perhaps on several at once. It may use the broker
    /// itself. Its panic is one of `publish`.
    pub fn refuse_if(&self, judge: impl Fn(&OutboundMessage) -> Option<PublishError> + Send + Sync + 'static) {
        self.behave(Mode::RefuseIf(Arc::new(judge)));
    }

    /// Leaves every message without an answer until told otherwise.
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

    /// The answer to a message, or `None` while the broker hangs.
    fn answer(&self, message: &OutboundMessage) -> Option<Result<Receipt, PublishError>> {
        let mut state = self.state();
        match state.next_mode() {
            Mode::Hang => return None,
            Mode::Refuse(kind) | Mode::RefuseNext(_, kind) => return Some(Err(refusal(kind))),
            Mode::RefuseIf(judge) => {
                drop(state); // The judge may use this broker.
                if let Some(error) = judge(message) {
                    return Some(Err(error));
                }
                state = self.state();
            }
            Mode::Accept => {}
        }
        state.published.push(message.clone());
        drop(state);
        self.shared.changed.notify_waiters();
        Some(Ok(Receipt::Accepted))
    }

    // Nothing that runs under the lock leaves the state half changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How to treat the message that comes now.
    fn next_mode(&mut self) -> Mode {
        let now = self.mode.clone();
        if let Mode::RefuseNext(left, kind) = now {
            self.mode = if left > 1 { Mode::RefuseNext(left - 1, kind) } else { Mode::Accept };
        }
        now
    }
}

fn refusal(kind: PublishErrorKind) -> PublishError {
    PublishError::new(kind, "in-memory broker was told to refuse the message")
}

fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into())
}

#[async_trait]
impl MessageBroker for InMemoryBroker {
    async fn publish(&self, message: &OutboundMessage) -> Result<Receipt, PublishError> {
        loop {
            let changed = self.shared.changed.notified();
            if let Some(answer) = self.answer(message) {
                return answer;
            }
            changed.await;
        }
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::none().ordered().confirmed().retained()
    }
}

impl fmt::Debug for InMemoryBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InMemoryBroker").field("published", &self.state().published).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::broker::MessageType;

    const AMBIGUOUS: PublishErrorKind = PublishErrorKind::Ambiguous;
    const BUSY: PublishErrorKind = PublishErrorKind::Transient { retry_after: Some(Duration::from_secs(1)) };

    fn message(name: &'static str) -> OutboundMessage {
        OutboundMessage::new(Uuid::nil(), MessageType::Notification, name, name.as_bytes())
    }

    fn names(broker: &InMemoryBroker) -> Vec<String> {
        broker.published().iter().map(|message| message.name.to_string()).collect()
    }

    fn kind(answer: Result<Receipt, PublishError>) -> Option<PublishErrorKind> {
        answer.err().map(|error| error.kind())
    }

    fn poll<F: Future + ?Sized>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn it_keeps_what_was_published_in_order() {
        let broker = InMemoryBroker::new();
        assert!(broker.is_empty());
        for name in ["first", "second", "first"] {
            assert_eq!(broker.publish(&message(name)).await.expect("it accepts"), Receipt::Accepted);
        }
        assert_eq!(broker.published(), [message("first"), message("second"), message("first")]);
        assert_eq!(broker.len(), 3);
        assert_eq!(broker.take_published().len(), 3);
        assert!(broker.is_empty() && broker.take_published().is_empty());
    }

    #[tokio::test]
    async fn clones_share_everything() {
        let broker = InMemoryBroker::new();
        let clone = broker.clone();
        clone.refuse_next(1, AMBIGUOUS);
        assert_eq!(kind(broker.publish(&message("a")).await), Some(AMBIGUOUS));
        assert_eq!(kind(broker.publish(&message("b")).await), None);
        assert_eq!(names(&clone), ["b"]);
    }

    #[tokio::test]
    async fn it_refuses_until_told_otherwise_and_keeps_nothing() {
        let broker = InMemoryBroker::new();
        broker.refuse(BUSY);
        for _ in 0..3 {
            assert_eq!(kind(broker.publish(&message("a")).await), Some(BUSY));
        }
        assert!(broker.is_empty());
        broker.accept();
        assert_eq!(kind(broker.publish(&message("b")).await), None);
    }

    #[tokio::test]
    async fn it_refuses_so_many_and_then_accepts() {
        let broker = InMemoryBroker::new();
        broker.refuse_next(2, PublishErrorKind::Fatal);
        let answers = broker.publish_batch(&[message("a"), message("b"), message("c")]).await;
        assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, false, true]);
        broker.refuse(BUSY);
        broker.refuse_next(0, BUSY);
        assert_eq!(kind(broker.publish(&message("d")).await), None);
        assert_eq!(names(&broker), ["c", "d"]);
    }

    #[tokio::test]
    async fn a_judge_chooses_and_may_use_the_broker() {
        let broker = InMemoryBroker::new();
        let inner = broker.clone();
        broker.refuse_if(move |message| {
            (message.name == "bad").then(|| PublishError::fatal(format!("refused after {}", inner.len())))
        });
        let answers = broker.publish_batch(&[message("good"), message("bad"), message("good")]).await;
        let errors: Vec<_> = answers.into_iter().filter_map(Result::err).map(|error| error.to_string()).collect();
        assert_eq!(errors, ["refused after 1"]);
        assert_eq!(names(&broker), ["good", "good"]);
    }

    #[tokio::test]
    async fn it_survives_a_judge_that_panics() {
        let broker = InMemoryBroker::new();
        broker.refuse_if(|_| panic!("the judge panics"));
        let publishing = broker.clone();
        assert!(tokio::spawn(async move { publishing.publish(&message("a")).await }).await.is_err());
        broker.accept();
        assert_eq!(kind(broker.publish(&message("b")).await), None);
        assert_eq!(names(&broker), ["b"]);
    }

    #[tokio::test]
    async fn it_hangs_until_it_accepts() {
        let broker = InMemoryBroker::new();
        broker.hang();
        let message = message("a");
        let mut publishing = pin!(broker.publish(&message));
        assert!(poll(publishing.as_mut()).is_pending());
        assert!(broker.is_empty());
        broker.accept();
        assert_eq!(publishing.await.expect("it accepts"), Receipt::Accepted);
        assert_eq!(broker.len(), 1);
    }

    #[tokio::test]
    async fn what_hangs_can_be_refused() {
        let broker = InMemoryBroker::new();
        broker.hang();
        let message = message("a");
        let mut publishing = pin!(broker.publish(&message));
        assert!(poll(publishing.as_mut()).is_pending());
        broker.refuse(AMBIGUOUS);
        assert_eq!(kind(publishing.await), Some(AMBIGUOUS));
        assert!(broker.is_empty());
    }

    #[tokio::test]
    async fn what_was_dropped_while_hanging_is_not_kept() {
        let broker = InMemoryBroker::new();
        broker.hang();
        let message = message("a");
        let mut publishing = broker.publish(&message);
        assert!(poll(publishing.as_mut()).is_pending());
        drop(publishing);
        broker.accept();
        tokio::task::yield_now().await;
        assert!(broker.is_empty());
    }

    #[tokio::test]
    async fn a_reader_can_wait_for_messages() {
        let broker = InMemoryBroker::new();
        assert!(broker.published_at_least(0).await.is_empty());
        let mut waiting = pin!(broker.published_at_least(2));
        for (name, arrived) in [("a", false), ("b", true)] {
            broker.publish(&message(name)).await.expect("it accepts");
            match poll(waiting.as_mut()) {
                Poll::Ready(published) => assert!(arrived && published.len() == 2),
                Poll::Pending => assert!(!arrived),
            }
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn many_tasks_lose_nothing() {
        let broker = InMemoryBroker::new();
        broker.hang();
        for _ in 0..8 {
            let publishing = broker.clone();
            tokio::spawn(async move {
                for _ in 0..50 {
                    publishing.publish(&message("a")).await.expect("it accepts");
                }
            });
        }
        broker.accept();
        let all = tokio::time::timeout(Duration::from_secs(20), broker.published_at_least(400)).await;
        assert_eq!(all.expect("all of them come").len(), 400);
    }

    #[tokio::test]
    async fn bodies_are_read_as_json_where_they_are() {
        let broker = InMemoryBroker::new();
        let object = OutboundMessage { body: (*br#"{"user_id":7}"#).into(), ..message("Joined") };
        for message in [&object, &message("not json")] {
            broker.publish(message).await.expect("it accepts");
        }
        assert_eq!(broker.published_json(), [json!({"user_id": 7}), json!("not json")]);
    }

    #[test]
    fn it_promises_no_durability() {
        let guarantees = InMemoryBroker::new().guarantees();
        assert!(guarantees.ordered && guarantees.confirmed && guarantees.retained);
        assert!(!guarantees.durable && !guarantees.deduplicated);
        assert!(format!("{:?}", InMemoryBroker::new()).contains("published: []"));
    }
}
