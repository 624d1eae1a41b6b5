//! What is Redis' own: places, fields, trimming, codes, and what becomes of the connection.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use diator::broker::{MessageType, PublishErrorKind, Receipt};
use diator::{MessageBroker, OutboundMessage, PublishError};
use diator_redis::client::Client;
use diator_redis::{RedisBroker, RedisConfig};
use diator_testkit::broker::{Login, Server, message, message_of};
use diator_testkit::drop_after;
use diator_testkit::within_patience;
use diator_tests::redis_server::RedisServer;
use tokio::task::JoinSet;
use uuid::Uuid;

const TRANSIENT: PublishErrorKind = PublishErrorKind::Transient { retry_after: None };

/// A server, and a broker for its streams as they come.
fn with_streams(settings: &[&str]) -> (RedisServer, RedisBroker) {
    let server = RedisServer::start(settings);
    let broker = RedisBroker::new(RedisConfig::streams(server.url())).unwrap();
    (server, broker)
}

/// A server, and a broker for its channels as they come.
fn with_channels() -> (RedisServer, RedisBroker) {
    let server = RedisServer::start(&[]);
    let broker = RedisBroker::new(RedisConfig::pub_sub(server.url())).unwrap();
    (server, broker)
}

async fn refusal(broker: &RedisBroker, message: &OutboundMessage) -> PublishError {
    broker.publish(message).await.expect_err("it is refused")
}

fn kind_and_code(error: &PublishError) -> (PublishErrorKind, Option<&str>) {
    (error.kind(), error.code())
}

// --- What a message becomes. --------------------------------------------------------------------

#[tokio::test]
async fn a_channel_is_prefix_type_and_id_and_a_topic_is_the_prefix() {
    let server = RedisServer::start(&[]);
    let broker = RedisBroker::new(RedisConfig::pub_sub(server.url()).prefix("shop")).unwrap();
    let mut listener = server.cli().subscribe("*");
    let notification = message(1);
    let ecst = message_of(b"\0\xff\r\n".as_slice()).with_topic("orders");
    for message in [&notification, &ecst] {
        assert_eq!(broker.publish(message).await.unwrap(), Receipt::Sent);
    }
    within_patience(async {
        let (channel, body) = listener.heard().await.unwrap();
        assert_eq!((channel, &*body), (format!("shop:notification_event:{}", notification.id), &*notification.body));
        let (channel, body) = listener.heard().await.unwrap();
        assert_eq!((channel, &*body), (format!("orders:ecst_event:{}", ecst.id), &*ecst.body));
    })
    .await;
}

