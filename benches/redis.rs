//! Publishing to Redis: the driver beside the bare client, which does the same work.
//!
//! Run it with `cargo bench -p diator-benches --bench redis`; it starts a `redis-server` of its own, and prints the
//! tables of `docs/benchmarks.md`. With `-- --quick` it takes a tenth of the time.
//!
//! Both sides encode the event, draw its id, and wait for the server's answer to each message. Turns alternate, and so
//! does who comes first.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use diator::broker::MessageType;
use diator::{MessageBroker, OutboundMessage};
use diator_benches::{Pair, time};
use diator_redis::{RedisBroker, RedisConfig};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Pipeline, cmd};
use serde::Serialize;
use tokio::task::JoinSet;
use uuid::Uuid;

const DEADLINE: Duration = Duration::from_secs(30);
const PREFIX: &str = "python_diator_channel";
const STREAM: &str = "diator:events";
const MAX_LEN: usize = 10_000;
const NAME: &str = "UserChanged";

// --- The work that both sides do. ---------------------------------------------------------------

#[derive(Serialize)]
struct Envelope<'a> {
    message_type: &'a str,
    message_name: &'a str,
    message_id: Uuid,
    payload: Payload<'a>,
}

#[derive(Serialize)]
struct Payload<'a> {
    event_id: Uuid,
    event_timestamp: &'a str,
    user_id: u64,
    last_name: &'a str,
    nickname: Option<&'a str>,
    score: f64,
    active: bool,
}

fn encode(id: Uuid) -> Vec<u8> {
    let payload = Payload {
        event_id: id,
        event_timestamp: "2026-11-22T22:31:53.997858",
        user_id: 987,
        last_name: "Доу",
        nickname: Some("kend"),
        score: 1099.9967,
        active: true,
    };
    let envelope = Envelope { message_type: "ecst_event", message_name: NAME, message_id: id, payload };
    serde_json::to_vec(&envelope).expect("it can be encoded")
}

// --- The contenders. ----------------------------------------------------------------------------

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    PubSub,
    Streams,
}

#[derive(Clone)]
struct Bare {
    connection: MultiplexedConnection,
    mode: Mode,
}

impl Bare {
    fn command(&self) -> redis::Cmd {
        let id = Uuid::now_v7();
        let body = encode(id);
        match self.mode {
            Mode::PubSub => {
                let mut command = cmd("PUBLISH");
                command.arg(format!("{PREFIX}:ecst_event:{id}")).arg(body);
                command
            }
            Mode::Streams => {
                let mut command = cmd("XADD");
                command.arg(STREAM).arg("MAXLEN").arg("~").arg(MAX_LEN).arg("*");
                command.arg("id").arg(id.to_string()).arg("type").arg("ecst_event").arg("name").arg(NAME);
                command.arg("content_type").arg("application/json").arg("body").arg(body);
                command
            }
        }
    }

    async fn publish(&mut self) {
        let command = self.command();
        match self.mode {
            Mode::PubSub => drop(command.query_async::<u64>(&mut self.connection).await.expect("it is taken")),
            Mode::Streams => drop(command.query_async::<String>(&mut self.connection).await.expect("it is taken")),
        }
    }

    async fn publish_batch(&mut self, messages: usize) {
        let mut pipeline = Pipeline::with_capacity(messages);
        for _ in 0..messages {
            pipeline.add_command(self.command());
        }
        let answers = match self.mode {
            Mode::PubSub => pipeline.query_async::<Vec<u64>>(&mut self.connection).await.expect("they are taken").len(),
            Mode::Streams => {
                pipeline.query_async::<Vec<String>>(&mut self.connection).await.expect("they are taken").len()
            }
        };
        assert_eq!(answers, messages);
    }
}

fn message() -> OutboundMessage {
    let id = Uuid::now_v7();
    OutboundMessage::new(id, MessageType::Ecst, NAME, encode(id))
}

async fn publish(broker: &dyn MessageBroker) {
    broker.publish(&message()).await.expect("it is taken");
}

async fn publish_batch(broker: &dyn MessageBroker, messages: usize) {
    let messages: Vec<_> = (0..messages).map(|_| message()).collect();
    let answers = broker.publish_batch(&messages).await;
    assert!(answers.len() == messages.len() && answers.iter().all(Result::is_ok));
}

// --- The turns. ---------------------------------------------------------------------------------

#[derive(Clone, Copy)]
enum Shape {
    /// So many tasks, each of which publishes one message after the other.
    Tasks(usize),
    /// One task, which publishes batches of so many messages.
    Batches(usize),
}

impl Shape {
    fn name(self) -> String {
        match self {
            Self::Tasks(1) => "1 task".to_owned(),
            Self::Tasks(tasks) => format!("{tasks} tasks"),
            Self::Batches(messages) => format!("batches of {messages}"),
        }
    }

