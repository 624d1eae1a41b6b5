//! The catalog on the command line: `describe`, `check`, `mermaid`, `asyncapi`, `json`, `html`.
//!
//! A program gives its builder to [`run`], in its own `main` or in a binary beside it. No broker and no data base has
//! to be up: but for `check`, nothing is built. What the program makes before, for its builder, should not connect
//! either: most pools and clients can be made lazily.
//!
//! # Exit codes
//!
//! | code | when |
//! |---|---|
//! | 0 | it did what was asked |
//! | 1 | `check` found problems |
//! | 2 | the command line is wrong, a name is unknown, or a file cannot be read or does not fit |
//! | 3 | the output cannot be written |

mod arguments;
mod commands;
mod nearest;
mod style;

use std::ffi::OsString;
use std::process::ExitCode;

use diator::MediatorBuilder;

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

/// The catalog's command line, for a program that has more to say than [`run`] takes.
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
}

impl Cli {
    /// The command line of a program with this builder.
    pub fn new(builder: MediatorBuilder) -> Self {
        Self { builder, edges: None }
    }

    /// What causes what, unless `--edges` names a file: the text that
    /// [`ObservedCauses::assert_matches`](crate::ObservedCauses::assert_matches) keeps, such as `include_str!("edges.json")`.
    pub fn edges(mut self, json: impl Into<String>) -> Self {
        self.edges = Some(json.into());
        self
    }

    /// Does what the program's own arguments say.
    pub fn run(self) -> ExitCode {
        self.run_with(std::env::args_os())
    }

    /// Does what these arguments say, of which the first is the program's name.
    pub fn run_with(self, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
        commands::run(self.builder, self.edges.as_deref(), arguments)
    }
}
