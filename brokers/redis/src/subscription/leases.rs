//! Partitions, leased: a lease lasts as long as the name of its owner.

use std::collections::BTreeMap;

use diator::subscription::ConsumeError;
use tokio::time::Instant;

use super::opening::Shared;
use super::script::{Script, array, int, parts};
use super::time::{after, millis};
use crate::deadline::Deadline;

const LEASES: Script = Script(concat!(include_str!("lua/members.lua"), include_str!("lua/leases.lua")));
const GIVE_UP: Script = Script(include_str!("lua/give_up.lua"));

/// The hash of leases of an endpoint.
pub(super) fn key(shared: &Shared) -> String {
    format!("diator:leases:{}", shared.group)
}

/// Renews the name and the leases, and takes what is free of our share; `false` if another process has the name.
pub(super) async fn renew(shared: &Shared) -> Result<bool, ConsumeError> {
    give_up(shared).await;
    let deadline = Deadline::new(shared.engine.deadline);
    let mut command = LEASES.on(&[&shared.slot.key, &key(shared), &format!("diator:epochs:{}", shared.group)]);
    command.arg(&shared.slot.token).arg(millis(shared.lock())).arg(shared.slot.number);
    shared.streams.iter().for_each(|stream| _ = command.arg(&stream.key));
    let [number, share, owned] = parts(shared.ask(command, deadline).await?)?;
    if int(&number)? != shared.slot.number {
        return Ok(false);
    }
    shared.slot.lasts(after(deadline.begun(), shared.lock()));
    let share = usize::try_from(int(&share)?).unwrap_or_default();
    let owned = array(owned)?.iter().map(int).collect::<Result<Vec<_>, _>>()?;
    let pairs = owned.chunks_exact(2).filter_map(|pair| Some((pair.first()?, pair.get(1)?)));
    let mine = pairs.filter_map(|(stream, epoch)| Some(((*stream).try_into().ok()?, (*epoch).try_into().ok()?)));
    learn(shared, &mine.collect(), share);
    Ok(true)
}

fn learn(shared: &Shared, mine: &BTreeMap<usize, u64>, share: usize) {
    let mut state = shared.state();
    let by = after(Instant::now(), shared.lock());
    let before = state.owners.reading();
    let (lost, wanted) = state.owners.learn(mine, share, by);
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
