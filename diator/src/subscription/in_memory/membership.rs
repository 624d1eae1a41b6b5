use std::collections::BTreeSet;

use tokio::time::Instant;

use super::group::{Group, Way, later};
use super::member::{Connection, Held};
use super::partition::Owner;
use crate::subscription::{
    ConsumeError, Delivery, DeliveryTag, Observation, Ownership, Release, Settled, Settlement, Taken, Verdict,
};

/// What one opening does with its group.
impl Group {
    /// Whether it was neither closed nor cut.
    pub(super) fn is_open(&self, id: u64) -> bool {
        self.members.get(&id).is_some_and(|member| member.connection != Connection::Over)
    }

    /// News of owners, or deliveries where there is credit; `None` if there is neither.
    pub(super) fn look(&mut self, id: u64, credit: usize, now: Instant) -> Option<Taken> {
        let news = self.members.get_mut(&id)?.news();
        news.or_else(|| Some(self.take(id, credit, now)).filter(|taken| !taken.is_empty()).map(Taken::Deliveries))
    }

    fn take(&mut self, id: u64, credit: usize, now: Instant) -> Vec<Delivery> {
        let (capabilities, mut taken) = (self.capabilities, Vec::new());
        let until = capabilities.lock.map(|period| later(now, period));
        let Some(member) = self.members.get_mut(&id) else { return taken };
        let own = self
            .partitions
            .iter()
            .enumerate()
            .filter(|(_, partition)| !capabilities.exclusive_keys || partition.owner == Owner::Member(id));
        // The first of each partition, in the order in which they come.
        let mut firsts: BTreeSet<_> =
            own.filter_map(|(number, partition)| Some((partition.first(&member.topics)?, number))).collect();
        while taken.len() < credit {
            let Some((_, number)) = firsts.pop_first() else { break };
            let partition = &mut self.partitions[number];
            let Some(mut entry) = partition.take(&member.topics, capabilities.ordered_by_key) else { break };
            firsts.extend(partition.first(&member.topics).map(|next| (next, number)));
            let owner = capabilities.exclusive_keys.then(|| partition.ownership(number));
            entry.counted = entry.counted.saturating_add(1);
            let mut delivery = member.hold(Held { entry, partition: number, until }, now, capabilities.counts);
            delivery.owner = owner;
            taken.push(delivery);
        }
        if let Some(until) = until.filter(|_| !taken.is_empty()) {
            self.wake_at(until);
        }
        taken
    }

    pub(super) fn settle(&mut self, id: u64, settlement: &Settlement, now: Instant) -> Result<Settled, ConsumeError> {
        let (tag, capabilities) = (settlement.tag, self.capabilities);
        let impossible = match &settlement.verdict {
            Verdict::Ack => None,
            Verdict::Release => (capabilities.release == Release::Impossible).then_some("release"),
            Verdict::Retry { after, .. } => {
                capabilities.delayed_retry.is_none_or(|longest| *after > longest).then_some("delayed_retry")
            }
            Verdict::DeadLetter { .. } => (!capabilities.dead_letters).then_some("dead_letters"),
        };
        if let Some(capability) = impossible {
            return Err(unable(format!(
                "in-memory broker does not state the capability `{capability}`, which this call needs"
            )));
        }
        let Some(member) = self.members.get_mut(&id) else { return Ok(Settled::LockLost) };
        let Some(held) = member.held.get(&tag.0) else { return Ok(member.answer_to(tag)) };
        if !capabilities.settles_out_of_order && member.holds_before(tag, held.partition) {
            return Err(unable("in-memory broker is asked to settle a delivery before an earlier one".to_owned()));
        }
        let Some(Held { mut entry, .. }) = member.held.remove(&tag.0) else { return Ok(Settled::LockLost) };
        match &settlement.verdict {
            Verdict::Ack => self.settled(&entry),
            Verdict::Release => self.give_back(entry, Way::Released, None),
            Verdict::Retry { after, failures, .. } => {
                entry.failures = if capabilities.retry_counts { *failures } else { 0 };
                self.give_back(entry, Way::Later(*after), Some(now));
            }
            Verdict::DeadLetter { reason, .. } => self.bury(&entry, reason.clone()),
        }
        Ok(Settled::Done)
    }

