use std::sync::Arc;
use std::time::Duration;

use super::policy::ErrorPolicy;
use crate::deliveries::OnDead;
use crate::subscription::{Order, Share};

/// What an endpoint does with messages whose name no event of the program has.
///
/// An event that the program knows, but that no handler of the endpoint handles, is not such a message: the endpoint
/// acknowledges it, and counts it as ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unknown {
    /// The message is acknowledged and counted; a warning names each name once.
    #[default]
    Ignore,
    /// The message is a dead letter.
    DeadLetter,
    /// The endpoint gives the message back, fails, and opens anew after a pause, until somebody deploys a program that
    /// knows the name.
    ///
    /// A host does not start such an endpoint on an engine that counts deliveries that are given back, and takes a
    /// message away after a number of deliveries.
    Stop,
}

/// What an endpoint does with messages that its own program published, in whichever process.
///
/// The program knows them by the header `sender`, which [`MediatorBuilder::sender`](crate::MediatorBuilder::sender)
/// sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OwnMessages {
    /// They are handled like other messages.
    #[default]
    Handle,
    /// They are acknowledged, and counted as ignored.
    ///
    /// **A message that was published before the program had its name, or through a broker that carries no headers, is
    /// handled.**
    Skip,
}

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) name: Arc<str>,
    pub(super) formerly: Vec<String>,
    pub(super) concurrency: usize,
    pub(super) order: Order,
    pub(super) share: Share,
    pub(super) errors: ErrorPolicy,
    pub(super) unknown: Unknown,
    pub(super) own_messages: OwnMessages,
    pub(super) max_handling: Duration,
    pub(super) max_ahead: usize,
    /// How many deliveries may wait for no more than the engine's word: nobody sets it but a test.
    pub(super) most_decided: usize,
    /// Dead letters are kept; otherwise they are logged, and gone.
    pub(super) dead_letters: bool,
    /// Of the randomness; `None` is one that nobody can foresee.
    pub(super) seed: Option<u64>,
}

/// No setting is longer: more is not a time but a slip, and no clock can add it.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);
/// What waits for another attempt is held in memory meanwhile.
const LONGEST_DELAYS: Duration = Duration::from_secs(3_600);
const MOST_WORKERS: usize = 100_000;
const MOST_AHEAD: usize = 1_000_000;

impl Settings {
    pub(super) fn new(name: Arc<str>) -> Self {
        Self {
            name,
            formerly: Vec::new(),
            concurrency: 16,
            order: Order::None,
            share: Share::Group,
            errors: ErrorPolicy::new(),
            unknown: Unknown::Ignore,
            own_messages: OwnMessages::Handle,
            max_handling: Duration::from_secs(300),
            max_ahead: 256,
            most_decided: 100_000,
            dead_letters: true,
            seed: None,
        }
    }

    /// What is wrong with them, and what to do about it; `retention` is that of the inbox whose store keeps what waits.
    pub(super) fn problems(&self, retention: Option<Duration>) -> Vec<(String, String)> {
        let Self { concurrency, max_ahead, max_handling, errors, .. } = self;
        let delays = errors.delays().iter().fold(Duration::ZERO, |sum, delay| sum.saturating_add(*delay));
        let parks = self.lacks_for_parking(retention.is_some());
        let rules = [
            (!self.name.is_empty(), "its name is empty".to_owned(), "give it one that its processes have in common"),
            (
                (1..=MOST_WORKERS).contains(concurrency),
                format!("it handles {concurrency} messages at once"),
                "say `.concurrency(…)` with 1 to 100,000",
            ),
            (
                concurrency <= max_ahead && *max_ahead <= MOST_AHEAD,
                format!("it holds {max_ahead} messages at most, and handles {concurrency} at once"),
                "let `.max_ahead(…)` be no less than `.concurrency(…)`, and at most 1,000,000",
            ),
            (
                !max_handling.is_zero() && *max_handling <= LONGEST,
                format!("a handler may take {max_handling:?}"),
                "let `.max_handling(…)` be more than zero, and at most a day",
            ),
            (
                retention.is_some() || delays <= LONGEST_DELAYS,
                format!("a message could wait {delays:?} for its attempts"),
                match self.share {
                    Share::Group => {
                        "let the delays of `.later(…)` be no more than 1 h together; or give the builder an inbox, whose store \
                         keeps them: `.inbox(store.inbox())`"
                    }
                    Share::Broadcast => {
                        "let the delays of `.later(…)` be no more than 1 h together; an endpoint with `.broadcast()` uses no inbox, whose \
                         store could keep them"
                    }
                },
            ),
            (
                retention.is_none_or(|retention| delays < retention),
                format!(
                    "a message could wait {delays:?} for its attempts, and the inbox remembers for {:?}",
                    retention.unwrap_or_default()
                ),
                "let the delays of `.later(…)` be shorter together than the retention of the inbox",
            ),
            (
                errors.what_on_dead() != OnDead::Park || parks.is_empty(),
                "a dead letter should park its key, but nothing would keep the later messages of the key waiting"
                    .to_owned(),
                &parks,
            ),
            (
                errors.immediate_retries() <= 100,
                format!("a handler is tried again {} times at once", errors.immediate_retries()),
                "let `.immediately(…)` be at most 100, and let `.later(…)` do the rest",
            ),
        ];
        rules.into_iter().filter(|(holds, ..)| !holds).map(|(_, text, remedy)| (text, remedy.to_owned())).collect()
    }

    /// The remedy for each thing that `OnDead::Park` needs and that is not there.
    fn lacks_for_parking(&self, has_store: bool) -> String {
        let inbox = match self.share {
            Share::Group => "give the builder an inbox: `.inbox(store.inbox())`",
            Share::Broadcast => "remove `.broadcast()`, because such an endpoint uses no inbox",
        };
        let needs = [
            (has_store, inbox),
            (self.order == Order::PerKey, "say `.order(Order::PerKey)`"),
            (self.dead_letters, "remove `.without_dead_letters()`"),
        ];
        let missing: Vec<_> = needs.into_iter().filter(|(holds, _)| !holds).map(|(_, remedy)| remedy).collect();
        missing.join("; ")
    }
}
