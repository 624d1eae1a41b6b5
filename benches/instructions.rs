//! How many instructions the ways of sending take: a figure that what else the machine does cannot change.
//!
//! `cargo bench -p diator-benches --bench instructions` counts them under callgrind and prints the table of
//! `docs/benchmarks.md`. With `-- --check` it fails where a count lies more than 5 % from the one that is written down in
//! `benches/instructions.txt`; with `-- --bless` it writes them down. `scripts/instructions` does the same.
//!
//! A case is run twice, the second time with more messages: what both runs share, the start of the program, is not counted.
//! Checked is what the program itself executes: the C library, which allocates and copies, chooses its functions by the
//! processor.

#[expect(dead_code, reason = "the endpoints' benchmark measures more")]
#[path = "endpoint/booked.rs"]
mod booked;
#[path = "endpoint/by_hand.rs"]
mod by_hand;
#[path = "peers/src/fill.rs"]
mod fill;
#[expect(dead_code, reason = "the peers' benchmark sends among many more")]
#[path = "peers/src/contenders/hand_written.rs"]
mod hand_written;
#[path = "endpoint/stock.rs"]
mod stock;

use std::fmt::{Debug, Write};
use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;

use diator::endpoint::{Endpoint, Order};
use diator::host::Host;
use diator::middleware::{Answered, Call, Next};
use diator::prelude::*;
use diator::{Middleware, handlers};
use tokio::runtime::{Builder, Runtime};

use booked::{Desk, TOPIC, filled};
use stock::{Bodies, Stock};

const COUNTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.txt");
const TOLERANCE: f64 = 0.05;
const FEW: u64 = 1_000;
const MANY: u64 = 3_000;

/// What the handlers of the peers' benchmark do, to show that they ran.
fn handled() {}

// --- Messages and handlers. ---------------------------------------------------------------------

#[derive(Debug, Command)]
#[request(response = u64)]
struct Add(u64);

#[request_handler(Add)]
struct AddHandler;

impl RequestHandler<Add> for AddHandler {
    async fn handle(&self, command: Add, _: &mut RequestContext<'_, Add>) -> Result<u64, BoxError> {
        Ok(command.0 + 1)
    }
}

#[derive(Debug, Command)]
#[request(response = u64)]
struct AddAndTell(u64);

#[request_handler(AddAndTell)]
struct AddAndTellHandler;

impl RequestHandler<AddAndTell> for AddAndTellHandler {
    async fn handle(&self, command: AddAndTell, cx: &mut RequestContext<'_, AddAndTell>) -> Result<u64, BoxError> {
        cx.emit(Added(command.0));
        Ok(command.0 + 1)
    }
}

#[derive(Debug, Command)]
#[request(response = u64)]
struct AddInTransaction(u64);

struct Transaction(u64);
struct Audit(u64);

#[request_handler(AddInTransaction)]
struct AddInTransactionHandler {
    transaction: Arc<Transaction>,
    audit: Arc<Audit>,
}

impl RequestHandler<AddInTransaction> for AddInTransactionHandler {
    async fn handle(
        &self,
        command: AddInTransaction,
        _: &mut RequestContext<'_, AddInTransaction>,
    ) -> Result<u64, BoxError> {
        Ok(command.0 + self.transaction.0 + self.audit.0)
    }
}

#[derive(Debug, DomainEvent)]
struct Added(u64);

#[derive(Debug, DomainEvent)]
struct AddedForTen(u64);

macro_rules! note {
    ($event:ident: $($handler:ident)*) => {
        $(
            #[event_handler($event)]
            struct $handler;

            impl EventHandler<$event> for $handler {
                async fn handle(&self, event: &$event, _: &mut EventContext<'_>) -> Result<(), BoxError> {
                    black_box(event.0);
                    Ok(())
                }
            }
        )*
    };
}

note!(Added: Note);
note!(AddedForTen: A B C D E F G H I J);

struct Pass;

#[diator::async_trait]
impl Middleware for Pass {
    async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
        next.run(call).await
    }
}

// --- Cases. -------------------------------------------------------------------------------------

