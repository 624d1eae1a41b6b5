//! A configuration is checked as a whole, when the broker is made; events, when the mediator is.

use std::time::{Duration, SystemTime};

use diator::broker::{EventRoute, Guarantees, MessageBroker, MessageType};
use diator::prelude::*;
use diator::registry::ProblemKind;
use diator_azure::{MessageOptions, ServiceBusBroker, ServiceBusConfig};
use serde::{Deserialize, Serialize};

const GOOD: &str = "Endpoint=sb://shop.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey=c2VjcmV0";

fn problems(config: ServiceBusConfig) -> Vec<String> {
    match ServiceBusBroker::new(config) {
        Ok(_) => Vec::new(),
        Err(error) => {
            assert!(error.to_string().starts_with("service bus configuration is invalid: "), "{error}");
            assert!(error.problems().iter().all(|problem| error.to_string().contains(problem)), "{error}");
            error.problems().to_vec()
        }
    }
}

fn good() -> ServiceBusConfig {
    ServiceBusConfig::from_connection_string(GOOD)
}

#[test]
fn a_connection_string_is_enough() {
    assert_eq!(problems(good()), [""; 0]);
    assert_eq!(problems(ServiceBusConfig::new("shop", "send", "c2VjcmV0").topic("orders")), [""; 0]);
    assert_eq!(problems(ServiceBusConfig::from_connection_string(&format!("{GOOD};EntityPath=orders"))), [""; 0]);
}

#[test]
fn every_problem_is_listed_at_once() {
    let config = ServiceBusConfig::from_connection_string("Endpoint=sb://shop.example/;SharedAccessKeyName=send")
        .topic("a b")
        .queue("/work")
        .map_topic("orders", "")
        .options(
            MessageOptions::new().time_to_live(Duration::ZERO).property("authorization", "x").property("a:b", "\n"),
        )
        .deadline(Duration::from_secs(1))
        .connect_timeout(Duration::from_secs(1))
        .concurrency(0)
        .max_body(0);
    let problems = problems(config);
    let expected = [
        "lacks `SharedAccessKey`",
        "the endpoint must be `sb://<namespace>.servicebus.windows.net/`",
        "the connect time-out (1s) must be more than zero and less than the deadline (1s)",
        "the concurrency must be 1 to 1,000, and is 0",
        "the largest body must have 1 to 104,857,600 bytes, and has 0",
        "messages without a topic cannot go to both a topic and a queue",
        "the time to live must be more than zero",
        "the property `a:b` must begin with a letter",
        "the value of the property `a:b` must be printable ASCII",
        "the property `authorization` would be taken for a header",
        "`a b`, but a name has only letters",
        "`/work`, but a name begins and ends with a letter",
        "``, but a name has 1 to 260 characters",
    ];
    for text in expected {
        assert!(problems.iter().any(|problem| problem.contains(text)), "{text}: {problems:#?}");
    }
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
}

#[test]
fn limits_have_an_upper_end() {
    assert_eq!(problems(good().concurrency(1000).max_body(104_857_600).deadline(Duration::from_secs(3600))), [""; 0]);
    assert_eq!(problems(good().concurrency(1001)).len(), 1);
    assert_eq!(problems(good().max_body(104_857_601)).len(), 1);
    assert_eq!(problems(good().deadline(Duration::from_secs(3601))).len(), 1);
    assert_eq!(problems(good().deadline(Duration::MAX)).len(), 1);
    assert_eq!(problems(good().connect_timeout(Duration::ZERO)).len(), 1);
}

#[test]
fn no_time_and_no_number_is_too_large_to_be_refused() {
    let scheduled = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(i64::MAX.unsigned_abs() - 1));
    for time in [Duration::MAX, Duration::from_secs(u64::MAX)] {
        for config in [
            good().deadline(time),
            good().connect_timeout(time),
            good().deadline(time).connect_timeout(time),
            good().options(MessageOptions::new().time_to_live(time)),
        ] {
            assert_eq!(problems(config).len(), 1, "{time:?}");
        }
    }
    let late = MessageOptions::new().scheduled_for(scheduled.expect("the clock can show it"));
    for config in [good().concurrency(usize::MAX), good().max_body(usize::MAX), good().options(late)] {
        assert_eq!(problems(config).len(), 1);
    }
}

