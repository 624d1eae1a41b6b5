use std::collections::BTreeMap;

use tokio::time::Instant;

use super::partition::{Owner, Partition};
use crate::subscription::Ownership;

/// Gives what nobody owns to those who read, and asks the richest for what the poorest lack.
///
/// As few partitions as possible change their owner. The answer is who was asked for what.
pub(super) fn share_out(partitions: &mut [Partition], readers: &[u64], by: Instant) -> Vec<(u64, Ownership)> {
    let mut shares: BTreeMap<u64, usize> = readers.iter().map(|reader| (*reader, 0)).collect();
    for partition in partitions.iter() {
        if let Owner::Member(member) = partition.owner
            && let Some(share) = shares.get_mut(&member)
        {
            *share += 1;
        }
    }
    for partition in partitions.iter_mut().filter(|partition| partition.owner == Owner::Nobody) {
        let Some(poorest) = poorest(&shares) else { return Vec::new() };
        partition.assign(poorest);
        *shares.entry(poorest).or_default() += 1;
    }
    // What is about to become free goes to the poorest too.
    for _ in partitions.iter().filter(|partition| partition.owner.until().is_some()) {
        let Some(poorest) = poorest(&shares) else { return Vec::new() };
        *shares.entry(poorest).or_default() += 1;
    }
    let mut asked = Vec::new();
    while let (Some(poorest), Some(richest)) = (poorest(&shares), richest(&shares))
        && shares[&richest] > shares[&poorest] + 1
    {
        let owned = |partition: &Partition| partition.owner == Owner::Member(richest);
        let Some(number) = partitions.iter().rposition(owned) else { break };
        partitions[number].owner = Owner::Leaving { member: richest, by };
        asked.push((richest, partitions[number].ownership(number)));
        *shares.entry(richest).or_default() -= 1;
        *shares.entry(poorest).or_default() += 1;
    }
    asked
}

fn poorest(shares: &BTreeMap<u64, usize>) -> Option<u64> {
    shares.iter().min_by_key(|(_, share)| **share).map(|(member, _)| *member)
}

fn richest(shares: &BTreeMap<u64, usize>) -> Option<u64> {
    shares.iter().max_by_key(|(_, share)| **share).map(|(member, _)| *member)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partitions() -> Vec<Partition> {
        (0..8).map(|_| Partition::default()).collect()
    }

    fn owned(partitions: &[Partition], member: u64) -> usize {
        partitions.iter().filter(|partition| partition.owner == Owner::Member(member)).count()
    }

    #[test]
    fn one_reader_gets_all_and_the_next_asks_for_half() {
        let (mut partitions, by) = (partitions(), Instant::now());
        assert_eq!(share_out(&mut partitions, &[1], by), []);
        assert_eq!(owned(&partitions, 1), 8);
        let asked = share_out(&mut partitions, &[1, 2], by);
        assert_eq!((asked.len(), owned(&partitions, 1)), (4, 4));
        assert_eq!(share_out(&mut partitions, &[1, 2], by), [], "it asks once");
        for partition in &mut partitions {
            if partition.owner.until().is_some() {
                partition.owner = Owner::Nobody;
            }
        }
        assert_eq!(share_out(&mut partitions, &[1, 2], by), []);
        assert_eq!((owned(&partitions, 1), owned(&partitions, 2)), (4, 4));
        assert!(
            partitions
                .iter()
                .all(|partition| partition.epoch == if partition.owner == Owner::Member(2) { 2 } else { 1 })
        );
    }

    #[test]
    fn three_share_as_evenly_as_they_can() {
        let (mut partitions, by) = (partitions(), Instant::now());
        share_out(&mut partitions, &[1, 2, 3], by);
        let shares: Vec<_> = (1..=3).map(|member| owned(&partitions, member)).collect();
        assert_eq!(shares, [3, 3, 2]);
        assert_eq!(share_out(&mut partitions, &[], by), []);
    }
}
