//! The broker that sends messages on to others, and what `build()` asks a broker about.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use diator::broker::{
    EventRoute, Guarantees, MessageType, NotAccepted, PublishErrorKind, Receipt, RetryPolicy, RetryingBroker, Route,
    RoutingBroker, TargetAnswers,
};
use diator::handlers;
use diator::prelude::*;
use diator::registry::{Problem, ProblemKind};
use diator::{MessageBroker, OutboundMessage, PublishError};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(30);
const BUSY: PublishErrorKind = PublishErrorKind::Transient { retry_after: None };

fn memory() -> Arc<InMemoryBroker> {
    Arc::new(InMemoryBroker::new())
}

fn message(name: &'static str) -> OutboundMessage {
    OutboundMessage::new(Uuid::now_v7(), MessageType::Notification, name, name.as_bytes())
}

fn ecst(name: &'static str) -> OutboundMessage {
    OutboundMessage::new(Uuid::now_v7(), MessageType::Ecst, name, name.as_bytes())
}

fn names(broker: &InMemoryBroker) -> Vec<String> {
    broker.published().iter().map(|message| message.name.to_string()).collect()
}

fn kinds(answers: Vec<Result<Receipt, PublishError>>) -> Vec<Option<PublishErrorKind>> {
    answers.into_iter().map(|answer| answer.err().map(|error| error.kind())).collect()
}

#[tokio::test]
async fn a_message_goes_by_topic_name_or_type_and_the_first_route_wins() {
    let [topic, name, kind, rest] = [(); 4].map(|()| memory());
    let broker = RoutingBroker::new()
        .route(Route::topic("orders").to(topic.clone()))
        .route(Route::name("Order*").to(name.clone()))
        .route(Route::message_type(MessageType::Ecst).to(kind.clone()))
        .otherwise(rest.clone());
    let messages = [
        ecst("OrderPlaced").with_topic("orders"),
        ecst("OrderPaid").with_topic("Orders"),
        ecst("Invoiced").with_topic("invoices"),
        message("Joined"),
        message("Left").with_topic("orders"),
    ];
    for message in &messages {
        assert_eq!(broker.publish(message).await.unwrap(), Receipt::Accepted);
    }
    assert_eq!(topic.published(), [messages[0].clone(), messages[4].clone()]);
    assert_eq!(name.published(), [messages[1].clone()]);
    assert_eq!(kind.published(), [messages[2].clone()]);
    assert_eq!(rest.published(), [messages[3].clone()]);
}

#[tokio::test]
async fn a_batch_reaches_its_targets_in_order_and_answers_per_message() {
    let (orders, rest) = (memory(), memory());
    let broker = RoutingBroker::new()
        .route(Route::name("Order*").to(orders.clone()))
        .route(Route::name("Audit*").to(rest.clone()).to(orders.clone()))
        .otherwise(rest.clone());
    orders.refuse_if(|message| (message.name == "OrderLost").then(|| PublishError::fatal("lost")));
    let messages = ["Order1", "Joined", "OrderLost", "Audit", "Order2", "Left"].map(message);
    let answers = broker.publish_batch(&messages).await;
    let expected = [None, None, Some(PublishErrorKind::Fatal), None, None, None];
    assert_eq!(kinds(answers), expected);
    assert_eq!(names(&orders), ["Order1", "Audit", "Order2"]);
    assert_eq!(names(&rest), ["Joined", "Audit", "Left"]);
    assert!(broker.publish_batch(&[]).await.is_empty());
}

#[tokio::test]
async fn a_batch_for_one_target_arrives_whole() {
    let (orders, rest) = (memory(), memory());
    let broker = RoutingBroker::new().route(Route::name("Order*").to(orders.clone())).otherwise(rest.clone());
    let messages = ["Order1", "Order2", "Order3"].map(message);
    assert_eq!(kinds(broker.publish_batch(&messages).await), [None; 3]);
    assert_eq!((orders.published(), rest.len()), (messages.to_vec(), 0));
    orders.refuse_next(2, BUSY);
    assert_eq!(kinds(broker.publish_batch(&messages).await), [Some(BUSY), Some(BUSY), None]);
}

