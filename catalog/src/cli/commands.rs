use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::ArgMatches;

use super::answer::{Answer, ended, wrong};
use super::arguments;
use super::nearest::nearest;
use super::operate::{self, Opening};
use super::style::with_headings;
use crate::{Catalog, ObservedCauses};
use diator::endpoint::Endpoint;
use diator::wiring::Wiring;
use diator::{BoxError, MediatorBuilder};

/// What a program passes of itself.
pub(super) struct Program {
    pub(super) builder: MediatorBuilder,
    pub(super) endpoints: Vec<Endpoint>,
}

/// Does what the arguments say; the edges are those that are kept, unless the arguments name a file. The store is opened only for
/// what needs it.
pub(super) fn run(
    program: Program,
    kept: Option<&str>,
    store: Option<Opening>,
    arguments: impl IntoIterator<Item = OsString>,
) -> ExitCode {
    let arguments = match arguments::command().try_get_matches_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let printed = error.print();
            return ended(printed.map(|()| if error.use_stderr() { Answer::Wrong } else { Answer::Done }));
        }
    };
    let Some((command, arguments)) = arguments.subcommand() else { return ExitCode::from(2) };
    ended(match command {
        "outbox" | "dead" | "schedule" | "health" | "schema" => operate::run(command, arguments, store),
        "check" => check(program, edges(kept, arguments), arguments.get_flag("scopes")),
        command => render(command, arguments, &program, edges(kept, arguments)),
    })
}

fn check(
    Program { builder, endpoints }: Program,
    edges: Result<ObservedCauses, BoxError>,
    scopes: bool,
) -> io::Result<Answer> {
    match builder.build() {
        Ok(mediator) => {
            let edges = match edges {
                Ok(edges) => edges,
                Err(error) => return wrong(&error.to_string()),
            };
            let catalog = Catalog::from(endpoints.iter().fold(mediator.wiring(), Wiring::with_endpoint));
            let (catalog, stale) = catalog.with_fitting_edges(&edges);
            if let Some(stale) = stale {
                writeln!(io::stderr(), "warning: {stale}")?;
            }
            let count = |number, one: &str| format!("{number} {one}{}", if number == 1 { "" } else { "s" });
            let (requests, events) = (count(catalog.requests.len(), "request"), count(catalog.events.len(), "event"));
            writeln!(io::stdout(), "the mediator can be built: {requests}, {events}")?;
            catalog.notes().iter().try_for_each(|note| writeln!(io::stdout(), "note: {note}"))?;
            let mut answer = Answer::Done;
            if scopes && let Err(problems) = operate::in_runtime(|| mediator.check_scopes())? {
                writeln!(io::stderr(), "{problems}")?;
                answer = Answer::Problems;
            }
            if let Err(problems) = Endpoint::check(endpoints, &mediator) {
                writeln!(io::stderr(), "{problems}")?;
                answer = Answer::Problems;
            }
            Ok(answer)
        }
        Err(problems) => {
            writeln!(io::stderr(), "{problems}")?;
            Ok(Answer::Problems)
        }
    }
}

fn render(
    command: &str,
    arguments: &ArgMatches,
    Program { builder, endpoints }: &Program,
    edges: Result<ObservedCauses, BoxError>,
) -> io::Result<Answer> {
    let edges = match edges {
        Ok(edges) => edges,
        Err(error) => return wrong(&error.to_string()),
    };
    let (catalog, stale) =
        Catalog::from(endpoints.iter().fold(builder.wiring(), Wiring::with_endpoint)).with_fitting_edges(&edges);
    match stale {
        None => {}
        // Who describes a program that is being changed is helped by those that fit.
        Some(stale) if command == "describe" => writeln!(io::stderr(), "warning: {stale}")?,
        Some(stale) => return wrong(&stale.to_string()),
    }
    let text = |name: &str| arguments.try_get_one::<String>(name).ok().flatten().map_or("", String::as_str);
    let rendered = match command {
        "describe" => return describe(&catalog, arguments.get_one::<String>("name").map(String::as_str)),
        "mermaid" => catalog.mermaid(),
        "asyncapi" => catalog.asyncapi(text("title"), text("api-version")),
        "html" => catalog.html().title(text("title")).sources(text("sources")).to_string(),
        _ => catalog.to_json(),
    };
    io::stdout().write_all(rendered.as_bytes())?;
    Ok(Answer::Done)
}

fn edges(kept: Option<&str>, arguments: &ArgMatches) -> Result<ObservedCauses, BoxError> {
    match (arguments.get_one::<String>("edges"), kept) {
        (Some(path), _) => ObservedCauses::load(path),
        (None, Some(json)) => ObservedCauses::from_json(json),
        (None, None) => Ok(ObservedCauses::new()),
    }
}

fn describe(catalog: &Catalog, name: Option<&str>) -> io::Result<Answer> {
    let text = match name.map(|name| (name, catalog.describe(name))) {
        None => catalog.to_string(),
        Some((_, Some(description))) => description.to_string(),
        Some((name, None)) => return unknown(catalog, name),
    };
    // Takes the styles out again where nobody wants them.
    anstream::stdout().write_all(with_headings(&text).as_bytes())?;
    Ok(Answer::Done)
}

fn unknown(catalog: &Catalog, name: &str) -> io::Result<Answer> {
    let name = name.escape_debug();
    match nearest(&name.to_string(), catalog.names()) {
        Some(nearest) => wrong(&format!("nothing is called `{name}`: did you mean `{}`?", nearest.escape_debug())),
        None => wrong(&format!("nothing is called `{name}`: `describe` without a name lists everything")),
    }
}
