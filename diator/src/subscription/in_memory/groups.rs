use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::InMemoryDeadLetter;
use super::faults::Faults;
use super::group::Group;
use super::member::{Connection, Member};
use crate::InMemoryBroker;
use crate::broker::{Kept, Log, OutboundMessage};
use crate::subscription::{Capabilities, ConsumeError, Observation, Wanted};

/// The consuming half of an [`InMemoryBroker`]: a group for each endpoint.
///
/// Where the processes of an endpoint do not share its messages, each opening has a group of its own, which the next opening
/// takes over.
#[derive(Default)]
pub(crate) struct InMemoryGroups {
    pub(super) faults: Faults,
    endpoints: BTreeMap<String, Vec<Group>>,
    /// Former names, and new names of endpoints that are still kept under a former one.
    renamed: BTreeMap<String, String>,
    members: u64,
    /// What was published before this is not there any more.
    retained_from: u64,
}

/// Where an opening is.
#[derive(Debug)]
pub(super) struct Place {
    endpoint: String,
    group: usize,
    pub(super) member: u64,
}

/// How a subscription is set up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    pub(super) capabilities: Capabilities,
    pub(super) partitions: usize,
    pub(super) handover: Duration,
}

impl InMemoryGroups {
    /// Whether a group wants a message that was published.
    pub(crate) fn published(&mut self, kept: &Arc<Kept>) -> bool {
        let mut wanted = false;
        for group in self.endpoints.values_mut().flatten() {
            if let Some(topic) = group.topic(topic_of(&kept.message)).cloned() {
                group.add(topic, kept);
                wanted = true;
            }
        }
        wanted
    }

    /// What was settled before this place is not replayed any more.
    pub(crate) fn forget_settled(&mut self, end: u64) {
        for group in self.endpoints.values_mut().flatten() {
            group.settled = group.settled.split_off(&end);
        }
    }

    /// Whether those who wait should look again.
    pub(super) fn stirred(&mut self) -> bool {
        let mut stirred = false;
        for group in self.endpoints.values_mut().flatten() {
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
        let groups = self.endpoints.entry(endpoint.clone()).or_default();
        groups.iter_mut().for_each(|group| group.tick(now));
        let free = groups.iter().position(|group| setup.capabilities.competing || !group.is_read());
        let at = free.unwrap_or(groups.len());
        if at == groups.len() {
            groups.push(Group::new(setup.capabilities, setup.partitions, setup.handover));
        }
        let group = &mut groups[at];
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
        Ok(Place { endpoint, group: at, member: self.members })
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
            } else if self.endpoints[&former].iter().all(|group| group.members.is_empty())
                && let Some(mut groups) = self.endpoints.remove(&former)
            {
                let heirs = self.endpoints.entry(endpoint.clone()).or_default();
                if let Some(heir) = heirs.first_mut() {
                    groups.iter_mut().for_each(|group| heir.inherit(group));
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
        let group = self.endpoints.get_mut(&place.endpoint)?.get_mut(place.group)?;
        group.tick(now);
        Some(group)
    }

    /// All groups of an endpoint, with everything done that is due.
    pub(super) fn of(&mut self, endpoint: &str, now: Instant) -> impl Iterator<Item = &mut Group> {
        let endpoint = self.kept_as(endpoint);
        let mut groups = self.endpoints.get_mut(&endpoint);
        groups.iter_mut().flat_map(|groups| groups.iter_mut()).for_each(|group| group.tick(now));
        groups.into_iter().flatten()
    }

    pub(super) fn observe(&mut self, wanted: &Wanted<'_>, log: &Log, now: Instant) -> Observation {
        let (topics, from) = (topics_of(wanted), self.retained_from);
        let mut known = self.of(wanted.endpoint, now).map(|group| group.observe(&topics, now)).peekable();
        if known.peek().is_some() {
            return known.fold(Observation::unknown(), |sum, next| Observation {
                lag: Some(sum.lag.unwrap_or_default() + next.lag.unwrap_or_default()),
                unsettled: Some(sum.unsettled.unwrap_or_default() + next.unsettled.unwrap_or_default()),
                oldest: sum.oldest.max(next.oldest),
            });
        }
        let retained = log.since(from).filter(|kept| topics.contains(topic_of(&kept.message)));
        let (lag, oldest) = retained.fold((0, now), |(lag, oldest), kept| (lag + 1, oldest.min(kept.at)));
        observed(lag, 0, now - oldest)
    }

    pub(super) fn dead_letters(&mut self, endpoint: &str, now: Instant) -> Vec<InMemoryDeadLetter> {
        self.of(endpoint, now).flat_map(|group| group.dead.iter().cloned()).collect()
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
        for group in self.endpoints.values_mut().flatten() {
            group.tick(now);
            let connected = |member: &Member| matches!(member.connection, Connection::Reads | Connection::Settles);
            let members: Vec<_> =
                group.members.iter().filter(|(_, member)| connected(member)).map(|(id, _)| *id).collect();
            members.into_iter().for_each(|member| group.end(member, Connection::Cut, now));
        }
    }

    /// Ends all connections, and forgets what an engine forgets whose process ended.
    pub(super) fn restart(&mut self, log: &Log, now: Instant) {
        for group in self.endpoints.values_mut().flatten() {
            group.tick(now);
            if group.capabilities.durable {
                let members: Vec<_> = group.members.keys().copied().collect();
                members.into_iter().for_each(|member| group.close(member, now));
            } else {
                group.clear();
                self.retained_from = log.end();
            }
            group.stirred = true;
        }
    }
}

/// The topic that a message is in.
fn topic_of(message: &OutboundMessage) -> &str {
    message.topic.as_deref().unwrap_or(InMemoryBroker::DEFAULT_TOPIC)
}

pub(super) fn observed(lag: u64, unsettled: u64, oldest: Duration) -> Observation {
    let observation = Observation::unknown().with_lag(lag).with_unsettled(unsettled);
    if lag == 0 { observation } else { observation.with_oldest(oldest) }
}

fn topics_of(wanted: &Wanted<'_>) -> BTreeSet<Arc<str>> {
    let by_default = wanted.topics.is_empty() || wanted.events.iter().any(|event| event.topic.is_none());
    let default = by_default.then_some(InMemoryBroker::DEFAULT_TOPIC);
    wanted.topics.iter().map(String::as_str).chain(default).map(Arc::from).collect()
}
