//! Partitions, leased: a lease lasts as long as the name of its owner.

use std::collections::BTreeMap;
use std::time::Duration;

use diator::subscription::ConsumeError;
use tokio::time::Instant;

use super::opening::Shared;
use super::script::{Script, array, int, parts, script};
use super::time::{after, millis, sixths};
use crate::deadline::Deadline;

const LEASES: Script = script!("hash", "members", "leases");
const GIVE_UP: Script = script!("give_up");

/// So much after the end of a name it is certainly over.
const MARGIN: Duration = Duration::from_millis(50);

/// The hash of leases of an endpoint.
pub(super) fn key(shared: &Shared) -> String {
    format!("diator:leases:{}", shared.group)
}

/// Renews the name and the leases, and takes what is free of our share. It answers when to do that again; `None` if another process has
/// the name.
pub(super) async fn renew(shared: &Shared) -> Result<Option<Instant>, ConsumeError> {
    give_up(shared).await;
    let deadline = Deadline::new(shared.engine.deadline);
    let mut command = LEASES.on(&[&shared.slot.key, &key(shared), &format!("diator:epochs:{}", shared.group)]);
    command.arg(&shared.slot.token).arg(millis(shared.lock())).arg(shared.slot.number);
    shared.streams.iter().for_each(|stream| _ = command.arg(&stream.key));
    let [number, share, next_end, owned] = parts(shared.ask(command, deadline).await?)?;
    if int(&number)? != shared.slot.number {
        return Ok(None);
    }
    shared.slot.lasts(after(deadline.begun(), shared.lock()));
    let share = usize::try_from(int(&share)?).unwrap_or_default();
    let owned = array(owned)?.iter().map(int).collect::<Result<Vec<_>, _>>()?;
    let pairs = owned.chunks_exact(2).filter_map(|pair| Some((pair.first()?, pair.get(1)?)));
    let mine = pairs.filter_map(|(stream, epoch)| Some(((*stream).try_into().ok()?, (*epoch).try_into().ok()?)));
    let mine = mine.collect::<BTreeMap<_, _>>();
    learn(shared, &mine, share);
    // Others are about to give some up.
    let lacks = mine.len() < share;
    tell(shared, lacks, mine.len(), share);
    let pause = sixths(if lacks { 1 } else { 2 }, shared.lock());
    // What belongs to a process that is gone is free when its name is.
    let next_end = u64::try_from(int(&next_end)?).ok().map(Duration::from_millis);
    let pause = next_end.map_or(pause, |end| pause.min(end.saturating_add(MARGIN)));
    Ok(Some(after(deadline.begun(), pause)))
}

fn learn(shared: &Shared, mine: &BTreeMap<usize, u64>, share: usize) {
    let mut state = shared.state();
    let now = Instant::now();
    let by = after(now, shared.lock());
    let before = state.owners.reading();
    let (lost, wanted) = state.owners.learn(mine, share, now, by);
    state.in_hand.drop_owners(&lost);
    state.in_hand.drop_unyielded(&wanted);
    let has_changed = state.owners.reading() != before || !lost.is_empty();
    state.is_claim_due |= has_changed;
    drop(state);
    if has_changed {
        shared.stirred.notify_one();
        shared.wanted.notify_one();
        shared.interrupt.notify_one();
    }
}

/// Logs once that partitions are missing of our share, and once that they are there.
fn tell(shared: &Shared, lacks: bool, owned: usize, share: usize) {
    if std::mem::replace(&mut shared.state().lacks_partitions, lacks) == lacks {
        return;
    }
    let endpoint = &*shared.group;
    if lacks {
        let text =
            "other processes have partitions of this one's share: each gives them up, or is gone, and its lease ends";
        tracing::info!(target: "diator", endpoint, owned, share, lease = ?shared.lock(), "{text}");
    } else {
        tracing::info!(target: "diator", endpoint, owned, "this process has its share of the partitions");
    }
}

/// Tells the server what the endpoint has given up, or had to by now; what it does not hear ends with the name.
pub(super) async fn give_up(shared: &Shared) {
    let given_up = {
        let mut state = shared.state();
        let overdue = state.owners.give_up_overdue(Instant::now());
        state.in_hand.drop_owners(&overdue);
        state.owners.given_up()
    };
    if given_up.is_empty() {
        return;
    }
    let mut command = GIVE_UP.on(&[&key(shared)]);
    command.arg(&shared.slot.token);
    for stream in given_up.iter().filter_map(|stream| shared.streams.get(*stream)) {
        command.arg(&stream.key);
    }
    if shared.ask(command, Deadline::new(shared.engine.deadline)).await.is_ok() {
        shared.state().owners.left(&given_up);
    }
}

/// Gives up everything.
pub(super) async fn give_all_up(shared: &Shared) {
    {
        let mut state = shared.state();
        let owners = state.owners.all();
        state.owners.give_up(&owners);
    }
    give_up(shared).await;
}

/// When something has to be done at the latest.
pub(super) fn next_overdue(shared: &Shared, next: Instant) -> Instant {
    shared.state().owners.next_overdue().map_or(next, |overdue| overdue.min(next))
}
