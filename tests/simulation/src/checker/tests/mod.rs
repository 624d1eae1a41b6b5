//! Traces that are made by hand: each rule sees what breaks its promise, and nothing in what keeps it.

mod deliveries;
mod kept;

use std::time::Duration;

use diator::endpoint::{Order, Unknown};
use diator::subscription::Capabilities;

use super::check;
use crate::faults::Faults;
use crate::plan::{Kind, Message, MessageKind, Plan, Stored};
use crate::trace::{End, Event, How, Trace, Why};

const LOCK: Duration = Duration::from_secs(30);
const OWNER: (u32, u64) = (0, 1);

/// Two handlers with three attempts, and four messages of one key in one partition.
fn plan() -> Plan {
    let mut plan = Plan::new(0, &[Kind::Leases], Stored::Never);
    let settings = &mut plan.settings;
    (settings.order, settings.concurrency, settings.max_ahead) = (Order::PerKey, 1, 2);
    (settings.immediately, settings.later, settings.handlers) = (1, vec![seconds(5)], 2);
    (settings.unknown, settings.attempt_log) = (Unknown::DeadLetter, false);
    (settings.pause, settings.deadline) = (seconds(1), seconds(10));
    plan.traits.capabilities =
        Capabilities::none().ordered_by_key().exclusive_keys().settles_out_of_order().locks_for(LOCK).extends();
    (plan.traits.partitions, plan.traits.places) = (1, vec![0; 4]);
    (plan.faults, plan.outages) = (Faults::default(), vec![(seconds(0), seconds(2))]);
    let body = || [].into();
    let message = || Message {
        key: Some(0),
        at: vec![Duration::ZERO],
        kind: MessageKind::Known,
        body: body(),
        conducts: [(); 2].map(|()| Vec::new()),
    };
    plan.messages = (0..4).map(|_| message()).collect();
    plan
}

fn without_order() -> Plan {
    let mut plan = plan();
    plan.settings.order = Order::None;
    plan
}

fn with_counts() -> Plan {
    let mut plan = without_order();
    plan.traits.capabilities = plan.traits.capabilities.retry_counts();
    plan
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A trace that goes on: process 1 with opening 2, and four messages, of which each is entry and message of its number.
struct Story {
    trace: Trace,
    now: Duration,
}

fn story() -> Story {
    let story = Story { trace: Trace::default(), now: Duration::ZERO };
    let story = (0..4).fold(story, |story, number| story.then(Event::Published { message: number, entry: number }));
    story.then(Event::Started { process: 1 }).then(Event::Opened { process: 1, opening: 2 })
}

impl Story {
    fn then(mut self, event: Event) -> Self {
        self.trace.note(self.now, event);
        self
    }

    fn after(mut self, time: Duration) -> Self {
        self.now += time;
        self
    }

    fn asked(self, credit: usize) -> Self {
        self.then(Event::Asked { opening: 2, credit })
    }

    fn given(self, message: usize) -> Self {
        self.given_with(message, 0)
    }

    /// The tag is that of the message, and ten.
    fn given_with(self, message: usize, failures: u32) -> Self {
        let until = Some(self.now + LOCK);
        let tag = message as u64 + 10;
        self.then(Event::Given { opening: 2, tag, entry: message, message, owner: Some(OWNER), until, failures })
    }

    fn begins(self, message: usize, handler: usize) -> Self {
        self.then(Event::Began { process: 1, message, handler })
    }

    fn ends(self, message: usize, handler: usize, how: How) -> Self {
        self.then(Event::Ended { process: 1, message, handler, how })
    }

    fn runs(self, message: usize, handler: usize, how: How) -> Self {
        self.begins(message, handler).ends(message, handler, how)
    }

    fn handled(self, message: usize) -> Self {
        self.runs(message, 0, How::Done).runs(message, 1, How::Done)
    }

    fn acked(self, message: usize) -> Self {
        self.then(Event::Acked { opening: 2, entry: message, message, implied: false })
    }

    fn dead(self, message: usize, why: Why) -> Self {
        self.then(Event::Dead { opening: 2, entry: message, message, why })
    }

    fn delayed(self, message: usize, failures: u32) -> Self {
        self.then(Event::Delayed { opening: 2, entry: message, message, after: seconds(5), failures })
    }

    fn stopping(self) -> Self {
        self.then(Event::Stopping { process: 1 })
    }

    fn stopped(self, end: End) -> Self {
        self.then(Event::Stopped { process: 1, end })
    }

    #[track_caller]
    fn keeps_all(self, plan: &Plan) {
        let broken = check(plan, &self.trace).broken;
        assert!(broken.is_empty(), "{broken:#?}\n{}", self.trace);
    }

    #[track_caller]
    fn breaks(self, plan: &Plan, promise: &str) {
        let broken = check(plan, &self.trace).broken;
        assert!(broken.iter().any(|what| what.contains(promise)), "{broken:#?}\n{}", self.trace);
    }
}
