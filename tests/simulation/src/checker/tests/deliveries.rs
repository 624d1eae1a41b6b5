//! What becomes of the engine's deliveries, without a store.

use super::{LOCK, OWNER, Story, plan, seconds, story, with_counts, without_order};
use diator::endpoint::Order;

use crate::trace::{Answer, End, Event, How, Why};

#[test]
fn an_acknowledgement_of_what_is_not_done() {
    story().given(0).handled(0).acked(0).keeps_all(&plan());
    story().given(0).runs(0, 0, How::Done).acked(0).breaks(&plan(), "its handlers are not done");
    let implied = Event::Acked { opening: 2, entry: 0, message: 0, implied: true };
    story().given(0).given(1).then(implied).breaks(&plan(), "with a later one, and its handlers are not done");
}

#[test]
fn a_dead_letter_that_comes_too_early() {
    let failed = |times: usize| (0..times).fold(story().given(0), |story, _| story.runs(0, 0, How::Failed));
    failed(3).runs(0, 1, How::Done).dead(0, Why::Failed).keeps_all(&plan());
    story().given(0).runs(0, 0, How::Hopeless).runs(0, 1, How::Done).dead(0, Why::Failed).keeps_all(&plan());
    failed(2).runs(0, 1, How::Done).dead(0, Why::Failed).breaks(&plan(), "is a dead letter, and it is not so: Failed");
    failed(3).dead(0, Why::Failed).breaks(&plan(), "is a dead letter, and it is not so: Failed");
    failed(1).dead(0, Why::Unreadable).breaks(&plan(), "is a dead letter, and it is not so: Unreadable");
    failed(1).dead(0, Why::Unknown).breaks(&plan(), "is a dead letter, and it is not so: Unknown");
    failed(1).dead(0, Why::Other).breaks(&plan(), "is a dead letter, and it is not so: Other");
    failed(1).dead(0, Why::Poison).breaks(&plan(), "is a dead letter, and it is not so: Poison");
}

#[test]
fn failures_of_another_handler_do_not_count() {
    let carried = |failures: u32| story().given_with(0, failures).runs(0, 0, How::Failed).runs(0, 1, How::Done);
    carried(2).dead(0, Why::Failed).keeps_all(&with_counts());
    carried(1).dead(0, Why::Failed).breaks(&with_counts(), "is a dead letter, and it is not so: Failed");
    let of_both = story().given(0).runs(0, 0, How::Failed).runs(0, 1, How::Failed).runs(0, 0, How::Failed);
    of_both.runs(0, 1, How::Done).dead(0, Why::Failed).breaks(&with_counts(), "is a dead letter, and it is not so");
}

#[test]
fn a_delay_that_tells_too_few_or_too_many_failures_or_was_not_named() {
    let failed = || story().given_with(0, 1).runs(0, 0, How::Failed).runs(0, 1, How::Done);
    failed().delayed(0, 2).keeps_all(&with_counts());
    failed().delayed(0, 0).breaks(&with_counts(), "is asked for with 0 failures, and it had others");
    failed().delayed(0, 3).breaks(&with_counts(), "is asked for with 3 failures, and it had others");
    let later = Event::Delayed { opening: 2, entry: 0, message: 0, after: seconds(6), failures: 2 };
    failed().then(later).breaks(&with_counts(), "which `Wanted::delays` does not name");
    story().then(Event::Misused { opening: 2 }).breaks(&plan(), "asked for what the engine cannot do");
}

#[test]
fn what_runs_again_or_too_often() {
    let failed = |times: usize| (0..times).fold(story().given(0), |story, _| story.runs(0, 0, How::Failed));
    failed(3).keeps_all(&plan());
    failed(4).breaks(&plan(), "has one attempt too many");
    story().given(0).runs(0, 0, How::Done).runs(0, 0, How::Done).breaks(&plan(), "was done with message 0");
}

#[test]
fn what_begins_before_an_earlier_one_of_its_key_is_done() {
    story().given(0).given(1).handled(0).begins(1, 0).keeps_all(&plan());
    story().given(0).given(1).begins(1, 0).keeps_all(&without_order());
    story().given(0).given(1).begins(1, 0).breaks(&plan(), "and 0 of its key is not done");
    story().given(0).given(1).runs(0, 0, How::Done).begins(1, 0).breaks(&plan(), "and 0 of its key is not done");
    let two_of_two = story().given(0).given(1).runs(0, 0, How::Failed).runs(0, 1, How::Failed).runs(0, 0, How::Failed);
    let mut plan = with_counts();
    plan.settings.order = Order::PerKey;
    two_of_two.runs(0, 1, How::Done).begins(1, 0).breaks(&plan, "and 0 of its key is not done");
}

#[test]
fn what_runs_beside_another_one() {
    story().given(0).given(1).begins(0, 0).begins(1, 0).keeps_all(&without_order());
    story().given(0).begins(0, 0).begins(0, 1).breaks(&without_order(), "runs twice at once");
    story().given(0).given(1).begins(0, 0).begins(1, 0).breaks(&plan(), "runs beside 0, of the same key");
}

#[test]
fn what_runs_on_after_its_partition_was_given_up() {
    let by = seconds(20);
    let revoking = Event::Revoking { opening: 2, owner: OWNER, by };
    let (given_up, lost) = (Event::GivenUp { opening: 2, owner: OWNER }, Event::Lost { opening: 2, owner: OWNER });
    let promise = "ran on in process 1 after its partition was given up";
    let runs = || story().given(0).begins(0, 0).then(revoking);
    runs().ends(0, 0, How::Done).then(given_up).keeps_all(&plan());
    runs().after(by + seconds(1)).then(given_up).ends(0, 0, How::Done).keeps_all(&plan());
    runs().then(given_up).ends(0, 0, How::Done).breaks(&plan(), promise);
    // A run whose partition was lost runs on; the next one of the message is judged again.
    let runs = || story().given(0).begins(0, 0).then(lost);
    runs().then(revoking).then(given_up).ends(0, 0, How::Failed).keeps_all(&plan());
    let again = runs().ends(0, 0, How::Failed).given(0).begins(0, 0).then(revoking).then(given_up);
    again.ends(0, 0, How::Done).breaks(&plan(), promise);
}

