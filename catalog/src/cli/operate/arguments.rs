use clap::{Arg, ArgAction, ArgGroup, Command, value_parser};

use super::id::Id;
use super::{delivery, since};

pub(in crate::cli) fn outbox() -> Command {
    let replay =
        leaf("replay", "Makes sent messages pending again, so that a relay publishes them with their old ids")
            .arg(
                Arg::new("since").long("since").value_name("TIME").required(true).value_parser(since::parse).help(
                    "Selects messages that were sent at this time or later: an RFC 3339 time, or a duration before now, such as 2h or 7d",
                ),
            )
            .arg(topic())
            .arg(yes());
    group("outbox", "Counts the messages of the outbox, and publishes sent ones again")
        .subcommand(leaf("status", "Counts the messages by their state, and shows the age of the oldest"))
        .subcommand(replay)
}

pub(in crate::cli) fn dead() -> Command {
    let list = filters(leaf("list", "Lists the dead letters, oldest first"))
        .arg(
            Arg::new("groups")
                .long("groups")
                .action(ArgAction::SetTrue)
                .help("Counts those of one endpoint, handler and kind of error, or one topic and broker's error, and names each group for `--group`"),
        )
        .arg(limit("Lists at most this many of each kind [default: 100, or 10000 with --groups]"));
    let show = leaf("show", "Shows one dead letter, or one delivery that waits, with its headers and its body")
        .arg(
            Arg::new("id")
                .value_name("ID")
                .required(true)
                .value_parser(id())
                .help("The text in the column ID of `dead list` or `schedule list`"),
        )
        .arg(
            Arg::new("full")
                .long("full")
                .action(ArgAction::SetTrue)
                .help("Shows long texts in full; --json always does"),
        );
    let replay = chosen(leaf("replay", "Gives dead letters back to the relay or the endpoint, each in its old place"));
    let discard = chosen(leaf("discard", "Deletes dead letters for good"))
        .arg(
            Arg::new("waiting")
                .long("waiting")
                .action(ArgAction::SetTrue)
                .conflicts_with_all(["all", "ids"])
                .requires("endpoint")
                .requires("handler")
                .help(
                    "Also deletes deliveries that wait for the handler, for example for one that is gone; a delivery in hand of a process stays",
                ),
        )
        .arg(yes());
    group(
        "dead",
        "Lists, shows, replays and deletes messages that could not be published, and deliveries that could not be handled (IDs with a d)",
    )
    .subcommand(list)
    .subcommand(show)
    .subcommand(replay)
    .subcommand(discard)
}

pub(in crate::cli) fn schedule() -> Command {
    let list =
        leaf("list", "Lists the deliveries that wait for a handler, oldest first, and counts the delayed events")
            .arg(endpoint())
            .arg(handler())
            .arg(topic())
            .arg(limit("Lists at most this many deliveries [default: 100]"));
    let ids = || {
        let help = "The text in the column ID of `schedule list`";
        Arg::new("ids").value_name("ID").num_args(1..).required(true).value_parser(id()).help(help)
    };
    let retry =
        leaf("retry", "Makes waiting deliveries due now; a delivery behind others of its key still waits for them")
            .arg(ids());
    let discard = leaf("discard", "Deletes waiting deliveries for good").arg(ids()).arg(yes());
    group("schedule", "Shows deliveries that wait for their time or their turn, and ends the wait")
        .subcommand(list)
        .subcommand(retry)
        .subcommand(discard)
}

pub(in crate::cli) fn health() -> Command {
    let about = "Reports by the age of the oldest message whether messages get on, and counts waiting messages and dead letters";
    leaf("health", about).arg(
        Arg::new("ready-below")
            .long("ready-below")
            .value_name("DURATION")
            .default_value("5m")
            .value_parser(since::duration)
            .help("Reports not ready, and exits with 1, if a message could have been published or handled for this time or longer"),
    )
}

pub(in crate::cli) fn schema() -> Command {
    group("schema", "Prints, checks and makes the tables of the store")
        .subcommand(leaf("print", "Prints the statements that make the tables, and executes none"))
        .subcommand(leaf("check", "Checks whether this program can work with the tables"))
        .subcommand(leaf("apply", "Makes the tables, or brings them up to date"))
}

fn group(name: &'static str, about: &'static str) -> Command {
    Command::new(name).about(about).subcommand_required(true).arg_required_else_help(true)
}

fn leaf(name: &'static str, about: &'static str) -> Command {
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue);
    Command::new(name).about(about).arg(json.help("Writes JSON, for scripts"))
}

/// Which of them: some by their ids, those that a filter takes, or explicitly all.
fn chosen(command: Command) -> Command {
    let ids = Arg::new("ids").value_name("ID").num_args(1..).value_parser(id());
    let all = Arg::new("all").long("all").action(ArgAction::SetTrue).help("Selects all dead letters");
    let filters = ["topic", "name", "reason", "endpoint", "handler", "group"];
    self::filters(command)
        .arg(ids.conflicts_with_all(filters).help("Selects dead letters by the column ID of `dead list`"))
        .arg(all.conflicts_with_all(filters).conflicts_with("ids"))
        .arg(limit("Selects at most this many of each kind, from the oldest").conflicts_with("ids"))
        .group(ArgGroup::new("which").args(["ids", "all"]).args(filters).multiple(true).required(true))
}

fn filters(command: Command) -> Command {
    let name = Arg::new("name")
        .long("name")
        .value_name("EVENT")
        .help("Selects the messages of this event, by its name on the wire");
    let reason = Arg::new("reason")
        .long("reason")
        .value_name("TEXT")
        .help("Selects the dead letters whose reason contains this text");
    let group = Arg::new("group")
        .long("group")
        .value_name("GROUP")
        .help("Selects one group, by its name in `dead list --groups`");
    command.arg(topic()).arg(name).arg(reason).arg(endpoint()).arg(handler()).arg(group)
}

fn endpoint() -> Arg {
    let help = "Selects deliveries that this endpoint could not handle, or has yet to handle";
    Arg::new("endpoint").long("endpoint").value_name("ENDPOINT").help(help)
}

fn handler() -> Arg {
    let help = "Selects deliveries that the handler with this id could not handle, or has yet to handle; `all` as in the column HANDLER";
    Arg::new("handler").long("handler").value_name("HANDLER").value_parser(delivery::read_handler).help(help)
}

fn limit(help: &'static str) -> Arg {
    let count = value_parser!(u32).range(1..);
    Arg::new("limit").long("limit").value_name("COUNT").value_parser(count).help(help)
}

fn id() -> impl Fn(&str) -> Result<Id, &'static str> + Clone + Send + Sync + 'static {
    str::parse
}

fn topic() -> Arg {
    Arg::new("topic").long("topic").value_name("TOPIC").help("Selects the messages of this topic")
}

fn yes() -> Arg {
    Arg::new("yes").long("yes").action(ArgAction::SetTrue).help("Acts without asking")
}