fn mediator(layers: usize) -> Mediator {
    let services = Services::new().scoped(|_| Ok(Transaction(1))).scoped(|_| Ok(Audit(1)));
    let requests = handlers![AddHandler, AddAndTellHandler, AddInTransactionHandler];
    let events = handlers![Note, A, B, C, D, E, F, G, H, I, J];
    let builder = Mediator::builder().handlers(requests).handlers(events).container(services);
    (0..layers).fold(builder, |builder, _| builder.middleware(Pass)).build().expect("it is complete")
}

/// Sends so many messages.
type Run = fn(u64);

const CASES: [(&str, Run); 15] = [
    ("hand-written map", |times| repeat(times, hand_written::send())),
    ("send", |times| sending(times, 0, async |mediator, number| mediator.send(Add(number)).await)),
    ("send_dyn", |times| sending(times, 0, async |mediator, number| mediator.send_dyn(Add(number)).await)),
    ("hand-written chain of three", |times| repeat(times, hand_written::send_through_3())),
    ("send, three middlewares", |times| {
        sending(times, 3, async |mediator, number| mediator.send(Add(number)).await);
    }),
    ("hand-written loop, one handler", |times| repeat(times, hand_written::emit(1))),
    ("emit, one handler", |times| sending(times, 0, async |mediator, number| mediator.emit(Added(number)).await)),
    ("hand-written loop, ten handlers", |times| repeat(times, hand_written::emit(10))),
    ("emit, ten handlers", |times| {
        sending(times, 0, async |mediator, number| mediator.emit(AddedForTen(number)).await);
    }),
    ("hand-written map and loop, one handler", |times| repeat(times, hand_written::send_and_emit())),
    ("send, one event with one handler", |times| {
        sending(times, 0, async |mediator, number| mediator.send(AddAndTell(number)).await);
    }),
    ("send, two scoped dependencies", |times| {
        sending(times, 0, async |mediator, number| mediator.send(AddInTransaction(number)).await);
    }),
    ("hand-written loop, a message that arrives", |times| {
        runtime().block_on(async {
            let (source, mediator) = (Stock::new(&Bodies::new(times)).opened(), booked::mediator(&Arc::default()));
            by_hand::consume(source, &mediator, times, 32, Order::PerKey).await;
        });
    }),
    ("endpoint, a message that arrives", |times| {
        let stock = Stock::new(&Bodies::new(times));
        let desk = Endpoint::new("desk", stock.clone());
        runtime().block_on(handling(times, desk, async |_| stock.all_acked().await));
    }),
    ("emit, engine in memory, endpoint", |times| {
        runtime().block_on(async {
            let desk = Endpoint::new("desk", filled(times).await);
            handling(times, desk, async |desk| desk.has_enough().await).await;
        });
    }),
];

async fn handling(times: u64, endpoint: Endpoint, until: impl AsyncFnOnce(&Desk)) {
    let desk = Arc::new(Desk::new(times));
    let endpoint = endpoint.topics([TOPIC]).concurrency(32).order(Order::PerKey);
    let host = Host::new(booked::mediator(&desk)).endpoint(endpoint);
    host.run_until(until(&desk)).await.expect("it ends in order");
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().expect("there is a runtime")
}

fn sending<T, E: Debug>(times: u64, layers: usize, mut send: impl AsyncFnMut(&Mediator, u64) -> Result<T, E>) {
    let mediator = mediator(layers);
    repeat(times, async move |number| send(&mediator, number).await.expect("it succeeds"));
}

fn repeat<T>(times: u64, mut work: impl AsyncFnMut(u64) -> T) {
    runtime().block_on(async {
        for number in 0..times {
            black_box(work(black_box(number)).await);
        }
    });
}

// --- Counting. ----------------------------------------------------------------------------------

/// The instructions of one message.
#[derive(Clone, Copy)]
struct Count {
    own: u64,
    all: u64,
}

fn count(case: &str) -> Count {
    let (few, many) = (collected(case, FEW), collected(case, MANY));
    let of_one = |few, many| (many - few + (MANY - FEW) / 2) / (MANY - FEW);
    Count { own: of_one(few.own, many.own), all: of_one(few.all, many.all) }
}

