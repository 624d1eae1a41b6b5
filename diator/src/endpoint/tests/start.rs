use std::time::Duration;

use super::engine::{Engine, able};
use super::stores::{Faulty, Trouble};
use super::world::{Charge, Post, World, secs};
use crate::endpoint::{Endpoint, EndpointError, ErrorPolicy, OnDead, Order, Unknown};
use crate::handlers;
use crate::host::{Host, HostError};
use crate::registry::ProblemKind;
use crate::subscription::Capabilities;
use tokio::time::sleep;

/// What the start reports of these endpoints.
async fn report(world: &World, endpoints: impl IntoIterator<Item = Endpoint>) -> Vec<(ProblemKind, String)> {
    let host = endpoints.into_iter().fold(Host::new(world.mediator.clone()), Host::endpoint);
    let error = match host.run_until(async {}).await {
        Ok(()) => return Vec::new(),
        Err(error) => error,
    };
    assert_eq!(format!("{error:?}").matches("cannot start").count(), 1, "it is said once: {error:?}");
    let HostError::Start { child: "endpoints", source: error } = error else { panic!("{error:?}") };
    let report = error.downcast_ref::<EndpointError>().expect("it is the report");
    assert!(report.to_string().starts_with("the endpoints have "), "{report}");
    report.problems().iter().map(|problem| (problem.kind(), problem.text().to_owned())).collect()
}