    /// How many messages make a turn of about a tenth of a second.
    fn messages(self) -> usize {
        match self {
            Self::Tasks(1) => 2_000,
            Self::Tasks(_) => 10_000,
            Self::Batches(_) => 20_000,
        }
    }
}

async fn bare_turn(bare: &Bare, shape: Shape) {
    let mut tasks = JoinSet::new();
    match shape {
        Shape::Tasks(number) => {
            for _ in 0..number {
                let mut bare = bare.clone();
                tasks.spawn(async move {
                    for _ in 0..shape.messages() / number {
                        bare.publish().await;
                    }
                });
            }
        }
        Shape::Batches(messages) => {
            let mut bare = bare.clone();
            tasks.spawn(async move {
                for _ in 0..shape.messages() / messages {
                    bare.publish_batch(messages).await;
                }
            });
        }
    }
    tasks.join_all().await;
}

async fn our_turn(broker: &Arc<dyn MessageBroker>, shape: Shape) {
    let mut tasks = JoinSet::new();
    match shape {
        Shape::Tasks(number) => {
            for _ in 0..number {
                let broker = broker.clone();
                tasks.spawn(async move {
                    for _ in 0..shape.messages() / number {
                        publish(&*broker).await;
                    }
                });
            }
        }
        Shape::Batches(messages) => {
            let broker = broker.clone();
            tasks.spawn(async move {
                for _ in 0..shape.messages() / messages {
                    publish_batch(&*broker, messages).await;
                }
            });
        }
    }
    tasks.join_all().await;
}

async fn measure(bare: &Bare, broker: &Arc<dyn MessageBroker>, shape: Shape, turns: usize) {
    bare_turn(bare, shape).await;
    our_turn(broker, shape).await;
    let mut pair = Pair::default();
    for turn in 0..turns {
        let (base, ours);
        if turn % 2 == 0 {
            base = time(bare_turn(bare, shape)).await;
            ours = time(our_turn(broker, shape)).await;
        } else {
            ours = time(our_turn(broker, shape)).await;
            base = time(bare_turn(bare, shape)).await;
        }
        pair.turn(shape.messages(), base, ours);
    }
    let figures = pair.figures();
    println!("| {} | {:.0} | {:.0} | {:.2} |", shape.name(), figures.base, figures.ours, figures.ratio);
}

async fn contenders(url: &str, mode: Mode) -> (Bare, Arc<dyn MessageBroker>) {
    let client = Client::open(url).expect("it is a url");
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(DEADLINE));
    let connecting = client.get_multiplexed_async_connection_with_config(&config);
    let bare = Bare { connection: connecting.await.expect("the server is there"), mode };
    let broker = match mode {
        Mode::PubSub => RedisBroker::new(RedisConfig::pub_sub(url).deadline(DEADLINE)),
        Mode::Streams => RedisBroker::new(RedisConfig::streams(url).max_len(MAX_LEN).deadline(DEADLINE)),
    };
    (bare, Arc::new(broker.expect("it is right")))
}

/// A server that keeps nothing on disk, and ends with this value.
struct Server(Child, String);

impl Server {
    fn start() -> Self {
        let probe = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let port = probe.local_addr().expect("it is bound").port().to_string();
        drop(probe);
        let mut process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("redis-server is missing, run scripts/install-servers");
        let log = process.stdout.as_mut().expect("it is piped");
        let ready = BufReader::new(log).lines().map_while(Result::ok).any(|line| line.contains("Ready to accept"));
        assert!(ready, "redis-server does not start");
        Self(process, format!("redis://127.0.0.1:{port}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    // `cargo test --all-targets` runs it too, and only wants to see it work.
    let arguments: Vec<_> = std::env::args().collect();
    let bench = arguments.iter().any(|argument| argument == "--bench");
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let turns = match (bench, quick) {
        (false, _) => 1,
        (true, true) => 11,
        (true, false) => 101,
    };
    let server = Server::start();
    for (mode, title) in [(Mode::PubSub, "Pub/Sub"), (Mode::Streams, "Streams")] {
        let (bare, broker) = contenders(&server.1, mode).await;
        println!("\n| {title} | bare client, messages/s | driver, messages/s | ratio |\n|---|---|---|---|");
        for shape in [Shape::Tasks(1), Shape::Tasks(50), Shape::Tasks(1000), Shape::Batches(100), Shape::Batches(1000)]
        {
            measure(&bare, &broker, shape, turns).await;
        }
    }
    println!(
        "\n{turns} turns each; the ratio is the median of the turns' own. An event has {} bytes.",
        encode(Uuid::nil()).len()
    );
}