#[tokio::test]
async fn a_message_that_no_route_takes_is_a_fatal_error_and_the_others_go_out() {
    let orders = memory();
    let broker = RoutingBroker::new()
        .route(Route::topic("orders").to(orders.clone()))
        .route(Route::name("Received").not_published());
    let error = broker.publish(&message("Joined").with_topic("users")).await.unwrap_err();
    assert_eq!(error.kind(), PublishErrorKind::Fatal);
    let text = "routing broker cannot send `Joined`: no route takes it (notification_event, the topic `users`)";
    assert_eq!(error.to_string(), text);
    let error = broker.publish(&message("Received")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "routing broker has a route which says that this process does not publish `Received`"
    );

    let messages = [message("A"), message("B").with_topic("orders"), message("Received")];
    let fatal = Some(PublishErrorKind::Fatal);
    assert_eq!(kinds(broker.publish_batch(&messages).await), [fatal, None, fatal]);
    assert_eq!(names(&orders), ["B"]);
}

#[tokio::test]
async fn the_error_of_several_targets_says_how_many_have_the_message() {
    let [one, two, three] = [(); 3].map(|()| memory());
    let all = Route::name("*").to(one.clone()).to(two.clone()).to(three.clone());
    let broker = RoutingBroker::new().route(all);
    let wait = |seconds| PublishErrorKind::Transient { retry_after: Some(Duration::from_secs(seconds)) };
    let (fatal, ambiguous) = (PublishErrorKind::Fatal, PublishErrorKind::Ambiguous);
    let cases = [
        ([None, None, Some(BUSY)], ambiguous, 2),
        ([Some(BUSY), Some(wait(3)), Some(wait(2))], wait(3), 0),
        ([Some(BUSY), Some(ambiguous), Some(BUSY)], ambiguous, 0),
        ([None, Some(fatal), Some(BUSY)], ambiguous, 1),
        ([None, Some(fatal), Some(fatal)], ambiguous, 1),
        ([Some(fatal), Some(ambiguous), Some(BUSY)], ambiguous, 0),
        ([Some(fatal), Some(BUSY), Some(wait(3))], fatal, 0),
    ];
    for (behaviours, kind, taken) in cases {
        for (target, behaviour) in [&one, &two, &three].into_iter().zip(behaviours) {
            target.take_published();
            target.accept();
            behaviour.into_iter().for_each(|kind| target.refuse(kind));
        }
        let single = broker.publish(&message("A")).await.unwrap_err();
        let batch = broker.publish_batch(&[message("B")]).await.remove(0).unwrap_err();
        for error in [single, batch] {
            assert_eq!(error.kind(), kind, "{behaviours:?}");
            assert_eq!(error.to_string(), format!("only {taken} of 3 brokers took the message"));
            let source = error.source_as::<TargetAnswers>().unwrap();
            let answers = source.answers().iter().map(|answer| answer.as_ref().err().map(PublishError::kind));
            assert_eq!(answers.collect::<Vec<_>>(), behaviours);
        }
        assert_eq!(one.len() + two.len() + three.len(), 2 * taken);
    }
}

/// Refuses everything, for itself or for its destination.
struct Closed {
    concerns_destination: bool,
}

#[diator::async_trait]
impl MessageBroker for Closed {
    async fn publish(&self, _: &OutboundMessage) -> Result<Receipt, PublishError> {
        let error = PublishError::fatal("closed");
        Err(if self.concerns_destination { error.concerning_destination() } else { error })
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::none()
    }

