use clap::{Arg, ArgAction, ArgGroup, Command, value_parser};

use super::since;

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
    let list = filters(leaf("list", "Lists the dead letters, oldest first")).arg(
        Arg::new("limit")
            .long("limit")
            .value_name("COUNT")
            .value_parser(value_parser!(u32).range(1..))
            .default_value("100")
            .help("Lists at most this many dead letters"),
    );
    let show = leaf("show", "Shows one dead letter, with its headers and its body")
        .arg(
            Arg::new("id")
                .value_name("ID")
                .required(true)
                .value_parser(value_parser!(i64))
                .help("The number in the column ID of `dead list`"),
        )
        .arg(
            Arg::new("full")
                .long("full")
                .action(ArgAction::SetTrue)
                .help("Shows long texts in full; --json always does"),
        );
    let replay = chosen(leaf("replay", "Gives dead letters back to the relay, each in its old place"));
    let discard = chosen(leaf("discard", "Deletes dead letters for good")).arg(yes());
    group("dead", "Lists, shows, replays and deletes the messages that the broker refused for good")
        .subcommand(list)
        .subcommand(show)
        .subcommand(replay)
        .subcommand(discard)
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
    let ids = Arg::new("ids").value_name("ID").num_args(1..).value_parser(value_parser!(i64));
    let all = Arg::new("all").long("all").action(ArgAction::SetTrue).help("Selects all dead letters");
    let filters = ["topic", "name", "reason"];
    self::filters(command)
        .arg(ids.conflicts_with_all(filters).help("Selects dead letters by their numbers in `dead list`"))
        .arg(all.conflicts_with_all(filters).conflicts_with("ids"))
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
    command.arg(topic()).arg(name).arg(reason)
}

fn topic() -> Arg {
    Arg::new("topic").long("topic").value_name("TOPIC").help("Selects the messages of this topic")
}

fn yes() -> Arg {
    Arg::new("yes").long("yes").action(ArgAction::SetTrue).help("Acts without asking")
}
