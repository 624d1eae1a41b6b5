//! Endpoints with a store whose database, engine and processes fail by chance; each seed plays one run.

use std::collections::BTreeMap;

use serde_json::json;
use uuid::Uuid;

use super::engine::{Engine, able};
use super::stores::{Faulty, Trouble};
use super::world::{Charge, Conduct, Post, World, millis, pass, secs};
use crate::broker::{MessageBroker, MessageType, OutboundMessage};
use crate::deliveries::{DeliveryFilter, DeliveryState};
use crate::endpoint::{Endpoint, ErrorPolicy, OnDead, Order};
use crate::subscription::{Capabilities, Subscription};
use crate::{InMemoryBroker, handlers};

const SEEDS: u64 = 20;
const MESSAGES: u32 = 40;
const HANDLERS: [&str; 2] = ["charge", "post"];

struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }

    fn trouble(&mut self) -> Trouble {
        [Trouble::Fails, Trouble::Hangs, Trouble::Panics][self.below(3) as usize]
    }

    fn conducts(&mut self) -> Vec<Conduct> {
        match self.below(12) {
            0 | 1 => vec![Conduct::Fail; 1 + self.below(4) as usize],
            2 => vec![Conduct::Panic, Conduct::Fail],
            3 => vec![Conduct::Take(millis(self.below(9_000)))],
            4 => vec![Conduct::Fail, Conduct::Fail, Conduct::Take(secs(self.below(8)))],
            5 => vec![Conduct::Hang, Conduct::Fail],
            _ => Vec::new(),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Plan {
    order: Order,
    on_dead: OnDead,
    concurrency: usize,
    extends: bool,
    offsets: bool,
    two: bool,
}

impl Plan {
    fn new(chance: &mut Chance) -> Self {
        let order = if chance.below(3) == 0 { Order::None } else { Order::PerKey };
        Self {
            order,
            on_dead: if chance.below(2) == 0 { OnDead::Park } else { OnDead::Continue },
            concurrency: 1 + chance.below(8) as usize,
            extends: order == Order::PerKey || chance.below(2) == 0,
            offsets: chance.below(2) == 0,
            two: chance.below(2) == 0,
        }
    }

    fn endpoint(self, broker: &InMemoryBroker, seed: u64) -> Endpoint {
        let capabilities = Capabilities {
            dead_letters: false,
            delayed_retry: None,
            extends: self.extends,
            settles_out_of_order: !self.offsets,
            ..Subscription::capabilities(broker)
        };
        let policy = ErrorPolicy::new().immediately(1).later([secs(5), secs(20)]).on_dead(self.on_dead);
        Endpoint::new("billing", broker.subscription().capabilities(capabilities))
            .topics(["orders"])
            .order(self.order)
            .concurrency(self.concurrency)
            .errors(policy)
            .max_handling(secs(6))
            .seed(seed)
    }
}

async fn publish(broker: &InMemoryBroker, number: u32) {
    let id = Uuid::from_u128(u128::from(number) + 1);
    let key = format!("key {}", number % 4);
    let body = json!({
        "message_type": "notification_event",
        "message_name": "OrderPlaced",
        "message_id": id,
        "payload": { "key": key, "number": number },
    });
    let message = OutboundMessage::new(id, MessageType::Notification, "OrderPlaced", body.to_string().into_bytes());
    broker.publish(&message.with_topic("orders").with_key(key)).await.expect("memory takes it");
}

/// Something fails, for a while or once.
async fn disturb(chance: &mut Chance, broker: &InMemoryBroker, inbox: &Faulty, worlds: &mut [World], plan: Plan) {
    let trouble = chance.trouble();
    match chance.below(10) {
        0 => inbox.troubles(|troubles| troubles.put = trouble),
        1 => inbox.troubles(|troubles| troubles.lease = trouble),
        2 => inbox.troubles(|troubles| troubles.settle = trouble),
        3 => inbox.troubles(|troubles| troubles.extend = trouble),
        4 => broker.cut(),
        5 => broker.lose_answers(3),
        6 => broker.fail_settlements(4),
        7 => broker.expire_locks("billing"),
        8 => broker.revoke("billing"),
        _ => {
            let seed = chance.below(1 << 30);
            let one = chance.below(worlds.len() as u64) as usize;
            worlds[one].crash().await;
            worlds[one].start(plan.endpoint(broker, seed));
        }
    }
}

async fn play(seed: u64) {
    let mut chance = Chance(seed);
    let (broker, inbox, plan) = (InMemoryBroker::new(), Faulty::default(), Plan::new(&mut chance));
    let first = World::stored(Engine::new(able()), handlers![Charge, Post], inbox.clone());
    let script = first.script.clone();
    let mut worlds = vec![first];
    if plan.two {
        worlds.push(worlds[0].beside(handlers![Charge, Post], inbox.clone()));
    }
    for number in 0..MESSAGES {
        for handler in HANDLERS {
            script.say(handler, number, chance.conducts());
        }
    }
    for world in &mut worlds {
        world.start(plan.endpoint(&broker, seed));
    }
    for number in 0..MESSAGES {
        publish(&broker, number).await;
        pass(millis(chance.below(3_000))).await;
        match chance.below(3) {
            0 => disturb(&mut chance, &broker, &inbox, &mut worlds, plan).await,
            1 => inbox.troubles(|troubles| *troubles = Default::default()),
            _ => {}
        }
    }
    inbox.troubles(|troubles| *troubles = Default::default());
    broker.fail_settlements(0);
    broker.lose_answers(0);
    pass(secs(1_800)).await;
    let rows = inbox.rows().await;
    let dead: Vec<_> = rows.iter().filter(|row| matches!(row.state, DeliveryState::Dead { .. })).collect();
    let parked: u64 = inbox.store().status().await.expect("memory answers").iter().map(|status| status.parked).sum();
    assert_eq!(rows.len() - dead.len(), parked as usize, "seed {seed}, {plan:?}: {rows:?}");
    assert!(plan.on_dead == OnDead::Park && plan.order == Order::PerKey || parked == 0, "seed {seed}, {plan:?}");
    let left = broker.unsettled("billing").expect("it was opened");
    assert!(left.is_empty(), "seed {seed}, {plan:?}: {} are not settled", left.len());
    assert!(broker.dead_letters("billing").is_empty(), "seed {seed}");
    // An operator has them all handled, as often as it takes.
    for _ in 0..4 {
        inbox.store().replay(&DeliveryFilter::dead()).await.expect("memory answers");
        pass(secs(300)).await;
    }
    assert_eq!(inbox.rows().await, [], "seed {seed}, {plan:?}");
    let mut places: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (place, done) in script.succeeded().into_iter().enumerate() {
        places.entry(done).or_default().push(place);
    }
    for handler in HANDLERS {
        for number in 0..MESSAGES {
            assert!(
                places.contains_key(&(handler, number)),
                "seed {seed}, {plan:?}: {handler} did not handle {number}"
            );
        }
        if plan.order == Order::PerKey && plan.on_dead == OnDead::Park {
            for key in 0..4 {
                let of_key: Vec<_> = (0..MESSAGES)
                    .filter(|number| number % 4 == key)
                    .map(|number| places[&(handler, number)][0])
                    .collect();
                assert!(of_key.is_sorted(), "seed {seed}, {plan:?}: {handler}, key {key}: {of_key:?}");
            }
        }
    }
}

#[test]
fn whatever_fails_each_handler_handles_each_message_and_in_the_order_of_its_key() {
    for seed in 0..SEEDS {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(play(seed));
    }
}
