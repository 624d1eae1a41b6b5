mod combine;
mod route;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use self::combine::TargetAnswers;
use self::combine::{combine, weakest};
pub use self::route::{Matcher, Route};
use super::receipt::Answer;
use super::{EventRoute, Guarantees, MessageBroker, NotAccepted, OutboundMessage, PublishError};
use crate::BoxFuture;
use crate::join::join_all;

/// Sends each message to the brokers of the first route that takes it.
///
/// It is for a program whose events go to several brokers: by topic, by name or by kind. It tries the routes in the
/// order in which they were added. A route may have several targets; [`otherwise`](Self::otherwise) takes every message
/// that no route takes. `build()` reports an event that no route takes.
///
/// # Guarantees
///
/// - The [`guarantees`](MessageBroker::guarantees) are the weakest of all targets.
/// - The order of messages is kept on the way to each target, in batches too. If several routes name one broker, give
///   them clones of one `Arc`: then it is one target.
/// - The targets of a route are called at the same time, so that the slowest of their deadlines limits the call.
/// - The receipt is the weakest of those that a route's targets gave.
///
/// # Errors
///
/// With one target, its own error. With several, one error for the message: the text says how many of them have the
/// message, the code is that of the worst answer, and the source is a [`TargetAnswers`] with the answer of each.
///
/// | the targets that failed | another target took the message, or may have it | kind |
/// |---|---|---|
/// | any | yes | ambiguous: a retry reaches that target once more, with the same id |
/// | one of them for good | no | fatal: no retry can bring the message to all of them |
/// | all of them for now | no | transient; the longest `retry_after` counts |
///
/// Put a [`RetryingBroker`](super::RetryingBroker) around each target and not around this broker: around this broker,
/// it can only retry all targets, those that have the message included, and a message that one of them refused for good
/// looks ambiguous.
///
/// A message that no route takes is a fatal error; `build()` reports such events as far as it knows them.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
/// use diator::broker::{InMemoryBroker, MessageBroker, MessageType, OutboundMessage, Route, RoutingBroker};
/// use uuid::Uuid;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (durable, fast) = (Arc::new(InMemoryBroker::new()), Arc::new(InMemoryBroker::new()));
/// let broker = RoutingBroker::new()
///     .route(Route::topic("orders").to(durable.clone()))
///     .route(Route::name("Audit*").to(durable.clone()).to(fast.clone()))
///     .otherwise(fast.clone());
///
/// broker.publish(&OutboundMessage::new(Uuid::now_v7(), MessageType::Ecst, "AuditClosed", *b"{}")).await?;
/// assert_eq!((durable.len(), fast.len()), (1, 1));
/// # Ok(())
/// # }
/// ```
///
/// # Source
///
/// The pattern Content-Based Router of G. Hohpe and B. Woolf, "Enterprise Integration Patterns".
#[derive(Default)]
pub struct RoutingBroker {
    targets: Vec<Arc<dyn MessageBroker>>,
    routes: Vec<(Matcher, Vec<usize>)>,
    otherwise: Vec<usize>,
}

impl RoutingBroker {
    /// Makes a broker without routes.
    ///
    /// Until it has a route, every message is a fatal error.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a route, which is tried after the earlier ones.
    ///
    /// It takes the messages that no earlier route takes: put the narrower route first.
    #[must_use]
    pub fn route(mut self, route: Route) -> Self {
        let mut targets: Vec<_> = route.targets.into_iter().map(|broker| self.target(broker)).collect();
        targets.sort_unstable();
        targets.dedup();
        self.routes.push((route.matcher, targets));
        self
    }

    /// Adds a broker for messages that no route takes.
    ///
    /// Such a message goes to all brokers that were added with this call. Without one, it is a fatal error.
    #[must_use]
    pub fn otherwise(mut self, broker: Arc<dyn MessageBroker>) -> Self {
        let target = self.target(broker);
        if !self.otherwise.contains(&target) {
            self.otherwise.push(target);
        }
        self
    }

    /// The number of a target; the same broker has the same.
    fn target(&mut self, broker: Arc<dyn MessageBroker>) -> usize {
        let same = |other: &Arc<dyn MessageBroker>| std::ptr::addr_eq(Arc::as_ptr(other), Arc::as_ptr(&broker));
        self.targets.iter().position(same).unwrap_or_else(|| {
            self.targets.push(broker);
            self.targets.len() - 1
        })
    }

    /// The targets of an event, or why it has none.
    fn find(&self, event: &EventRoute<'_>) -> Result<&[usize], NotAccepted> {
        if let Some((_, targets)) = self.routes.iter().find(|(matcher, _)| matcher.takes(event)) {
            return Ok(targets);
        }
        if self.otherwise.is_empty() { Err(no_route(event)) } else { Ok(&self.otherwise) }
    }