#[test]
fn a_key_for_one_entity_goes_nowhere_else() {
    let only = || ServiceBusConfig::from_connection_string(&format!("{GOOD};EntityPath=orders"));
    assert_eq!(problems(only().topic("orders").map_topic("users", "orders")), [""; 0]);
    let problems = problems(only().topic("users").map_topic("a", "b"));
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert_eq!(problems[0], "the key of the connection string is valid for `orders` alone, and not for `users`");
}

#[test]
fn the_http_client_can_be_wrong_too() {
    let config = good().http(|http| http.user_agent("a\nb"));
    let problems = problems(config);
    assert_eq!(problems.len(), 1);
    assert!(problems[0].starts_with("the http client cannot be made: "), "{problems:?}");
}

#[test]
fn secrets_do_not_show() {
    let secret = "VerySecret+Key/0123456789=";
    for text in [
        format!("Endpoint=sb://shop.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey={secret}"),
        format!("Endpoint=sb://shop.servicebus.windows.net/;SharedAccessKeyName={secret};SharedAccessKey=send"),
        format!("Endpoint=sb://{secret}/;SharedAccessKeyName=send;SharedAccessKey={secret}"),
        format!("Endpoint=sb://shop.servicebus.windows.net/;SharedAccessKeyName=send;{secret}"),
        secret.to_owned(),
    ] {
        let config = ServiceBusConfig::from_connection_string(&text);
        let mut shown = format!("{config:?} {config:#?}");
        match ServiceBusBroker::new(config.topic("orders")) {
            Ok(broker) => shown.push_str(&format!("{broker:?} {broker:#?}")),
            Err(error) => shown.push_str(&format!("{error} {error:?}")),
        }
        assert!(!shown.contains("VerySecret"), "{shown}");
    }
    let parts = ServiceBusConfig::new("VerySecret key", "VerySecret key", "VerySecret key");
    let shown = format!("{parts:?}");
    assert!(!format!("{shown} {:?}", problems(parts)).contains("VerySecret"));
}

#[test]
fn it_guarantees_what_the_configuration_says_of_the_entities() {
    let guarantees = |config| ServiceBusBroker::new(config).unwrap().guarantees();
    let base = Guarantees::none().durable().confirmed().retained();
    assert_eq!(guarantees(good()), base.max_body(262_144));
    let all = good().sessions().duplicate_detection().max_body(100);
    assert_eq!(guarantees(all), base.ordered_by_key().deduplicated().max_body(100));
}

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(topic = "not a name")]
struct Misnamed;

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
struct Topicless;

#[event_handler(Misnamed)]
#[event_handler(Topicless)]
struct Handler;

impl EventHandler<Misnamed> for Handler {
    async fn handle(&self, _: &Misnamed, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

impl EventHandler<Topicless> for Handler {
    async fn handle(&self, _: &Topicless, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

#[test]
fn an_event_without_a_place_fails_the_build_and_not_the_first_publish() {
    let build = |config| {
        let broker = ServiceBusBroker::new(config).unwrap();
        Mediator::builder().handlers(handlers![Handler]).broker(broker).build()
    };
    let error = build(good()).unwrap_err();
    assert!(error.problems().iter().all(|problem| problem.kind() == ProblemKind::NotAccepted), "{error}");
    let text = error.to_string();
    for part in [
        "the broker does not accept the event `Misnamed`: its topic cannot be the name of a Service Bus topic: `not a name`",
        "the broker does not accept the event `Topicless`: it has no topic, and the broker has no topic or queue for",
        "say `.topic(…)` or `.queue(…)`",
        "`.map_topic(…)`",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    build(good().queue("work").map_topic("not a name", "named")).unwrap();
    let only = ServiceBusConfig::from_connection_string(&format!("{GOOD};EntityPath=orders"));
    assert!(build(only.map_topic("not a name", "orders")).is_ok());
}

#[test]
fn the_question_needs_no_server() {
    let broker = ServiceBusBroker::new(good()).unwrap();
    let event = EventRoute::new(MessageType::Ecst, "Changed");
    assert!(broker.accepts(&event).is_err());
    assert!(broker.accepts(&event.with_topic("orders")).is_ok());
}