    /// In which line a delivery has to be settled, where settling has an order and it is held.
    pub(super) fn place_in_order(&self, id: u64, tag: DeliveryTag) -> Option<usize> {
        let held = self.members.get(&id)?.held.get(&tag.0)?;
        (!self.capabilities.settles_out_of_order).then_some(held.partition)
    }

    pub(super) fn extend(&mut self, id: u64, tag: DeliveryTag, now: Instant) -> Result<Settled, ConsumeError> {
        if !self.capabilities.extends {
            return Err(unable(
                "in-memory broker does not state the capability `extends`, which this call needs".to_owned(),
            ));
        }
        let until = self.capabilities.lock.map(|period| later(now, period));
        let held = self.members.get_mut(&id).and_then(|member| member.held.get_mut(&tag.0));
        let Some(held) = held else { return Ok(Settled::LockLost) };
        held.until = until;
        Ok(Settled::Done)
    }

    /// How one opening is.
    pub(super) fn observe(&self, id: u64, now: Instant) -> Observation {
        let Some(member) = self.members.get(&id) else { return Observation::unknown() };
        let (mut lag, mut due, mut oldest) = (0, 0, None);
        for partition in &self.partitions {
            let own = !self.capabilities.exclusive_keys || partition.owner == Owner::Member(id);
            let given = own && member.connection == Connection::Reads;
            for entry in partition.waiting.values().filter(|entry| member.topics.contains(&entry.topic)) {
                lag += 1;
                due += u64::from(given);
                oldest = oldest.max(Some(now - entry.published()));
            }
        }
        let observation = Observation::unknown().with_lag(lag).with_due(due);
        oldest.into_iter().fold(observation, Observation::with_oldest)
    }

    /// The opening gives partitions up.
    pub(super) fn revoked(&mut self, id: u64, owners: &[Ownership], now: Instant) {
        for number in 0..self.partitions.len() {
            let partition = &self.partitions[number];
            if partition.owner.member() == Some(id) && owners.contains(&partition.ownership(number)) {
                self.free(number);
            }
        }
        self.share_out(now);
    }

    /// Its source was dropped.
    pub(super) fn stop_reading(&mut self, id: u64, now: Instant) {
        if let Some(member) = self.members.get_mut(&id)
            && member.connection == Connection::Reads
        {
            member.connection = Connection::Settles;
            self.share_out(now);
        }
    }

    /// It ends in order: all that it has goes back.
    pub(super) fn close(&mut self, id: u64, now: Instant) {
        let way = if self.capabilities.release == Release::Impossible { Way::Lost } else { Way::Released };
        if let Some(member) = self.members.remove(&id) {
            member.held.into_values().for_each(|held| self.give_back(held.entry, way, None));
            self.leave(id);
            self.share_out(now);
        }
    }

    /// It ends without a word: what it has goes back when its locks are over.
    pub(super) fn end(&mut self, id: u64, now: Instant) {
        let Some(period) = self.capabilities.lock.filter(|_| !self.capabilities.lock_ends_opening) else {
            self.end_at_once(id);
            self.share_out(now);
            return;
        };
        let Some(member) = self.members.get_mut(&id) else { return };
        member.connection = Connection::Over;
        let until = later(now, period);
        for partition in self.partitions.iter_mut().filter(|partition| partition.owner.member() == Some(id)) {
            let until = partition.owner.until().map_or(until, |earlier| earlier.min(until));
            partition.owner = Owner::Gone { member: id, until };
        }
        // Also where it has nothing, so that it is forgotten.
        self.wake_at(until);
        self.share_out(now);
    }

    /// Its connection was its lock.
    pub(super) fn end_at_once(&mut self, id: u64) {
        if let Some(member) = self.members.remove(&id) {
            member.held.into_values().for_each(|held| self.give_back(held.entry, Way::Lost, None));
            self.leave(id);
        }
    }

    fn leave(&mut self, id: u64) {
        for number in 0..self.partitions.len() {
            if self.partitions[number].owner.member() == Some(id) {
                self.free(number);
            }
        }
    }

    /// Nobody can open it any more.
    pub(super) fn abandon(&mut self) {
        self.left = true;
        self.stirred = true;
    }

    /// Whether nobody will ever handle what waits.
    pub(super) fn is_abandoned(&self) -> bool {
        self.left && self.members.values().all(|member| member.connection == Connection::Over)
    }
}

fn unable(message: String) -> ConsumeError {
    ConsumeError::fatal(message)
}