fn collected(case: &str, times: u64) -> Count {
    let program = std::env::current_exe().expect("it has a path");
    let profile = std::env::temp_dir().join(format!("instructions-{}", std::process::id()));
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--compress-strings=no", "--compress-pos=no"])
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(&program)
        .args(["--case", case, &times.to_string()])
        .output()
        .expect("valgrind is missing, run scripts/install-servers");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(&profile).expect("callgrind wrote its profile");
    std::fs::remove_file(&profile).expect("the profile can be removed");
    read(&text, &program.to_string_lossy())
}

/// Adds up the profile: `ob=` says whose functions follow, then there is a line for each position, with its cost; the line
/// behind `calls=` says what the function that was called has told already.
fn read(profile: &str, program: &str) -> Count {
    let (mut count, mut own) = (Count { own: 0, all: 0 }, false);
    let mut lines = profile.lines();
    while let Some(line) = lines.next() {
        if let Some(object) = line.strip_prefix("ob=") {
            own = object == program;
        } else if line.starts_with("calls=") {
            lines.next();
        } else if line.starts_with(|first: char| first.is_ascii_digit()) {
            let cost: u64 = line.split(' ').nth(1).and_then(|cost| cost.parse().ok()).expect("a line has a cost");
            count.all += cost;
            count.own += if own { cost } else { 0 };
        }
    }
    count
}

fn table() -> String {
    let mut table = String::from("| one message | instructions | with the C library's |\n|---|---:|---:|\n");
    for (case, _) in CASES {
        let Count { own, all } = count(case);
        writeln!(table, "| {case} | {own} | {all} |").expect("a string takes it");
    }
    table
}

/// The program's own instructions of each case.
fn counts(table: &str) -> impl Iterator<Item = (&str, f64)> {
    table.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        Some((cells.next()?, cells.next()?.parse().ok()?))
    })
}

/// What lies further from what was written down than is allowed; less counts too, or the next step up would hide in it.
fn differences(known: &str, now: &str) -> Vec<String> {
    let known: Vec<_> = counts(known).collect();
    let far = |(case, now): (&str, f64)| match known.iter().find(|(name, _)| *name == case) {
        Some((_, known)) if (now / known - 1.0).abs() <= TOLERANCE => None,
        Some((_, known)) => Some(format!("{case}: {known} before, {now} now")),
        None => Some(format!("{case}: not written down")),
    };
    counts(now).filter_map(far).collect()
}

/// The compiler, and what it compiles for.
fn compiler() -> String {
    let output = Command::new("rustc").arg("-vV").output().expect("there is a compiler");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let field = |name| text.lines().find_map(|line| line.strip_prefix(name)).expect("it says so").trim().to_owned();
    format!("rustc {} for {}", field("release:"), field("host:"))
}

fn check(now: &str) {
    let known =
        std::fs::read_to_string(COUNTS).expect("benches/instructions.txt is missing, run scripts/instructions --bless");
    let differences = differences(&known, now);
    if differences.is_empty() {
        return;
    }
    eprintln!("instructions of one message:\n  {}", differences.join("\n  "));
    let (before, compiler) = (known.lines().next().unwrap_or_default(), compiler());
    if before != compiler {
        // Another compiler's counts prove nothing about this code.
        eprintln!(
            "they were counted with {before}, now it is {compiler}: run `scripts/instructions --bless` with it on a commit \
             that is known to be good, and commit the file by itself"
        );
        return;
    }
    eprintln!(
        "if the change is worth it, run `scripts/instructions --bless` and say so in the commit; else find what costs them \
         with callgrind"
    );
    std::process::exit(1);
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    if let [flag, case, times] = &arguments[..]
        && flag == "--case"
    {
        let (_, run) = CASES.iter().find(|(name, _)| name == case).expect("it is a case");
        run(times.parse().expect("it is a number"));
    } else if has("--bench") {
        let now = table();
        print!("{now}");
        if has("--bless") {
            std::fs::write(COUNTS, format!("{}\n\n{now}", compiler())).expect("it can be written");
        } else if has("--check") {
            check(&now);
        }
    } else {
        // `cargo test --all-targets` runs it too, and only wants to see it work.
        CASES.iter().for_each(|(_, run)| run(10));
    }
}
