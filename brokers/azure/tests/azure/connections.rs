//! Connections are kept, shared, made anew, and do not outlive a dropped call.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use crate::service_bus::{Answer, ServiceBusServer};
use diator::broker::{MessageBroker, PublishErrorKind};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{PATIENCE, broker, message};

#[tokio::test]
async fn two_hundred_messages_share_their_connection_and_keep_their_order() {
    let server = ServiceBusServer::start();
    let broker = broker(server.config().queue("work"));
    for number in 0..200 {
        broker.publish(&message(&number.to_string())).await.unwrap();
    }
    assert!(server.connections() <= 10, "{} connections", server.connections());
    let bodies: Vec<_> = server.taken().into_iter().map(|request| request.body).collect();
    assert_eq!(bodies, (0..200).map(|number: u8| number.to_string().into_bytes()).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_publish_at_once_and_each_message_arrives_once() {
    let server = ServiceBusServer::start();
    let broker = Arc::new(broker(server.config().queue("work").deadline(PATIENCE)));
    let mut tasks = JoinSet::new();
    for task in 0..20 {
        let broker = broker.clone();
        tasks.spawn(async move {
            for number in 0..20 {
                broker.publish(&message(&format!("{task}/{number}"))).await.unwrap();
            }
        });
    }
    timeout(PATIENCE, tasks.join_all()).await.expect("all are answered");
    let taken: HashSet<_> = server.taken().into_iter().map(|request| request.body).collect();
    assert_eq!((taken.len(), server.taken().len()), (400, 400));
    // Who finds none free begins a new one, and may then get another that was freed meanwhile.
    assert!(server.connections() <= 100, "{} connections", server.connections());
}

#[tokio::test]
async fn a_restart_in_mid_stream_loses_nothing_that_was_taken_and_needs_no_new_broker() {
    let server = ServiceBusServer::start();
    let broker = broker(server.config().queue("work"));
    let mut accepted = Vec::new();
    let mut failed = 0;
    for number in 0..60_u32 {
        match number {
            20 => server.stop(),
            40 => server.restart(),
            _ => {}
        }
        let message = message(&number.to_string());
        match broker.publish(&message).await {
            Ok(_) => accepted.push(message.id.to_string()),
            Err(error) => {
                assert_ne!(error.kind(), PublishErrorKind::Fatal, "{error}");
                failed += 1;
            }
        }
    }
    assert_eq!((accepted.len(), failed), (40, 20));
    let taken: Vec<_> = server.taken().iter().map(|request| request.broker_properties()["MessageId"].clone()).collect();
    assert_eq!(taken, accepted);
}

#[tokio::test]
async fn a_dropped_call_leaves_the_broker_usable_and_the_message_whole_or_absent() {
    let server = ServiceBusServer::start();
    let broker = broker(server.config().queue("work"));
    server.script([Answer::Hang]);
    let hanging = message("hanging");
    let mut publishing = broker.publish(&hanging);
    tokio::select! {
        _ = &mut publishing => panic!("nobody answers"),
        requests = timeout(PATIENCE, server.requests_at_least(1)) => {
            assert_eq!(requests.expect("it was sent")[0].body, b"hanging");
        }
    }
    drop(publishing);
    broker.publish(&message("next")).await.unwrap();
    assert_eq!(server.taken().len(), 1);
    assert_eq!(server.taken()[0].body, b"next");
    assert_eq!(server.connections(), 2, "the connection of the dropped call is not used again");
}

#[tokio::test]
async fn a_slow_answer_does_not_hold_up_others() {
    let server = ServiceBusServer::start();
    let broker = Arc::new(broker(server.config().queue("work").deadline(Duration::from_secs(600))));
    server.script([Answer::Hang]);
    let slow = broker.clone();
    let slow = tokio::spawn(async move { slow.publish(&message("slow")).await });
    timeout(PATIENCE, server.requests_at_least(1)).await.expect("it is sent");
    timeout(PATIENCE, broker.publish(&message("quick"))).await.expect("it does not wait").unwrap();
    assert!(!slow.is_finished());
    slow.abort();
}
