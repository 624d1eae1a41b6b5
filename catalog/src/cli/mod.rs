//! The command line of a program: it shows the catalog, and operates the outbox and what endpoints keep.
//!
//! A program passes its builder to [`run`], in its own `main` or in a binary beside it. It passes its store with [`Cli::store`].
//!
//! | command | what it does | needs the store |
//! |---|---|---|
//! | `check --scopes` | also resolves the services of each handler once, as for a message: factories that connect to something do so | no |
//! | `describe`, `check`, `mermaid`, `asyncapi`, `json`, `html` | shows or checks what is wired | no |
//! | `outbox status` | counts the messages, and shows the age of the oldest | yes |
//! | `outbox replay --since TIME [--topic T]` | makes sent messages pending again, so that a relay publishes them; asks first | yes |
//! | `dead list`, `dead show ID` | shows what could not be published (`12`) and what a handler could not handle (`d34`) | yes |
//! | `dead list --groups` | counts dead letters by place and kind of error, and names each group for `--group` | yes |
//! | `dead replay` with ids, filters or `--all` | gives dead letters back to the relay, or to the handler of the endpoint | yes |
//! | `dead replay` with ids, filters or `--all` | gives dead letters back: to the relay, or to the handlers of the endpoint | yes |
//! | `schedule list` | shows the deliveries that wait for a handler, how it failed at last, and what each waits behind | yes |
//! | `schedule retry`, `schedule discard` | makes waiting deliveries due now; deletes waiting deliveries | yes |
//! | `health` | reports by the age of the oldest message whether messages get on, and counts those that wait | yes |
//! | `schema print`, `schema check`, `schema apply` | prints, checks or makes the tables of the store | yes |
//!
//! The commands of the second row need no broker and no database, and only `check` builds the mediator. The program should not connect
//! either while it makes its builder: most pools and clients can connect later.
//!
//! The commands that need the store take `--json`. The commands that ask first refuse to work without a terminal unless they get
//! `--yes`.
//!
//! # Guarantees
//!
//! - The output of texts from outside, such as topics, reasons and bodies, has no characters that a terminal would obey. `--json`
//!   escapes these characters, and shortens nothing.
//! - The output hides the passwords of addresses and connection strings in errors of the store and in the reasons of dead letters. **It
//!   does not hide secrets in headers and bodies.**
//! - A filter for endpoints or handlers selects nothing that could not be published.
//! - `--groups`, `--group`, and `--name` for deliveries, read the oldest 10,000 dead letters of each kind.
//! - `dead discard` deletes the dead letters that its question has counted, and none that comes later, up to 1,000 dead letters. With
//!   `--yes`, or if there are more, it deletes **all that match**.
//!
//! # Exit codes
//!
//! | code | when |
//! |---|---|
//! | 0 | the command did what was asked |
//! | 1 | `check` found problems, `health` is not ready, the tables do not fit the program, or somebody answered a question with no |
//! | 2 | the command line is wrong, a name or id is unknown, the program gives no store, or a file cannot be read or does not fit |
//! | 3 | the output cannot be written |
//! | 4 | the program cannot open or use the store, or the store fails |

mod answer;
mod arguments;
mod commands;
mod nearest;
mod operate;
mod style;

use std::ffi::OsString;
use std::future::Future;
use std::process::ExitCode;

use diator::endpoint::Endpoint;
use diator::outbox::{DeadLetters, OutboxStore, StoreSchema};
use diator::{BoxError, MediatorBuilder};

use self::operate::Opening;

/// Runs the command line of a program that passes nothing but its builder.
///
/// # Example
///
/// ```no_run
/// use std::process::ExitCode;
///
/// use diator::prelude::*;
///
/// fn main() -> ExitCode {
///     diator_catalog::cli::run(Mediator::from_registry().broker(InMemoryBroker::new()))
/// }
/// ```
pub fn run(builder: MediatorBuilder) -> ExitCode {
    Cli::new(builder).run()
}

