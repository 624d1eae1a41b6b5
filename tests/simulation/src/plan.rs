use std::sync::Arc;
use std::time::Duration;

use diator::endpoint::{ErrorPolicy, OnDead, OnError, Order, Unknown};
use diator::subscription::{Capabilities, Release};
use serde_json::json;
use uuid::Uuid;

use crate::engine::Traits;
use crate::failures::{Busy, Down, Hopeless};
use crate::faults::Faults;
use crate::random::Random;
use crate::store::StorePlan;

/// What a run is made of; all of it follows from the seed.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) kind: Kind,
    pub(crate) traits: Traits,
    pub(crate) settings: Settings,
    pub(crate) messages: Vec<Message>,
    pub(crate) faults: Faults,
    /// How many processes run the endpoint at the same time.
    pub(crate) processes: usize,
    /// From when until when what all messages need is away.
    pub(crate) outages: Vec<(Duration, Duration)>,
    /// The delivery store and the inbox, if there are some.
    pub(crate) store: Option<StorePlan>,
    /// When everything stops misbehaving.
    pub(crate) quiet: Duration,
}

/// Whether endpoints have a delivery store and an inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    Never,
    Perhaps,
    Always,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Queue,
    /// It knows how far each owner has come.
    Offsets,
    /// It knows each entry, in partitions with owners.
    Leases,
}

/// The settings of the endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) order: Order,
    pub(crate) concurrency: usize,
    pub(crate) max_ahead: usize,
    pub(crate) immediately: u32,
    pub(crate) later: Vec<Duration>,
    pub(crate) on_dead: OnDead,
    pub(crate) max_handling: Duration,
    pub(crate) unknown: Unknown,
    pub(crate) attempt_log: bool,
    /// One or two.
    pub(crate) handlers: usize,
    pub(crate) pause: Duration,
    pub(crate) busy: Duration,
    pub(crate) deadline: Duration,
}

#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) key: Option<usize>,
    /// When it is published; twice, where its producer has repeated itself.
    pub(crate) at: Vec<Duration>,
    pub(crate) kind: MessageKind,
    pub(crate) body: Arc<[u8]>,
    /// What each handler does with it, one time after the other; then it succeeds.
    pub(crate) conducts: [Vec<Conduct>; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageKind {
    Known,
    Unknown,
    Unreadable,
    /// Its first handler ends the process, each time.
    Poison,
}

/// What a handler does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conduct {
    Take(Duration),
    Fail,
    Panic,
    Hopeless,
    Busy,
    Hang,
}

impl Plan {
    pub(crate) fn new(seed: u64, kinds: &[Kind], stored: Stored) -> Self {
        let random = &mut Random::new(seed);
        let has_store = match stored {
            Stored::Never => false,
            Stored::Perhaps => random.chance(400),
            Stored::Always => true,
        };
        let kind = random.pick(kinds);
        let settings = Settings::new(kind, random);
        let capabilities = capabilities(kind, &settings, random);
        let settings = if has_store { settings.with_store(random) } else { settings.possible_with(capabilities) };
        let quiet = random.millis(5_000, 120_000);
        let published = quiet.mul_f64(0.8);
        let poison = settings.attempt_log && capabilities.redelivery && random.chance(150);
        let keys = random.between(1, 6);
        let messages: Vec<_> = (0..random.between(1, 40))
            .map(|number| Message::new(number, keys, poison, published, &settings, random))
            .collect();
        let partitions = random.below(5) + 1;
        let place = |message: &Message| message.key.unwrap_or_else(|| random.below(partitions));
        let traits = Traits {
            places: messages.iter().map(place).collect(),
            capabilities,
            partitions,
            grace: random.millis(100, 10_000),
            ack_is_true: random.chance(300),
        };
        let outage = |random: &mut Random| {
            let from = random.millis(0, 60_000);
            (from, from + random.millis(100, 60_000))
        };
        Self {
            seed,
            kind,
            traits,
            settings,
            messages,
            faults: Faults::new(random),
            processes: random.pick(&[1, 1, 2, 3]),
            outages: if random.chance(300) { vec![outage(random)] } else { Vec::new() },
            store: has_store.then(|| StorePlan::new(quiet, random)),
            quiet,
        }
    }

    pub(crate) fn is_down(&self, now: Duration) -> bool {
        self.outages.iter().any(|&(from, to)| (from..to).contains(&now))
    }

    /// When no outage is left and all is published.
    pub(crate) fn peace(&self) -> Duration {
        self.outages.iter().map(|&(_, to)| to).chain([self.quiet]).max().unwrap_or_default()
    }
}