#[tokio::test]
async fn an_entry_of_a_stream_has_everything_that_the_message_carries() {
    let (server, broker) = with_streams(&[]);
    let id = Uuid::now_v7();
    let full = OutboundMessage::new(id, MessageType::Ecst, "UserChanged", b"{\"a\":\"\xc3\xbc\"}".as_slice())
        .with_topic("users")
        .with_key("Zürich")
        .with_correlation_id(Uuid::from_u128(1))
        .with_causation_id(Uuid::from_u128(2))
        .with_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    assert_eq!(broker.publish(&full).await.unwrap(), Receipt::Accepted);
    let (_, fields) = within_patience(server.cli().read("users").entry()).await.unwrap();
    let fields: BTreeMap<_, _> =
        fields.into_iter().map(|(name, value)| (name, String::from_utf8(value).unwrap())).collect();
    let expected = [
        ("id", &*id.to_string()),
        ("type", "ecst_event"),
        ("name", "UserChanged"),
        ("content_type", "application/json"),
        ("correlation_id", "00000000-0000-0000-0000-000000000001"),
        ("causation_id", "00000000-0000-0000-0000-000000000002"),
        ("key", "Zürich"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("body", r#"{"a":"ü"}"#),
    ];
    assert_eq!(fields, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
}

#[tokio::test]
async fn the_receipt_of_a_durable_server_names_the_position() {
    let server = RedisServer::start(&["appendonly yes", "appendfsync always"]);
    let broker = RedisBroker::new(RedisConfig::streams(server.url()).stream("s").durable()).unwrap();
    let receipt = broker.publish(&message(1)).await.unwrap();
    let (position, _) = within_patience(server.cli().read("s").entry()).await.unwrap();
    assert_eq!(receipt, Receipt::Persisted { position });
}

#[tokio::test]
async fn a_stream_is_trimmed_about_where_it_was_said() {
    let server = RedisServer::start(&[]);
    let messages: Vec<_> = (0..1000).map(message).collect();
    let length = |stream: &str| server.cli().run(&["XLEN", stream])[0].parse::<usize>().unwrap();
    let trimming = RedisConfig::streams(server.url()).stream("short").max_len(100);
    let keeping = RedisConfig::streams(server.url()).stream("long").untrimmed();
    for broker in [RedisBroker::new(trimming).unwrap(), RedisBroker::new(keeping).unwrap()] {
        assert!(broker.publish_batch(&messages).await.iter().all(Result::is_ok));
    }
    assert!((100..300).contains(&length("short")), "{}", length("short"));
    assert_eq!(length("long"), 1000);
}

// --- What the server refuses. -------------------------------------------------------------------

#[tokio::test]
async fn a_batch_loses_only_what_redis_refuses() {
    let (server, broker) = with_streams(&[]);
    server.cli().run(&["SET", "taken", "by a text"]);
    let mut messages: Vec<_> = (0..5).map(message).collect();
    messages[1] = messages[1].clone().with_topic("taken");
    messages[3] = messages[3].clone().with_topic("not a topic");
    let answers = broker.publish_batch(&messages).await;
    assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true, false, true]);
    let wrong_type = answers[1].as_ref().unwrap_err();
    assert_eq!(kind_and_code(wrong_type), (PublishErrorKind::Fatal, Some("WRONGTYPE")));
    assert_eq!(kind_and_code(answers[3].as_ref().unwrap_err()), (PublishErrorKind::Fatal, None));
    assert_eq!(server.cli().run(&["XLEN", "diator:events"]), ["3"]);
}

#[tokio::test]
async fn a_full_server_and_a_replica_are_transient() {
    let (server, broker) = with_streams(&[]);
    server.cli().run(&["CONFIG", "SET", "maxmemory", "1"]);
    assert_eq!(kind_and_code(&refusal(&broker, &message(0)).await), (TRANSIENT, Some("OOM")));
    server.cli().run(&["CONFIG", "SET", "maxmemory", "0"]);
    broker.publish(&message(1)).await.unwrap();

    server.cli().run(&["REPLICAOF", "127.0.0.1", "1"]);
    assert_eq!(kind_and_code(&refusal(&broker, &message(2)).await), (TRANSIENT, Some("READONLY")));
    server.cli().run(&["REPLICAOF", "NO", "ONE"]);
    broker.publish(&message(3)).await.unwrap();
}

#[tokio::test]
async fn a_server_with_too_many_connections_is_transient_also_for_who_logs_in() {
    let server = RedisServer::start(&[]);
    let occupying = RedisBroker::new(RedisConfig::pub_sub(server.url())).unwrap();
    occupying.ping().await.unwrap();
    let brokers =
        [server.url(), server.url_for(Login::Right)].map(|url| RedisBroker::new(RedisConfig::pub_sub(url)).unwrap());
    server.cli().run(&["CONFIG", "SET", "maxclients", "1"]);
    for broker in &brokers {
        let error = refusal(broker, &message(0)).await;
        assert_eq!(error.kind(), TRANSIENT, "{error:?}");
    }
    // The one connection that it lets in is taken, so `redis-cli` cannot undo it.
    drop(occupying);
    within_patience(async {
        while let Err(error) = brokers[0].publish(&message(1)).await {
            assert_eq!(error.kind(), TRANSIENT, "{error:?}");
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_login_without_the_password_is_fatal() {
    let server = RedisServer::start(&["requirepass sup3rsecret"]);
    let broker = RedisBroker::new(RedisConfig::pub_sub(server.url())).unwrap();
    assert_eq!(kind_and_code(&refusal(&broker, &message(0)).await), (PublishErrorKind::Fatal, Some("NOAUTH")));
    let error = broker.ping().await.unwrap_err();
    assert_eq!(error.to_string(), "redis refused the login (NOAUTH)");
    let with_password = RedisConfig::pub_sub(format!("redis://:sup3rsecret@127.0.0.1:{}", server.port()));
    RedisBroker::new(with_password).unwrap().ping().await.unwrap();
}

#[tokio::test]
async fn a_denied_permission_has_its_code_and_leaves_the_rest_alone() {
    let server = RedisServer::start(&["user half on >pw ~* &shop:* +publish"]);
    let url = format!("redis://half:pw@127.0.0.1:{}", server.port());
    let broker = RedisBroker::new(RedisConfig::pub_sub(url).prefix("shop")).unwrap();
    broker.publish(&message(0)).await.expect("it may not say `PING`, but it may publish");
    let error = refusal(&broker, &message(1).with_topic("bank")).await;
    assert_eq!(kind_and_code(&error), (PublishErrorKind::Fatal, Some("NOPERM")));
    assert_eq!(error.to_string(), "redis does not permit the user to publish (NOPERM)");
    broker.ping().await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_not_as_durable_as_it_was_said_to_be_gets_nothing() {
    let server = RedisServer::start(&["appendonly yes", "appendfsync everysec"]);
    let broker = RedisBroker::new(RedisConfig::streams(server.url()).durable()).unwrap();
    let error = refusal(&broker, &message(0)).await;
    assert_eq!(error.kind(), PublishErrorKind::Fatal);
    assert!(error.to_string().ends_with("it needs `appendonly yes` and `appendfsync always`"), "{error}");
    assert_eq!(server.cli().run(&["EXISTS", "diator:events"]), ["0"]);
    server.cli().run(&["CONFIG", "SET", "appendfsync", "always"]);
    broker.publish(&message(1)).await.unwrap();
}

#[tokio::test]
async fn a_body_that_only_the_server_finds_too_large_does_no_lasting_harm() {
    let (server, broker) = with_streams(&["proto-max-bulk-len 1mb"]);
    let error = refusal(&broker, &message_of(vec![b'x'; 3 * 1024 * 1024])).await;
    assert!(!matches!(error.kind(), PublishErrorKind::Transient { .. }), "{error:?}");
    within_patience(async {
        while broker.publish(&message(1)).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(server.cli().run(&["XLEN", "diator:events"]), ["1"]);
}

// --- The connection. ----------------------------------------------------------------------------

#[tokio::test]
async fn who_pings_knows_whether_the_server_is_there() {
    let (server, broker) = with_channels();
    broker.ping().await.unwrap();
    server.kill();
    let broker = RedisBroker::new(RedisConfig::pub_sub(server.url())).unwrap();
    let error = broker.ping().await.unwrap_err();
    assert_eq!(error.kind(), TRANSIENT);
    assert!(error.to_string().contains(&format!("127.0.0.1:{} could not be reached", server.port())), "{error}");
    server.restart();
    broker.ping().await.unwrap();
}

#[tokio::test]
async fn a_server_restarted_while_nobody_published_costs_no_message() {
    let server = RedisServer::start(&[]);
    let config = RedisConfig::pub_sub(server.url()).probe_after(Duration::ZERO);
    let broker = RedisBroker::new(config).unwrap();
    for _ in 0..3 {
        broker.publish(&message(0)).await.unwrap();
        server.kill();
        server.restart();
        let answers = broker.publish_batch(&[message(1), message(2)]).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    }
}

#[tokio::test]
async fn a_silent_connection_is_asked_before_a_message_is_given_to_it() {
    let server = RedisServer::start(&[]);
    let config = RedisConfig::pub_sub(server.url()).probe_after(Duration::ZERO).deadline(Duration::from_secs(2));
    let broker = RedisBroker::new(config).unwrap();
    broker.publish(&message(0)).await.unwrap();
    let mut listener = server.cli().subscribe("*");
    server.pause();
    let begun = Instant::now();
    assert_eq!(refusal(&broker, &message(1)).await.kind(), TRANSIENT);
    assert!(begun.elapsed() < Duration::from_secs(15), "it took {:?}", begun.elapsed());
    server.resume();
    let after = message(2);
    broker.publish(&after).await.unwrap();
    let (_, body) = within_patience(listener.heard()).await.unwrap();
    assert_eq!(&*body, &*after.body);
}

#[tokio::test]
async fn a_server_that_did_not_answer_is_asked_before_the_next_message() {
    let server = RedisServer::start(&[]);
    let config = RedisConfig::pub_sub(server.url()).deadline(Duration::from_secs(2));
    let broker = RedisBroker::new(config).unwrap();
    broker.publish(&message(0)).await.unwrap();
    server.pause();
    assert_eq!(refusal(&broker, &message(1)).await.kind(), PublishErrorKind::Ambiguous);
    assert_eq!(refusal(&broker, &message(2)).await.kind(), TRANSIENT);
    server.resume();
    broker.publish(&message(3)).await.unwrap();
}

#[tokio::test]
async fn a_connection_that_the_server_closes_is_made_again() {
    let (server, broker) = with_channels();
    for _ in 0..5 {
        broker.publish(&message(0)).await.unwrap();
        server.cli().run(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        // The driver may or may not have noticed by now.
        if let Err(error) = broker.publish(&message(1)).await {
            assert_eq!(error.kind(), PublishErrorKind::Ambiguous, "{error:?}");
        }
        broker.publish(&message(2)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_share_one_connection_also_when_it_is_made() {
    let (server, broker) = with_channels();
    let broker = Arc::new(broker);
    for round in 0..3 {
        let mut publishers = JoinSet::new();
        for number in 0..200 {
            let broker = broker.clone();
            publishers.spawn(async move { broker.publish(&message(number)).await.map_err(|error| error.kind()) });
        }
        let answers = within_patience(publishers.join_all()).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        let clients = server.cli().run(&["CLIENT", "LIST", "TYPE", "normal"]).join("\n");
        // The other one is `redis-cli`.
        assert_eq!(clients.matches(" addr=").count(), 2, "round {round}: {clients}");
        server.kill();
        let down: Vec<_> = within_patience(async {
            let mut publishers = JoinSet::new();
            for number in 0..200 {
                let broker = broker.clone();
                publishers.spawn(async move { broker.publish(&message(number)).await.unwrap_err() });
            }
            publishers.join_all().await
        })
        .await;
        assert!(down.iter().all(|error| error.kind() != PublishErrorKind::Fatal), "{down:?}");
        server.restart();
        // Whoever came too late for the last failure makes the next connection.
        within_patience(async {
            while broker.ping().await.is_err() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_call_that_nobody_polls_keeps_no_other_from_connecting() {
    let (_server, broker) = with_channels();
    let (held, other) = (message(0), message(1));
    let mut holding = pin!(broker.publish(&held));
    assert!(drop_after(1, holding.as_mut()).await.is_none(), "it is connecting");
    within_patience(broker.publish(&other)).await.unwrap();
    within_patience(holding).await.unwrap();
}

#[tokio::test]
async fn a_connection_whose_maker_went_away_is_made_by_another() {
    let server = RedisServer::start(&[]);
    let config = RedisConfig::pub_sub(server.url()).deadline(Duration::from_millis(500));
    let broker = RedisBroker::new(config).unwrap();
    drop_after(1, broker.publish(&message(0))).await;
    // What was begun is of no use any more, and too old to be waited for.
    server.kill();
    server.restart();
    tokio::time::sleep(Duration::from_millis(600)).await;
    broker.publish(&message(1)).await.unwrap();
}

#[tokio::test]
async fn a_database_a_socket_and_a_client_are_reached() {
    let server = RedisServer::start(&[]);
    let cli = |database: &str| {
        server.cli().run(&[
            "EVAL",
            "redis.call('SELECT', ARGV[1]) return redis.call('XLEN', 'diator:events')",
            "0",
            database,
        ])
    };
    RedisBroker::new(RedisConfig::streams(format!("{}/3", server.url()))).unwrap().publish(&message(0)).await.unwrap();
    assert_eq!(cli("3"), ["1"]);
    let socket = format!("unix://{}?db=4&user=app&pass=c0rrect-s3cret", server.socket().display());
    RedisBroker::new(RedisConfig::streams(socket)).unwrap().publish(&message(0)).await.unwrap();
    assert_eq!(cli("4"), ["1"]);
    let client = Client::open(format!("{}/5?protocol=resp3", server.url_for(Login::Right))).unwrap();
    RedisBroker::new(RedisConfig::streams(client)).unwrap().publish(&message(0)).await.unwrap();
    assert_eq!(cli("5"), ["1"]);
    assert_eq!(cli("0"), ["0"]);
}

#[tokio::test]
async fn a_database_that_is_not_there_is_fatal() {
    let server = RedisServer::start(&[]);
    let broker = RedisBroker::new(RedisConfig::pub_sub(format!("{}/99", server.url()))).unwrap();
    assert_eq!(refusal(&broker, &message(0)).await.kind(), PublishErrorKind::Fatal);
}

#[tokio::test]
async fn something_that_is_no_redis_is_no_success() {
    let nonsense = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nonsense.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in nonsense.incoming().flatten() {
            let _ = std::io::Write::write_all(&mut &stream, b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let broker = RedisBroker::new(RedisConfig::pub_sub(format!("redis://{address}"))).unwrap();
    let error = within_patience(broker.publish(&message(0))).await.unwrap_err();
    assert_eq!(error.kind(), TRANSIENT, "{error:?}");
    assert!(error.to_string().contains("could not be reached"), "{error}");
}
