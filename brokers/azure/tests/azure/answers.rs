//! What each answer, and the lack of one, means for the message.

use std::error::Error;
use std::time::Duration;

use crate::service_bus::{Answer, KEY, LISTENER, POLICY, ServiceBusServer};
use diator::broker::{MessageBroker, PublishError, PublishErrorKind};
use tokio::time::{Instant, timeout};

use super::{PATIENCE, broker, message};

const BUSY: PublishErrorKind = PublishErrorKind::Transient { retry_after: None };

/// The error of a message that the server answers as told.
async fn refused(answer: Answer) -> PublishError {
    let server = ServiceBusServer::start();
    let broker = broker(server.config().queue("work"));
    server.script([answer]);
    let error = timeout(PATIENCE, broker.publish(&message("{}"))).await.expect("it answers").unwrap_err();
    assert_eq!(server.requests().len(), 1, "the driver does not try again by itself");
    broker.publish(&message("{}")).await.expect("the broker stays usable");
    error
}

fn chain(error: &PublishError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[tokio::test]
async fn every_status_has_a_kind_a_code_and_the_words_of_the_service() {
    let (fatal, ambiguous) = (PublishErrorKind::Fatal, PublishErrorKind::Ambiguous);
    let cases = [
        (400, fatal),
        (401, fatal),
        (403, fatal),
        (404, fatal),
        (410, fatal),
        (413, fatal),
        (408, BUSY),
        (429, BUSY),
        (500, BUSY),
        (503, BUSY),
        (200, ambiguous),
        (502, ambiguous),
        (504, ambiguous),
        (599, ambiguous),
    ];
    for (status, kind) in cases {
        let error = refused(Answer::error(status, "these words")).await;
        assert_eq!((error.kind(), error.code()), (kind, Some(&*status.to_string())), "{status}");
        assert_eq!(error.source().unwrap().to_string(), "these words");
    }
}

#[tokio::test]
async fn a_full_queue_is_transient_and_another_403_is_not() {
    let full = Answer::error(403, "The maximum entity size has been reached or exceeded for Queue: 'work'.");
    assert_eq!(refused(full).await.kind(), BUSY);
    let large = Answer::error(403, "The message size exceeds the quota.");
    assert_eq!(refused(large).await.kind(), PublishErrorKind::Fatal);
}

#[tokio::test]
async fn the_time_to_wait_is_kept() {
    let error = refused(Answer::error(503, "busy").with_header("Retry-After", "7")).await;
    let wait = Duration::from_secs(7);
    assert_eq!(error.kind(), PublishErrorKind::Transient { retry_after: Some(wait) });
    let past = refused(Answer::error(429, "busy").with_header("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")).await;
    assert_eq!(past.kind(), PublishErrorKind::Transient { retry_after: Some(Duration::ZERO) });
    assert_eq!(refused(Answer::error(503, "busy").with_header("retry-after", "soon")).await.kind(), BUSY);
}

#[tokio::test]
async fn any_time_to_wait_is_read_or_passed_over() {
    let asked = |value: &'static str| async move {
        match refused(Answer::error(503, "busy").with_header("retry-after", value)).await.kind() {
            PublishErrorKind::Transient { retry_after } => retry_after,
            other => panic!("{value}: {other:?}"),
        }
    };
    assert_eq!(asked("18446744073709551615").await, Some(Duration::from_secs(u64::MAX)));
    for value in ["18446744073709551616", "99999999999999999999999999", "-1", "1e400", "Fri, 31 Dec 99999 23:59:59 GMT"]
    {
        assert_eq!(asked(value).await, None, "{value}");
    }
    let latest = asked("Fri, 31 Dec 9999 23:59:59 GMT").await;
    assert!(latest.is_none_or(|wait| wait > Duration::from_secs(7000 * 365 * 24 * 3600)), "{latest:?}");
    assert_eq!(asked("Mon, 01 Jan 0001 00:00:00 GMT").await.unwrap_or_default(), Duration::ZERO);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let server = ServiceBusServer::start();
    let broker = broker(server.config().queue("work"));
    for status in [301, 302, 307, 308] {
        let elsewhere = "https://shop.servicebus.windows.net/other/messages";
        server.script([Answer::error(status, "moved").with_header("location", elsewhere)]);
        let error = broker.publish(&message("{}")).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (PublishErrorKind::Fatal, Some(&*status.to_string())));
    }
    assert_eq!(server.requests().len(), 4);
    assert!(server.taken().is_empty());
}

#[tokio::test]
async fn a_connection_that_breaks_leaves_it_open_what_became_of_the_message() {
    for answer in [
        Answer::Reset,
        Answer::Close,
        Answer::Raw(b"\x00\xffgarbage\r\n\r\n".to_vec()),
        Answer::Raw(b"HTTP/1.1 20".to_vec()),
        Answer::Raw(b"HTTP/1.1 201 Created\r\nconte".to_vec()),
    ] {
        let error = refused(answer.clone()).await;
        assert_eq!(error.kind(), PublishErrorKind::Ambiguous, "{answer:?}: {}", chain(&error));
        assert_eq!(error.code(), None);
        assert!(error.source().is_some());
    }
}

#[tokio::test]
async fn an_answer_whose_body_breaks_off_counts() {
    let cut = b"HTTP/1.1 401 X\r\ncontent-length: 1000\r\n\r\n<Error><Code>401</Code>".to_vec();
    let error = refused(Answer::Raw(cut)).await;
    assert_eq!((error.kind(), error.code()), (PublishErrorKind::Fatal, Some("401")));
    let server = ServiceBusServer::start();
    let broker = broker(server.config().queue("work"));
    server.script([Answer::Raw(b"HTTP/1.1 201 Created\r\ncontent-length: 1000\r\n\r\nshort".to_vec())]);
    broker.publish(&message("{}")).await.expect("the status says that it is taken");
}

