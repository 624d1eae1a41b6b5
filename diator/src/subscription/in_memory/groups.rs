use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::InMemoryDeadLetter;
use super::faults::Faults;
use super::group::Group;
use crate::broker::{Kept, Log, OutboundMessage};
use crate::subscription::{Capabilities, ConsumeError, Share, Wanted};

/// The consuming half of an [`InMemoryBroker`](crate::InMemoryBroker): a group for each endpoint.
///
/// Where the processes of an endpoint do not share its messages, each subscription has a group of its own.
#[derive(Default)]
pub(crate) struct InMemoryGroups {
    pub(super) faults: Faults,
    endpoints: BTreeMap<String, BTreeMap<Position, Group>>,
    /// Former names, and new names of endpoints that are still kept under a former one.
    renamed: BTreeMap<String, String>,
    members: u64,
    subscriptions: u64,
    /// What was published before this is not there any more.
    retained_from: u64,
}

/// Whose a position in the messages of an endpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Position {
    /// Of all its processes together.
    Shared,
    /// Of one subscription.
    Of(u64),
}

/// Where an opening is.
#[derive(Debug)]
pub(super) struct Place {
    endpoint: String,
    position: Position,
    pub(super) member: u64,
}

/// How a subscription is set up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    pub(super) capabilities: Capabilities,
    pub(super) partitions: usize,
    pub(super) handover: Duration,
    /// Whose position it is, where processes do not share one.
    pub(super) subscription: u64,
}

impl InMemoryGroups {
    /// Whether a group wants a message that was published.
    pub(crate) fn published(&mut self, kept: &Arc<Kept>) -> bool {
        let mut wanted = false;
        for group in self.groups() {
            if let Some(topic) = group.topic(topic_of(&kept.message)).cloned() {
                group.add(topic, kept);
                wanted = true;
            }
        }
        wanted
    }

    /// What was settled before this place is not replayed any more.
    pub(crate) fn forget_settled(&mut self, end: u64) {
        for group in self.groups() {
            group.settled = group.settled.split_off(&end);
        }
    }

    fn groups(&mut self) -> impl Iterator<Item = &mut Group> {
        self.endpoints.values_mut().flat_map(BTreeMap::values_mut)
    }

    /// A number for one more subscription; 0 is the broker's own.
    pub(super) fn subscribe(&mut self) -> u64 {
        self.subscriptions += 1;
        self.subscriptions
    }

    /// Nobody has this subscription any more.
    pub(super) fn unsubscribe(&mut self, subscription: u64) {
        for group in self.endpoints.values_mut().filter_map(|groups| groups.get_mut(&Position::Of(subscription))) {
            group.abandon();
        }
    }

    /// Whether those who wait should look again.
    pub(super) fn stirred(&mut self) -> bool {
        let mut stirred = false;
        for group in self.groups() {
            stirred |= mem::take(&mut group.stirred);
        }
        stirred
    }

    pub(super) fn open(
        &mut self,
        wanted: &Wanted<'_>,
        setup: Setup,
        log: &Log,
        now: Instant,
    ) -> Result<Place, ConsumeError> {
        let endpoint = self.adopt(wanted);
        let (is_stated, capability, position) = match wanted.share {
            Share::Group => (setup.capabilities.competing, "competing", Position::Shared),
            Share::Broadcast => (setup.capabilities.broadcasts, "broadcasts", Position::Of(setup.subscription)),
        };
        if !is_stated {
            return Err(ConsumeError::fatal(format!("in-memory broker does not state `{capability}`")));
        }
        let groups = self.endpoints.entry(endpoint.clone()).or_default();
        let new = || Group::new(setup.capabilities, setup.partitions, setup.handover);
        let group = groups.entry(position).or_insert_with(new);
        group.tick(now);
        if group.members.is_empty() {
            group.configure(setup.capabilities, setup.partitions, setup.handover);
        } else if group.capabilities != setup.capabilities || group.partitions.len() != setup.partitions {
            return Err(ConsumeError::fatal("in-memory broker has this endpoint open with other capabilities"));
        }
        let topics: BTreeSet<Arc<str>> = topics_of(wanted);
        for topic in &topics {
            if group.topic(topic).is_none() {
                group.add_topic(topic.clone());
                let earlier = log.since(self.retained_from).filter(|kept| topic_of(&kept.message) == &**topic);
                earlier.for_each(|kept| group.add(topic.clone(), kept));
            }
        }
        self.members += 1;
        group.join(self.members, topics, now);
        Ok(Place { endpoint, position, member: self.members })
    }