fn world(capabilities: Capabilities) -> World {
    World::new(Engine::new(capabilities))
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_in_order_is_no_problem() {
    let world = world(able());
    let policy = ErrorPolicy::new().later([secs(10)]);
    assert_eq!(report(&world, [world.endpoint().order(Order::PerKey).errors(policy)]).await, []);
}

#[tokio::test(start_paused = true)]
async fn everything_that_is_missing_is_named_at_once() {
    let capabilities = Capabilities::none().competing().locks_for(secs(30)).delivery_limit(3);
    let world = world(capabilities);
    let policy = ErrorPolicy::new().later([secs(10), secs(20)]);
    let problems = report(&world, [world.endpoint().order(Order::PerKey).errors(policy.clone())]).await;
    for name in ["ordered_by_key", "exclusive_keys", "extends", "dead_letters", "delivery_limit"] {
        let of_it = problems.iter().filter(|(_, text)| text.contains(&format!("`{name}`")));
        assert_eq!(of_it.map(|(kind, _)| *kind).collect::<Vec<_>>(), [ProblemKind::Capability], "{name}: {problems:?}");
    }
    let problems = report(&world, [world.endpoint().errors(policy)]).await;
    assert_eq!(problems.iter().filter(|(_, text)| text.contains("`delayed_retry`")).count(), 2, "{problems:?}");
}

#[tokio::test(start_paused = true)]
async fn handlers_belong_to_one_endpoint() {
    let world = World::with(Engine::new(able()), handlers![Charge, Post]);
    let named = |name: &str| Endpoint::new(name, world.engine.clone());
    assert_eq!(
        report(&world, [named("a").handlers(handlers![Charge]), named("b").handlers(handlers![Post])]).await,
        []
    );

    let problems = report(&world, [named("a").handlers(handlers![Charge])]).await;
    assert!(
        matches!(&problems[..], [(ProblemKind::EndpointHandler, text)] if text.starts_with("no endpoint runs `Post`"))
    );
    let problems = report(&world, [named("a").topics(["orders"]), named("b").handlers(handlers![Post])]).await;
    let [(ProblemKind::EndpointHandler, text)] = &problems[..] else { panic!("{problems:?}") };
    assert_eq!(text, "the endpoints `a` and `b` would all run `Post`");
}

#[tokio::test(start_paused = true)]
async fn a_former_name_belongs_to_nobody_else() {
    let world = World::with(Engine::new(able()), handlers![Charge, Post]);
    let charges = |name: &str| Endpoint::new(name, world.engine.clone()).handlers(handlers![Charge]);
    let posts = |name: &str| Endpoint::new(name, world.engine.clone()).handlers(handlers![Post]);
    assert_eq!(report(&world, [charges("a").formerly("b"), posts("c").formerly("d")]).await, []);
    for endpoints in [
        [charges("a").formerly("b"), posts("b")],
        [charges("a").formerly("old"), posts("b").formerly("old")],
        [charges("a").formerly("a"), posts("b")],
        [charges("a").formerly(""), posts("b")],
    ] {
        let problems = report(&world, endpoints).await;
        let named = |(kind, text): &(_, String)| *kind == ProblemKind::Endpoint && text.contains("its former name");
        assert!(!problems.is_empty() && problems.iter().all(named), "{problems:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_has_topics_handlers_and_a_name_of_its_own() {
    let of_both = World::with(Engine::new(able()), handlers![Charge, Post]);
    let texts = |problems: Vec<(ProblemKind, String)>| {
        problems.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join("\n")
    };
    let problems = texts(report(&of_both, [of_both.endpoint(), of_both.endpoint().topics(["users"])]).await);
    assert!(problems.contains("has the same name") && problems.contains("it has no handler"), "{problems}");
    let problems = texts(report(&of_both, [Endpoint::new("", of_both.engine.clone())]).await);
    assert!(problems.contains("its name is empty") && problems.contains("it has no topic"), "{problems}");

    let of_one = world(able());
    let problems = texts(report(&of_one, [of_one.endpoint().handlers(handlers![Charge, Post])]).await);
    assert_eq!(problems, "endpoint `billing`: it names `Post`, which the mediator does not have");
}

#[tokio::test(start_paused = true)]
async fn settings_that_contradict_each_other_are_problems() {
    let world = world(able());
    let endpoint = world
        .endpoint()
        .concurrency(0)
        .max_handling(secs(0))
        .errors(ErrorPolicy::new().immediately(1_000).later([secs(3_000), secs(3_000)]))
        .unknown(Unknown::DeadLetter)
        .without_dead_letters();
    assert_eq!(report(&world, [endpoint]).await.len(), 5);
    assert_eq!(report(&world, [world.endpoint().concurrency(300)]).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_nothing_could_park_is_a_problem() {
    let parks = || ErrorPolicy::new().on_dead(OnDead::Park);
    let unkept = world(able());
    let problems = report(&unkept, [unkept.endpoint().order(Order::PerKey).errors(parks())]).await;
    assert!(matches!(&problems[..], [(_, text)] if text.contains("a dead letter should park its key")), "{problems:?}");
    let kept = World::stored(Engine::new(able()), handlers![Charge], Faulty::default());
    let in_order = || kept.endpoint().order(Order::PerKey).errors(parks());
    assert_eq!(report(&kept, [in_order()]).await, []);
    for endpoint in [kept.endpoint().errors(parks()), in_order().without_dead_letters()] {
        assert_eq!(report(&kept, [endpoint]).await.len(), 1);
    }
}

/// The remedies of the only problem of an endpoint.
fn remedies(world: &World, endpoint: Endpoint) -> Vec<String> {
    let report = Endpoint::check([endpoint], &world.mediator).expect_err("something is wrong");
    let [problem] = report.problems() else { panic!("{report}") };
    problem.remedy().split("; ").map(str::to_owned).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_for_parking_is_named_and_nothing_else() {
    let parks = || ErrorPolicy::new().on_dead(OnDead::Park);
    let kept = World::stored(Engine::new(able()), handlers![Charge], Faulty::default());
    let in_order = |world: &World| world.endpoint().order(Order::PerKey).errors(parks());
    let without = world(able());
    let remedies = |world: &World, endpoint| remedies(world, endpoint).join("; ");
    assert_eq!(remedies(&without, in_order(&without)), "give the builder an inbox: `.inbox(store.inbox())`");
    assert_eq!(remedies(&kept, kept.endpoint().errors(parks())), "say `.order(Order::PerKey)`");
    assert_eq!(remedies(&kept, in_order(&kept).without_dead_letters()), "remove `.without_dead_letters()`");
    let broadcast = remedies(&kept, in_order(&kept).broadcast());
    assert_eq!(broadcast, "remove `.broadcast()`, because such an endpoint uses no inbox");
}

#[tokio::test(start_paused = true)]
async fn a_broadcasting_endpoint_is_not_sent_to_an_inbox_that_it_would_not_use() {
    let kept = World::stored(Engine::new(able()), handlers![Charge], Faulty::default());
    let policy = || ErrorPolicy::new().later([secs(7_200)]);
    assert_eq!(report(&kept, [kept.endpoint().errors(policy())]).await, []);
    let text = remedies(&kept, kept.endpoint().errors(policy()).broadcast()).join("; ");
    assert!(text.contains("an endpoint with `.broadcast()` uses no inbox"), "{text}");
    let without = world(able());
    let text = remedies(&without, without.endpoint().errors(policy())).join("; ");
    assert!(text.contains("`.inbox(store.inbox())`"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn an_inbox_whose_tables_cannot_be_used_starts_nothing() {
    let inbox = Faulty::default();
    inbox.troubles(|troubles| troubles.check = Trouble::Fails);
    let world = World::stored(Engine::new(able()), handlers![Charge], inbox.clone());
    let host = || Host::new(world.mediator.clone());
    let error = host().endpoint(world.endpoint()).run_until(sleep(secs(60))).await.expect_err("it does not start");
    assert!(matches!(&error, HostError::Start { child: "inbox", .. }), "{error:?}");
    // An endpoint that broadcasts uses no inbox, and a database that does not answer delays nothing for long.
    host().endpoint(world.endpoint().broadcast()).run_until(sleep(secs(1))).await.expect("it starts");
    inbox.troubles(|troubles| troubles.check = Trouble::Hangs);
    let host = host().endpoint(world.endpoint());
    let monitor = host.monitor();
    let until = async {
        sleep(secs(6)).await;
        assert!(monitor.health().await.running);
    };
    host.run_until(until).await.expect("it starts");
}

#[tokio::test(start_paused = true)]
async fn without_an_endpoint_nothing_is_asked() {
    let world = World::with(Engine::new(able()), handlers![Charge, Post]);
    assert_eq!(report(&world, []).await, []);
}

#[tokio::test(start_paused = true)]
async fn who_gets_a_message_is_what_the_subscription_can_do() {
    let both = world(able());
    assert_eq!(report(&both, [both.endpoint()]).await, []);
    assert_eq!(report(&both, [both.endpoint().broadcast()]).await, []);
    let shares = world(Capabilities { broadcasts: false, ..able() });
    let problems = report(&shares, [shares.endpoint().broadcast()]).await;
    assert!(
        matches!(&problems[..], [(ProblemKind::Capability, text)] if text.contains("`broadcasts`")),
        "{problems:?}"
    );
    let all = world(Capabilities { competing: false, ..able() });
    assert_eq!(report(&all, [all.endpoint().broadcast()]).await, []);
    let problems = report(&all, [all.endpoint()]).await;
    assert!(matches!(&problems[..], [(ProblemKind::Capability, text)] if text.contains("`competing`")), "{problems:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_ends_before_anything_could_be_done_about_it_is_a_problem() {
    for (lock, is_problem) in [(Duration::ZERO, true), (Duration::from_millis(999), true), (secs(1), false)] {
        let world = world(able().locks_for(lock));
        let problems = report(&world, [world.endpoint()]).await;
        let named = matches!(&problems[..], [(ProblemKind::Capability, text)] if text.contains("its `lock`"));
        assert_eq!((named, problems.is_empty()), (is_problem, !is_problem), "{problems:?}");
    }
}
