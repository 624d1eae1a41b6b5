use std::collections::BTreeSet;

use clap::ArgMatches;
use diator::deliveries::{DeliveryFilter, DeliveryState, KeptDelivery};
use diator::outbox::{DeadLetter, DeadLetterFilter, DeadLetters};

use super::cause::{self, Cause};
use super::failure::Failure;
use super::id::Id;
use super::store::Store;
use crate::clean::clean;

/// How many dead letters of each kind are read at most where a store cannot select them by itself: all of them are in memory.
pub(super) const READ: u32 = 10_000;

pub(super) const NO_DELIVERIES: &str = "the store of this program keeps no deliveries of endpoints";

/// The dead letters that a command line selects.
pub(super) struct Selection {
    /// `None` selects none of them.
    publishing: Option<DeadLetterFilter>,
    /// `None` selects none of them.
    handling: Option<DeliveryFilter>,
    /// Those that were named by their ids.
    pub(super) named: Vec<Id>,
    /// Whether there may be more than those that were read to select some of them.
    pub(super) is_partial: bool,
}

/// Dead letters of both kinds.
pub(super) struct Found {
    pub(super) letters: Vec<DeadLetter>,
    pub(super) deliveries: Vec<KeptDelivery>,
}

/// How many dead letters of each kind something was done with.
pub(super) struct Done {
    /// `None` where none of the kind could be selected.
    pub(super) publishing: Option<u64>,
    pub(super) handling: Option<u64>,
}

impl Done {
    pub(super) fn all(&self) -> u64 {
        self.publishing.unwrap_or_default() + self.handling.unwrap_or_default()
    }
}

impl Selection {
    /// Reads what the arguments say; a limit is not part of it.
    pub(super) async fn of(store: &dyn Store, arguments: &ArgMatches) -> Result<Self, Failure> {
        let text = |name: &str| arguments.try_get_one::<String>(name).ok().flatten().cloned();
        let ids: Vec<_> = match arguments.try_get_many::<Id>("ids") {
            Ok(Some(ids)) => ids.copied().collect::<BTreeSet<_>>().into_iter().collect(),
            _ => Vec::new(),
        };
        let mut publishing = DeadLetterFilter::default();
        (publishing.topic, publishing.name, publishing.reason) = (text("topic"), text("name"), text("reason"));
        let mut handling = DeliveryFilter::dead();
        (handling.topic, handling.reason) = (text("topic"), text("reason"));
        (handling.endpoint, handling.handler, handling.name) = (text("endpoint"), text("handler"), text("name"));
        if let Ok(Some(true)) = arguments.try_get_one::<bool>("waiting") {
            handling.dead = None;
        }
        let is_of_endpoint = handling.endpoint.is_some() || handling.handler.is_some();
        let mut selection = Self {
            publishing: (!is_of_endpoint).then_some(publishing),
            handling: Some(handling),
            named: ids.clone(),
            is_partial: false,
        };
        if !ids.is_empty() {
            selection.keep(&ids);
        }
        if store.deliveries().is_none() {
            if is_of_endpoint || ids.iter().any(|id| matches!(id, Id::Handling(_))) {
                return Err(Failure::Wrong(NO_DELIVERIES.to_owned()));
            }
            selection.handling = None;
        }
        if let Some(group) = text("group") {
            selection.keep_group(store, &group).await?;
        }
        Ok(selection)
    }

    /// Selects at most so many of each kind, from the oldest.
    pub(super) fn limit(&mut self, limit: u32) {
        if let Some(publishing) = &mut self.publishing {
            publishing.limit = Some(limit);
        }
        if let Some(handling) = &mut self.handling {
            handling.limit = Some(limit);
        }
    }

    /// Selects only these of what it has selected.
    pub(super) fn keep(&mut self, ids: &[Id]) {
        let of = |number: fn(&Id) -> Option<i64>| ids.iter().filter_map(number).collect::<Vec<_>>();
        let letters = of(|id| if let Id::Publishing(id) = id { Some(*id) } else { None });
        let deliveries = of(|id| if let Id::Handling(id) = id { Some(*id) } else { None });
        // An empty list would select all.
        self.publishing = self.publishing.take().filter(|_| !letters.is_empty());
        self.handling = self.handling.take().filter(|_| !deliveries.is_empty());
        if let Some(publishing) = &mut self.publishing {
            publishing.ids = letters;
        }
        if let Some(handling) = &mut self.handling {
            handling.ids = deliveries;
        }
    }