impl Settings {
    fn new(kind: Kind, random: &mut Random) -> Self {
        let concurrency = random.pick(&[1, 1, 2, 3, 8, 32]);
        let orders: &[Order] =
            if kind == Kind::Queue { &[Order::None] } else { &[Order::PerKey, Order::PerKey, Order::None] };
        Self {
            order: random.pick(orders),
            concurrency,
            max_ahead: concurrency + random.pick(&[0, 1, 4, 100]),
            immediately: random.pick(&[0, 1, 2]),
            later: (0..random.below(3)).map(|_| random.millis(100, 20_000)).collect(),
            on_dead: OnDead::Continue,
            max_handling: random.millis(500, 60_000),
            unknown: random.pick(&[Unknown::Ignore, Unknown::DeadLetter]),
            attempt_log: random.chance(500),
            handlers: random.pick(&[1, 2]),
            pause: random.millis(100, 8_000),
            busy: random.millis(10, 3_000),
            deadline: random.millis(4_000, 40_000),
        }
    }

    /// Takes out what the engine cannot do, and the endpoint says so at its start.
    fn possible_with(mut self, capabilities: Capabilities) -> Self {
        let holds = capabilities.lock.is_none() || capabilities.extends;
        if !holds && self.order == Order::PerKey {
            self.later.clear();
        } else if !holds {
            self.later.retain(|delay| capabilities.delayed_retry.is_some_and(|longest| *delay <= longest));
        }
        self
    }

    /// The store can do what the engine cannot.
    fn with_store(mut self, random: &mut Random) -> Self {
        if self.order == Order::PerKey {
            self.on_dead = random.pick(&[OnDead::Park, OnDead::Continue]);
        }
        self.later.extend((0..random.below(2)).map(|_| random.millis(1_000, 300_000)));
        self
    }

    pub(crate) fn attempts(&self) -> usize {
        self.policy().attempts() as usize
    }

    pub(crate) fn policy(&self) -> ErrorPolicy {
        let Self { pause, busy, .. } = *self;
        ErrorPolicy::new()
            .immediately(self.immediately)
            .later(self.later.iter().copied())
            .on_dead(self.on_dead)
            .when::<Down>(move |_| OnError::Pause(pause))
            .when::<Busy>(move |_| OnError::Again(busy))
            .when::<Hopeless>(|_| OnError::DeadLetter)
    }
}

fn capabilities(kind: Kind, settings: &Settings, random: &mut Random) -> Capabilities {
    let able = Capabilities::none().competing().redelivers().dead_letters().durable();
    let able = if kind != Kind::Offsets && random.chance(600) { able.counts() } else { able };
    if kind == Kind::Offsets {
        return able.ordered_by_key().exclusive_keys();
    }
    let able = if kind == Kind::Leases { able.ordered_by_key().exclusive_keys() } else { able };
    let able = able.settles_out_of_order();
    let able = able.releases(random.pick(&[Release::Impossible, Release::Counted, Release::Uncounted]));
    let able = if random.chance(300) { able.retry_counts() } else { able };
    let able = if random.chance(600) { able.delayed_retry(Duration::from_secs(3_600)) } else { able };
    match random.below(4) {
        0 => able,
        // Its handlers are to have a chance to end in time.
        1 => able.locks_for(random.millis(2_000, 60_000).max(settings.max_handling)),
        _ => able.locks_for(random.millis(2_000, 40_000)).extends(),
    }
}

impl Message {
    fn new(number: u64, keys: u64, poison: bool, by: Duration, settings: &Settings, random: &mut Random) -> Self {
        let key = random.chance(850).then(|| random.below(usize::try_from(keys).unwrap_or(1)));
        let kind = match random.between(0, 999) {
            0..30 => MessageKind::Unknown,
            30..60 => MessageKind::Unreadable,
            60..100 if poison => MessageKind::Poison,
            _ => MessageKind::Known,
        };
        let mut at = vec![random.millis(0, u64::try_from(by.as_millis()).unwrap_or(u64::MAX))];
        if random.chance(60) {
            at.push(at[0] + random.millis(0, 5_000));
        }
        let name = if kind == MessageKind::Unknown { "Forgotten" } else { "Placed" };
        let body = json!({
            "message_type": "notification_event",
            "message_name": name,
            "message_id": Uuid::from_u128(u128::from(number) + 1),
            "payload": { "number": number },
        });
        let body = if kind == MessageKind::Unreadable { "{".to_owned() } else { body.to_string() };
        let conducts = [(); 2].map(|()| conducts(settings, random));
        Self { key, at, kind, body: body.into_bytes().into(), conducts }
    }
}

fn conducts(settings: &Settings, random: &mut Random) -> Vec<Conduct> {
    if random.chance(500) {
        return Vec::new();
    }
    let most = settings.immediately as usize + settings.later.len() + 2;
    (0..random.below(most + 1))
        .map(|_| match random.below(12) {
            0..3 => Conduct::Take(random.millis(0, 200)),
            3 => Conduct::Take(random.millis(1_000, 50_000)),
            4..8 => Conduct::Fail,
            8 => Conduct::Panic,
            9 => Conduct::Busy,
            10 if random.chance(300) => Conduct::Hopeless,
            11 if random.chance(300) => Conduct::Hang,
            _ => Conduct::Take(random.millis(0, 2_000)),
        })
        .collect()
}
