//! What travels with a message comes in by HTTP and leaves on the published event, and nothing hostile does.

use std::sync::Arc;

use diator::broker::{Format, InboundMessage};
use diator::prelude::*;
use diator_tests::Journal;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const CORRELATION: &str = "82a0b10e-1b3d-4c3c-9bdd-3934f8f824c2";

fn headers<const N: usize>(pairs: [(&'static str, &[u8]); N]) -> HeaderMap {
    let pair = |(name, value): (&'static str, &[u8])| {
        (HeaderName::from_static(name), HeaderValue::from_bytes(value).expect("http allows it"))
    };
    let mut headers = HeaderMap::new();
    for (name, value) in pairs.map(pair) {
        headers.append(name, value);
    }
    headers
}

#[test]
fn a_request_brings_its_trace_and_its_conversation() {
    let brought = headers([("traceparent", TRACE.as_bytes()), ("x-correlation-id", CORRELATION.as_bytes())]);
    let meta = Meta::from_headers(&brought);
    assert_eq!(meta.traceparent(), Some(TRACE));
    assert_eq!(meta.correlation_id().to_string(), CORRELATION);

    let mut written = headers([("traceparent", b"old"), ("traceparent", b"older"), ("accept", b"*/*")]);
    meta.write_headers(&mut written);
    let expected = [
        ("traceparent", TRACE.as_bytes()),
        ("accept", b"*/*".as_slice()),
        ("x-correlation-id", CORRELATION.as_bytes()),
    ];
    assert_eq!(written, headers(expected));
    assert_eq!(format!("{:?}", Meta::from_headers(&written)), format!("{meta:?}"));
}

#[test]
fn blanks_around_a_value_do_not_matter() {
    let padded = format!(" \t{TRACE}\t ");
    let meta = Meta::from_headers(&headers([("traceparent", padded.as_bytes())]));
    assert_eq!(meta.traceparent(), Some(TRACE));
}

#[test]
fn what_is_malformed_is_as_good_as_absent() {
    let upper = TRACE.to_uppercase();
    let twice = format!("{TRACE},{TRACE}");
    let huge = "0".repeat(100_000);
    for bad in [b"".as_slice(), b"\xff\xfe", b"'; drop table", upper.as_bytes(), twice.as_bytes(), huge.as_bytes()] {
        let meta = Meta::from_headers(&headers([("traceparent", bad), ("x-correlation-id", bad)]));
        assert_eq!(meta.traceparent(), None);
        assert_eq!(meta.correlation_id(), meta.message_id(), "it starts a conversation of its own");
    }
}

#[test]
fn a_header_that_comes_twice_is_not_taken() {
    let trace = ("traceparent", TRACE.as_bytes());
    let id = ("x-correlation-id", CORRELATION.as_bytes());
    let meta = Meta::from_headers(&headers([trace, id, trace, id]));
    assert_eq!(meta.traceparent(), None);
    assert_ne!(meta.correlation_id().to_string(), CORRELATION);
}

#[test]
fn ids_of_messages_are_not_taken_from_outside() {
    let id = CORRELATION.as_bytes();
    let names = ["x-message-id", "message-id", "x-request-id", "x-causation-id"];
    let meta = Meta::from_headers(&headers(names.map(|name| (name, id))));
    assert_eq!(meta.causation_id(), None);
    assert!(![meta.message_id(), meta.correlation_id()].map(|id| id.to_string()).contains(&CORRELATION.to_owned()));
}

#[test]
fn what_is_no_traceparent_is_not_sent_on() {
    for bad in ["a\r\nauthorization: b", "x", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"] {
        let (meta, mut written) = (Meta::new().with_traceparent(bad), HeaderMap::new());
        meta.write_headers(&mut written);
        assert_eq!(written, headers([("x-correlation-id", meta.correlation_id().to_string().as_bytes())]));
    }
}

// --- From the request over the published event to the handler of what arrives. ------------------------

#[derive(Debug, Command)]
struct Join;

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
struct Joined;

#[request_handler(Join)]
struct JoinHandler;

impl RequestHandler<Join> for JoinHandler {
    async fn handle(&self, _: Join, cx: &mut RequestContext<'_, Join>) -> Result<(), BoxError> {
        cx.emit(Joined);
        Ok(())
    }
}

#[event_handler(Joined)]
struct NoteTrace {
    journal: Arc<Journal>,
}

impl EventHandler<Joined> for NoteTrace {
    async fn handle(&self, _: &Joined, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        let meta = cx.meta();
        let cause = if meta.causation_id().is_some() { "with a cause" } else { "without a cause" };
        self.journal.note(format!("{:?} {} {cause}", meta.traceparent(), meta.correlation_id()));
        Ok(())
    }
}

#[tokio::test]
async fn a_trace_goes_from_the_request_to_the_handler_of_what_arrives() {
    for format in [Format::python(), Format::cloud_events("/users").expect("it is a uri")] {
        let (broker, journal) = (InMemoryBroker::new(), Arc::new(Journal::default()));
        let services = Services::new().singleton::<Journal>(journal.clone());
        let builder = Mediator::builder().handlers(handlers![JoinHandler, NoteTrace]).container(services);
        let mediator = builder.broker(broker.clone()).format(format).build().expect("it is complete");

        let brought = headers([("traceparent", TRACE.as_bytes()), ("x-correlation-id", CORRELATION.as_bytes())]);
        mediator.with(Meta::from_headers(&brought)).send(Join).await.expect("it succeeds");
        let [message] = &broker.published()[..] else { panic!("one event is published") };
        assert_eq!(message.traceparent.as_deref(), Some(TRACE));
        assert_eq!(message.correlation_id, Some(Uuid::try_parse(CORRELATION).expect("it is one")));

        mediator.receive(InboundMessage::try_from(message).expect("it is a message")).await.expect("it is handled");
        assert_eq!(journal.notes(), [format!("Some({TRACE:?}) {CORRELATION} with a cause")]);
    }
}