    fn destination(&self, event: &EventRoute<'_>) -> Cow<'_, str> {
        event.topic.map(str::to_owned).unwrap_or_default().into()
    }
}

#[tokio::test]
async fn a_message_is_refused_for_itself_if_one_target_does_so() {
    for (one, other) in [(true, true), (true, false), (false, true), (false, false)] {
        let closed = |concerns_destination| Arc::new(Closed { concerns_destination });
        let broker = RoutingBroker::new().otherwise(closed(one)).otherwise(closed(other));
        let error = broker.publish(&message("Joined")).await.unwrap_err();
        assert_eq!(error.kind(), PublishErrorKind::Fatal);
        assert_eq!(error.concerns_destination(), one && other);
    }
    let busy = memory();
    busy.refuse(BUSY);
    let broker = RoutingBroker::new().otherwise(Arc::new(Closed { concerns_destination: true })).otherwise(busy);
    assert!(broker.publish(&message("Joined")).await.unwrap_err().concerns_destination(), "the other one is busy");
}

#[test]
fn a_destination_is_a_target_and_what_it_is_there() {
    let (memory, closed) = (memory(), Arc::new(Closed { concerns_destination: true }));
    let broker = RoutingBroker::new()
        .route(Route::name("Order*").to(memory.clone()))
        .route(Route::name("Audit*").to(memory.clone()).to(closed.clone()))
        .route(Route::name("Private").not_published())
        .otherwise(closed);
    let broker: Arc<dyn MessageBroker> = Arc::new(RetryingBroker::new(broker, RetryPolicy::default()).unwrap());
    let destination =
        |name, topic| broker.destination(&EventRoute::new(MessageType::Ecst, name).with_topic(topic)).into_owned();
    assert_eq!(destination("OrderPlaced", "orders"), "target 1");
    assert_eq!(destination("OrderPaid", "payments"), "target 1", "that one has no parts");
    assert_eq!(destination("UserChanged", "users"), "target 2 users");
    assert_eq!(destination("AuditClosed", "audits"), "target 1, target 2 audits");
    assert_eq!(destination("Private", "users"), "");
    assert_eq!(RoutingBroker::new().destination(&EventRoute::new(MessageType::Ecst, "UserChanged")), "");
}

#[tokio::test]
async fn the_code_of_the_worst_target_and_what_each_answered_are_kept() {
    let (one, two) = (memory(), memory());
    let broker = RoutingBroker::new().otherwise(one.clone()).otherwise(two.clone());
    one.refuse_if(|_| Some(PublishError::transient("one is busy").with_code("503")));
    two.refuse_if(|_| Some(PublishError::fatal("two knows no such topic").with_code("404")));
    let error = broker.publish(&message("A")).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (PublishErrorKind::Fatal, Some("404")));
    let answers = "target 1 answered: one is busy (503); target 2 answered: two knows no such topic (404)";
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), answers);
    one.accept();
    let error = broker.publish(&message("B")).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (PublishErrorKind::Ambiguous, Some("404")));
    let answers = "target 1 took it; target 2 answered: two knows no such topic (404)";
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), answers);
}

#[tokio::test]
async fn a_single_target_answers_for_itself() {
    let one = memory();
    let broker = RoutingBroker::new().otherwise(one.clone()).otherwise(one.clone());
    one.refuse(BUSY);
    let error = broker.publish(&message("A")).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (BUSY, "the in-memory broker is set to refuse the message"));
    one.accept();
    broker.publish(&message("A")).await.unwrap();
    assert_eq!(one.len(), 1, "a broker that is named twice gets the message once");
}

#[tokio::test]
async fn the_targets_of_a_message_are_asked_at_the_same_time() {
    let (slow, quick) = (memory(), memory());
    let broker = RoutingBroker::new().route(Route::name("*").to(slow.clone()).to(quick.clone()));
    slow.hang();
    let publishing = tokio::spawn(async move { broker.publish(&message("A")).await });
    timeout(PATIENCE, quick.published_at_least(1)).await.expect("it does not wait for the slow one");
    assert!(!publishing.is_finished());
    slow.accept();
    timeout(PATIENCE, publishing).await.expect("it goes on").unwrap().unwrap();
    assert_eq!(slow.len(), 1);
}

/// States whatever it was made with, and takes only names that start with `A`.
struct Stated(Guarantees, Receipt);

#[diator::async_trait]
impl MessageBroker for Stated {
    async fn publish(&self, _: &OutboundMessage) -> Result<Receipt, PublishError> {
        Ok(self.1.clone())
    }

    async fn publish_batch(&self, _: &[OutboundMessage]) -> Vec<Result<Receipt, PublishError>> {
        Vec::new()
    }

    fn guarantees(&self) -> Guarantees {
        self.0
    }

    fn accepts(&self, event: &EventRoute<'_>) -> Result<(), NotAccepted> {
        if event.name.starts_with('A') { Ok(()) } else { Err(NotAccepted::new("its name is wrong", "rename it")) }
    }
}

