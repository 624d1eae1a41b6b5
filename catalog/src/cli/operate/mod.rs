//! What an operator does to the outbox of a program, and to the deliveries that its endpoints keep.
//!
//! | part | file |
//! |---|---|
//! | the commands, as clap reads them | `arguments` |
//! | each group of commands | `outbox`, `dead`, `schedule` and `waiting`, `health`, `schema` |
//! | which dead letters, by ids, filters or groups | `selection`, `id`, `cause`, `group` |
//! | the store, and the runtime in which it is opened | `store` |
//! | what cannot be done, without its secrets | `failure`, `redact` |
//! | what is printed | `print`, `letter`, `delivery`, `body`, `words` |
//! | a question before what cannot be undone | `question` |

pub(super) mod arguments;
mod body;
mod cause;
mod dead;
mod delivery;
mod failure;
mod group;
mod health;
mod id;
mod letter;
mod outbox;
mod print;
mod question;
mod redact;
mod schedule;
mod schema;
mod selection;
mod since;
mod store;
mod waiting;
mod words;

use std::io;

use clap::ArgMatches;

use self::failure::Failure;
pub(super) use self::store::Opening;
use self::store::Store;
pub(super) use self::store::in_runtime;
use super::answer::{Answer, wrong};

const NO_STORE: &str = "this program gives its command line no store: \
     give it one with `Cli::new(builder).store(|| async { Ok(store) })`";

/// Does what one of the commands says that need a store.
pub(super) fn run(group: &str, arguments: &ArgMatches, opening: Option<Opening>) -> io::Result<Answer> {
    let (command, arguments) = arguments.subcommand().unwrap_or(("", arguments));
    let Some(opening) = opening else { return wrong(NO_STORE) };
    if asks(group, command) && !arguments.get_flag("yes") && !question::can_be_asked() {
        return wrong(&format!("`{group} {command}` must ask first, and there is no terminal: add `--yes`"));
    }
    let done = in_runtime(|| operate(group, command, arguments, opening));
    done.unwrap_or_else(|error| Err(Failure::Opening(error.into()))).or_else(Failure::tell)
}

/// Whether the command asks before it does something that cannot be undone.
fn asks(group: &str, command: &str) -> bool {
    matches!((group, command), ("outbox", "replay") | ("dead" | "schedule", "discard"))
}

async fn operate(group: &str, command: &str, arguments: &ArgMatches, opening: Opening) -> Result<Answer, Failure> {
    let store = opening.open().await.map_err(Failure::Opening)?;
    let store: &dyn Store = &*store;
    match (group, command) {
        ("schema", "print") => return schema::print(store, arguments),
        ("schema", "check") => return schema::check(store, arguments).await,
        ("schema", _) => return schema::apply(store, arguments).await,
        _ => store.check().await.map_err(Failure::Unusable)?,
    }
    match (group, command) {
        ("outbox", "status") => outbox::status(store, arguments).await,
        ("outbox", _) => outbox::replay(store, arguments).await,
        ("schedule", "retry") => waiting::retry(store, arguments).await,
        ("schedule", "discard") => waiting::discard(store, arguments).await,
        ("schedule", _) => schedule::list(store, arguments).await,
        ("health", _) => health::tell(store, arguments).await,
        (_, "list") => dead::list(store, arguments).await,
        (_, "show") => dead::show(store, arguments).await,
        (_, "replay") => dead::replay(store, arguments).await,
        _ => dead::discard(store, arguments).await,
    }
}
