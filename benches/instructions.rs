//! How many instructions the ways of sending take: a figure that what else the machine does cannot change.
//!
//! `cargo bench -p diator-benches --bench instructions` counts them under callgrind and prints the table of
//! `docs/benchmarks.md`. With `-- --check` it fails where a count lies more than 5 % from the one that is written down in
//! `benches/instructions.txt`; with `-- --bless` it writes them down. `scripts/instructions` does the same.
//!
//! A case is run twice, the second time with more messages: what both runs share, the start of the program, is not counted.

use std::fmt::Write;
use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;

use diator::middleware::{Call, Handled, Next};
use diator::prelude::*;
use diator::{Middleware, handlers};
use tokio::runtime::Builder;

const COUNTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.txt");
const TOLERANCE: f64 = 0.05;
const FEW: u64 = 1_000;
const MANY: u64 = 3_000;

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

#[event_handler(Added)]
struct NoteAdded;

impl EventHandler<Added> for NoteAdded {
    async fn handle(&self, event: &Added, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        black_box(event.0);
        Ok(())
    }
}

struct Pass;

#[diator::async_trait]
impl Middleware for Pass {
    async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Handled {
        next.run(call).await
    }
}

// --- Cases. -------------------------------------------------------------------------------------

fn mediator(layers: usize) -> Mediator {
    let services = Services::new().scoped(|_| Ok(Transaction(1))).scoped(|_| Ok(Audit(1)));
    let handlers = handlers![AddHandler, AddAndTellHandler, AddInTransactionHandler, NoteAdded];
    let builder = Mediator::builder().handlers(handlers).container(services);
    (0..layers).fold(builder, |builder, _| builder.middleware(Pass)).build().expect("it is complete")
}

/// Sends so many messages.
type Run = fn(u64);

const CASES: [(&str, Run); 6] = [
    ("send", |times| {
        let mediator = mediator(0);
        repeat(times, async |number| mediator.send(Add(number)).await);
    }),
    ("send_dyn", |times| {
        let mediator = mediator(0);
        repeat(times, async |number| mediator.send_dyn(Add(number)).await);
    }),
    ("send, three middlewares", |times| {
        let mediator = mediator(3);
        repeat(times, async |number| mediator.send(Add(number)).await);
    }),
    ("send, one event with one handler", |times| {
        let mediator = mediator(0);
        repeat(times, async |number| mediator.send(AddAndTell(number)).await);
    }),
    ("send, two scoped dependencies", |times| {
        let mediator = mediator(0);
        repeat(times, async |number| mediator.send(AddInTransaction(number)).await);
    }),
    ("emit, one handler", |times| {
        let mediator = mediator(0);
        repeat(times, async |number| mediator.emit(Added(number)).await);
    }),
];

fn repeat<T, E: std::fmt::Debug>(times: u64, work: impl AsyncFn(u64) -> Result<T, E>) {
    let runtime = Builder::new_current_thread().build().expect("there is a runtime");
    runtime.block_on(async {
        for number in 0..times {
            black_box(work(black_box(number)).await.expect("it succeeds"));
        }
    });
}

// --- Counting. ----------------------------------------------------------------------------------

/// The instructions of one message in this case.
fn count(case: &str) -> u64 {
    let (few, many) = (collected(case, FEW), collected(case, MANY));
    (many - few + (MANY - FEW) / 2) / (MANY - FEW)
}

fn collected(case: &str, times: u64) -> u64 {
    let program = std::env::current_exe().expect("it has a path");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(["--case", case, &times.to_string()])
        .output()
        .expect("valgrind is missing, run scripts/install-servers");
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{report}");
    let collected = report.lines().find_map(|line| line.split_once("Collected : ")).expect("callgrind tells").1;
    collected.trim().parse().expect("it is a number")
}

fn table() -> String {
    let mut table = String::from("| one message | instructions |\n|---|---:|\n");
    for (case, _) in CASES {
        writeln!(table, "| {case} | {} |", count(case)).expect("a string takes it");
    }
    table
}

fn counts(table: &str) -> impl Iterator<Item = (&str, f64)> {
    table.lines().skip(2).filter_map(|line| {
        let (case, count) = line.strip_prefix("| ")?.strip_suffix(" |")?.rsplit_once(" | ")?;
        Some((case, count.parse().ok()?))
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

fn check(now: &str) {
    let known =
        std::fs::read_to_string(COUNTS).expect("benches/instructions.txt is missing, run scripts/instructions --bless");
    let differences = differences(&known, now);
    if !differences.is_empty() {
        eprintln!("instructions of one message:\n  {}", differences.join("\n  "));
        eprintln!(
            "if only the compiler is new, or the change is worth it, run `scripts/instructions --bless` in a commit of its \
             own that says so; else find what costs them with callgrind"
        );
        std::process::exit(1);
    }
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
            std::fs::write(COUNTS, now).expect("it can be written");
        } else if has("--check") {
            check(&now);
        }
    } else {
        // `cargo test --all-targets` runs it too, and only wants to see it work.
        CASES.iter().for_each(|(_, run)| run(10));
    }
}
