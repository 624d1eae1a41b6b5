//! How an opening ends, wholly or for some owners: what waits is given back, what runs comes to its end in time.

use std::time::Duration;

use tokio::time::Instant;

use super::held::{Held, Stage};
use super::opening::Opening;
use super::settler::ToSettle;
use crate::BoxError;
use crate::subscription::{ConsumeError, ConsumeErrorKind, DeliveryTag, Observation, Ownership};

/// How long handlers may run on when the source has failed, where locks can be extended.
const RUN_ON: Duration = Duration::from_secs(30);
/// How long the engine may take to answer for what is settled at the end.
const SETTLING: Duration = Duration::from_secs(5);

/// An opening that takes nothing more.
#[derive(Debug)]
pub(super) struct Draining {
    /// Until when handlers may run.
    until: Instant,
    /// Until when the engine may answer.
    answered_by: Instant,
    /// Why it ends, if nobody asked for it.
    error: Option<BoxError>,
    /// It was told to stop, and not only to open anew.
    pub(super) stopping: bool,
    cut: bool,
    /// The engine answers nothing any more.
    closed: bool,
}

/// Partitions that the engine wants back.
#[derive(Debug)]
pub(super) struct Revocation {
    owners: Vec<Ownership>,
    pub(super) by: Instant,
}

impl Draining {
    fn new(until: Instant, error: Option<BoxError>) -> Self {
        Self { until, answered_by: until + SETTLING, stopping: error.is_none(), error, cut: false, closed: false }
    }

    /// When there is something to do about it.
    pub(super) fn next(&self) -> Instant {
        if self.cut { self.answered_by } else { self.until }
    }
}

impl Opening {
    /// The end was asked for.
    pub(super) fn stop(&mut self, until: Instant, now: Instant) {
        match &mut self.draining {
            None => self.drain(Draining::new(until, None), now),
            Some(draining) if !draining.stopping => {
                let until = until.min(draining.until);
                *draining = Draining { cut: draining.cut, closed: draining.closed, ..Draining::new(until, None) };
            }
            Some(_) => {}
        }
    }

    /// The opening cannot go on.
    pub(super) fn fail(&mut self, error: BoxError, now: Instant) {
        self.bound.monitor.note_error(&*error);
        if self.draining.is_none() {
            self.drain(Draining::new(now + self.run_on(), Some(error)), now);
        }
    }

    /// A handler that takes longer than a lock that cannot be extended would be cut off each time that its message comes: it may run on
    /// as long as any handler. What it achieves is remembered.
    fn run_on(&self) -> Duration {
        match self.bound.capabilities.lock {
            Some(_) if !self.bound.can_hold() => self.bound.settings.max_handling,
            Some(lock) => lock.min(RUN_ON),
            None => RUN_ON,
        }
    }

    fn drain(&mut self, draining: Draining, now: Instant) {
        self.call_back();
        self.draining = Some(draining);
        let waiting = self.tags(Held::is_waiting);
        self.give_back(waiting, now);
    }

    /// Gives those back that wait, in one call; in order per key, not before the first of their key has ended.
    pub(super) fn give_back(&mut self, tags: impl IntoIterator<Item = DeliveryTag>, now: Instant) {
        for tag in tags {
            // While one of their key is on its way into the store, others do not see it there.
            let goes_first = |held: &Held| held.stage.runs() || matches!(held.stage, Stage::Keeping);
            let waits = self.held.get(&tag).is_some_and(Held::is_waiting);
            if waits && !self.held.get(&self.lanes.head(tag)).is_some_and(goes_first) {
                self.give_up(tag, now);
            }
        }
    }

    /// The opening is over: nothing can be settled any more, and no answer is waited for.
    pub(super) fn over(&mut self, error: ConsumeError, now: Instant) {
        let is_closed = error.kind() == ConsumeErrorKind::Closed;
        self.fail(error.into(), now);
        if let Some(draining) = self.draining.as_mut().filter(|_| is_closed) {
            draining.closed = true;
        }
    }

    /// At the end of the time, what still runs is cut off, and never acknowledged.
    pub(super) fn cut_off_in_time(&mut self, now: Instant) {
        let Some(draining) = &mut self.draining else { return };
        if draining.cut || now < draining.until {
            return;
        }
        draining.cut = true;
        let running = self.tags(|held| matches!(held.stage, Stage::Running(_) | Stage::Forgotten(_)));
        if !running.is_empty() {
            tracing::warn!(
                target: "diator",
                endpoint = &*self.bound.settings.name,
                deliveries = running.len(),
                "handlers are cut off, because the endpoint has to end; their messages come again"
            );
        }
        running.into_iter().for_each(|tag| self.cut(tag));
    }

    /// Whether all is done that can be.
    pub(super) fn ended(&mut self, now: Instant) -> Option<Result<(), BoxError>> {
        let draining = self.draining.as_mut()?;
        let runs = self.held.values().any(|held| matches!(held.stage, Stage::Running(_) | Stage::Forgotten(_)));
        if !runs && !draining.cut {
            draining.cut = true;
            // An engine that has failed does not answer; one that is asked to stop may take what time there is.
            draining.answered_by = if draining.stopping { draining.answered_by } else { now + SETTLING };
        }
        let ends = self.held.values().any(|held| matches!(held.stage, Stage::Cut { forgotten: false }));
        let is_settled = !ends && (self.settling + self.keeping == 0 || draining.closed);
        let is_over = !runs && (is_settled || now >= draining.answered_by);
        is_over.then(|| draining.error.take().map_or(Ok(()), Err))
    }

