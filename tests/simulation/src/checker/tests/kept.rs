//! What is kept in a store, and what enters an inbox.

use std::time::Duration;

use diator::endpoint::{OnDead, Order};
use diator::inbox::Seen;

use super::{OWNER, Story, plan, seconds, story};
use crate::plan::{MessageKind, Plan};
use crate::store::StorePlan;
use crate::trace::{Event, How, RowState, RowVerdict, Why};

const LATER: RowState = RowState::Waiting { after: Duration::from_secs(5) };
const BEHIND: RowState = RowState::Waiting { after: Duration::ZERO };
const FAILED: RowState = RowState::Dead { why: Why::Failed };

fn stored() -> Plan {
    let mut plan = plan();
    plan.store = Some(StorePlan { extends_beside_handlers: true, ..StorePlan::default() });
    plan
}

fn parking() -> Plan {
    let mut plan = stored();
    plan.settings.on_dead = OnDead::Park;
    plan
}

fn unordered() -> Plan {
    let mut plan = stored();
    plan.settings.order = Order::None;
    plan
}

fn of_kind(kind: MessageKind) -> Plan {
    let mut plan = stored();
    plan.messages[0].kind = kind;
    plan
}

const fn later(failures: u32) -> RowVerdict {
    RowVerdict::Later { after: Duration::from_secs(5), failures }
}

impl Story {
    fn enters(self, message: usize, handler: usize, generation: u32) -> Self {
        self.then(Event::Entered { process: 1, message, handler, generation, seen: Seen::First })
    }

    fn enters_and(self, message: usize, handler: usize, how: How) -> Self {
        self.enters(message, handler, 0).runs(message, handler, how)
    }

    fn committed(self, message: usize, handler: usize, generation: u32) -> Self {
        self.then(Event::Committed { process: 1, message, handler, generation })
    }

    fn takes_effect_in(self, generation: u32, message: usize, handler: usize) -> Self {
        self.enters(message, handler, generation)
            .runs(message, handler, How::Done)
            .committed(message, handler, generation)
    }

    fn takes_effect(self, message: usize, handler: usize) -> Self {
        self.takes_effect_in(0, message, handler)
    }

    /// The row has the number of its message and its handler, and ten.
    fn kept(self, message: usize, handler: usize, state: RowState, failures: u32) -> Self {
        let (row, handler) = ((message * 2 + handler) as i64 + 10, Some(handler));
        self.then(Event::Kept { process: 1, row, entry: message, message, handler, state, failures })
    }

    fn kept_as_a_whole(self, message: usize, why: Why) -> Self {
        let (row, state) = (message as i64, RowState::Dead { why });
        self.then(Event::Kept { process: 1, row, entry: message, message, handler: None, state, failures: 0 })
    }

    fn leased(self, row: i64, lease: i64) -> Self {
        let until = self.now + seconds(30);
        self.then(Event::Leased { process: 1, row, lease, until })
    }

    fn row(self, row: i64, lease: i64, verdict: RowVerdict) -> Self {
        self.then(Event::RowSettled { process: 1, row, lease, verdict })
    }

    fn over(self, row: i64, lease: i64) -> Self {
        let since = self.now;
        self.then(Event::LeaseOver { row, lease, since })
    }

    fn store_fails(self) -> Self {
        self.then(Event::StoreFailed { process: 1 })
    }
}

/// Row 10, of the first handler, which has failed as often as the row says.
fn one_row(failures: u32) -> Story {
    let failing = |story: Story, _| story.enters_and(0, 0, How::Failed);
    let failed = (0..failures).fold(story().given(0), failing).takes_effect(0, 1);
    failed.kept(0, 0, LATER, failures).acked(0)
}