/// The command line of a program that passes more than its builder, such as a store.
///
/// # Example
///
/// This program serves, unless its first argument is `catalog`:
///
/// ```no_run
/// # use diator::prelude::*;
/// # use std::process::ExitCode;
/// # fn serve(builder: diator::MediatorBuilder) -> ExitCode { ExitCode::SUCCESS }
/// use diator_catalog::cli::Cli;
///
/// fn main() -> ExitCode {
///     let builder = Mediator::from_registry().without_broker();
///     let mut arguments = std::env::args_os().skip(1);
///     match arguments.next().is_some_and(|first| first == "catalog") {
///         // The first is what the help calls the program.
///         true => Cli::new(builder).run_with(["shop catalog".into()].into_iter().chain(arguments)),
///         false => serve(builder),
///     }
/// }
/// ```
#[derive(Debug)]
#[must_use = "it does nothing until it is run"]
pub struct Cli {
    builder: MediatorBuilder,
    edges: Option<String>,
    endpoints: Vec<Endpoint>,
    store: Option<Opening>,
}

impl Cli {
    /// Makes the command line of a program with this builder.
    pub fn new(builder: MediatorBuilder) -> Self {
        Self { builder, edges: None, endpoints: Vec::new(), store: None }
    }

    /// Sets which handler causes what, unless `--edges` names a file: the text that
    /// [`ObservedCauses::assert_matches`](crate::ObservedCauses::assert_matches) writes, such as
    /// `include_str!("edges.json")`.
    pub fn edges(mut self, json: impl Into<String>) -> Self {
        self.edges = Some(json.into());
        self
    }

    /// Adds an endpoint of the program's host to what is shown; a program may have any number of them. `check` also
    /// reports their problems.
    ///
    /// The command line does not open the endpoint.
    ///
    /// # Example
    ///
    /// ```no_run
    /// use std::process::ExitCode;
    ///
    /// use diator::endpoint::Endpoint;
    /// use diator::prelude::*;
    /// use diator_catalog::cli::Cli;
    ///
    /// fn billing() -> Endpoint {
    ///     Endpoint::new("billing", InMemoryBroker::new()).topics(["orders"])
    /// }
    ///
    /// fn main() -> ExitCode {
    ///     Cli::new(Mediator::from_registry().without_broker()).endpoint(billing()).run()
    /// }
    /// ```
    pub fn endpoint(mut self, endpoint: Endpoint) -> Self {
        self.endpoints.push(endpoint);
        self
    }

    /// Sets how to open the store; only `outbox`, `dead`, `schedule`, `health` and `schema` open it.
    ///
    /// Deliveries of endpoints are those of its [`deliveries`](OutboxStore::deliveries).
    ///
    /// # Guarantees
    ///
    /// - The command line opens and uses the store in its own runtime, on its own thread. `main` needs no runtime. A program may call
    ///   [`run`](Self::run) in a runtime, whose thread it blocks.
    /// - The closure must make the pool, because a pool belongs to the runtime in which it was made.
    /// - The runtime has one thread, and tokio's driver for time, and for input and output if the program has it.
    ///
    /// # Errors
    ///
    /// If the closure fails, the command line prints the error with its sources, without passwords, on stderr. The exit code is 4.
    ///
    /// # Panics
    ///
    /// [`run`](Self::run) passes a panic of `open` on.
    ///
    /// # Example
    ///
    /// ```no_run
    /// use std::process::ExitCode;
    ///
    /// use diator::outbox::InMemoryOutbox;
    /// use diator::prelude::*;
    /// use diator_catalog::cli::Cli;
    ///
    /// fn main() -> ExitCode {
    ///     let builder = Mediator::from_registry().broker(InMemoryBroker::new());
    ///     Cli::new(builder)
    ///         .store(|| async {
    ///             // A real one connects to its database here.
    ///             Ok(InMemoryOutbox::new())
    ///         })
    ///         .run()
    /// }
    /// ```
    pub fn store<S, F>(mut self, open: impl FnOnce() -> F + Send + 'static) -> Self
    where
        S: OutboxStore + DeadLetters + StoreSchema,
        F: Future<Output = Result<S, BoxError>> + 'static,
    {
        self.store = Some(Opening::new(open));
        self
    }

    /// Runs the command that the program's own arguments name.
    pub fn run(self) -> ExitCode {
        self.run_with(std::env::args_os())
    }

    /// Runs the command that these arguments name; the first argument is the program's name.
    pub fn run_with(self, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
        let program = commands::Program { builder: self.builder, endpoints: self.endpoints };
        commands::run(program, self.edges.as_deref(), self.store, arguments)
    }
}
