//! What a subscriber sees of a message: one tree, compared as a whole.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use diator::Committed;
use diator::InboundMessage;
use diator::broker::{MessageType, PublishErrorKind};
use diator::middleware::{RetryMiddleware, RetryPolicy, TracingMiddleware, middleware_fn};
use diator::prelude::*;
use serde_json::json;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use uuid::Uuid;

use super::seats::{Reserve, ReserveForGroup, ReserveOnce, Reserved, SeatError, SeatTaken, Seats};

/// Records spans and events as a tree.
#[derive(Clone, Default)]
struct Tree(Arc<Mutex<Vec<Node>>>);

struct Node {
    span: Option<u64>,
    parent: Option<u64>,
    title: String,
    fields: Fields,
}

#[derive(Default)]
struct Fields(Vec<(&'static str, String)>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push((field.name(), format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), value.to_owned()));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let causes = std::iter::successors(Some(value), |error| error.source()).map(ToString::to_string);
        self.0.push((field.name(), causes.collect::<Vec<_>>().join(": ")));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Tree {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target() == "diator"
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let parent = context.span(id).unwrap().parent().map(|span| span.id().into_u64());
        let title = attributes.metadata().name().to_owned();
        self.0.lock().unwrap().push(Node { span: Some(id.into_u64()), parent, title, fields });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut nodes = self.0.lock().unwrap();
        // Numbers of closed spans are used again: the last is the one that is open.
        let node = nodes.iter_mut().rev().find(|node| node.span == Some(id.into_u64())).unwrap();
        values.record(&mut node.fields);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let parent = context.event_span(event).map(|span| span.id().into_u64());
        let message = fields.0.iter().find(|(name, _)| *name == "message").map_or("", |(_, text)| text);
        let title = format!("{} {message}", event.metadata().level());
        self.0.lock().unwrap().push(Node { span: None, parent, title, fields });
    }
}

impl Tree {
    /// The tree, with those fields that say what it is about.
    fn read(&self) -> String {
        let nodes = self.0.lock().unwrap();
        let mut text = String::new();
        let mut depths: Vec<usize> = Vec::new();
        // A parent was there before its children; the last of its number is it.
        let mut children: Vec<Vec<usize>> = nodes.iter().map(|_| Vec::new()).collect();
        let mut roots = Vec::new();
        for (at, node) in nodes.iter().enumerate() {
            match node.parent {
                None => roots.push(at),
                Some(parent) => {
                    let parent = (0..at).rev().find(|other| nodes[*other].span == Some(parent)).unwrap();
                    children[parent].push(at);
                }
            }
        }
        let mut open: Vec<usize> = roots.into_iter().rev().collect();
        depths.resize(open.len(), 0);
        while let (Some(at), Some(depth)) = (open.pop(), depths.pop()) {
            writeln!(text, "{:indent$}{}", "", nodes[at].line(), indent = depth * 2).unwrap();
            open.extend(children[at].iter().rev());
            depths.resize(open.len(), depth + 1);
        }
        text
    }

    fn field(&self, title: &str, field: &str) -> Option<String> {
        let nodes = self.0.lock().unwrap();
        let node = nodes.iter().find(|node| node.title == title).unwrap();
        node.fields.0.iter().find(|(name, _)| *name == field).map(|(_, value)| value.clone())
    }
}

impl Node {
    fn line(&self) -> String {
        let mut line = self.title.clone();
        for (name, value) in &self.fields.0 {
            match *name {
                "diator.message" | "diator.payload" | "error.type" | "error" => write!(line, " {value}").unwrap(),
                "diator.handler" => write!(line, " by {}", value.rsplit("::").next().unwrap()).unwrap(),
                _ => {}
            }
        }
        line
    }
}

/// What is seen while this runs, in a runtime of one thread.
async fn watch<T>(running: impl Future<Output = T>) -> (Tree, T) {
    watch_at(LevelFilter::TRACE, running).await
}

async fn watch_at<T>(level: LevelFilter, running: impl Future<Output = T>) -> (Tree, T) {
    let tree = Tree::default();
    let _watching = tracing::subscriber::set_default(tracing_subscriber::registry().with(level).with(tree.clone()));
    let output = running.await;
    (tree, output)
}

fn assert_tree(tree: &Tree, expected: &str) {
    let expected: Vec<_> = expected.lines().filter(|line| !line.trim().is_empty()).collect();
    let indent = expected.first().map_or(0, |line| line.len() - line.trim_start().len());
    let expected: String = expected.iter().map(|line| format!("{}\n", &line[indent..])).collect();
    assert_eq!(tree.read(), expected);
}

#[tokio::test]
async fn a_command_with_all_that_follows_is_one_tree() {
    let seats = Seats::default();
    let mediator = seats.with(TracingMiddleware::new());
    let (tree, reply) = watch(mediator.send(Reserve(7))).await;
    reply.unwrap();
    assert_tree(
        &tree,
        "
        command Reserve by ReserveHandler
          domain_event Reserved by NoteReserved
          DEBUG the event's handlers in this process run when it arrives from the broker, not when this process emits it SeatTaken
          DEBUG commit
          publish
            INFO published SeatTaken
          domain_event Reserved by SendTicket
        ",
    );
}

#[tokio::test]
async fn a_nested_request_stands_below_its_root() {
    let seats = Seats::default();
    let mediator = seats.with(TracingMiddleware::new().payload_of::<Reserve>());
    let (tree, reply) = watch(mediator.send_dyn(ReserveForGroup(7))).await;
    reply.unwrap();
    assert_tree(
        &tree,
        "
        command ReserveForGroup by ReserveForGroupHandler
          command Reserve by ReserveHandler Reserve(7)
          domain_event Reserved by NoteReserved
          DEBUG nobody handles the event GroupSeated
          DEBUG the event's handlers in this process run when it arrives from the broker, not when this process emits it SeatTaken
          DEBUG commit
          publish
            INFO published SeatTaken
          domain_event Reserved by SendTicket
        ",
    );
}

#[tokio::test]
async fn a_handlers_error_is_a_warning_in_its_span() {
    let seats = Seats::default();
    seats.script.fail([SeatError::Busy]);
    let (tree, reply) = watch(seats.with(TracingMiddleware::new()).send(Reserve(7))).await;
    reply.unwrap_err();
    assert_tree(
        &tree,
        "
        command Reserve by ReserveHandler handler
          DEBUG rollback
          WARN the message failed the seat is being reserved
        ",
    );
    assert_eq!(tree.field("command", "otel.status_code").unwrap(), "ERROR");
}

#[tokio::test]
async fn an_error_that_is_expected_is_no_failure() {
    let seats = Seats::default();
    let mediator = seats.with(TracingMiddleware::new());
    seats.script.fail([SeatError::Taken]);
    let (tree, reply) = watch(mediator.send(Reserve(7))).await;
    reply.unwrap_err();
    assert_tree(
        &tree,
        "
        command Reserve by ReserveHandler
          DEBUG rollback
          DEBUG the handler answered with an error that is expected the seat is taken
        ",
    );
    assert_eq!(tree.field("command", "otel.status_code"), None);

    // Whoever says nothing expects all errors of a type of their own.
    seats.script.fail([SeatError::Busy]);
    let (tree, reply) = watch(mediator.send(ReserveOnce(7))).await;
    reply.unwrap_err();
    assert_eq!(tree.field("command", "otel.status_code"), None);

    // A boxed error is none, although the nested request expects its own.
    seats.script.fail([SeatError::Taken]);
    let (tree, reply) = watch(mediator.send_dyn(ReserveForGroup(7))).await;
    reply.unwrap_err();
    assert_eq!(tree.field("command", "error.type").as_deref(), Some("handler"));
}

#[tokio::test]
async fn other_failures_are_errors_with_their_causes() {
    let seats = Seats::default();
    *seats.script.bad_commits.lock().unwrap() = 1;
    let mediator = seats.with(TracingMiddleware::new());
    let (tree, reply) = watch(mediator.send(Reserve(7))).await;
    reply.unwrap_err();
    assert_tree(
        &tree,
        "
        command Reserve by ReserveHandler commit
          domain_event Reserved by NoteReserved
          DEBUG the event's handlers in this process run when it arrives from the broker, not when this process emits it SeatTaken
          DEBUG commit
          ERROR the message failed the unit of work could not commit and was rolled back: the transactions could not be serialised
        ",
    );
}

#[tokio::test]
async fn what_could_not_be_published_is_told_apart_from_a_message_that_failed() {
    let seats = Seats::default();
    seats.broker.refuse(PublishErrorKind::Fatal);
    let (tree, reply) = watch(seats.with(TracingMiddleware::new()).send(Reserve(7))).await;
    assert_eq!(reply.unwrap_err().committed(), Committed::Yes);
    assert_eq!(tree.field("command", "error.type").unwrap(), "undelivered");
    let text = tree.read();
    assert!(text.contains("\n    WARN not published SeatTaken"), "{text}");
    assert_eq!(tree.field("publish", "otel.status_code").unwrap(), "ERROR");
    assert_eq!(tree.field("publish", "error.type").unwrap(), "fatal");
    assert!(text.contains("\n  ERROR the message is committed, but not all of it was delivered"), "{text}");
}

#[tokio::test]
async fn who_hears_warnings_only_learns_of_failures_and_whose_they_are() {
    let seats = Seats::default();
    seats.script.fail([SeatError::Busy]);
    let mediator = seats.with(TracingMiddleware::new());
    let (tree, _) = watch_at(LevelFilter::WARN, mediator.send(Reserve(7))).await;
    assert_tree(&tree, "WARN the message failed Reserve by ReserveHandler the seat is being reserved");

    *seats.script.bad_commits.lock().unwrap() = 1;
    let (tree, _) = watch_at(LevelFilter::ERROR, mediator.send(Reserve(7))).await;
    let cause = "the unit of work could not commit and was rolled back: the transactions could not be serialised";
    assert_tree(&tree, &format!("ERROR the message failed Reserve by ReserveHandler {cause}"));
}

#[tokio::test]
async fn an_event_from_outside_that_fails_is_an_error() {
    let seats = Seats::default();
    seats.broker.refuse(PublishErrorKind::Fatal);
    let mediator = seats.builder().build().unwrap();
    let (tree, emitted) = watch(mediator.emit(SeatTaken { seat: 7 })).await;
    emitted.unwrap_err();
    assert_eq!(tree.field("emit", "error.type").unwrap(), "undelivered");
    assert!(tree.field("emit", "messaging.message.id").is_some());
}

#[tokio::test]
async fn a_rejection_shows_who_refused() {
    let closed = middleware_fn(|call, _| {
        let handled = call.reject("closed on Sundays");
        Box::pin(async { handled })
    });
    let builder = Seats::default().builder().middleware(TracingMiddleware::new()).middleware(closed.named("closed"));
    let mediator = builder.build().unwrap();
    let (tree, reply) = watch(mediator.send(Reserve(7))).await;
    reply.unwrap_err();
    assert_tree(
        &tree,
        "
        command Reserve by ReserveHandler rejected
          WARN the message failed `closed` refused the message: closed on Sundays
        ",
    );
}

#[tokio::test(start_paused = true)]
async fn each_further_attempt_is_a_warning_with_its_number_and_the_reason() {
    let seats = Seats::default();
    seats.script.fail([SeatError::Busy, SeatError::Busy, SeatError::Taken]);
    let delay = Duration::from_secs(1);
    let retry = RetryMiddleware::new(RetryPolicy::new().first_delay(delay).max_delay(delay)).unwrap();
    let retry = retry.when::<Reserve>(|error| matches!(error, SendError::Handler(SeatError::Busy)));
    let (tree, reply) = watch(seats.with(retry).send(Reserve(7))).await;
    reply.unwrap_err();
    assert_tree(
        &tree,
        "
        DEBUG rollback
        WARN trying again Reserve the seat is being reserved
        DEBUG rollback
        WARN trying again Reserve the seat is being reserved
        DEBUG rollback
        ",
    );
    let nodes = tree.0.lock().unwrap();
    let field = |name| {
        let fields = nodes.iter().flat_map(|node| &node.fields.0).filter(move |field| field.0 == name);
        fields.map(|(_, value)| value.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(field("attempt"), ["2", "3"]);
    assert!(field("wait").iter().all(|wait| wait.ends_with("ms")), "{:?}", field("wait"));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_cancelled_is_a_warning_in_its_span() {
    let seats = Seats::default();
    *seats.script.handling.lock().unwrap() = Duration::from_secs(60);
    let mediator = seats.with(TracingMiddleware::new());
    let (tree, reply) = watch(tokio::time::timeout(Duration::from_secs(5), mediator.send(Reserve(7)))).await;
    reply.unwrap_err();
    assert_tree(
        &tree,
        "
        command Reserve by ReserveHandler cancelled
          WARN the message was cancelled
        ",
    );
    assert_eq!(tree.field("command", "otel.status_code").unwrap(), "ERROR");
}

#[tokio::test]
async fn a_message_that_panics_is_an_error_in_its_span() {
    let panicking = middleware_fn(|_, _| Box::pin(async { panic!("on purpose") }));
    let mediator = Seats::default().builder().middleware(TracingMiddleware::new()).middleware(panicking).build();
    let mediator = mediator.unwrap();
    let (tree, reply) = watch(tokio::spawn(async move { mediator.send(Reserve(7)).await })).await;
    assert!(reply.unwrap_err().is_panic());
    assert_tree(
        &tree,
        "
        command Reserve by ReserveHandler panicked
          ERROR the message panicked
        ",
    );
    assert_eq!(tree.field("command", "otel.status_code").unwrap(), "ERROR");
}

#[tokio::test]
async fn an_event_from_outside_and_one_that_arrives_are_trees_too() {
    let mediator = Seats::default().with(TracingMiddleware::new());
    let (tree, reply) = watch(mediator.emit(Reserved(7))).await;
    reply.unwrap();
    assert_tree(
        &tree,
        "
        emit Reserved
          domain_event Reserved by NoteReserved
          domain_event Reserved by SendTicket
        ",
    );

    let id = Uuid::now_v7();
    let message = InboundMessage::new(MessageType::Notification, "SeatTaken", id, json!({ "seat": 7 }));
    let (tree, reply) = watch(mediator.receive(message)).await;
    reply.unwrap();
    assert_tree(
        &tree,
        "
        receive SeatTaken
          notification_event SeatTaken by ShowSeatTaken
        ",
    );
    assert_eq!(tree.field("receive", "messaging.message.id").unwrap(), id.to_string());
    assert_eq!(tree.field("notification_event", "messaging.message.id"), None, "it is that of what is around it");
    assert_eq!(tree.field("notification_event", "otel.kind").unwrap(), "consumer");
}

#[tokio::test]
async fn a_span_has_the_names_of_opentelemetry_and_only_what_is_known() {
    let mediator = Seats::default().with(TracingMiddleware::new());
    let [message, conversation, cause] = [1, 2, 3].map(Uuid::from_u128);
    let meta = Meta::new().with_message_id(message).with_correlation_id(conversation);
    let (tree, reply) = watch(mediator.with(meta.clone()).send(Reserve(7))).await;
    reply.unwrap();
    let field = |name| tree.field("command", name);
    assert_eq!(field("otel.name").unwrap(), "send Reserve");
    assert_eq!(field("otel.kind").unwrap(), "internal");
    assert_eq!(field("messaging.operation.name").unwrap(), "send");
    assert_eq!(field("messaging.message.id").unwrap(), message.to_string());
    assert_eq!(field("messaging.message.conversation_id").unwrap(), conversation.to_string());
    for unset in ["diator.causation_id", "traceparent", "diator.payload", "error.type", "otel.status_code"] {
        assert_eq!(field(unset), None, "{unset}");
    }
    assert_eq!(tree.field("publish", "otel.kind").unwrap(), "producer");
    assert_eq!(tree.field("publish", "messaging.operation.name").unwrap(), "publish");
    assert_eq!(tree.field("publish", "otel.status_code"), None);
    assert_eq!(tree.field("domain_event", "messaging.message.id"), None, "it is that of the command");

    let meta = meta.with_causation_id(cause).with_traceparent("00-1-2-01");
    let (tree, _) = watch(mediator.with(meta).send(Reserve(7))).await;
    assert_eq!(tree.field("command", "diator.causation_id").unwrap(), cause.to_string());
    assert_eq!(tree.field("command", "traceparent").unwrap(), "00-1-2-01");
}

#[tokio::test]
async fn without_a_subscriber_no_id_is_drawn() {
    let looked = Arc::new(Mutex::new(String::new()));
    let look = middleware_fn({
        let looked = looked.clone();
        move |call, next| {
            *looked.lock().unwrap() = format!("{:?}", call.meta());
            Box::pin(next.run(call))
        }
    });
    let builder = Seats::default().builder().middleware(TracingMiddleware::new()).middleware(look);
    builder.build().unwrap().with(Meta::new()).send(ReserveOnce(7)).await.unwrap();
    assert!(looked.lock().unwrap().contains("message_id: None"), "{looked:?}");
}
