//! The example `axum_api`, called over HTTP: status codes, the trace on what is published, the end by a signal.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// Longer than anything here takes, so that a test which waits in vain fails.
const LONG: Duration = Duration::from_secs(60);

/// The example, running on a free port; it ends with the test.
struct Program {
    child: Child,
    lines: UnboundedReceiver<String>,
    url: String,
    client: Client,
}

impl Program {
    async fn start() -> Self {
        Self::start_with(&[]).await
    }

    async fn start_with(environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(example());
        command.arg("127.0.0.1:0").env_remove("BROKER_DOWN").envs(environment.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it can be started");
        let output = child.stdout.take().expect("it is piped");
        let (sender, lines) = unbounded_channel();
        std::thread::spawn(move || {
            BufReader::new(output).lines().map_while(Result::ok).all(|line| sender.send(line).is_ok())
        });
        let client = Client::builder().no_proxy().timeout(LONG).build().expect("it is well configured");
        let mut program = Self { child, lines, url: String::new(), client };
        program.url = program.line_with("listening on ").await.replace("listening on ", "");
        program
    }

    /// The next line of its output that has this text in it.
    async fn line_with(&mut self, text: &str) -> String {
        let next = async {
            loop {
                let line = self.lines.recv().await.expect("the program ended, or closed its output");
                if line.contains(text) {
                    return line;
                }
            }
        };
        timeout(LONG, next).await.unwrap_or_else(|_| panic!("no line with `{text}`"))
    }

    async fn order(&self, article: &str, pieces: u32) -> Response {
        let request = self.client.post(format!("{}/orders", self.url)).header("traceparent", TRACE);
        request.json(&json!({"article": article, "pieces": pieces})).send().await.expect("it answers")
    }

    async fn stock(&self, article: &str) -> Response {
        self.client.get(format!("{}/stock/{article}", self.url)).send().await.expect("it answers")
    }

    /// Starts an order that is being packed for a while, and waits until it is.
    async fn long_order(&self, pieces: u32) -> tokio::task::JoinHandle<Result<Response, reqwest::Error>> {
        let request =
            self.client.post(format!("{}/orders", self.url)).json(&json!({"article": "chair", "pieces": pieces}));
        let ordering = tokio::spawn(request.send());
        let begun = async {
            while body(self.stock("chair").await).await == json!({"pieces": 100}) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LONG, begun).await.expect("it begins");
        ordering
    }

    fn terminate(&self) {
        let id = self.child.id().to_string();
        let killed = Command::new("kill").args(["-TERM", &id]).status().expect("there is `kill`");
        assert!(killed.success(), "the program runs");
    }

    async fn ended(mut self) -> ExitStatus {
        let ended = async {
            loop {
                if let Some(status) = self.child.try_wait().expect("it is our child") {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LONG, ended).await.expect("it ends")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Builds the example, unless it is, and says where it lies.
fn example() -> &'static str {
    static EXAMPLE: OnceLock<String> = OnceLock::new();
    EXAMPLE.get_or_init(|| {
        let arguments = ["build", "--locked", "--package", "diator-examples", "--example", "axum_api"];
        let built = Command::new(env!("CARGO")).args(arguments).arg("--message-format=json").output();
        let built = built.expect("there is cargo");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let artifacts = built.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
        let mut executables =
            artifacts.filter_map(|artifact: Value| artifact["executable"].as_str().map(str::to_owned));
        executables.next().expect("cargo names what it built")
    })
}

async fn body(response: Response) -> Value {
    assert_eq!(response.status(), StatusCode::OK);
    response.json().await.expect("it is json")
}

async fn refusal(response: Response) -> (StatusCode, String) {
    (response.status(), response.text().await.expect("it is a text"))
}

#[tokio::test]
async fn a_command_changes_what_a_query_reads() {
    let program = Program::start().await;
    assert_eq!(body(program.stock("table").await).await, json!({"pieces": 3}));
    let placed = program.order("table", 2).await;
    assert_eq!(placed.status(), StatusCode::CREATED);
    assert_eq!(placed.json::<Value>().await.expect("it is json"), json!({"id": 1}));
    assert_eq!(body(program.stock("table").await).await, json!({"pieces": 1}));
}

#[tokio::test]
async fn every_typed_error_has_its_status() {
    let program = Program::start().await;
    let unknown = "there is no article `sofa`".to_owned();
    assert_eq!(refusal(program.order("sofa", 1).await).await, (StatusCode::NOT_FOUND, unknown.clone()));
    assert_eq!(refusal(program.stock("sofa").await).await, (StatusCode::NOT_FOUND, unknown));
    let sold_out = (StatusCode::CONFLICT, "only 3 pieces are left".to_owned());
    assert_eq!(refusal(program.order("table", 4).await).await, sold_out);
    let none = (StatusCode::UNPROCESSABLE_ENTITY, "an order has at least one piece".to_owned());
    assert_eq!(refusal(program.order("table", 0).await).await, none);

    let long = program.long_order(60).await;
    assert_eq!(program.order("table", 1).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    let answer = long.await.expect("it does not panic").expect("it is answered");
    assert_eq!(answer.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn what_is_no_command_does_not_reach_the_handler() {
    let program = Program::start().await;
    for bad in ["", "{", r#"{"article": "table"}"#, r#"{"article": "table", "pieces": -1}"#, "null"] {
        let request = program.client.post(format!("{}/orders", program.url)).header("content-type", "application/json");
        let answer = request.body(bad).send().await.expect("it answers");
        assert!(answer.status().is_client_error(), "{bad}: {}", answer.status());
    }
    assert_eq!(body(program.stock("table").await).await, json!({"pieces": 3}));
}

#[tokio::test]
async fn the_trace_of_the_request_is_on_the_published_event() {
    let mut program = Program::start().await;
    assert_eq!(program.order("table", 1).await.status(), StatusCode::CREATED);
    assert_eq!(program.line_with("in the trace").await, format!("published OrderPlaced in the trace {TRACE}"));

    let request = program.client.post(format!("{}/orders", program.url)).header("traceparent", "hostile");
    let request = request.json(&json!({"article": "table", "pieces": 1}));
    assert_eq!(request.send().await.expect("it answers").status(), StatusCode::CREATED);
    assert_eq!(program.line_with("in the trace").await, "published OrderPlaced in the trace none");
}

#[tokio::test]
async fn an_order_that_is_not_announced_is_placed_all_the_same() {
    let mut program = Program::start_with(&[("BROKER_DOWN", "1")]).await;
    assert_eq!(program.order("table", 1).await.status(), StatusCode::CREATED);
    let warning = program.line_with("committed").await;
    assert!(warning.contains("ERROR") && warning.contains("the event `OrderPlaced` was not published"), "{warning}");
    assert_eq!(body(program.stock("table").await).await, json!({"pieces": 2}));
}

#[tokio::test]
async fn a_signal_lets_a_running_request_finish() {
    let mut program = Program::start().await;
    let running = program.long_order(40).await;
    program.terminate();
    let answer = running.await.expect("it does not panic").expect("it is answered");
    assert_eq!(answer.status(), StatusCode::CREATED);
    program.line_with("published OrderPlaced in the trace").await;
    assert_eq!(program.line_with("stopped").await, "stopped, with 0 messages and 0 tasks left");
    let (client, url) = (program.client.clone(), program.url.clone());
    assert!(program.ended().await.success());
    assert!(client.get(url).send().await.expect_err("nobody listens").is_connect());
}

#[tokio::test]
async fn a_client_that_never_finishes_its_request_does_not_hold_the_end_up() {
    let mut program = Program::start().await;
    let mut client = TcpStream::connect(program.url.trim_start_matches("http://")).expect("it listens");
    client.write_all(b"GET /stock/table HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("it reads");
    client.read_exact(&mut [0; 12]).expect("it answers");
    let head =
        b"POST /orders HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{";
    client.write_all(head).expect("it reads");
    // Nothing shows that the program has read it.
    tokio::time::sleep(Duration::from_millis(200)).await;
    program.terminate();
    assert_eq!(program.line_with("stopped").await, "stopped, with 0 messages and 0 tasks left");
    assert!(program.ended().await.success());
}
