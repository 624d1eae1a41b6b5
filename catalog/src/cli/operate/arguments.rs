use clap::{Arg, ArgAction, ArgGroup, Command, value_parser};

use super::since;

pub(in crate::cli) fn outbox() -> Command {
    let replay =
        leaf("replay", "Lets a relay publish sent messages again, each with its old id")
            .arg(
                Arg::new("since").long("since").value_name("TIME").required(true).value_parser(since::parse).help(
                    "Those that were sent then or later: a time as in RFC 3339, or so long ago, such as 2h or 7d",
                ),
            )
            .arg(topic())
            .arg(yes());
    group("outbox", "The messages that wait for the broker, or went there")
        .subcommand(leaf("status", "Counts the messages, and says how long the oldest has been waiting"))
        .subcommand(replay)
}

pub(in crate::cli) fn dead() -> Command {
    let list = filters(leaf("list", "Lists them, oldest first")).arg(
        Arg::new("limit")
            .long("limit")
            .value_name("COUNT")
            .value_parser(value_parser!(u32).range(1..))
            .default_value("100")
            .help("At most so many"),
    );
    let show = leaf("show", "Shows one, with its headers and its body")
        .arg(Arg::new("id").value_name("ID").required(true).value_parser(value_parser!(i64)).help("As `list` shows it"))
        .arg(Arg::new("full").long("full").action(ArgAction::SetTrue).help("Shortens nothing; --json never does"));
    let replay = chosen(leaf("replay", "Gives them back to the relay, each in its old place"));
    let discard = chosen(leaf("discard", "Deletes them for good")).arg(yes());
    group("dead", "The messages that the broker refused for good")
        .subcommand(list)
        .subcommand(show)
        .subcommand(replay)
        .subcommand(discard)
}

pub(in crate::cli) fn schema() -> Command {
    group("schema", "The tables of the store")
        .subcommand(leaf("print", "Writes the statements that make the tables, and runs none"))
        .subcommand(leaf("check", "Says whether this program can work with the tables that are there"))
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
    let all = Arg::new("all").long("all").action(ArgAction::SetTrue).help("All of them");
    let filters = ["topic", "name", "reason"];
    self::filters(command)
        .arg(ids.conflicts_with_all(filters).help("As `list` shows it"))
        .arg(all.conflicts_with_all(filters).conflicts_with("ids"))
        .group(ArgGroup::new("which").args(["ids", "all"]).args(filters).multiple(true).required(true))
}

fn filters(command: Command) -> Command {
    let name = Arg::new("name").long("name").value_name("EVENT").help("Of this event, by its name on the wire");
    let reason = Arg::new("reason").long("reason").value_name("TEXT").help("With this text in the reason");
    command.arg(topic()).arg(name).arg(reason)
}

fn topic() -> Arg {
    Arg::new("topic").long("topic").value_name("TOPIC").help("Of this topic")
}

fn yes() -> Arg {
    Arg::new("yes").long("yes").action(ArgAction::SetTrue).help("Does not ask")
}
