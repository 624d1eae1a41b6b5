use std::collections::BTreeMap;

use crate::subscription::Ownership;

/// Owners that this opening has no more: they were lost, or given up.
///
/// Nothing of them may be handled: somebody else has the partition by now. An epoch is higher each time that the opening gets the
/// partition, so the highest that has gone stands for all before it.
#[derive(Debug, Default)]
pub(super) struct Gone(BTreeMap<u32, Epoch>);

#[derive(Debug)]
struct Epoch {
    last: u64,
    is_told: bool,
}

impl Gone {
    pub(super) fn add(&mut self, owner: Ownership) {
        let Ownership { partition, epoch } = owner;
        let known = self.0.entry(partition).or_insert(Epoch { last: epoch, is_told: false });
        if epoch > known.last {
            *known = Epoch { last: epoch, is_told: false };
        }
    }

    pub(super) fn contains(&self, owner: Ownership) -> bool {
        self.0.get(&owner.partition).is_some_and(|epoch| owner.epoch <= epoch.last)
    }

    /// Whether somebody should be told that the driver yields deliveries of it nevertheless: the first time.
    pub(super) fn is_news(&mut self, owner: Ownership) -> bool {
        self.0.get_mut(&owner.partition).is_some_and(|epoch| !std::mem::replace(&mut epoch.is_told, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(partition: u32, epoch: u64) -> Ownership {
        Ownership { partition, epoch }
    }

    #[test]
    fn what_has_gone_stays_gone_and_a_later_epoch_has_not() {
        let mut gone = Gone::default();
        gone.add(owner(1, 5));
        gone.add(owner(1, 3));
        assert!(gone.contains(owner(1, 5)) && gone.contains(owner(1, 4)));
        assert!(!gone.contains(owner(1, 6)) && !gone.contains(owner(2, 5)));
    }

    #[test]
    fn each_is_news_once() {
        let mut gone = Gone::default();
        assert!(!gone.is_news(owner(1, 5)));
        gone.add(owner(1, 5));
        assert_eq!([gone.is_news(owner(1, 5)), gone.is_news(owner(1, 5))], [true, false]);
        gone.add(owner(1, 6));
        assert!(gone.is_news(owner(1, 6)));
    }
}
