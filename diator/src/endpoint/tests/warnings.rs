//! What the host warns of before an endpoint starts.

use super::engine::{Engine, able};
use super::log::Log;
use super::world::{Alarm, Charge, Refund, World, secs};
use crate::endpoint::{Endpoint, ErrorPolicy, InMemoryAttemptLog, Order, Unknown};
use crate::handlers;
use crate::subscription::{Capabilities, Release};

/// What is logged when this endpoint of a world with all these handlers is checked.
fn warnings(world: &World, endpoint: Endpoint) -> Log {
    let (log, _listening) = Log::listen();
    Endpoint::check([endpoint], &world.mediator).expect("nothing is wrong with it");
    log
}

fn world(capabilities: Capabilities) -> World {
    World::new(Engine::new(capabilities))
}

#[test]
fn an_endpoint_with_all_that_it_needs_is_no_warning() {
    let world = world(able());
    let endpoint = world.endpoint().attempt_log(InMemoryAttemptLog::new()).order(Order::PerKey);
    assert_eq!(warnings(&world, endpoint).with(""), [""; 0]);
}

#[test]
fn without_an_attempt_log_the_warning_names_the_remedy() {
    let world = world(able());
    let line = warnings(&world, world.endpoint()).one_with("attempt log");
    assert!(line.starts_with("WARN there is no attempt log") && line.contains("`.attempt_log(…)`"), "{line}");
    assert!(line.contains("endpoint=\"billing\""), "{line}");
}

#[test]
fn an_inbox_is_named_as_the_remedy_where_the_endpoint_would_use_it() {
    let world = world(able());
    for (endpoint, is_named) in [(world.endpoint(), true), (world.endpoint().broadcast(), false)] {
        let line = warnings(&world, endpoint).one_with("attempt log");
        assert_eq!(line.contains("`.inbox(store.inbox())`"), is_named, "{line}");
    }
}

#[test]
fn a_host_without_an_endpoint_that_has_handlers_of_what_arrives_is_a_warning() {
    let (log, _listening) = Log::listen();
    Endpoint::check([], &world(able()).mediator).expect("nothing is wrong");
    let line = log.one_with("the host has no endpoint");
    assert!(line.starts_with("WARN") && line.contains("first=\"Charge\"") && line.contains("`.endpoint(…)`"), "{line}");
}

#[test]
fn an_engine_that_delivers_nothing_again_loses_what_is_interrupted() {
    let world = world(Capabilities { redelivery: false, ..able() });
    let log = warnings(&world, world.endpoint());
    log.one_with("the engine delivers nothing again");
    assert_eq!(log.with("attempt log"), [""; 0], "no log would help");
}

#[test]
fn a_long_wait_keeps_an_engine_that_knows_offsets_from_learning_what_is_done() {
    let world = world(Capabilities { settles_out_of_order: false, ..able() });
    let waits = |seconds| world.endpoint().errors(ErrorPolicy::new().later([secs(seconds)]));
    warnings(&world, waits(61)).one_with("the engine does not learn that later messages");
    assert_eq!(warnings(&world, waits(60)).with("the engine does not learn"), [""; 0]);
}

#[test]
fn an_outage_that_uses_up_the_engines_limit_is_a_warning_that_says_how_long_it_lasts() {
    for (release, extends, is_told) in [
        (Release::Counted, false, true),
        (Release::Impossible, false, true),
        (Release::Uncounted, false, false),
        (Release::Counted, true, false),
    ] {
        let world = world(Capabilities { extends, ..able().releases(release).delivery_limit(10) });
        let log = warnings(&world, world.endpoint());
        let told = log.with("an outage uses up the engine's `delivery_limit`");
        assert_eq!(told.len(), usize::from(is_told), "{release:?} {extends}: {told:?}");
        // Two thirds of a lock of 30 s, ten times.
        assert!(told.iter().all(|line| line.contains("limit=10, lasts=200s")), "{told:?}");
    }
}

#[test]
fn a_handler_that_may_outlast_its_lock_is_a_warning() {
    let world = world(Capabilities { extends: false, ..able() });
    let may_take = |seconds| world.endpoint().max_handling(secs(seconds));
    warnings(&world, may_take(31)).one_with("its message can be handled twice at once");
    assert_eq!(warnings(&world, may_take(30)).with("handled twice"), [""; 0]);
}

#[test]
fn order_without_a_key_is_a_warning() {
    let world = World::with(Engine::new(able()), handlers![Charge, Refund]);
    let line = warnings(&world, world.endpoint().order(Order::PerKey)).one_with("names no key");
    assert!(line.contains("event=\"OrderCancelled\"") && line.contains("handler=diator/src/endpoint/tests/"), "{line}");
    assert_eq!(warnings(&world, world.endpoint()).with("names no key"), [""; 0]);
}

#[test]
fn topics_and_events_that_do_not_meet_are_warnings() {
    let world = World::with(Engine::new(able()), handlers![Charge]);
    let elsewhere = Endpoint::new("billing", world.engine.clone()).handlers(handlers![Charge]).topics(["users"]);
    let log = warnings(&world, elsewhere);
    let line = log.one_with("does not read the topic that the event names");
    assert!(line.contains("event=\"OrderPlaced\", topic=\"orders\", read=[\"users\"]"), "{line}");
    let line = log.one_with("a topic that none of its handlers' events names");
    assert!(line.contains("topic=\"users\"") && !line.contains("#[event"), "{line}");
}

#[test]
fn an_event_that_may_have_forgotten_its_topic_is_named() {
    let world = World::with(Engine::new(able()), handlers![Alarm]);
    let log = warnings(&world, world.endpoint());
    let line = log.one_with("a topic that none of its handlers' events names");
    assert!(line.contains("#[event(topic = \"…\")]") && line.contains("without_topic={\"Alarmed\"}"), "{line}");
}

#[test]
fn an_endpoint_that_stops_at_unknown_names_cannot_wait_where_each_opening_counts() {
    for (release, starts) in [(Release::Counted, false), (Release::Impossible, false), (Release::Uncounted, true)] {
        let world = world(able().releases(release).delivery_limit(20));
        let problems = Endpoint::check([world.endpoint().unknown(Unknown::Stop)], &world.mediator);
        let told = problems.map_err(|error| error.to_string());
        assert_eq!(told.is_ok(), starts, "{release:?}");
        assert!(
            told.err().is_none_or(|told| told.contains("`delivery_limit`") && told.contains("Unknown::DeadLetter"))
        );
    }
    let unlimited = world(able().releases(Release::Counted));
    Endpoint::check([unlimited.endpoint().unknown(Unknown::Stop)], &unlimited.mediator).expect("it can wait for ever");
}

#[test]
fn what_helps_an_event_without_a_topic_is_to_name_one() {
    let world = World::with(Engine::new(able()), handlers![Charge, Alarm]);
    let named = |name: &str| Endpoint::new(name, world.engine.clone());
    let told = |endpoints: [Endpoint; 2]| {
        Endpoint::check(endpoints, &world.mediator).expect_err("it is a problem").to_string()
    };
    let all_read_it = told([named("a").topics(["orders"]), named("b").topics(["users"])]);
    assert!(all_read_it.contains("would all run `Alarm`, because its event names no topic"), "{all_read_it}");
    assert!(all_read_it.contains("let the event name its topic: `#[event(topic = \"…\")]`"), "{all_read_it}");
    let nobody_does =
        told([named("a").handlers(handlers![Charge]), named("b").topics(["users"]).handlers(handlers![])]);
    assert!(nobody_does.contains("no endpoint runs `Alarm`") && nobody_does.contains("#[event(topic"), "{nobody_does}");
}
