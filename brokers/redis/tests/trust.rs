//! How far the driver trusts a connection: servers that change behind it, callers that give up, runtimes that end.

use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use diator::broker::{MessageBroker, PublishErrorKind, Receipt};
use diator::handlers;
use diator::prelude::*;
use diator_redis::{RedisBroker, RedisConfig};
use diator_testkit::broker::{Server, message};
use diator_testkit::{Proxy, within_patience};
use diator_tests::redis_server::RedisServer;
use serde::{Deserialize, Serialize};
use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};

const TRANSIENT: PublishErrorKind = PublishErrorKind::Transient { retry_after: None };

fn url(address: SocketAddr) -> String {
    format!("redis://{address}")
}

fn streams(address: SocketAddr) -> RedisBroker {
    RedisBroker::new(RedisConfig::streams(url(address))).unwrap()
}

fn channels(address: SocketAddr) -> RedisBroker {
    RedisBroker::new(RedisConfig::pub_sub(url(address))).unwrap()
}

fn entries(server: &RedisServer) -> usize {
    server.cli().run(&["XLEN", "diator:events"])[0].parse().unwrap()
}

// --- Another server takes over. -----------------------------------------------------------------

/// Two servers, a proxy before the first, and the address of the proxy.
fn two_servers() -> (RedisServer, RedisServer, Proxy) {
    let (first, second) = (RedisServer::start(&[]), RedisServer::start(&[]));
    let proxy = Proxy::start(first.address());
    (first, second, proxy)
}

#[tokio::test]
async fn the_first_refusal_of_a_former_primary_is_the_last() {
    let (first, second, proxy) = two_servers();
    let broker = streams(proxy.address());
    broker.publish(&message(0)).await.unwrap();
    proxy.redirect(second.address());
    first.demote(&second);
    let error = broker.publish(&message(1)).await.expect_err("the connection is still the old one");
    assert_eq!((error.kind(), error.code()), (TRANSIENT, Some("READONLY")));
    broker.publish(&message(2)).await.unwrap();
    assert_eq!((entries(&second), proxy.accepted()), (1, 2));
}

#[tokio::test]
async fn the_first_refusal_of_a_batch_is_the_last() {
    let (first, second, proxy) = two_servers();
    let broker = streams(proxy.address());
    broker.publish(&message(0)).await.unwrap();
    proxy.redirect(second.address());
    first.demote(&second);
    let batch = [message(1), message(2)];
    assert!(
        broker.publish_batch(&batch).await.iter().all(|answer| answer.as_ref().is_err_and(|e| e.kind() == TRANSIENT))
    );
    assert!(broker.publish_batch(&batch).await.iter().all(Result::is_ok));
    assert_eq!(entries(&second), 2);
}