#[test]
fn an_acknowledgement_of_what_is_neither_done_nor_kept() {
    let promise = "a handler is neither done with it nor has a row";
    story().given(0).takes_effect(0, 0).takes_effect(0, 1).acked(0).keeps_all(&stored());
    one_row(1).keeps_all(&stored());
    let half = || story().given(0).takes_effect(0, 0);
    half().acked(0).breaks(&stored(), promise);
    half().enters_and(0, 1, How::Done).acked(0).breaks(&stored(), promise);
    half().enters_and(0, 1, How::Failed).acked(0).kept(0, 1, LATER, 1).breaks(&stored(), promise);
    let implied = Event::Acked { opening: 2, entry: 0, message: 0, implied: true };
    half().then(implied).breaks(&stored(), "with a later one, and a handler is neither done with it");
    half().dead(0, Why::Failed).breaks(&stored(), "is a dead letter of the engine, although there is a store");
    half().delayed(0, 1).breaks(&stored(), "goes back for a time, although there is a store");
    let unread = of_kind(MessageKind::Unreadable);
    story().given(0).kept_as_a_whole(0, Why::Unreadable).acked(0).keeps_all(&unread);
    story().given(0).acked(0).breaks(&unread, promise);
}

#[test]
fn a_row_that_is_gone_before_its_handler_is_done() {
    let promise = "row 10 of message 0 is gone, and its handler is not done";
    let leased = || one_row(1).leased(10, 1);
    leased().takes_effect(0, 0).row(10, 1, RowVerdict::Handled).keeps_all(&stored());
    leased().row(10, 1, RowVerdict::Released).keeps_all(&stored());
    leased().row(10, 1, RowVerdict::Handled).breaks(&stored(), promise);
    leased().enters_and(0, 0, How::Done).row(10, 1, RowVerdict::Handled).breaks(&stored(), promise);
    one_row(1).then(Event::Discarded { row: 10 }).keeps_all(&stored());
    // What a replay is to do is done in its own generation.
    let replayed = || one_row(2).leased(10, 1).enters_and(0, 0, How::Failed).row(10, 1, DIED);
    let replayed = || replayed().then(Event::Replayed { row: 10 }).leased(10, 2);
    replayed().takes_effect_in(1, 0, 0).row(10, 2, RowVerdict::Handled).keeps_all(&stored());
    replayed().row(10, 2, RowVerdict::Handled).breaks(&stored(), promise);
}

const DIED: RowVerdict = RowVerdict::Dead { why: Why::Failed };

#[test]
fn a_row_that_is_settled_by_somebody_who_does_not_have_it() {
    let promise = "process 1 settles row 10, and does not have it";
    let again = || one_row(1).leased(10, 1).then(Event::LeaseTaken { row: 10 }).leased(10, 2);
    again().row(10, 2, RowVerdict::Released).keeps_all(&stored());
    again().row(10, 1, RowVerdict::Released).breaks(&stored(), promise);
    let other = Event::Leased { process: 2, row: 10, lease: 3, until: seconds(30) };
    one_row(1).then(other).row(10, 3, RowVerdict::Released).breaks(&stored(), promise);
    one_row(1).row(10, 0, RowVerdict::Released).breaks(&stored(), promise);
    let dead = one_row(2).leased(10, 1).enters_and(0, 0, How::Failed).row(10, 1, DIED);
    dead.leased(10, 2).breaks(&stored(), "row 10 is leased, and it does not wait");
}

#[test]
fn a_dead_letter_that_no_policy_made() {
    let promise = "is kept as a dead letter, and it is not so";
    let failed = |times: usize, how| (0..times).fold(story().given(0), |story, _| story.enters_and(0, 0, how));
    failed(3, How::Failed).kept(0, 0, FAILED, 3).keeps_all(&stored());
    failed(1, How::Hopeless).kept(0, 0, FAILED, 1).keeps_all(&stored());
    failed(2, How::Failed).kept(0, 0, FAILED, 3).breaks(&stored(), promise);
    failed(3, How::Outage).kept(0, 0, FAILED, 3).breaks(&stored(), promise);
    failed(3, How::Failed).kept(0, 1, FAILED, 3).breaks(&stored(), promise);
    for why in [Why::Unreadable, Why::Unknown, Why::Poison, Why::Failed, Why::Other] {
        failed(3, How::Failed).kept_as_a_whole(0, why).breaks(&stored(), promise);
    }
    let promise = "row 10 of message 0 is a dead letter, and it is not so";
    let row = |failures, how| one_row(failures).leased(10, 1).enters_and(0, 0, how).row(10, 1, DIED);
    row(2, How::Failed).keeps_all(&stored());
    row(1, How::Hopeless).keeps_all(&stored());
    row(1, How::Failed).breaks(&stored(), promise);
    row(2, How::Outage).breaks(&stored(), promise);
    row(2, How::Busy).breaks(&stored(), promise);
}

