//! Who owns a partition, how it is handed over, and what its former owner can do no more.

use std::collections::{BTreeMap, BTreeSet};

use diator::subscription::{Delivery, Ownership, Settled, Taken, Verdict};
use tokio::time::{Instant, sleep, timeout};

use super::Driver;
use super::fixture::{ENDPOINT, Process, drain, keyed, number, numbers, outwait_lock, publish};

/// The messages that are published: so many that each process owns some of them.
const MESSAGES: usize = 40;

fn owner(delivery: &Delivery) -> Ownership {
    delivery.owner.unwrap_or_else(|| panic!("it has no owner: {delivery:?}"))
}

/// Asserts that epochs went up, where those of another process mean the same.
fn are_fenced<D: Driver>(former: &BTreeMap<u32, u64>, came: &[Delivery]) {
    if D::CAPABILITIES.fenced_owners {
        go_up(former, came);
    }
}

/// Asserts that epochs went up.
fn go_up(former: &BTreeMap<u32, u64>, came: &[Delivery]) {
    for (partition, epoch) in epochs(came) {
        assert!(epoch > former[&partition], "partition {partition} went from epoch {} to {epoch}", former[&partition]);
    }
}

/// The highest epoch of each partition.
fn epochs(deliveries: &[Delivery]) -> BTreeMap<u32, u64> {
    deliveries.iter().map(owner).fold(BTreeMap::new(), |mut epochs, owner| {
        let epoch = epochs.entry(owner.partition).or_default();
        *epoch = owner.epoch.max(*epoch);
        epochs
    })
}

/// A process that holds everything, and gives nothing up by itself.
async fn owning_all<D: Driver>(driver: &D) -> (Process, Vec<Delivery>) {
    let mut process = Process::open(driver).await;
    process.yields = false;
    for number in 0..MESSAGES {
        driver.publish(&keyed(number, number)).await;
    }
    let held = process.take(MESSAGES).await;
    (process, held)
}

/// What the process is asked for next, and until when.
async fn asked(process: &mut Process) -> (Vec<Ownership>, Instant) {
    loop {
        let taken = timeout(process.patience, process.source.next(0)).await;
        match taken.expect("it is asked in time").expect("the engine is well") {
            Taken::Revoking { owners, by } => return (owners, by),
            Taken::Deliveries(deliveries) => panic!("messages {:?} came without credit", numbers(&deliveries)),
            _ => {}
        }
    }
}

/// Those that belong to these owners, and the others.
fn part(held: Vec<Delivery>, owners: &[Ownership]) -> (Vec<Delivery>, Vec<Delivery>) {
    held.into_iter().partition(|delivery| owners.contains(&owner(delivery)))
}

/// Each delivery must name its owner, and all of one key the same one while nothing changes.
pub async fn deliveries_of_a_key_have_one_owner<D: Driver>() {
    if !D::CAPABILITIES.exclusive_keys {
        return;
    }
    let driver = D::start().await;
    let mut process = Process::open(&driver).await;
    publish(&driver, 0..70).await;
    let mut owners: BTreeMap<String, BTreeSet<Ownership>> = BTreeMap::new();
    for delivery in process.take(70).await {
        owners.entry(delivery.key.as_deref().expect("it has its key").to_owned()).or_default().insert(owner(&delivery));
    }
    assert!(owners.values().all(|owners| owners.len() == 1), "{owners:?}");
}

/// While processes come and go, each message must come once, those of a key in order, if they give up what they are asked for.
pub async fn keys_stay_in_order_while_processes_come_and_go<D: Driver>() {
    if !D::CAPABILITIES.exclusive_keys || !D::CAPABILITIES.competing {
        return;
    }
    let driver = D::start().await;
    let mut processes = vec![Process::open(&driver).await];
    let mut last: BTreeMap<String, usize> = BTreeMap::new();
    let mut came = Vec::new();
    for round in 0..5 {
        publish(&driver, round * 40..(round + 1) * 40).await;
        let drained = drain::<D>(processes, 40).await;
        processes = Vec::new();
        for (process, deliveries) in drained {
            for delivery in &deliveries {
                let key = delivery.key.as_deref().expect("it has its key").to_owned();
                let before = last.insert(key, number(delivery));
                let ordered = before.is_none_or(|before| before < number(delivery));
                assert!(ordered || !D::CAPABILITIES.ordered_by_key, "{before:?} came before {}", number(delivery));
            }
            came.extend(deliveries);
            processes.push(process);
        }
        if round % 2 == 0 {
            processes.push(Process::open(&driver).await);
        } else {
            processes.remove(0).close().await;
        }
    }
    assert_eq!(numbers(&came), (0..200).collect::<Vec<_>>());
}

