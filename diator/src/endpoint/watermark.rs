use std::collections::{BTreeMap, VecDeque};

use super::tag_map::TagMap;
use crate::subscription::{DeliveryTag, Ownership, Settlement, Verdict};

/// Holds verdicts back until all earlier deliveries of their owner have one: for engines that only know how far they have come.
///
/// # Guarantees
///
/// The settlements of an owner come in the order of its deliveries, without gaps.
#[derive(Debug, Default)]
pub(super) struct Watermark {
    /// What is not settled, in the order in which it came.
    outstanding: BTreeMap<Option<Ownership>, VecDeque<DeliveryTag>>,
    verdicts: TagMap<Option<Verdict>>,
}

impl Watermark {
    /// A delivery came.
    pub(super) fn add(&mut self, owner: Option<Ownership>, tag: DeliveryTag) {
        self.outstanding.entry(owner).or_default().push_back(tag);
        self.verdicts.insert(tag, None);
    }

    /// There is a verdict; answers with all that can be settled now.
    pub(super) fn decide(&mut self, owner: Option<Ownership>, tag: DeliveryTag, verdict: Verdict) -> Vec<Settlement> {
        if let Some(undecided) = self.verdicts.get_mut(&tag) {
            *undecided = Some(verdict);
        }
        let Some(outstanding) = self.outstanding.get_mut(&owner) else { return Vec::new() };
        let mut settled = Vec::new();
        while let Some(&first) = outstanding.front()
            && let Some(verdict) = self.verdicts.get_mut(&first).and_then(Option::take)
        {
            settled.push(Settlement::new(first, verdict));
            outstanding.pop_front();
            self.verdicts.remove(&first);
        }
        settled
    }

    /// Neither this one is settled any more, nor what came after it; what came before it still is.
    pub(super) fn end_at(&mut self, owner: Option<Ownership>, tag: DeliveryTag) {
        if let Some(outstanding) = self.outstanding.get_mut(&owner) {
            // One that is no longer here was settled: all that are left came after it.
            let place = outstanding.iter().position(|&other| other == tag);
            for ended in outstanding.drain(place.unwrap_or_default()..) {
                self.verdicts.remove(&ended);
            }
        }
    }

    /// Nothing of this owner is settled any more.
    pub(super) fn forget(&mut self, owner: Option<Ownership>) {
        for forgotten in self.outstanding.remove(&owner).unwrap_or_default() {
            self.verdicts.remove(&forgotten);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Option<Ownership> = Some(Ownership { partition: 1, epoch: 4 });
    const TWO: Option<Ownership> = Some(Ownership { partition: 2, epoch: 4 });

    fn decide(watermark: &mut Watermark, owner: Option<Ownership>, tag: u64) -> Vec<u64> {
        let settled = watermark.decide(owner, DeliveryTag(tag), Verdict::Ack);
        settled.into_iter().map(|settlement| settlement.tag.0).collect()
    }

    #[test]
    fn a_verdict_waits_for_all_before_it() {
        let mut watermark = Watermark::default();
        for tag in [1, 2, 3] {
            watermark.add(ONE, DeliveryTag(tag));
        }
        watermark.add(TWO, DeliveryTag(4));
        assert_eq!(decide(&mut watermark, ONE, 3), [0; 0]);
        assert_eq!(decide(&mut watermark, TWO, 4), [4]);
        assert_eq!(decide(&mut watermark, ONE, 1), [1]);
        assert_eq!(decide(&mut watermark, ONE, 2), [2, 3]);
    }

    #[test]
    fn what_ends_is_not_passed() {
        let mut watermark = Watermark::default();
        for tag in [1, 2, 3] {
            watermark.add(ONE, DeliveryTag(tag));
        }
        assert_eq!(decide(&mut watermark, ONE, 2), [0; 0]);
        watermark.end_at(ONE, DeliveryTag(2));
        assert_eq!((decide(&mut watermark, ONE, 3), decide(&mut watermark, ONE, 1)), (vec![], vec![1]));
        watermark.add(ONE, DeliveryTag(4));
        watermark.end_at(ONE, DeliveryTag(1));
        assert_eq!(decide(&mut watermark, ONE, 4), [0; 0]);
    }

    #[test]
    fn what_comes_from_a_later_epoch_waits_for_nothing_earlier() {
        let mut watermark = Watermark::default();
        let later = Some(Ownership { partition: 1, epoch: 5 });
        watermark.add(ONE, DeliveryTag(1));
        watermark.add(later, DeliveryTag(2));
        assert_eq!(decide(&mut watermark, later, 2), [2]);
        watermark.forget(ONE);
        assert_eq!(decide(&mut watermark, ONE, 1), [0; 0]);
        assert!(watermark.verdicts.is_empty(), "nothing is kept of what is gone");
    }
}