#[test]
fn credit_beyond_what_may_be_held() {
    story().given(0).asked(1).keeps_all(&plan());
    story().given(0).asked(2).breaks(&plan(), "the endpoint has 1 and asks for 2, with `max_ahead` 2");
    story().given(0).handled(0).asked(2).keeps_all(&plan());
}

#[test]
fn a_lock_that_runs_out() {
    let promise = "the lock of delivery 10 ran out, and the engine would have extended it";
    let over = |story: Story| {
        let since = story.now + LOCK;
        story.after(LOCK).then(Event::LockOver { opening: 2, tag: 10, since })
    };
    let answered = |answer| Event::Answered { opening: 2, tag: 99, answer };
    over(story().asked(2).given(0)).breaks(&plan(), promise);
    over(story().asked(2).given(0).acked(0)).breaks(&plan(), "its handlers are not done");
    over(story().asked(2).given(0).handled(0).acked(0)).keeps_all(&plan());
    // The endpoint is full; but one that pauses or ends wants nothing although there is room.
    over(story().asked(2).given(0).given(1).asked(0)).breaks(&plan(), promise);
    over(story().asked(2).given(0).asked(0)).keeps_all(&plan());
    over(story().asked(2).given(0).then(Event::Left { opening: 2 })).keeps_all(&plan());
    // A call that fails excuses it, but not for ever.
    over(story().asked(2).given(0).then(answered(Answer::Done))).breaks(&plan(), promise);
    over(story().asked(2).then(answered(Answer::Failed)).given(0)).keeps_all(&plan());
    over(story().asked(2).then(answered(Answer::Failed)).after(LOCK * 2).given(0)).breaks(&plan(), promise);
    // In order per key, an opening ends of which something is taken away.
    let lost = || story().asked(2).given(0).given(1).asked(0).then(Event::LockLost { opening: 2, tag: 11 });
    over(lost()).keeps_all(&plan());
    over(lost()).breaks(&without_order(), promise);
    let unanswered = Event::Unanswered { opening: 2, tag: 10 };
    over(story().asked(2).given(0).then(unanswered)).keeps_all(&plan());
}

#[test]
fn an_outage_that_is_met_too_often() {
    // One opening with one worker, two trials in two seconds and two more, for each of two handlers.
    let met = |times| (0..times).fold(story().given(0), |story, _| story.runs(0, 0, How::Outage));
    met(12).keeps_all(&plan());
    met(13).breaks(&plan(), "the outage was met 13 times");
}

#[test]
fn a_process_that_does_not_end_as_it_must() {
    let promise = "process 1 has ended, and something of it runs on";
    story().stopping().after(seconds(10)).stopped(End::Clean).keeps_all(&plan());
    story().stopping().after(seconds(10)).stopped(End::Late).keeps_all(&plan());
    story().stopping().breaks(&plan(), "these processes never ended: [1]");
    story().stopping().after(seconds(11)).stopped(End::Clean).breaks(&plan(), "has ended after its deadline");
    story().stopped(End::Failed).breaks(&plan(), "process 1 failed");
    for end in [End::Clean, End::Late] {
        let runs = story().given(0).begins(0, 0).stopping().stopped(end);
        runs.breaks(&plan(), "process 1 has ended, and a handler runs on");
        let left = |event| story().given(0).stopping().stopped(end).after(seconds(1)).then(event);
        left(Event::Asked { opening: 2, credit: 1 }).breaks(&plan(), promise);
        left(Event::Began { process: 1, message: 0, handler: 0 }).breaks(&plan(), promise);
        left(Event::Ended { process: 1, message: 0, handler: 1, how: How::Done }).breaks(&plan(), promise);
        left(Event::Released { opening: 2, entry: 0, message: 0 }).breaks(&plan(), promise);
        left(Event::Opened { process: 1, opening: 3 }).breaks(&plan(), promise);
        left(Event::Over { opening: 2 }).keeps_all(&plan());
    }
    let quiet = story().then(Event::Quiet).after(seconds(61)).stopping().after(seconds(10));
    quiet.stopped(End::Late).breaks(&plan(), "did not come to its end in time, and nothing kept it");
}

#[test]
fn a_process_that_has_to_end_and_begins_something() {
    let promise = "process 1 has to end, and begins something";
    let ends = || story().given(0).stopping().after(seconds(1));
    ends().begins(0, 0).breaks(&plan(), promise);
    ends().given(1).breaks(&plan(), promise);
    let goes_on = story().given(0).runs(0, 0, How::Done).stopping().after(seconds(1)).runs(0, 1, How::Done);
    goes_on.stopped(End::Clean).keeps_all(&plan());
}

#[test]
fn what_is_never_settled_and_what_spins() {
    let handled = (0..4).fold(story(), |story, number| story.given(number).handled(number).acked(number));
    handled.then(Event::Settled).keeps_all(&plan());
    let handled = (0..3).fold(story(), |story, number| story.given(number).handled(number).acked(number));
    handled.then(Event::GaveIn).breaks(&plan(), "these entries and their messages are never settled: [(3, 3)]");
    let asked = |times| (0..times).fold(story(), |story, _| story.asked(0));
    asked(3_900).keeps_all(&plan());
    asked(4_000).breaks(&plan(), "there are 4000 events within a second");
}