#[tokio::test]
async fn a_body_of_any_length_is_shortened() {
    let error = refused(Answer::Status(503, Vec::new(), "x".repeat(3 << 20))).await;
    assert_eq!((error.kind(), error.code()), (BUSY, Some("503")));
    assert!(chain(&error).len() < 1000, "{}", chain(&error).len());
}

#[tokio::test]
async fn no_answer_by_the_deadline_is_ambiguous() {
    let server = ServiceBusServer::start();
    let deadline = Duration::from_secs(2);
    let config = server.config().queue("work").deadline(deadline).connect_timeout(Duration::from_millis(1999));
    let broker = broker(config);
    broker.publish(&message("{}")).await.expect("a connection is there");
    server.script([Answer::Hang]);
    let begun = Instant::now();
    let error = timeout(PATIENCE, broker.publish(&message("{}"))).await.expect("the deadline holds").unwrap_err();
    assert!(begun.elapsed() >= deadline);
    assert_eq!(error.kind(), PublishErrorKind::Ambiguous);
    assert_eq!(error.to_string(), "service bus did not answer within 2s");
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_message_that_was_held_up_arrives_after_all() {
    let server = ServiceBusServer::start();
    let config = server.config().queue("work");
    let broker = broker(config.deadline(Duration::from_secs(2)).connect_timeout(Duration::from_millis(1900)));
    server.hold();
    let message = message("{}");
    let error = timeout(PATIENCE, broker.publish(&message)).await.expect("the deadline holds").unwrap_err();
    assert_eq!(error.kind(), PublishErrorKind::Ambiguous);
    server.resume();
    let taken = timeout(PATIENCE, server.taken_at_least(1)).await.expect("it was sent");
    assert_eq!(taken[0].broker_properties()["MessageId"], message.id.to_string());
    broker.publish(&message).await.expect("the caller tries again with the same id");
    assert_eq!(server.taken()[1].broker_properties(), taken[0].broker_properties());
}

#[tokio::test]
async fn who_is_not_connected_has_sent_nothing() {
    let server = ServiceBusServer::start();
    let broker = broker(server.config().queue("work"));
    server.stop();
    let error = broker.publish(&message("{}")).await.unwrap_err();
    assert_eq!(error.kind(), BUSY, "{}", chain(&error));
    assert_eq!(error.to_string(), "service bus could not be reached");
    assert!(error.source().is_some());
}

#[tokio::test]
async fn a_connection_that_is_never_made_is_transient_and_in_time() {
    // It accepts, and says nothing: the TLS handshake hangs.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = ServiceBusServer::start();
    let config = server.config().http(move |http| http.no_proxy().resolve("shop.servicebus.windows.net", address));
    let broker = broker(config.queue("work").connect_timeout(Duration::from_millis(300)));
    let error = timeout(PATIENCE, broker.publish(&message("{}"))).await.expect("the time-out holds").unwrap_err();
    assert_eq!(error.kind(), BUSY, "{}", chain(&error));
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_server_whose_certificate_nobody_vouches_for_gets_nothing() {
    let server = ServiceBusServer::start();
    let reach = server.reach("shop");
    // The stranger answers under the name and at the place of the server, with a certificate of its own.
    server.stop();
    let stranger = ServiceBusServer::start_at(server.address());
    let broker = broker(server.config().http(reach).queue("work"));
    let error = broker.publish(&message("{}")).await.unwrap_err();
    assert_eq!(error.kind(), BUSY, "{}", chain(&error));
    assert!(chain(&error).contains("certificate"), "{}", chain(&error));
    assert!(stranger.requests().is_empty());
}

#[tokio::test]
async fn a_wrong_key_and_a_missing_permission_are_fatal_and_show_no_secret() {
    let server = ServiceBusServer::start();
    let wrong = "d3Jvbmcta2V5LXdyb25nLWtleS13cm9uZy1rZXktMDA=";
    for (policy, key, words) in [
        (POLICY, wrong, "Invalid authorization token signature"),
        ("unknown", KEY, "Invalid authorization token signature"),
        (LISTENER, KEY, "Unauthorized access. 'Send' claim(s) are required to perform this operation."),
    ] {
        let broker = broker(server.config_as(policy, key).queue("work"));
        let error = broker.publish(&message("{}")).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (PublishErrorKind::Fatal, Some("401")));
        assert_eq!(error.source().unwrap().to_string(), words);
        for text in [chain(&error), format!("{error:?}"), format!("{broker:?}"), format!("{broker:#?}")] {
            assert!(!text.contains(key) && !text.contains("sig="), "{text}");
        }
    }
}

#[tokio::test]
async fn a_service_that_echoes_the_token_does_not_bring_it_into_the_error() {
    let server = ServiceBusServer::start();
    let broker = broker(server.config().queue("work"));
    broker.publish(&message("{}")).await.unwrap();
    let token = server.taken()[0].header("authorization").unwrap().to_owned();
    let (_, signature) = token.split_once("sig=").unwrap();
    let signature = signature.split('&').next().unwrap().to_owned();
    for body in [format!("bad token: {token}"), format!("bad signature: sig={signature}")] {
        server.script([Answer::Status(401, Vec::new(), body)]);
        let error = broker.publish(&message("{}")).await.unwrap_err();
        assert!(chain(&error).contains("bad "), "{}", chain(&error));
        assert!(!format!("{} {error:?}", chain(&error)).contains(&signature));
    }
}
