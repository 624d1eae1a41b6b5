//! The catalog on the command line: `describe`, `check`, `mermaid`, `asyncapi`, `json`, `html`.
//!
//! A program gives its builder to [`run`], in its own `main` or in a binary beside it. No broker and no data base has
//! to be up: but for `check`, nothing is built.
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
mod nearest;
mod style;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::ArgMatches;

use crate::catalog::{Catalog, Edges};
use crate::{BoxError, MediatorBuilder};

use self::nearest::nearest;
use self::style::Style;

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
///     diator::cli::run(Mediator::from_registry().broker(InMemoryBroker::new()))
/// }
/// ```
pub fn run(builder: MediatorBuilder) -> ExitCode {
    run_with(builder, std::env::args_os())
}

/// Does what the arguments say, of which the first is the program's name: for a program that has others of its own.
///
/// # Example
///
/// ```no_run
/// # use diator::prelude::*;
/// # use std::process::ExitCode;
/// # fn serve(builder: diator::MediatorBuilder) -> ExitCode { ExitCode::SUCCESS }
/// fn main() -> ExitCode {
///     let builder = Mediator::from_registry().without_broker();
///     let mut arguments = std::env::args_os();
///     let program = arguments.next();
///     match arguments.next().is_some_and(|first| first == "catalog") {
///         true => diator::cli::run_with(builder, program.into_iter().chain(arguments)),
///         false => serve(builder),
///     }
/// }
/// ```
pub fn run_with(builder: MediatorBuilder, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match arguments::command().try_get_matches_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let printed = error.print();
            return ended(printed.map(|()| if error.use_stderr() { Answer::Wrong } else { Answer::Done }));
        }
    };
    let Some((command, arguments)) = arguments.subcommand() else { return ExitCode::from(2) };
    ended(match command {
        "check" => check(builder),
        command => render(command, arguments, &builder),
    })
}

/// What the exit code tells.
enum Answer {
    Done,
    Problems,
    Wrong,
}

fn ended(answer: io::Result<Answer>) -> ExitCode {
    match answer {
        Ok(Answer::Done) => ExitCode::SUCCESS,
        Ok(Answer::Problems) => ExitCode::from(1),
        Ok(Answer::Wrong) => ExitCode::from(2),
        // The reader has seen enough: `… | head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            _ = writeln!(io::stderr(), "error: the output cannot be written: {error}");
            ExitCode::from(3)
        }
    }
}

fn check(builder: MediatorBuilder) -> io::Result<Answer> {
    match builder.build() {
        Ok(mediator) => {
            let catalog = mediator.catalog();
            let (requests, events) = (catalog.requests.len(), catalog.events.len());
            writeln!(io::stdout(), "the mediator can be built: {requests} requests, {events} events")?;
            Ok(Answer::Done)
        }
        Err(problems) => {
            writeln!(io::stderr(), "{problems}")?;
            Ok(Answer::Problems)
        }
    }
}

fn render(command: &str, arguments: &ArgMatches, builder: &MediatorBuilder) -> io::Result<Answer> {
    let catalog = match with_edges(builder.catalog(), arguments) {
        Ok(catalog) => catalog,
        Err(error) => return wrong(&error.to_string()),
    };
    let text = |name: &str| arguments.try_get_one::<String>(name).ok().flatten().map_or("", String::as_str);
    let rendered = match command {
        "describe" => return describe(&catalog, arguments.get_one::<String>("name").map(String::as_str)),
        "mermaid" => catalog.mermaid(),
        #[cfg(feature = "asyncapi")]
        "asyncapi" => catalog.asyncapi(text("title"), text("api-version")),
        #[cfg(not(feature = "asyncapi"))]
        "asyncapi" => return wrong("this program was built without diator's feature `asyncapi`"),
        "html" => catalog.html().title(text("title")).sources(text("sources")).to_string(),
        _ => catalog.to_json(),
    };
    io::stdout().write_all(rendered.as_bytes())?;
    Ok(Answer::Done)
}

fn with_edges(catalog: Catalog, arguments: &ArgMatches) -> Result<Catalog, BoxError> {
    match arguments.get_one::<String>("edges") {
        Some(path) => Ok(catalog.with_edges(&Edges::load(path)?)?),
        None => Ok(catalog),
    }
}

fn describe(catalog: &Catalog, name: Option<&str>) -> io::Result<Answer> {
    let style = Style::for_terminal(io::stdout().is_terminal());
    let text = match name.map(|name| (name, catalog.describe(name))) {
        None => catalog.to_string(),
        Some((_, Some(description))) => description.to_string(),
        Some((name, None)) => return unknown(catalog, name),
    };
    io::stdout().write_all(style.paint(&text).as_bytes())?;
    Ok(Answer::Done)
}

fn unknown(catalog: &Catalog, name: &str) -> io::Result<Answer> {
    let name = name.escape_debug();
    match nearest(&name.to_string(), catalog.names()) {
        Some(nearest) => wrong(&format!("nothing is called `{name}`: did you mean `{}`?", nearest.escape_debug())),
        None => wrong(&format!("nothing is called `{name}`: `describe` without a name lists what there is")),
    }
}

fn wrong(text: &str) -> io::Result<Answer> {
    writeln!(io::stderr(), "error: {text}")?;
    Ok(Answer::Wrong)
}