/// No delivery of a partition may come to a successor before its owner gave the partition up, or the time for that is over.
pub async fn nothing_is_handed_over_before_it_is_given_up<D: Driver>() {
    if !D::CAPABILITIES.exclusive_keys || !D::CAPABILITIES.competing || !D::CAPABILITIES.redelivery {
        return;
    }
    let driver = D::start().await;
    let (mut owner_of_all, held) = owning_all(&driver).await;
    let first = epochs(&held);
    let mut successor = Process::open(&driver).await;
    let (owners, by) = asked(&mut owner_of_all).await;
    assert!(!owners.is_empty() && by > Instant::now(), "{owners:?} by {by:?}");
    let (theirs, _) = part(held, &owners);
    // One after the lock is over, it may: the engine then knows nothing of the owner.
    let lock = D::CAPABILITIES.lock.map_or(by, |period| theirs[0].received + period * 9 / 10);
    let patient = by.min(lock).saturating_duration_since(Instant::now()).min(D::QUIET);
    successor.is_given_nothing_for(patient).await;
    owner_of_all.settle.revoked(&owners);
    let came = successor.take(theirs.len()).await;
    assert_eq!(numbers(&came), numbers(&theirs));
    are_fenced::<D>(&first, &came);
    // What the former owner says of them changes nothing.
    let late = owner_of_all.try_settle(&theirs, &Verdict::Ack).await;
    assert!(late.iter().all(|answer| *answer == Settled::LockLost), "{late:?}");
    successor.ack(&came).await;
    successor.is_given_nothing::<D>().await;
}

/// A delivery that the former owner settled before it gave up must not come to its successor.
pub async fn what_was_settled_before_it_was_given_up_stays_so<D: Driver>() {
    if !D::CAPABILITIES.exclusive_keys || !D::CAPABILITIES.competing {
        return;
    }
    let driver = D::start().await;
    let (mut owner_of_all, held) = owning_all(&driver).await;
    let mut successor = Process::open(&driver).await;
    let (owners, _) = asked(&mut owner_of_all).await;
    owner_of_all.ack(&held).await;
    owner_of_all.settle.revoked(&owners);
    successor.is_given_nothing::<D>().await;
    for number in MESSAGES..2 * MESSAGES {
        driver.publish(&keyed(number, number)).await;
    }
    let drained = drain::<D>(vec![owner_of_all, successor], MESSAGES).await;
    let all: Vec<_> = drained.iter().flat_map(|(_, deliveries)| deliveries.iter().cloned()).collect();
    assert_eq!(numbers(&all), (MESSAGES..2 * MESSAGES).collect::<Vec<_>>());
    assert!(drained.iter().all(|(_, deliveries)| !deliveries.is_empty()), "they must share the partitions");
}

/// If the owner does not give a partition up in time, its successor must have it when that time is over.
pub async fn what_is_not_given_up_in_time_is_taken<D: Driver>() {
    if !D::CAPABILITIES.exclusive_keys || !D::CAPABILITIES.competing || !D::CAPABILITIES.redelivery {
        return;
    }
    let driver = D::start().await;
    let (mut owner_of_all, held) = owning_all(&driver).await;
    let mut successor = Process::open(&driver).await;
    let (owners, by) = asked(&mut owner_of_all).await;
    let (theirs, _) = part(held, &owners);
    let came = successor.take(theirs.len()).await;
    assert_eq!(numbers(&came), numbers(&theirs));
    let over = D::CAPABILITIES.lock.map_or(by, |period| by.min(theirs[0].received + period * 9 / 10));
    assert!(Instant::now() >= over, "it came {:?} before the time was over", over - Instant::now());
    let late = owner_of_all.try_settle(&theirs, &Verdict::Ack).await;
    assert!(late.iter().all(|answer| *answer == Settled::LockLost), "{late:?}");
    successor.ack(&came).await;
}

/// An opening without a partition must have nothing due; afterwards the messages that wait in its partitions must be due.
pub async fn nothing_is_due_without_a_partition<D: Driver>() {
    if !D::CAPABILITIES.exclusive_keys || !D::CAPABILITIES.competing {
        return;
    }
    let driver = D::start().await;
    let (mut owner_of_all, held) = owning_all(&driver).await;
    if owner_of_all.observe().await.due.is_none() {
        return;
    }
    owner_of_all.ack(&held).await;
    let mut successor = Process::open(&driver).await;
    for number in MESSAGES..2 * MESSAGES {
        driver.publish(&keyed(number, number)).await;
    }
    let (owners, by) = asked(&mut owner_of_all).await;
    let due = successor.observe().await.due;
    assert!(due == Some(0) || Instant::now() >= by, "{due:?} is due, but it has no partition");
    owner_of_all.settle.revoked(&owners);
    successor.observes(|seen| seen.due > Some(0)).await;
}