    /// The name under which the endpoint's group is kept; it has what waits under former names.
    fn adopt(&mut self, wanted: &Wanted<'_>) -> String {
        let mut endpoint = self.kept_as(wanted.endpoint);
        for former in wanted.formerly {
            let former = self.kept_as(former);
            if former == endpoint || !self.endpoints.contains_key(&former) {
                continue;
            }
            if !self.endpoints.contains_key(&endpoint) {
                // Processes that still have the former name share with those that have the new one.
                self.renamed.insert(mem::replace(&mut endpoint, former.clone()), former);
            } else if self.endpoints[&former].values().all(|group| group.members.is_empty())
                && let Some(groups) = self.endpoints.remove(&former)
            {
                let heirs = self.endpoints.entry(endpoint.clone()).or_default();
                for (position, mut group) in groups {
                    match heirs.entry(position) {
                        Entry::Occupied(mut heir) => heir.get_mut().inherit(&mut group),
                        Entry::Vacant(place) => _ = place.insert(group),
                    }
                }
                self.renamed.values_mut().filter(|kept| **kept == former).for_each(|kept| kept.clone_from(&endpoint));
                self.renamed.insert(former, endpoint.clone());
            }
        }
        endpoint
    }

    fn kept_as(&self, name: &str) -> String {
        self.renamed.get(name).map_or(name, String::as_str).to_owned()
    }

    /// The group of an opening, with everything done that is due.
    pub(super) fn group(&mut self, place: &Place, now: Instant) -> Option<&mut Group> {
        let group = self.endpoints.get_mut(&place.endpoint)?.get_mut(&place.position)?;
        group.tick(now);
        Some(group)
    }

    /// All groups of an endpoint, with everything done that is due.
    pub(super) fn of(&mut self, endpoint: &str, now: Instant) -> impl Iterator<Item = &mut Group> {
        let endpoint = self.kept_as(endpoint);
        let mut groups = self.endpoints.get_mut(&endpoint);
        groups.iter_mut().flat_map(|groups| groups.values_mut()).for_each(|group| group.tick(now));
        groups.into_iter().flat_map(BTreeMap::values_mut)
    }

    pub(super) fn dead_letters(&mut self, endpoint: &str, now: Instant) -> Vec<InMemoryDeadLetter> {
        self.of(endpoint, now).flat_map(|group| group.dead.iter().cloned()).collect()
    }

    /// What an endpoint has not settled, by its place among all messages; `None` if it was never open.
    pub(super) fn unsettled(&mut self, endpoint: &str, now: Instant) -> Option<Vec<Arc<Kept>>> {
        let mut unsettled = BTreeMap::new();
        let mut is_known = false;
        for group in self.of(endpoint, now) {
            is_known = true;
            if group.is_abandoned() {
                continue;
            }
            unsettled.extend(group.unsettled().map(|kept| (kept.sequence, kept.clone())));
        }
        is_known.then(|| unsettled.into_values().collect())
    }

    /// Whether an endpoint has settled everything; `None` if it was never open.
    pub(super) fn has_settled_all(&mut self, endpoint: &str, now: Instant) -> Option<bool> {
        let mut groups = self.of(endpoint, now).peekable();
        groups.peek()?;
        Some(groups.all(|group| group.is_abandoned() || group.unsettled().next().is_none()))
    }

    /// The names of all endpoints that were ever open.
    pub(super) fn names(&self) -> BTreeSet<String> {
        self.endpoints.keys().chain(self.renamed.keys()).cloned().collect()
    }

    /// Lets what was settled come once more; the answer is how many messages that are.
    pub(super) fn replay(&mut self, endpoint: &str, log: &Log, now: Instant) -> usize {
        let from = self.retained_from;
        let mut replayed = 0;
        for group in self.of(endpoint, now) {
            let settled = mem::take(&mut group.settled);
            for kept in log.since(from) {
                if let (Some(came), Some(topic)) =
                    (settled.get(&kept.sequence), group.topic(topic_of(&kept.message)).cloned())
                    && !group.has(kept.sequence)
                {
                    group.add_again(topic, kept, *came);
                    replayed += 1;
                }
            }
        }
        replayed
    }

    /// Ends all connections.
    pub(super) fn cut(&mut self, now: Instant) {
        for group in self.groups() {
            group.tick(now);
            let members: Vec<_> = group.members.keys().copied().filter(|member| group.is_open(*member)).collect();
            members.into_iter().for_each(|member| group.end(member, now));
        }
    }

    /// Ends all connections, and forgets what an engine forgets whose process ended.
    pub(super) fn restart(&mut self, log: &Log, now: Instant) {
        let mut forgot = false;
        for group in self.groups() {
            group.tick(now);
            if group.capabilities.durable {
                let members: Vec<_> = group.members.keys().copied().collect();
                members.into_iter().for_each(|member| group.close(member, now));
            } else {
                group.clear();
                forgot = true;
            }
            group.stirred = true;
        }
        if forgot {
            self.retained_from = log.end();
        }
    }
}

/// The topic that a message is in; it is empty where the message names none.
fn topic_of(message: &OutboundMessage) -> &str {
    message.topic.as_deref().unwrap_or_default()
}

fn topics_of(wanted: &Wanted<'_>) -> BTreeSet<Arc<str>> {
    let default = wanted.default_topic.then_some("");
    wanted.topics.iter().map(String::as_str).chain(default).map(Arc::from).collect()
}
