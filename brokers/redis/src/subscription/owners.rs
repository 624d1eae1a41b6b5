//! Which partitions this opening owns. It has no clock and asks nobody: what the server says is a parameter.

use std::collections::{BTreeMap, VecDeque};

use diator::subscription::{Ownership, Taken};
use tokio::time::Instant;

/// The partitions of an opening, by the number of their stream.
#[derive(Default)]
pub(super) struct Owners {
    owned: BTreeMap<usize, Owned>,
    news: VecDeque<Taken>,
}

struct Owned {
    ownership: Ownership,
    since: Instant,
    stage: Stage,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    /// Something may have been given out before.
    New,
    /// What was given out before comes first, from this id on.
    CatchingUp(String),
    Reading,
    /// Others want it: until then what runs may come to its end.
    Leaving(Instant),
    /// The server must learn that it is free.
    GivenUp,
}

impl Stage {
    fn is_staying(&self) -> bool {
        matches!(self, Self::New | Self::CatchingUp(_) | Self::Reading)
    }
}

impl Owners {
    /// The server says which partitions are ours, by their epochs, and how many are our share. The answer is what is lost, and what others
    /// want, until then.
    pub(super) fn learn(
        &mut self,
        mine: &BTreeMap<usize, u64>,
        share: usize,
        now: Instant,
        by: Instant,
    ) -> (Vec<Ownership>, Vec<Ownership>) {
        let (kept, lost) = std::mem::take(&mut self.owned)
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(stream, owned)| mine.get(stream) == Some(&owned.ownership.epoch));
        self.owned = kept;
        // Of what was given up the endpoint needs no news.
        let lost = lost.into_values().filter(|owned| owned.stage != Stage::GivenUp);
        let lost: Vec<_> = lost.map(|owned| owned.ownership).collect();
        if !lost.is_empty() {
            self.news.push_back(Taken::Lost { owners: lost.clone() });
        }
        for (&stream, &epoch) in mine {
            let partition = u32::try_from(stream).unwrap_or(u32::MAX);
            self.owned.entry(stream).or_insert_with(|| Owned {
                since: now,
                ownership: Ownership { partition, epoch },
                stage: Stage::New,
            });
        }
        let stays = |owned: &&mut Owned| owned.stage.is_staying();
        let mut wanted = Vec::new();
        for owned in self.owned.values_mut().filter(stays).skip(share) {
            owned.stage = Stage::Leaving(by);
            wanted.push(owned.ownership);
        }
        if !wanted.is_empty() {
            self.news.push_back(Taken::Revoking { owners: wanted.clone(), by });
        }
        (lost, wanted)
    }

    /// What the endpoint has to know next.
    pub(super) fn news(&mut self) -> Option<Taken> {
        self.news.pop_front()
    }

    /// All that this opening has.
    pub(super) fn all(&self) -> Vec<Ownership> {
        self.owned.values().map(|owned| owned.ownership).collect()
    }

    /// The endpoint gives these up.
    pub(super) fn give_up(&mut self, owners: &[Ownership]) {
        for owned in self.owned.values_mut().filter(|owned| owners.contains(&owned.ownership)) {
            owned.stage = Stage::GivenUp;
        }
    }

    /// Those that the endpoint has not given up in time are given up now.
    pub(super) fn give_up_overdue(&mut self, now: Instant) -> Vec<Ownership> {
        let is_overdue = |owned: &&mut Owned| matches!(owned.stage, Stage::Leaving(by) if by <= now);
        let mut overdue = Vec::new();
        for owned in self.owned.values_mut().filter(is_overdue) {
            owned.stage = Stage::GivenUp;
            overdue.push(owned.ownership);
        }
        overdue
    }

    /// Those of which the server must learn that they are free.
    pub(super) fn given_up(&self) -> Vec<usize> {
        let given_up = self.owned.iter().filter(|(_, owned)| owned.stage == Stage::GivenUp);
        given_up.map(|(stream, _)| *stream).collect()
    }

    /// The server knows.
    pub(super) fn left(&mut self, streams: &[usize]) {
        self.owned.retain(|stream, _| !streams.contains(stream));
    }

    /// When the endpoint must have given something up at the latest.
    pub(super) fn next_overdue(&self) -> Option<Instant> {
        let by = |owned: &Owned| if let Stage::Leaving(by) = owned.stage { Some(by) } else { None };
        self.owned.values().filter_map(by).min()
    }

    /// Whether deliveries of the stream may come to the endpoint.
    pub(super) fn of(&self, stream: usize) -> Option<Ownership> {
        let owned = self.owned.get(&stream)?;
        owned.stage.is_staying().then_some(owned.ownership)
    }

    /// The owner of what was asked for then. An answer that comes late can be of an earlier time in which the stream was ours.
    pub(super) fn at(&self, stream: usize, asked: Instant) -> Option<Ownership> {
        self.of(stream).filter(|_| self.owned.get(&stream).is_some_and(|owned| owned.since <= asked))
    }

    /// The streams of which something may have been given out before.
    pub(super) fn new_ones(&self) -> Vec<usize> {
        let new = self.owned.iter().filter(|(_, owned)| owned.stage == Stage::New);
        new.map(|(stream, _)| *stream).collect()
    }

    /// Whether something was given out of the stream before, which then comes first.
    pub(super) fn looked_at(&mut self, stream: usize, has_pending: bool) {
        if let Some(owned) = self.owned.get_mut(&stream)
            && owned.stage == Stage::New
        {
            owned.stage = if has_pending { Stage::CatchingUp("0-0".to_owned()) } else { Stage::Reading };
        }
    }

    /// A stream of which something was given out before, and from which id on.
    pub(super) fn catching_up(&self) -> Option<(usize, String)> {
        self.owned.iter().find_map(|(stream, owned)| match &owned.stage {
            Stage::CatchingUp(from) => Some((*stream, from.clone())),
            _ => None,
        })
    }

    /// It has come as far as this id.
    pub(super) fn caught_up_to(&mut self, stream: usize, cursor: String) {
        if let Some(owned) = self.owned.get_mut(&stream)
            && let Stage::CatchingUp(from) = &mut owned.stage
        {
            if cursor == "0-0" { owned.stage = Stage::Reading } else { *from = cursor }
        }
    }

    /// An answer was lost: what it gave out must be found before anything later is read.
    pub(super) fn catch_up_anew(&mut self) {
        for owned in self.owned.values_mut().filter(|owned| owned.stage.is_staying()) {
            owned.stage = Stage::New;
        }
    }

    /// The streams that are read.
    pub(super) fn reading(&self) -> Vec<usize> {
        let staying = self.owned.iter().filter(|(_, owned)| owned.stage.is_staying());
        staying.map(|(stream, _)| *stream).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn mine(owned: &[(usize, u64)]) -> BTreeMap<usize, u64> {
        owned.iter().copied().collect()
    }

    fn owner(partition: u32, epoch: u64) -> Ownership {
        Ownership { partition, epoch }
    }

    #[tokio::test]
    async fn a_share_that_shrinks_is_wanted_back_once() {
        let (mut owners, now) = (Owners::default(), Instant::now());
        let by = now + Duration::from_secs(1);
        let nothing = (vec![], vec![]);
        assert_eq!(owners.learn(&mine(&[(0, 1), (1, 1)]), 2, now, by), nothing);
        assert_eq!(owners.learn(&mine(&[(0, 1), (1, 1)]), 1, now, by), (vec![], vec![owner(1, 1)]));
        assert!(matches!(owners.news(), Some(Taken::Revoking { owners, .. }) if owners == [owner(1, 1)]));
        assert_eq!(owners.learn(&mine(&[(0, 1), (1, 1)]), 1, now, by), nothing);
        assert!(owners.news().is_none());
        assert_eq!((owners.of(0), owners.of(1), owners.reading()), (Some(owner(0, 1)), None, vec![0]));
        assert_eq!(owners.give_up_overdue(by), [owner(1, 1)]);
        assert_eq!(owners.given_up(), [1]);
        owners.left(&[1]);
        assert_eq!(owners.learn(&mine(&[(0, 1), (1, 2)]), 2, by, by), nothing);
        assert_eq!(
            (owners.at(1, now), owners.at(1, by)),
            (None, Some(owner(1, 2))),
            "what was asked for before is of another time"
        );
    }

    #[tokio::test]
    async fn what_is_not_ours_any_more_is_lost() {
        let (mut owners, now) = (Owners::default(), Instant::now());
        owners.learn(&mine(&[(0, 1), (1, 1), (2, 1)]), 3, now, now);
        owners.give_up(&[owner(2, 1)]);
        assert_eq!(owners.learn(&mine(&[(1, 5)]), 3, now, now), (vec![owner(0, 1), owner(1, 1)], vec![]));
        assert!(matches!(owners.news(), Some(Taken::Lost { owners }) if owners.len() == 2));
        assert_eq!(owners.of(1), Some(owner(1, 5)));
    }

    #[tokio::test]
    async fn what_was_given_out_before_comes_first() {
        let (mut owners, now) = (Owners::default(), Instant::now());
        owners.learn(&mine(&[(3, 1), (4, 1)]), 2, now, now);
        assert_eq!((owners.new_ones(), owners.catching_up()), (vec![3, 4], None));
        owners.looked_at(3, true);
        owners.looked_at(4, false);
        assert_eq!(owners.catching_up(), Some((3, "0-0".to_owned())));
        owners.caught_up_to(3, "5-0".to_owned());
        assert_eq!(owners.catching_up(), Some((3, "5-0".to_owned())));
        owners.caught_up_to(3, "0-0".to_owned());
        assert_eq!(owners.catching_up(), None);
        owners.catch_up_anew();
        assert_eq!(owners.new_ones(), [3, 4]);
    }
}
