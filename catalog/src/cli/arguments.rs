use clap::{Arg, ArgAction, Command};

use super::operate::arguments::{dead, health, outbox, schedule, schema};

const ABOUT: &str =
    "Shows the messages of this program, their handlers and their consequences; operates its outbox and its endpoints";

const EXIT_CODES: &str = "\
Exit codes:
  0  it did what was asked
  1  `check` found problems, `health` is not ready, the tables do not fit the program, or somebody answered a question with no
  2  the command line is wrong, a name or id is unknown, the program gives no store, or a file cannot be read or does not fit
  3  the output cannot be written
  4  the program cannot open or use the store, or the store fails";

/// The command line, as clap reads it.
pub(super) fn command() -> Command {
    Command::new("catalog")
        .about(ABOUT)
        .after_help(EXIT_CODES)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(rendering("describe", "Lists all messages, or describes one").arg(name()))
        .subcommand(
            rendering("check", "Builds the mediator, reports every problem, and notes what may surprise").arg(scopes()),
        )
        .subcommand(rendering("mermaid", "Writes the graph of messages as a Mermaid flow chart"))
        .subcommand(
            rendering("asyncapi", "Writes the notification and ECST events as AsyncAPI 3.0, in JSON")
                .arg(title("Messages"))
                .arg(
                    Arg::new("api-version")
                        .long("api-version")
                        .value_name("VERSION")
                        .default_value("1.0.0")
                        .help("The document's version"),
                ),
        )
        .subcommand(rendering("json", "Writes everything as JSON"))
        .subcommand(rendering("html", "Writes one page for a browser").arg(title("Catalog")).arg(sources()))
        .subcommand(outbox())
        .subcommand(dead())
        .subcommand(schedule())
        .subcommand(health())
        .subcommand(schema())
}

fn rendering(name: &'static str, about: &'static str) -> Command {
    let edges = Arg::new("edges").long("edges").value_name("FILE");
    Command::new(name)
        .about(about)
        .arg(edges.help("The file in which the program's tests have noted which handler causes what"))
}

fn scopes() -> Arg {
    let help =
        "Also resolves the services of each handler once, as for a message: factories that connect to something do so";
    Arg::new("scopes").long("scopes").action(ArgAction::SetTrue).help(help)
}

fn name() -> Arg {
    Arg::new("name").value_name("NAME").help("A message or a handler, with or without its path, or a name on the wire")
}

fn title(default: &'static str) -> Arg {
    Arg::new("title").long("title").value_name("TEXT").default_value(default).help("The title")
}

fn sources() -> Arg {
    Arg::new("sources")
        .long("sources")
        .value_name("TEMPLATE")
        .default_value("{file}#L{line}")
        .help("The address of the sources: a URL with {file} and {line} in it")
}
