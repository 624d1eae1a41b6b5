//! How an opening ends, wholly or for some owners: what waits is given back, what runs comes to its end in time.

use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::held::{Held, Stage};
use super::run::Opening;
use super::settler::ToSettle;
use crate::BoxError;
use crate::subscription::{ConsumeError, DeliveryTag, Observation, Ownership};

/// How long handlers may run on when the source has failed.
const RUN_ON: Duration = Duration::from_secs(30);
/// How long the engine may take to answer for what is settled at the end.
const SETTLING: Duration = Duration::from_secs(5);
/// How long a source may yield nothing although something waits.
const DEAF: Duration = Duration::from_secs(60);

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
}

/// Partitions that the engine wants back.
#[derive(Debug)]
pub(super) struct Revocation {
    owners: Vec<Ownership>,
    pub(super) by: Instant,
}

impl Draining {
    fn new(until: Instant, error: Option<BoxError>) -> Self {
        Self { until, answered_by: until + SETTLING, stopping: error.is_none(), error, cut: false }
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
                *draining = Draining { cut: draining.cut, ..Draining::new(until, None) };
            }
            Some(_) => {}
        }
    }

    /// The opening cannot go on.
    pub(super) fn fail(&mut self, error: BoxError, now: Instant) {
        self.bound.monitor.note_error(&*error);
        if self.draining.is_none() {
            let run_on = self.bound.capabilities.lock.map_or(RUN_ON, |lock| lock.min(RUN_ON));
            self.drain(Draining::new(now + run_on, Some(error)), now);
        }
    }

    fn drain(&mut self, draining: Draining, now: Instant) {
        self.draining = Some(draining);
        let waiting = self.tags(Held::is_waiting);
        waiting.into_iter().for_each(|tag| self.give_up(tag, now));
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
        running.into_iter().for_each(|tag| self.cut(tag, now));
    }

    /// Whether all is done that can be.
    pub(super) fn ended(&mut self, now: Instant) -> Option<Result<(), BoxError>> {
        let runs = self.held.values().any(|held| matches!(held.stage, Stage::Running(_)));
        let settling = self.settling;
        let draining = self.draining.as_mut()?;
        if !runs && !draining.cut {
            draining.cut = true;
            // An engine that has failed does not answer; one that is asked to stop may take what time there is.
            draining.answered_by = if draining.stopping { draining.answered_by } else { now + SETTLING };
        }
        let is_over = !runs && (settling == 0 || now >= draining.answered_by);
        is_over.then(|| draining.error.take().map_or(Ok(()), Err))
    }

    pub(super) fn revoke(&mut self, owners: Vec<Ownership>, by: Instant) {
        let now = Instant::now();
        let waiting = self.tags(|held| held.is_of(&owners) && held.is_waiting());
        self.revocations.push(Revocation { owners, by });
        waiting.into_iter().for_each(|tag| self.give_up(tag, now));
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
                self.cut(tag, now);
                self.forget(tag, now);
            }
            owners.iter().for_each(|&owner| self.watermark.forget(owner));
            let _sent = self.to_settle.send(ToSettle::Revoked(owners));
        }
    }

    /// The owners are gone: their deliveries are forgotten, and nothing of them is settled.
    pub(super) fn lose(&mut self, owners: &[Ownership], now: Instant) {
        // Before those behind them could be given back.
        let _sent = self.to_settle.send(ToSettle::Forget(owners.to_vec()));
        let all = self.tags(|held| held.is_of(owners));
        all.into_iter().for_each(|tag| self.forget(tag, now));
        owners.iter().for_each(|&owner| self.watermark.forget(owner));
        for revocation in &mut self.revocations {
            revocation.owners.retain(|owner| !owners.contains(owner));
        }
        self.revocations.retain(|revocation| !revocation.owners.is_empty());
    }

    pub(super) fn cut_off(&mut self, message: Uuid) {
        let bound = self.bound.clone();
        self.tasks.spawn(async move { bound.note_cut_off(vec![message]).await });
    }

    /// A source that yields nothing, although something waits and there is room for it, is opened anew.
    pub(super) fn observed(&mut self, observed: Result<Observation, ConsumeError>, now: Instant) {
        let observation = match observed {
            Ok(observation) => observation,
            Err(error) => {
                self.bound.monitor.note_error(&error);
                return;
            }
        };
        self.bound.monitor.observed(&observation);
        let waits = observation.lag.is_some_and(|lag| lag > 0) && self.credit.outstanding() > 0;
        if !waits {
            self.last_wanted = now;
        } else if self.draining.is_none() && now >= self.last_taken.max(self.last_wanted) + DEAF {
            self.fail("the source has yielded nothing for a while, although messages wait".into(), now);
        }
    }

    fn tags(&self, which: impl Fn(&Held) -> bool) -> Vec<DeliveryTag> {
        self.held.iter().filter(|(_, held)| which(held)).map(|(&tag, _)| tag).collect()
    }
}