#[test]
fn failures_that_are_not_carried_along() {
    let promise = "keeps message 0 with";
    let two = || story().given(0).enters_and(0, 0, How::Failed).enters_and(0, 0, How::Panicked);
    two().kept(0, 0, LATER, 2).keeps_all(&stored());
    two().kept(0, 0, LATER, 1).breaks(&stored(), promise);
    two().kept(0, 0, LATER, 3).breaks(&stored(), promise);
    two().kept(0, 1, LATER, 1).breaks(&stored(), promise);
    // The failures of a row that was discarded are gone.
    let discarded = |row| one_row(1).leased(10, 1).enters_and(0, 0, How::Failed).then(Event::Discarded { row });
    discarded(10).given(0).enters_and(0, 0, How::Failed).kept(0, 0, LATER, 1).keeps_all(&unordered());
    discarded(99).given(0).enters_and(0, 0, How::Failed).kept(0, 0, LATER, 1).breaks(&unordered(), promise);
    let promise = "row 10 of message 0 is put off with";
    let row = |how| one_row(1).leased(10, 1).enters_and(0, 0, how);
    row(How::Failed).row(10, 1, later(2)).keeps_all(&stored());
    row(How::Outage).row(10, 1, later(1)).keeps_all(&stored());
    row(How::Failed).row(10, 1, later(1)).breaks(&stored(), promise);
    row(How::Failed).row(10, 1, later(3)).breaks(&stored(), promise);
    row(How::Outage).row(10, 1, later(2)).breaks(&stored(), promise);
    // A process that has lost its lease may not know: its failure may be another lease's.
    let lost = || one_row(0).leased(10, 1).then(Event::LeaseTaken { row: 10 }).leased(10, 2);
    lost().enters_and(0, 0, How::Failed).row(10, 2, later(0)).keeps_all(&stored());
    lost().enters_and(0, 0, How::Failed).row(10, 2, later(2)).breaks(&stored(), promise);
}

#[test]
fn what_begins_before_a_row_of_its_key() {
    let promise = "handler 0 begins with message 1, and row 10 of 0 waits";
    let next = |story: Story| story.given(1).enters_and(1, 0, How::Done);
    next(one_row(1)).breaks(&stored(), promise);
    next(one_row(1)).keeps_all(&unordered());
    next(one_row(1).leased(10, 1).takes_effect(0, 0)).breaks(&stored(), promise);
    next(one_row(1).leased(10, 1).takes_effect(0, 0).row(10, 1, RowVerdict::Handled)).keeps_all(&stored());
    let dead = || one_row(2).leased(10, 1).enters_and(0, 0, How::Failed).row(10, 1, DIED);
    next(dead()).keeps_all(&stored());
    next(dead()).breaks(&parking(), promise);
    next(dead().then(Event::Replayed { row: 10 })).keeps_all(&stored());
    next(dead().then(Event::Replayed { row: 10 })).breaks(&parking(), promise);
    next(dead().then(Event::Discarded { row: 10 })).keeps_all(&parking());
    // Of an earlier message, which the engine delivers again, a later row is no obstacle.
    let later_one = one_row(1).given(1).kept(1, 0, BEHIND, 0).kept(1, 1, BEHIND, 0).acked(1);
    later_one.given(0).enters_and(0, 0, How::Done).keeps_all(&stored());
    let unsettled = story().given(0).given(1).takes_effect(0, 0);
    next(unsettled).breaks(&stored(), "and 0 of its key is not done");
}