    async fn keep_group(&mut self, store: &dyn Store, name: &str) -> Result<(), Failure> {
        let wrong = |what: &str| {
            Err(Failure::Wrong(format!("{what} `{}`: `dead list --groups` lists the groups", clean(name))))
        };
        match cause::is_of_handling(name) {
            Some(true) => self.publishing = None,
            Some(false) => self.handling = None,
            None => return wrong("there is no group"),
        }
        let mut found = self.read(store, READ).await?;
        let is_partial = found.is_at_least(READ);
        found.letters.retain(|letter| Cause::of_letter(letter).name() == name);
        let causes = found.letters.iter().map(Cause::of_letter);
        let causes = causes.chain(found.deliveries.iter().filter_map(Cause::of_delivery));
        let causes: BTreeSet<_> = causes.filter(|cause| cause.name() == name).collect();
        match (&*causes.iter().collect::<Vec<_>>(), &mut self.handling) {
            ([], _) if is_partial => wrong(&format!("the oldest {READ} dead letters have no group")),
            ([], _) => wrong("there is no group"),
            // A store selects these by itself.
            ([Cause::Handling { endpoint, handler, kind }], Some(handling)) => {
                (handling.endpoint, handling.handler) = (Some(endpoint.clone()), Some(handler.clone()));
                handling.kind = Some(kind.clone());
                Ok(())
            }
            ([_], _) => {
                self.is_partial = is_partial;
                self.keep(&found.ids());
                Ok(())
            }
            _ => wrong("several groups have the name"),
        }
    }

    /// Reads the oldest that it selects, at most so many of each kind.
    pub(super) async fn read(&self, store: &dyn Store, most: u32) -> Result<Found, Failure> {
        let at_most = |limit: Option<u32>| Some(limit.map_or(most, |limit| limit.min(most)));
        let letters = match self.publishing.clone() {
            Some(filter) => {
                let limit = at_most(filter.limit);
                let mut filter = filter;
                filter.limit = limit;
                store.list(&filter).await?
            }
            None => Vec::new(),
        };
        let deliveries = match (self.handling.clone(), store.deliveries()) {
            (Some(mut filter), Some(deliveries)) => {
                filter.limit = at_most(filter.limit);
                deliveries.list(&filter).await?
            }
            _ => Vec::new(),
        };
        Ok(Found { letters, deliveries })
    }

    pub(super) async fn replay(&self, store: &dyn Store) -> Result<Done, Failure> {
        let publishing = match &self.publishing {
            Some(filter) => Some(DeadLetters::replay(store, filter).await?),
            None => None,
        };
        let handling = match (&self.handling, store.deliveries()) {
            (Some(filter), Some(deliveries)) => Some(deliveries.replay(filter).await?),
            _ => None,
        };
        Ok(Done { publishing, handling })
    }

    /// A delivery that waits can be discarded if it is named, and nobody can read it.
    pub(super) async fn with_unreadable(&mut self, store: &dyn Store) -> Result<(), Failure> {
        let (Some(handling), Some(deliveries)) = (&mut self.handling, store.deliveries()) else { return Ok(()) };
        if self.named.is_empty() {
            return Ok(());
        }
        let mut all = handling.clone();
        all.dead = None;
        let found = deliveries.list(&all).await?;
        if found.iter().any(|kept| kept.unreadable.is_some()) {
            let is_dead = |kept: &KeptDelivery| matches!(kept.state, DeliveryState::Dead { .. });
            let chosen = found.iter().filter(|kept| kept.unreadable.is_some() || is_dead(kept));
            (handling.ids, handling.dead) = (chosen.map(|kept| kept.id).collect(), None);
        }
        Ok(())
    }

    /// Those of the named that wait for their handlers, and are not selected because they are no dead letters.
    pub(super) async fn waiting(&self, store: &dyn Store) -> Result<Vec<Id>, Failure> {
        let mut named = DeliveryFilter::default();
        named.ids =
            self.named.iter().filter_map(|id| if let Id::Handling(id) = id { Some(*id) } else { None }).collect();
        let Some(deliveries) = store.deliveries().filter(|_| !named.ids.is_empty()) else { return Ok(Vec::new()) };
        let mut found = deliveries.list(&named).await?;
        let is_selected = |kept: &KeptDelivery| self.handling.as_ref().is_some_and(|filter| filter.takes(kept));
        found.retain(|kept| matches!(kept.state, DeliveryState::Waiting { .. }) && !is_selected(kept));
        Ok(found.iter().map(|kept| Id::Handling(kept.id)).collect())
    }

    pub(super) async fn discard(&self, store: &dyn Store) -> Result<Done, Failure> {
        let publishing = match &self.publishing {
            Some(filter) => Some(store.discard(filter).await?),
            None => None,
        };
        let handling = match (&self.handling, store.deliveries()) {
            (Some(filter), Some(deliveries)) => Some(deliveries.discard(filter).await?),
            _ => None,
        };
        Ok(Done { publishing, handling })
    }
}

impl Found {
    pub(super) fn ids(&self) -> Vec<Id> {
        let letters = self.letters.iter().map(|letter| Id::Publishing(letter.id));
        letters.chain(self.deliveries.iter().map(|kept| Id::Handling(kept.id))).collect()
    }

    /// Whether there are so many of one kind.
    pub(super) fn is_at_least(&self, most: u32) -> bool {
        self.letters.len().max(self.deliveries.len()) >= usize::try_from(most).unwrap_or(usize::MAX)
    }

    pub(super) fn truncate(&mut self, most: u32) {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        self.letters.truncate(most);
        self.deliveries.truncate(most);
    }
}
