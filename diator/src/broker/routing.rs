use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;

use super::{
    EventRoute, Guarantees, MessageBroker, MessageType, NotAccepted, OutboundMessage, PublishError, PublishErrorKind,
    Receipt,
};
use crate::BoxFuture;

type Answer = Result<Receipt, PublishError>;

/// Sends each message to the brokers of the first route that takes it.
///
/// For a program whose events go to several brokers: by topic, by name or by kind. Routes are tried in the order in
/// which they were added; one may have several targets; [`otherwise`](Self::otherwise) takes what is left. An event
/// that no route takes is a problem in the report of `build()`.
///
/// # Guarantees
///
/// - The [`guarantees`](MessageBroker::guarantees) are the weakest of all targets.
/// - Order is kept on the way to each target, in batches too. Give a broker that several routes name as clones of
///   one `Arc`: then it is one target.
/// - A route's targets are asked at the same time, so that the slowest of their deadlines bounds the call.
/// - A receipt is the weakest of those that a route's targets gave.
///
/// # Errors
///
/// With one target, its own. With several, one error for the message, whose text says how many of them have it, and
/// whose code and source are the worst of theirs:
/// - fatal, if any target's is: no retry can bring the message to all of them;
/// - ambiguous, if another target has the message or may have it: a retry reaches it once more, with the same id;
/// - transient, if no target has it; the longest `retry_after` counts.
///
/// A message that no route takes is a fatal error; `build()` reports the events of which that is known.
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

/// Which messages a route takes; [`to`](Self::to) makes a route of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a matcher is no route until it is told where to"]
pub struct Matcher(By);

#[derive(Clone, Debug, PartialEq, Eq)]
enum By {
    Topic(String),
    Name(String),
    Type(MessageType),
}

/// Which messages go where; give it to [`RoutingBroker::route`].
#[must_use = "a route does nothing until a broker has it"]
pub struct Route {
    matcher: Matcher,
    targets: Vec<Arc<dyn MessageBroker>>,
}

impl Route {
    /// Messages whose event asked for exactly this topic.
    #[allow(clippy::new_ret_no_self, reason = "a route starts with what it takes")]
    pub fn topic(topic: impl Into<String>) -> Matcher {
        Matcher(By::Topic(topic.into()))
    }

    /// Messages whose name fits a pattern.
    ///
    /// `*` stands for any characters, also for none; everything else stands for itself, upper and lower case apart.
    pub fn name(pattern: impl Into<String>) -> Matcher {
        Matcher(By::Name(pattern.into()))
    }

    /// All messages of one kind.
    pub fn message_type(message_type: MessageType) -> Matcher {
        Matcher(By::Type(message_type))
    }

    /// Sends the messages to one more broker; one that the route has already does not get them twice.
    pub fn to(mut self, broker: Arc<dyn MessageBroker>) -> Self {
        self.targets.push(broker);
        self
    }
}

impl Matcher {
    /// Sends the messages to a broker.
    pub fn to(self, broker: Arc<dyn MessageBroker>) -> Route {
        Route { matcher: self, targets: vec![broker] }
    }

    /// Says that this process only receives such events: `build()` misses no route for them, and publishing one is a
    /// fatal error.
    pub fn not_published(self) -> Route {
        Route { matcher: self, targets: Vec::new() }
    }

    fn takes(&self, event: &EventRoute<'_>) -> bool {
        match &self.0 {
            By::Topic(topic) => event.topic == Some(topic),
            By::Name(pattern) => fits(pattern, event.name),
            By::Type(message_type) => event.message_type == *message_type,
        }
    }
}

impl RoutingBroker {
    /// Has no route yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a route, which is tried after those that are there.
    #[must_use]
    pub fn route(mut self, route: Route) -> Self {
        let mut targets: Vec<_> = route.targets.into_iter().map(|broker| self.target(broker)).collect();
        targets.sort_unstable();
        targets.dedup();
        self.routes.push((route.matcher, targets));
        self
    }

    /// Adds a broker for what no route takes.
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
                "routing broker was told that this process does not publish `{}`",
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

    fn guarantees(&self) -> Guarantees {
        let all = self.targets.iter().map(MessageBroker::guarantees);
        all.reduce(weakest).unwrap_or_else(Guarantees::none)
    }

    fn accepts(&self, event: &EventRoute<'_>) -> Result<(), NotAccepted> {
        self.find(event)?.iter().try_for_each(|target| self.targets[*target].accepts(event))
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

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route").field("matcher", &self.matcher).field("targets", &self.targets.len()).finish()
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

/// One answer for a message that went to several targets.
fn combine(mut answers: Vec<Answer>) -> Answer {
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

fn weakest(one: Guarantees, other: Guarantees) -> Guarantees {
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

/// Whether a name fits a pattern in which `*` stands for any characters.
fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Runs futures at the same time; the results come in the order of the futures.
async fn join_all<T>(mut futures: Vec<BoxFuture<'_, T>>) -> Vec<T> {
    let mut results: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    poll_fn(|cx| {
        for (future, result) in futures.iter_mut().zip(&mut results).filter(|(_, result)| result.is_none()) {
            if let Poll::Ready(ready) = future.as_mut().poll(cx) {
                *result = Some(ready);
            }
        }
        if results.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    results.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        let fitting = [
            ("Order", "Order"),
            ("*", ""),
            ("*", "Order"),
            ("Order*", "Order"),
            ("Order*", "OrderPlaced"),
            ("*Placed", "OrderPlaced"),
            ("O*r*d", "OrderPlaced"),
            ("**d", "OrderPlaced"),
            ("a*a", "aa"),
            ("*ü*", "grün"),
            ("Order?", "Order?"),
        ];
        for (pattern, name) in fitting {
            assert!(fits(pattern, name), "`{pattern}` should take `{name}`");
        }
        let unfitting = [
            ("Order", "Orders"),
            ("Order", "order"),
            ("Order*", "AnOrder"),
            ("*Order", "OrderPlaced"),
            ("a*a", "a"),
            ("a*b*b", "ab"),
            ("Order?", "OrderX"),
            ("", "Order"),
            ("O*x*d", "OrderPlaced"),
        ];
        for (pattern, name) in unfitting {
            assert!(!fits(pattern, name), "`{pattern}` should not take `{name}`");
        }
    }

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