#[test]
fn a_handler_that_takes_effect_without_the_inbox_or_twice() {
    let given = || story().given(0);
    given().runs(0, 0, How::Done).breaks(&stored(), "and did not enter the inbox");
    given().takes_effect(0, 0).enters(0, 0, 0).breaks(&stored(), "in generation 0, and was done with it");
    given().takes_effect(0, 0).takes_effect_in(1, 0, 0).keeps_all(&stored());
    let twice = given().enters(0, 0, 0).begins(0, 0).ends(0, 0, How::Done).committed(0, 0, 0).committed(0, 0, 0);
    twice.breaks(&stored(), "takes effect twice on message 0");
    given().enters_and(0, 0, How::Failed).committed(0, 0, 0).breaks(&stored(), "and has not succeeded");
    given().enters(0, 0, 1).runs(0, 0, How::Done).committed(0, 0, 0).breaks(&stored(), "and has not succeeded");
    let beside = Event::Entered { process: 2, message: 0, handler: 0, generation: 0, seen: Seen::First };
    let beside = given().enters(0, 0, 0).begins(0, 0).then(beside);
    let beside = beside.then(Event::Began { process: 2, message: 0, handler: 0 });
    beside.breaks(&stored(), "handler 0 runs twice at once with message 0");
}

#[test]
fn a_lease_that_runs_out() {
    let promise = "the lease of row 10 ran out, and the store would have extended it";
    let lease = seconds(30);
    one_row(1).leased(10, 1).after(lease).over(10, 1).breaks(&stored(), promise);
    one_row(1).leased(10, 1).after(lease).then(Event::LeaseTaken { row: 10 }).keeps_all(&stored());
    one_row(1).store_fails().leased(10, 1).after(lease).over(10, 1).keeps_all(&stored());
    one_row(1).store_fails().after(seconds(31)).leased(10, 1).after(lease).over(10, 1).breaks(&stored(), promise);
    // Where leases are not extended beside handlers, one that runs has a lease for as long as it may take.
    let mut alone = stored();
    alone.store = Some(StorePlan::default());
    one_row(1).leased(10, 1).after(lease).over(10, 1).keeps_all(&alone);
    let runs = one_row(1).leased(10, 1).enters(0, 0, 0).begins(0, 0);
    runs.after(lease).over(10, 1).breaks(&alone, promise);
    let crashed = one_row(1).leased(10, 1).then(Event::Crashed { process: 1 });
    crashed.after(lease).over(10, 1).keeps_all(&stored());
}

#[test]
fn a_row_that_waits_at_the_end() {
    let rest = |story: Story| {
        (1..4).fold(story, |story, message| {
            story.given(message).takes_effect(message, 0).takes_effect(message, 1).acked(message)
        })
    };
    let dead = || one_row(2).leased(10, 1).enters_and(0, 0, How::Failed).row(10, 1, DIED);
    rest(dead()).then(Event::Settled).keeps_all(&stored());
    one_row(1).then(Event::Settled).breaks(&stored(), "all is settled, and row 10 waits");
    one_row(1).then(Event::GaveIn).breaks(&stored(), "and these rows wait: [10]");
    let parked = || dead().given(1).kept(1, 0, BEHIND, 0).kept(1, 1, BEHIND, 0).acked(1);
    parked().then(Event::Settled).keeps_all(&parking());
    parked().then(Event::Settled).breaks(&stored(), "all is settled, and row 12 waits");
}

#[test]
fn a_row_has_no_partition() {
    let by = seconds(20);
    let revoking = Event::Revoking { opening: 2, owner: OWNER, by };
    let given_up = Event::GivenUp { opening: 2, owner: OWNER };
    let runs = |story: Story| story.enters(0, 0, 0).begins(0, 0).then(revoking).then(given_up).ends(0, 0, How::Done);
    runs(one_row(1).leased(10, 1)).keeps_all(&stored());
    runs(story().given(0)).breaks(&stored(), "after its partition was given up");
    // An outage pauses what is kept apart from what the engine delivers.
    let met = |times| (0..times).fold(story().given(0), |story, _| story.enters_and(0, 0, How::Outage));
    met(24).keeps_all(&stored());
    met(25).breaks(&stored(), "the outage was met 25 times");
}
