//! The command line of a program: its catalog, and what an operator does to its outbox.
//!
//! A program gives its builder to [`run`], in its own `main` or in a binary beside it; with [`Cli::store`], it gives its store, too.
//!
//! | command | what it does | needs the store |
//! |---|---|---|
//! | `describe`, `check`, `mermaid`, `asyncapi`, `json`, `html` | shows or checks what is wired | no |
//! | `outbox status` | counts the messages, and says how long the oldest has been waiting | yes |
//! | `outbox replay --since TIME [--topic T]` | lets a relay publish sent messages again; asks first | yes |
//! | `dead list`, `dead show ID` | shows what the broker refused for good | yes |
//! | `dead replay` with ids, filters or `--all` | gives dead letters back to the relay | yes |
//! | `dead discard` with ids, filters or `--all` | deletes dead letters; asks first | yes |
//! | `schema print`, `schema check`, `schema apply` | writes, judges or makes the tables of the store | yes |
//!
//! For the first row no broker and no database has to be up: but for `check`, nothing is built. What the program makes before, for
//! its builder, should not connect either: most pools and clients can be made lazily.
//!
//! The commands that need the store take `--json`. Those that ask first refuse to work without a terminal, unless `--yes` is said.
//!
//! # Guarantees
//!
//! - Texts from outside, such as topics, reasons and bodies, are shown without characters that a terminal would obey. With `--json`
//!   these characters are escaped, and nothing is shortened.
//! - Errors of the store, and the reasons of dead letters, are shown without the passwords of addresses and connection strings. What
//!   else stands in a message is shown as it is.
//! - `dead discard` deletes what was counted in its question, and nothing that came later, up to 1,000 dead letters. With `--yes`, or
//!   where there are more, it deletes all that match.
//!
//! # Exit codes
//!
//! | code | when |
//! |---|---|
//! | 0 | it did what was asked |
//! | 1 | `check` found problems, the tables do not fit the program, or a question was answered with no |
//! | 2 | the command line is wrong, a name or id is unknown, the program gives no store, or a file cannot be read or does not fit |
//! | 3 | the output cannot be written |
//! | 4 | the store cannot be opened, cannot be worked with, or fails |

mod answer;
mod arguments;
mod commands;
mod nearest;
mod operate;
mod style;

use std::ffi::OsString;
use std::future::Future;
use std::process::ExitCode;

use diator::outbox::{DeadLetters, OutboxStore, StoreSchema};
use diator::{BoxError, MediatorBuilder};

use self::operate::Opening;

/// Does what the program's own arguments say.
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

/// The command line, for a program that has more to say than [`run`] takes.
///
/// # Example
///
/// A program that serves, unless its first argument is `catalog`.
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
    store: Option<Opening>,
}

impl Cli {
    /// The command line of a program with this builder.
    pub fn new(builder: MediatorBuilder) -> Self {
        Self { builder, edges: None, store: None }
    }

    /// What causes what, unless `--edges` names a file: the text that
    /// [`ObservedCauses::assert_matches`](crate::ObservedCauses::assert_matches) keeps, such as `include_str!("edges.json")`.
    pub fn edges(mut self, json: impl Into<String>) -> Self {
        self.edges = Some(json.into());
        self
    }

    /// How the store of the outbox is opened, for `outbox`, `dead` and `schema`: no other command opens it.
    ///
    /// # Guarantees
    ///
    /// - It is opened and used in a runtime of the command line's own, on a thread of its own: `main` needs no runtime, and
    ///   [`run`](Self::run) may be called within one, whose thread it blocks. A pool must be made in here, because it belongs to the
    ///   runtime in which it was made.
    /// - The runtime has one thread, and the drivers of tokio for time, and for input and output if the program has them.
    ///
    /// # Errors
    ///
    /// An error is told on stderr with its sources, without passwords, and the exit code is 4.
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

    /// Does what the program's own arguments say.
    pub fn run(self) -> ExitCode {
        self.run_with(std::env::args_os())
    }

    /// Does what these arguments say, of which the first is the program's name.
    pub fn run_with(self, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
        commands::run(self.builder, self.edges.as_deref(), self.store, arguments)
    }
}