/// A process must learn of a revocation while it can take no delivery.
pub async fn a_revocation_is_heard_without_credit<D: Driver>() {
    if !D::CAPABILITIES.exclusive_keys || !D::CAPABILITIES.competing {
        return;
    }
    let driver = D::start().await;
    let (mut process, _held) = owning_all(&driver).await;
    let _other = Process::open(&driver).await;
    let (owners, by) = asked(&mut process).await;
    assert!(!owners.is_empty() && by > Instant::now(), "{owners:?} by {by:?}");
}

/// A partition that the engine wanted back must go on with a higher epoch, without what was settled.
pub async fn a_revoked_partition_goes_on_with_a_higher_epoch<D: Driver>() {
    if !D::CAPABILITIES.exclusive_keys || !D::CAPABILITIES.redelivery {
        return;
    }
    let driver = D::start().await;
    let (mut process, held) = owning_all(&driver).await;
    if !driver.faults().revoke(ENDPOINT).await {
        return;
    }
    let first = epochs(&held);
    let (owners, _) = asked(&mut process).await;
    let (theirs, _) = part(held, &owners);
    let (settled, left) = theirs.split_at(theirs.len() / 2);
    process.ack(settled).await;
    process.settle.revoked(&owners);
    let again = process.take(left.len()).await;
    assert_eq!(numbers(&again), numbers(left));
    go_up(&first, &again);
    assert!(process.try_settle(left, &Verdict::Ack).await.iter().all(|answer| *answer == Settled::LockLost));
    process.ack(&again).await;
    process.is_given_nothing::<D>().await;
}

/// A partition that the endpoint gives up unasked must come again with a higher epoch and without its settled messages,
/// and the other partitions must go on; or the opening must end.
pub async fn what_is_given_up_unasked_comes_again<D: Driver>() {
    if !D::CAPABILITIES.exclusive_keys || !D::CAPABILITIES.redelivery {
        return;
    }
    let driver = D::start().await;
    let (mut process, held) = owning_all(&driver).await;
    let given_up = owner(&held[0]);
    let (theirs, mut others) = part(held, &[given_up]);
    // The last one of another partition stays in hand.
    let kept = others.split_off(others.len().saturating_sub(1));
    process.ack(&others).await;
    let (settled, left) = theirs.split_at(theirs.len() / 2);
    process.ack(settled).await;
    process.settle.revoked(&[given_up]);
    let late = process.try_settle(left, &Verdict::Ack).await;
    assert!(
        late.iter().all(|answer| *answer == Settled::LockLost),
        "what was given up is lost, but the answers are {late:?}"
    );
    let again = match process.try_next(MESSAGES, D::PATIENCE).await {
        Ok(came) => {
            let mut again = came.expect("it comes in time");
            again.extend(process.take(left.len().saturating_sub(again.len())).await);
            assert_eq!(numbers(&again), numbers(left), "what was given up comes again, and nothing else");
            go_up(&epochs(left), &again);
            process.ack(&kept).await;
            again
        }
        Err(_) => {
            process = process.crash(&driver).await;
            let all = [left, &kept].concat();
            let again = process.take(all.len()).await;
            assert_eq!(numbers(&again), numbers(&all));
            again
        }
    };
    process.ack(&again).await;
    process.is_given_nothing::<D>().await;
}

/// A process must learn of partitions that were taken from it, and its settlements of their deliveries must change nothing.
pub async fn a_lost_partition_is_told_and_goes_on<D: Driver>() {
    if !D::CAPABILITIES.exclusive_keys || !D::CAPABILITIES.redelivery {
        return;
    }
    let driver = D::start().await;
    let (mut process, held) = owning_all(&driver).await;
    if !driver.faults().take_partitions(ENDPOINT).await {
        return;
    }
    let first = epochs(&held);
    let again = process.take(MESSAGES).await;
    assert_eq!(numbers(&again), numbers(&held));
    let told: BTreeSet<_> = process.lost.iter().copied().collect();
    assert!(held.iter().all(|delivery| told.contains(&owner(delivery))), "it was told only of {told:?}");
    go_up(&first, &again);
    assert!(process.try_settle(&held, &Verdict::Ack).await.iter().all(|answer| *answer == Settled::LockLost));
    process.ack(&again).await;
    process.is_given_nothing::<D>().await;
}

/// The partitions of a process that crashed must go on, at the latest when its lock is over, with a higher epoch where those
/// mean the same to all.
pub async fn partitions_of_a_crashed_owner_go_on<D: Driver>() {
    if !D::CAPABILITIES.exclusive_keys || !D::CAPABILITIES.competing || !D::CAPABILITIES.redelivery {
        return;
    }
    let driver = D::start().await;
    let (process, held) = owning_all(&driver).await;
    let first = epochs(&held);
    drop(process);
    let mut successor = Process::open(&driver).await;
    let came = successor.take(MESSAGES).await;
    assert_eq!(numbers(&came), numbers(&held));
    are_fenced::<D>(&first, &came);
    successor.ack(&came).await;
    outwait_lock::<D>().await;
    sleep(D::QUIET).await;
    successor.is_given_nothing::<D>().await;
}
