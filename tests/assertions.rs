//! What a test can ask of the in-memory broker, and how well it is told what is wrong.

use std::panic::{AssertUnwindSafe, catch_unwind};

use diator::broker::{Format, MessageType, OutboundMessage};
use diator::prelude::*;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Debug, PartialEq, Serialize, Deserialize, NotificationEvent)]
#[event(name = "users.joined")]
struct UserJoined {
    user_id: u64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, EcstEvent)]
struct UserChanged {
    user_id: u64,
    name: String,
}

/// The same name on the wire as the notification, and another kind.
#[derive(Debug, PartialEq, Serialize, Deserialize, EcstEvent)]
#[event(name = "users.joined")]
struct JoinedWithState {
    user_id: u64,
}

#[derive(Debug, Command)]
struct Join(u64);

#[request_handler(Join)]
struct JoinHandler;

impl RequestHandler<Join> for JoinHandler {
    async fn handle(&self, command: Join, cx: &mut RequestContext<'_, Join>) -> Result<(), BoxError> {
        cx.emit(UserJoined { user_id: command.0 });
        cx.emit(UserChanged { user_id: command.0, name: "Ada".to_owned() });
        Ok(())
    }
}

/// What a broker keeps after two users joined.
async fn after_two(format: Format) -> InMemoryBroker {
    let broker = InMemoryBroker::new();
    let builder = Mediator::builder().handlers(handlers![JoinHandler]);
    let mediator = builder.broker(broker.clone()).format(format).build().expect("it is complete");
    for user in [7, 8] {
        mediator.send(Join(user)).await.expect("it succeeds");
    }
    broker
}

fn formats() -> [Format; 2] {
    [Format::python(), Format::cloud_events("https://example.com/users").expect("it is a uri")]
}

fn panic_of(act: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(act)).expect_err("it panics");
    *panic.downcast::<String>().expect("the message is put together")
}

#[tokio::test]
async fn events_are_read_by_their_type_from_either_format() {
    for format in formats() {
        let broker = after_two(format).await;
        assert_eq!(broker.published_events::<UserJoined>(), [UserJoined { user_id: 7 }, UserJoined { user_id: 8 }]);
        broker.assert_published::<UserJoined>(|event| event.user_id == 8);
        broker.assert_published::<UserChanged>(|event| event.name == "Ada");
        broker.assert_not_published::<JoinedWithState>();
    }
}

#[tokio::test]
async fn who_expected_something_else_reads_what_there_was() {
    for format in formats() {
        let broker = after_two(format).await;
        assert_eq!(
            panic_of(|| broker.assert_published::<UserJoined>(|event| event.user_id == 9)),
            "no published `users.joined` is as expected\n\
             published, oldest first:\n  \
             1. users.joined {\"user_id\":7}\n  \
             2. UserChanged {\"name\":\"Ada\",\"user_id\":7}\n  \
             3. users.joined {\"user_id\":8}\n  \
             4. UserChanged {\"name\":\"Ada\",\"user_id\":8}"
        );
        assert!(panic_of(|| broker.assert_published::<JoinedWithState>(|_| true)).contains("\n  1. users.joined {"));
        assert!(
            panic_of(|| broker.assert_not_published::<UserChanged>()).starts_with("a `UserChanged` was published\n")
        );
        assert!(panic_of(|| broker.assert_nothing_published()).starts_with("something was published\npublished, old"));
    }
}

#[test]
fn an_empty_broker_says_so() {
    let broker = InMemoryBroker::new();
    broker.assert_nothing_published();
    broker.assert_not_published::<UserJoined>();
    assert_eq!(broker.published_events::<UserJoined>(), []);
    assert_eq!(
        panic_of(|| broker.assert_published::<UserJoined>(|_| true)),
        "no published `users.joined` is as expected\nnothing was published"
    );
}

#[tokio::test]
async fn an_event_that_cannot_be_read_fails_the_test() {
    let broker = InMemoryBroker::new();
    for body in [
        r#"{"message_type":"ecst_event","message_name":"UserChanged","message_id":"82a0b10e-1b3d-4c3c-9bdd-3934f8f824c2","payload":{"user_id":"seven"}}"#,
        "no json",
    ] {
        let message = OutboundMessage::new(Uuid::nil(), MessageType::Ecst, "UserChanged", body.as_bytes());
        diator::MessageBroker::publish(&broker, &message).await.expect("it accepts");
    }
    let panic = panic_of(|| broker.assert_published::<UserChanged>(|_| true));
    assert!(panic.starts_with("a published `UserChanged` cannot be read: "), "{panic}");
    assert!(panic.contains("\n  1. UserChanged {\"user_id\":\"seven\"}\n  2. UserChanged (unreadable: "), "{panic}");
}

#[tokio::test]
async fn the_panic_points_at_the_test() {
    let broker = after_two(Format::python()).await;
    let here = std::thread::current().id();
    let (sender, places) = std::sync::mpsc::channel();
    // Other tests panic in other threads.
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().id() == here {
            sender.send(panic.location().map(|place| (place.file().to_owned(), place.line()))).expect("it is read");
        }
    }));
    let line = line!() + 1;
    let panic = catch_unwind(AssertUnwindSafe(|| broker.assert_published::<UserJoined>(|_| false)));
    drop(std::panic::take_hook());
    assert!(panic.is_err());
    assert_eq!(places.iter().collect::<Vec<_>>(), [Some((file!().to_owned(), line))]);
}