    pub(super) fn revoke(&mut self, owners: Vec<Ownership>, by: Instant) {
        let now = Instant::now();
        self.call_back();
        let waiting = self.tags(|held| held.is_of(&owners) && held.is_waiting());
        self.revocations.push(Revocation { owners, by });
        match self.draining {
            // They go back when the running one of their key has ended, as all others.
            Some(_) => self.give_back(waiting, now),
            None => waiting.into_iter().for_each(|tag| self.give_up(tag, now)),
        }
        self.end_revocations(now);
    }

    pub(super) fn is_revoking(&self, owner: Option<Ownership>) -> bool {
        let Some(owner) = owner else { return false };
        self.revocations.iter().any(|revocation| revocation.owners.contains(&owner))
    }

    /// Gives owners up of which nothing is under way any more, or whose time is over.
    pub(super) fn end_revocations(&mut self, now: Instant) {
        let under_way = |opening: &Self, revocation: &Revocation| {
            opening.held.values().any(|held| held.is_of(&revocation.owners) && held.is_under_way())
        };
        let mut place = 0;
        while let Some(revocation) = self.revocations.get(place) {
            if now < revocation.by && under_way(self, revocation) {
                place += 1;
                continue;
            }
            let Revocation { owners, .. } = self.revocations.remove(place);
            let all = self.tags(|held| held.is_of(&owners));
            for tag in all {
                // Nobody may run beside the next owner.
                self.cut(tag);
                self.forget(tag, now);
            }
            owners.iter().for_each(|&owner| self.part_with(owner));
            self.flush();
            let _sent = self.to_settle.send(ToSettle::Revoked(owners));
        }
    }

    /// The owners are gone: their deliveries are forgotten, and nothing of them is settled.
    pub(super) fn lose(&mut self, owners: &[Ownership], now: Instant) {
        self.call_back();
        self.flush();
        let _sent = self.to_settle.send(ToSettle::Forget(owners.to_vec()));
        let all = self.tags(|held| held.is_of(owners));
        all.into_iter().for_each(|tag| self.forget(tag, now));
        owners.iter().for_each(|&owner| self.part_with(owner));
        for revocation in &mut self.revocations {
            revocation.owners.retain(|owner| !owners.contains(owner));
        }
        self.revocations.retain(|revocation| !revocation.owners.is_empty());
    }

    fn part_with(&mut self, owner: Ownership) {
        self.watermark.forget(Some(owner));
        self.gone.add(owner);
    }

    /// Somebody else handles what comes of an owner that has gone: a driver must not yield it.
    pub(super) fn refuse_of_gone(&mut self, owner: Ownership) {
        if self.gone.is_news(owner) {
            let text = "the driver yields deliveries of an owner that was lost or given up, against its contract: they are not handled";
            let Ownership { partition, epoch } = owner;
            tracing::warn!(target: "diator", endpoint = &*self.bound.settings.name, partition, epoch, "{text}");
        }
    }

    /// A delivery can no longer be settled, and so nothing that came after it: the engine may give the partition to others, and it all
    /// comes again. Where there is no partition, it is the opening that ends.
    pub(super) fn end_owner(&mut self, owner: Option<Ownership>, tag: DeliveryTag, why: &str, now: Instant) {
        if !self.ended_owners.insert(owner) {
            return;
        }
        match owner {
            Some(owner) => {
                self.lose(&[owner], now);
                let _sent = self.to_settle.send(ToSettle::Revoked(vec![owner]));
            }
            None => {
                self.watermark.end_at(None, tag);
                self.fail(format!("{why}, and nothing that came after it can be settled any more").into(), now);
            }
        }
    }

    /// As [`end_owner`](Self::end_owner), for a verdict that the engine does not take. An engine that gives the partition back at once
    /// would refuse it again at once: then it is the opening that ends, and the next one begins after a pause.
    pub(super) fn end_owner_of_refused(&mut self, owner: Option<Ownership>, tag: DeliveryTag, now: Instant) {
        const WHY: &str = "the engine does not take a verdict";
        let is_earlier = |ended: &Option<Ownership>| {
            ended.zip(owner).is_some_and(|(ended, owner)| ended.partition == owner.partition && ended != owner)
        };
        let again = self.ended_owners.iter().any(is_earlier);
        self.end_owner(owner, tag, WHY, now);
        if again {
            self.fail(format!("{WHY}, and did not in an earlier epoch of its partition").into(), now);
        }
    }

    /// A source that yields nothing, although it should and there is room for it, is opened anew; so is one whose engine is silent.
    pub(super) fn observed(&mut self, observed: Result<Observation, ConsumeError>, now: Instant) {
        let observation = match observed {
            Ok(observation) => observation,
            Err(error) if error.kind() == ConsumeErrorKind::Closed => return self.over(error, now),
            Err(error) => {
                self.bound.monitor.note_error(&error);
                return;
            }
        };
        self.bound.monitor.observed(&observation);
        let patience = self.bound.kept.watchdog.patience();
        if observation.due.is_none_or(|due| due == 0) || self.credit.outstanding() == 0 {
            self.last_wanted = now;
        }
        let is_deaf = now >= self.last_taken.max(self.last_wanted) + patience;
        let is_silent = observation.heard.is_some_and(|heard| heard > patience);
        if self.draining.is_none() && (is_deaf || is_silent) {
            self.bound.kept.watchdog.barks();
            let what =
                if is_deaf { "the source yields nothing, although messages wait" } else { "the engine is silent" };
            self.fail(format!("{what}, for {patience:?}").into(), now);
        }
    }

    /// In the order of their tags, so that chance decides nothing.
    pub(super) fn tags(&self, which: impl Fn(&Held) -> bool) -> Vec<DeliveryTag> {
        let mut tags: Vec<_> = self.held.iter().filter(|(_, held)| which(held)).map(|(&tag, _)| tag).collect();
        tags.sort_unstable();
        tags
    }
}