#[tokio::test]
async fn a_primary_that_lost_its_replicas_is_left() {
    let (first, second, proxy) = two_servers();
    let broker = streams(proxy.address());
    broker.publish(&message(0)).await.unwrap();
    proxy.redirect(second.address());
    first.cli().run(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    let error = broker.publish(&message(1)).await.expect_err("it lost its replicas");
    assert_eq!((error.kind(), error.code()), (TRANSIENT, Some("NOREPLICAS")));
    broker.publish(&message(2)).await.unwrap();
    assert_eq!(entries(&second), 1);
}

#[tokio::test]
async fn a_writable_replica_that_lost_its_primary_is_left() {
    let (first, second, proxy) = two_servers();
    let broker = streams(proxy.address());
    broker.publish(&message(0)).await.unwrap();
    proxy.redirect(second.address());
    first.cli().run(&["CONFIG", "SET", "replica-serve-stale-data", "no", "replica-read-only", "no"]);
    first.cli().run(&["REPLICAOF", "127.0.0.1", "1"]);
    let error = broker.publish(&message(1)).await.expect_err("it has no primary");
    assert_eq!((error.kind(), error.code()), (TRANSIENT, Some("MASTERDOWN")));
    broker.publish(&message(2)).await.unwrap();
    assert_eq!(entries(&second), 1);
}

/// A service that moves while its former server goes on as if nothing had happened: no answer tells it.
#[tokio::test]
async fn a_connection_is_renewed_although_its_server_answers() {
    let (first, second, proxy) = two_servers();
    let config = RedisConfig::pub_sub(url(proxy.address())).renew_after(Duration::from_millis(500));
    let broker = RedisBroker::new(config.probe_after(Duration::from_millis(100))).unwrap();
    broker.publish(&message(0)).await.unwrap();
    proxy.redirect(second.address());
    let mut listener = second.cli().subscribe("*");
    let publishing = async {
        loop {
            broker.publish(&message(1)).await.expect("both servers are well");
            sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        () = publishing => {}
        heard = within_patience(listener.heard()) => assert!(heard.is_some()),
    }
    drop(first);
    broker.publish(&message(2)).await.unwrap();
}

#[tokio::test]
async fn a_connection_that_cannot_be_renewed_is_kept() {
    let server = RedisServer::start(&[]);
    let config = RedisConfig::pub_sub(server.url()).renew_after(Duration::from_millis(100));
    let broker = RedisBroker::new(config.probe_after(Duration::from_millis(50))).unwrap();
    broker.publish(&message(0)).await.unwrap();
    server.cli().run(&["CONFIG", "SET", "maxclients", "1"]);
    for number in 1..20 {
        sleep(Duration::from_millis(30)).await;
        broker.publish(&message(number)).await.expect("the connection that is there still serves");
    }
}

#[tokio::test]
async fn a_replica_from_the_beginning_is_transient_for_both_modes() {
    let server = RedisServer::start(&[]);
    server.cli().run(&["REPLICAOF", "127.0.0.1", "1"]);
    for broker in [streams(server.address()), channels(server.address())] {
        let mut answers = broker.publish_batch(&[message(0), message(1)]).await;
        answers.push(broker.publish(&message(2)).await);
        for error in answers.into_iter().map(Result::unwrap_err) {
            assert_eq!((error.kind(), error.code()), (TRANSIENT, Some("READONLY")));
            assert!(error.to_string().ends_with("is a replica (READONLY)"), "{error}");
        }
        assert_eq!(broker.ping().await.unwrap_err().kind(), TRANSIENT);
    }
    server.cli().run(&["REPLICAOF", "NO", "ONE"]);
    streams(server.address()).publish(&message(3)).await.unwrap();
}

#[tokio::test]
async fn who_may_not_ask_for_the_role_may_publish_and_still_be_probed() {
    let server =
        RedisServer::start(&["user half on >pw ~* &* +@all -role -config", "user least on >pw ~* &* +publish"]);
    for user in ["half", "least"] {
        let url = format!("redis://{user}:pw@127.0.0.1:{}", server.port());
        let broker = RedisBroker::new(RedisConfig::pub_sub(url).probe_after(Duration::ZERO)).unwrap();
        for number in 0..3 {
            broker.publish(&message(number)).await.unwrap();
        }
        assert!(broker.publish_batch(&[message(3), message(4)]).await.iter().all(Result::is_ok));
    }
}

// --- Silence. -----------------------------------------------------------------------------------

/// Here nothing but the call itself gives the runtime a turn after the restart.
#[tokio::test]
async fn a_restart_that_the_runtime_slept_through_makes_no_message_ambiguous() {
    let server = RedisServer::start(&[]);
    let broker = streams(server.address());
    for silence in [0, 20, 200, 900, 1_100, 2_500].map(Duration::from_millis) {
        for batch in [false, true] {
            broker.publish(&message(0)).await.unwrap();
            server.kill();
            server.restart();
            std::thread::sleep(silence);
            let answer = match batch {
                false => broker.publish(&message(1)).await,
                true => broker.publish_batch(&[message(1)]).await.remove(0),
            };
            answer.unwrap_or_else(|error| panic!("after {silence:?}: {error:?}"));
        }
    }
}

#[tokio::test]
async fn a_server_that_went_in_silence_is_transient() {
    let server = RedisServer::start(&[]);
    let broker = streams(server.address());
    for silence in [10, 1_500].map(Duration::from_millis) {
        broker.publish(&message(0)).await.unwrap();
        server.kill();
        sleep(silence).await;
        assert_eq!(broker.publish(&message(1)).await.unwrap_err().kind(), TRANSIENT, "after {silence:?}");
        assert_eq!(broker.ping().await.unwrap_err().kind(), TRANSIENT);
        server.restart();
    }
}

#[tokio::test]
async fn a_connection_in_use_is_asked_nothing_between_two_probes() {
    let server = RedisServer::start(&[]);
    let config = RedisConfig::streams(server.url()).probe_after(Duration::from_secs(3600));
    let broker = RedisBroker::new(config).unwrap();
    for number in 0..500 {
        broker.publish(&message(number)).await.unwrap();
    }
    let calls = |command: &str| {
        let stats = server.cli().run(&["INFO", "commandstats"]).join("\n");
        let line = stats.lines().find(|line| line.starts_with(&format!("cmdstat_{command}:")));
        line.map_or(0, |line| line.split(['=', ',']).nth(1).unwrap().parse::<usize>().unwrap())
    };
    assert_eq!((calls("xadd"), calls("role")), (500, 1));
    // A busy machine makes pauses that look like silence; they cost no round trip.
    assert!(calls("ping") < 100, "{} pings", calls("ping"));
}

// --- Callers that give up. ----------------------------------------------------------------------

#[tokio::test]
async fn pings_that_nobody_waits_for_do_not_keep_a_dead_connection() {
    let server = RedisServer::start(&[]);
    let proxy = Proxy::start(server.address());
    let config = RedisConfig::streams(url(proxy.address())).deadline(Duration::from_secs(1));
    let broker = RedisBroker::new(config).unwrap();
    broker.ping().await.unwrap();
    proxy.swallow();
    let begun = Instant::now();
    while timeout(Duration::from_millis(100), broker.ping()).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{} connections", proxy.accepted());
    }
    assert_eq!(proxy.accepted(), 2);
}

#[tokio::test]
async fn callers_that_give_up_while_connecting_do_not_keep_a_mute_server() {
    let server = RedisServer::start(&[]);
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::start(mute.local_addr().unwrap());
    let config = RedisConfig::streams(url(proxy.address())).deadline(Duration::from_secs(1));
    let broker = RedisBroker::new(config).unwrap();
    timeout(Duration::from_millis(300), broker.publish(&message(0))).await.expect_err("nobody answers");
    proxy.redirect(server.address());
    let begun = Instant::now();
    let after = message(1);
    while !matches!(timeout(Duration::from_millis(300), broker.publish(&after)).await, Ok(Ok(_))) {
        assert!(begun.elapsed() < Duration::from_secs(20), "{} connections", proxy.accepted());
    }
}

#[tokio::test]
async fn a_dropped_call_costs_a_connection_that_is_well_nothing_but_a_probe() {
    let server = RedisServer::start(&[]);
    let proxy = Proxy::start(server.address());
    let broker = streams(proxy.address());
    for number in 0..50 {
        diator_testkit::drop_after(1 + number % 3, broker.publish(&message(number))).await;
        broker.publish(&message(number)).await.unwrap();
    }
    assert_eq!(proxy.accepted(), 1);
}

// --- Storage. -----------------------------------------------------------------------------------

#[tokio::test]
async fn a_server_that_syncs_less_often_gets_no_message_after_the_next_probe() {
    let server = RedisServer::start(&["appendonly yes", "appendfsync always"]);
    let config = RedisConfig::streams(server.url()).durable().probe_after(Duration::from_millis(200));
    let broker = RedisBroker::new(config).unwrap();
    assert!(matches!(broker.publish(&message(0)).await, Ok(Receipt::Persisted { .. })));
    for sync in ["everysec", "no"] {
        server.cli().run(&["CONFIG", "SET", "appendfsync", sync]);
        sleep(Duration::from_millis(250)).await;
        let before = entries(&server);
        let error = broker.publish(&message(1)).await.expect_err("it is not stored");
        assert_eq!(error.kind(), PublishErrorKind::Fatal, "{error:?}");
        assert_eq!(entries(&server), before);
        server.cli().run(&["CONFIG", "SET", "appendfsync", "always"]);
        assert!(matches!(broker.publish(&message(2)).await, Ok(Receipt::Persisted { .. })), "it is asked again");
    }
}

#[tokio::test]
async fn a_server_that_comes_back_with_other_settings_gets_no_message() {
    let server = RedisServer::start(&["appendonly yes", "appendfsync always"]);
    let broker = RedisBroker::new(RedisConfig::streams(server.url()).durable()).unwrap();
    broker.publish(&message(0)).await.unwrap();
    server.kill();
    let file = server.directory().join("redis.conf");
    let settings = std::fs::read_to_string(&file).unwrap().replace("appendonly yes", "appendonly no");
    let started = std::process::Command::new("redis-server").arg("-").stdin(std::process::Stdio::piped()).spawn();
    let mut other = started.unwrap();
    std::io::Write::write_all(&mut other.stdin.take().unwrap(), settings.as_bytes()).unwrap();
    let error = within_patience(async {
        loop {
            let error = broker.publish(&message(1)).await.expect_err("it is not stored");
            if error.kind() == PublishErrorKind::Fatal {
                return error;
            }
        }
    })
    .await;
    other.kill().and_then(|()| other.wait()).unwrap();
    assert!(error.to_string().contains("`appendonly yes`"), "{error:?}");
}

// --- Runtimes. ----------------------------------------------------------------------------------

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
struct Numbered {
    number: usize,
}

#[event_handler(Numbered)]
struct Ignore;

impl EventHandler<Numbered> for Ignore {
    async fn handle(&self, event: &Numbered, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        assert!(event.number < 100);
        Ok(())
    }
}

static SERVER: LazyLock<RedisServer> = LazyLock::new(|| RedisServer::start(&[]));
static MEDIATOR: LazyLock<Mediator> = LazyLock::new(|| {
    Mediator::builder().handlers(handlers![Ignore]).broker(streams(SERVER.address())).build().unwrap()
});

/// What a static holds is never dropped.
struct KillAtTheEnd;

impl Drop for KillAtTheEnd {
    fn drop(&mut self) {
        SERVER.kill();
    }
}

/// Each round is what a test of its own with `#[tokio::test]` is: a runtime that ends.
#[test]
fn a_mediator_in_a_static_serves_runtimes_that_end() {
    let _killing = KillAtTheEnd;
    let runtimes = [Builder::new_current_thread, Builder::new_multi_thread];
    for number in 0..12 {
        let runtime = runtimes[number % 2]().enable_all().build().unwrap();
        runtime.block_on(MEDIATOR.emit(Numbered { number })).unwrap_or_else(|error| panic!("{number}: {error:?}"));
        if number % 3 == 0 {
            // Also for more than one event, and for a runtime whose end takes its connection along later.
            runtime.block_on(MEDIATOR.emit(Numbered { number })).unwrap();
            runtime.shutdown_background();
        }
    }
    let count = entries(&SERVER);
    let clients = SERVER.cli().run(&["CLIENT", "LIST", "TYPE", "normal"]).join("\n");
    assert_eq!(count, 16);
    // Those of runtimes that have ended are closed; one of the lines is `redis-cli`.
    assert!(clients.matches(" addr=").count() <= 3, "{clients}");
}

// --- Texts. --------------------------------------------------------------------------------------

/// The health of a relay shows what the driver says.
#[tokio::test]
async fn no_failure_repeats_a_password() {
    within_patience(async {
        let server = RedisServer::start(&["requirepass another"]);
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let closed = SocketAddr::from(([127, 0, 0, 1], 1));
        for address in [server.address(), silent.local_addr().unwrap(), closed] {
            for login in ["user:sup3rsecret", ":sup3rsecret"] {
                let config =
                    RedisConfig::streams(format!("redis://{login}@{address}")).deadline(Duration::from_millis(300));
                let broker = RedisBroker::new(config).unwrap();
                let error = broker.publish(&message(0)).await.expect_err("it gets nowhere");
                let errors = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
                for text in errors.map(|error| format!("{error} {error:?}")) {
                    assert!(!text.contains("sup3rsecret"), "{text}");
                }
            }
        }
    })
    .await;
}