    fn targets_of(&self, message: &OutboundMessage) -> Result<&[usize], PublishError> {
        match self.find(&message.into()) {
            Ok([]) => Err(PublishError::fatal(format!(
                "routing broker has a route which says that this process does not publish `{}`",
                message.name
            ))),
            Ok(targets) => Ok(targets),
            Err(refusal) => {
                Err(PublishError::fatal(format!("routing broker cannot send `{}`: {refusal}", message.name)))
            }
        }
    }

    /// The one target that all the messages go to, if it is one.
    fn common_target(&self, messages: &[OutboundMessage]) -> Option<&dyn MessageBroker> {
        let mut targets = messages.iter().map(|message| self.targets_of(message).ok());
        match targets.next()?? {
            [only] if targets.all(|others| others == Some(&[*only])) => Some(&*self.targets[*only]),
            _ => None,
        }
    }

    /// Publishes what each target gets as one batch, all targets at the same time.
    async fn publish_shares(&self, messages: &[OutboundMessage]) -> Vec<Answer> {
        let mut answers: Vec<Vec<Answer>> = messages.iter().map(|_| Vec::new()).collect();
        let mut shares: Vec<Vec<usize>> = self.targets.iter().map(|_| Vec::new()).collect();
        for (number, message) in messages.iter().enumerate() {
            match self.targets_of(message) {
                Ok(targets) => targets.iter().for_each(|target| shares[*target].push(number)),
                Err(error) => answers[number].push(Err(error)),
            }
        }
        let publishing = self.targets.iter().zip(&shares).filter(|(_, share)| !share.is_empty());
        let publishing = publishing.map(|(target, share)| publish_share(&**target, share, messages)).collect();
        for (number, answer) in join_all(publishing).await.into_iter().flatten() {
            answers[number].push(answer);
        }
        answers.into_iter().map(combine).collect()
    }
}

/// Publishes some of the messages; the answers come with their numbers.
fn publish_share<'a>(
    target: &'a dyn MessageBroker,
    share: &'a [usize],
    messages: &'a [OutboundMessage],
) -> BoxFuture<'a, Vec<(usize, Answer)>> {
    Box::pin(async move {
        let chosen: Vec<_> = share.iter().map(|number| messages[*number].clone()).collect();
        let mut answers = target.publish_batch(&chosen).await.into_iter();
        let missing = || Err(PublishError::ambiguous("a broker answered for fewer messages than it was given"));
        share.iter().map(|number| (*number, answers.next().unwrap_or_else(missing))).collect()
    })
}

#[async_trait]
impl MessageBroker for RoutingBroker {
    async fn publish(&self, message: &OutboundMessage) -> Answer {
        match self.targets_of(message)? {
            [only] => self.targets[*only].publish(message).await,
            several => {
                let publishing = several.iter().map(|target| self.targets[*target].publish(message)).collect();
                combine(join_all(publishing).await)
            }
        }
    }

    async fn publish_batch(&self, messages: &[OutboundMessage]) -> Vec<Answer> {
        match self.common_target(messages) {
            Some(target) => target.publish_batch(messages).await,
            None => self.publish_shares(messages).await,
        }
    }

    fn deadline(&self) -> Option<Duration> {
        if self.targets.is_empty() {
            return None;
        }
        // The targets are asked at the same time.
        self.targets
            .iter()
            .map(MessageBroker::deadline)
            .try_fold(Duration::ZERO, |longest, one| Some(longest.max(one?)))
    }

    fn guarantees(&self) -> Guarantees {
        let all = self.targets.iter().map(MessageBroker::guarantees);
        all.reduce(weakest).unwrap_or_else(Guarantees::none)
    }

    fn accepts(&self, event: &EventRoute<'_>) -> Result<(), NotAccepted> {
        self.find(event)?.iter().try_for_each(|target| self.targets[*target].accepts(event))
    }

    /// The numbers of the event's targets, each with the destination that it has there.
    fn destination(&self, event: &EventRoute<'_>) -> Cow<'_, str> {
        let named = |target: &usize| match &*self.targets[*target].destination(event) {
            "" => format!("target {}", target + 1),
            inner => format!("target {} {inner}", target + 1),
        };
        let names: Vec<_> = self.find(event).unwrap_or_default().iter().map(named).collect();
        names.join(", ").into()
    }
}

impl fmt::Debug for RoutingBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoutingBroker")
            .field("targets", &self.targets.len())
            .field("routes", &self.routes)
            .field("otherwise", &self.otherwise)
            .finish()
    }
}

fn no_route(event: &EventRoute<'_>) -> NotAccepted {
    let topic = event.topic.map_or_else(|| "no topic".to_owned(), |topic| format!("the topic `{topic}`"));
    NotAccepted::new(
        format!("no route takes it ({}, {topic})", event.message_type),
        format!(
            "add a route, for example `.route(Route::name(\"{name}\").to(broker))`, or `.otherwise(broker)`; \
             if this process only receives it, `.route(Route::name(\"{name}\").not_published())`",
            name = event.name
        ),
    )
}