#[tokio::test]
async fn guarantees_and_receipts_are_the_weakest_of_all_targets() {
    assert_eq!(RoutingBroker::new().guarantees(), Guarantees::none());
    let durable = Guarantees::none().durable().confirmed().ordered();
    let persisted = Receipt::Persisted { position: "1-0".to_owned() };
    let one = Arc::new(Stated(durable.max_body(10), persisted.clone()));
    let broker = RoutingBroker::new().otherwise(one);
    assert_eq!(broker.guarantees(), durable.max_body(10));
    assert_eq!(broker.publish(&message("A")).await.unwrap(), persisted);
    let broker = broker.otherwise(Arc::new(Stated(Guarantees::none().confirmed().ordered_by_key(), Receipt::Accepted)));
    assert_eq!(broker.guarantees(), Guarantees::none().confirmed().ordered_by_key().max_body(10));
    assert_eq!(broker.publish(&message("A")).await.unwrap(), Receipt::Accepted);
}

#[tokio::test]
async fn a_target_that_forgets_to_answer_is_not_taken_for_success() {
    let broker = RoutingBroker::new()
        .route(Route::name("A").to(Arc::new(Stated(Guarantees::none(), Receipt::Sent))))
        .otherwise(memory());
    let answers = broker.publish_batch(&["A", "B"].map(message)).await;
    assert_eq!(kinds(answers), [Some(PublishErrorKind::Ambiguous), None]);
}

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(topic = "orders")]
struct OrderPlaced {
    order_id: u64,
}

#[derive(Debug, Serialize, EcstEvent)]
#[event(name = "user_changed")]
struct UserChanged {
    user_id: u64,
}

#[event_handler(OrderPlaced)]
struct CountOrders;

impl EventHandler<OrderPlaced> for CountOrders {
    async fn handle(&self, _: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

#[test]
fn an_event_that_no_route_takes_fails_the_build() {
    let broker = RoutingBroker::new().route(Route::topic("users").to(memory()));
    let error = Mediator::from_registry().broker(broker).build().unwrap_err();
    let problems = error.problems();
    assert!(problems.iter().all(|problem| problem.kind() == ProblemKind::NotAccepted), "{error}");
    let texts: Vec<_> = problems.iter().map(Problem::text).collect();
    let expected = [
        "the broker does not accept the event `OrderPlaced`: no route takes it (notification_event, the topic `orders`)",
        "the broker does not accept the event `user_changed`: no route takes it (ecst_event, no topic)",
    ];
    assert_eq!(texts, expected);
    assert!(problems.iter().all(|problem| problem.location().is_some()));
    assert!(problems[1].remedy().contains("`.route(Route::name(\"user_changed\").to(broker))`"), "{error}");
    assert!(problems[1].remedy().contains("not_published()"), "{error}");
}

#[tokio::test]
async fn with_a_route_for_every_event_the_mediator_publishes() {
    let (orders, rest) = (memory(), memory());
    let broker = RoutingBroker::new().route(Route::topic("orders").to(orders.clone())).otherwise(rest.clone());
    let mediator = Mediator::from_registry().broker(broker).build().unwrap();
    mediator.emit(OrderPlaced { order_id: 1 }).await.unwrap();
    mediator.emit(UserChanged { user_id: 1 }).await.unwrap();
    assert_eq!((names(&orders), names(&rest)), (vec!["OrderPlaced".to_owned()], vec!["user_changed".to_owned()]));
}

#[test]
fn only_what_is_listed_is_asked_for_and_what_only_arrives_needs_no_target() {
    let listed = || Mediator::builder().handlers(handlers![CountOrders]);
    let error = listed().broker(RoutingBroker::new()).build().unwrap_err();
    assert_eq!(error.problems().len(), 1, "{error}");
    let arriving = RoutingBroker::new().route(Route::name("OrderPlaced").not_published());
    listed().broker(arriving).build().unwrap();
}

#[test]
fn a_target_that_refuses_an_event_fails_the_build_too() {
    let picky = Arc::new(Stated(Guarantees::none(), Receipt::Sent));
    let error = Mediator::from_registry().broker(RoutingBroker::new().otherwise(picky.clone())).build().unwrap_err();
    assert_eq!(error.problems().len(), 2, "{error}");
    let text = "the broker does not accept the event `OrderPlaced`: its name is wrong";
    assert_eq!((error.problems()[0].text(), error.problems()[0].remedy()), (text, "rename it"));
    let direct = Mediator::from_registry().broker(picky).build().unwrap_err();
    assert_eq!(direct.problems(), error.problems());
}
