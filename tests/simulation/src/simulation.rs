//! One run: the processes live and die, messages come, the engine misbehaves; then all is quiet, until everything is settled.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use diator::Mediator;
use diator::deliveries::DeliveryStore;
use diator::endpoint::Endpoint;
use diator::host::{Host, HostError};
use diator::prelude::*;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::attempt_log::Log as AttemptLog;
use crate::driver::Driver;
use crate::engine::{Engine, Log, Queue};
use crate::handlers::{First, Second};
use crate::plan::{Kind, Plan};
use crate::process::Process;
use crate::shim::{Control, Shim, StoreShim};
use crate::store::{Database, Deliveries, Inbox, Transaction, operate};
use crate::trace::{End, Event, Trace};
use crate::world::World;

/// After this time without a fault, everything must be settled.
const PATIENCE: Duration = Duration::from_secs(2 * 3_600);

/// So long after the last process has ended, a call that it left behind has come to its end.
const AFTERMATH: Duration = Duration::from_secs(60);

/// It has no process of its own, and no process has its number.
const OPERATOR: usize = 0;

/// Plays a plan to its end.
pub(crate) fn play(plan: Plan, control: Option<Control>) -> Trace {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without input and output needs nothing");
    let world = runtime.block_on(live(plan, control));
    drop(runtime);
    std::mem::take(&mut world.state().trace)
}

async fn live(plan: Plan, control: Option<Control>) -> World {
    let engine: Box<dyn Engine> = match plan.kind {
        Kind::Queue => Box::new(Queue::new(plan.traits.clone())),
        Kind::Offsets | Kind::Leases => Box::new(Log::new(plan.traits.clone())),
    };
    let (processes, peace) = (plan.processes, plan.peace());
    let world = World::new(plan, engine);
    let end = Arc::new(Notify::new());
    let mut lives = JoinSet::new();
    for _ in 0..processes {
        lives.spawn(one_after_the_other(world.clone(), control, end.clone()));
    }
    let mut others = JoinSet::new();
    others.spawn(publish(world.clone()));
    others.spawn(misbehave(world.clone()));
    let operator = Process::new(OPERATOR, world.clone(), None);
    others.spawn(operate(world.clone(), deliveries(&operator, control)));
    sleep_until(world.begun() + peace).await;
    world.quieten();
    let settled = timeout(PATIENCE, async {
        while !world.is_settled() {
            sleep(Duration::from_millis(500)).await;
        }
    });
    let event = if settled.await.is_ok() { Event::Settled } else { Event::GaveIn };
    world.note(event);
    world.state().is_over = true;
    end.notify_waiters();
    let _ended = timeout(PATIENCE, async { while lives.join_next().await.is_some() {} }).await;
    // What a process has left behind is to be heard of.
    sleep(AFTERMATH).await;
    world
}

/// The processes in one place: when one has ended, another one begins.
async fn one_after_the_other(world: World, control: Option<Control>, end: Arc<Notify>) {
    while !world.state().is_over {
        let (number, steps, stop, pause) = {
            let state = &mut *world.state();
            let number = state.number();
            let crashes = state.random.chance(state.faults.crash);
            let steps = crashes.then(|| state.random.below(400));
            let stops = state.random.chance(state.faults.stop);
            let stop = stops.then(|| state.random.millis(0, 60_000));
            (number, steps, stop, state.random.millis(0, 3_000))
        };
        let process = Process::new(number, world.clone(), steps);
        world.note(Event::Started { process: number });
        live_once(&process, control, stop, &end).await;
        if !world.state().is_over {
            sleep(pause).await;
        }
    }
}

async fn live_once(process: &Process, control: Option<Control>, stop: Option<Duration>, end: &Notify) {
    let (world, number) = (process.world().clone(), process.number());
    let asked = async {
        let asked = async {
            match stop {
                Some(time) => sleep(time).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = end.notified() => {}
            () = asked => {}
        }
        world.note(Event::Stopping { process: number });
    };
    let asked = {
        let is_over = world.state().is_over;
        async move {
            if !is_over {
                asked.await;
            }
        }
    };
    let mut run = pin!(host(process, control).run_until(asked));
    let ended = tokio::select! {
        biased;
        () = process.died() => return,
        ended = &mut run => ended,
    };
    let end = match ended {
        Ok(()) => End::Clean,
        Err(HostError::Deadline { .. }) => End::Late,
        Err(_) => End::Failed,
    };
    process.world().note(Event::Stopped { process: number, end });
}

fn host(process: &Process, control: Option<Control>) -> Host {
    let plan = process.world().plan();
    let settings = &plan.settings;
    let handlers = if settings.handlers == 1 { handlers![First] } else { handlers![First, Second] };
    let services = Services::new().singleton(Arc::new(process.clone()));
    let mediator = Mediator::builder().handlers(handlers).without_broker();
    let mediator = match plan.store {
        None => mediator.container(services),
        Some(_) => {
            let of_transaction = process.clone();
            let services = services.unit_of_work_sync(move |_| Ok(Transaction::new(of_transaction.clone())));
            mediator.container(services).inbox(Inbox::new(process.clone(), deliveries(process, control)))
        }
    };
    let mediator = mediator.build().expect("the program is in order");
    let driver = Driver(process.clone());
    let endpoint = match control {
        Some(control) => Endpoint::new("billing", Shim::new(driver, control)),
        None => Endpoint::new("billing", driver),
    };
    let mut endpoint = endpoint
        .topics(["orders"])
        .concurrency(settings.concurrency)
        .max_ahead(settings.max_ahead)
        .order(settings.order)
        .errors(settings.policy())
        .unknown(settings.unknown)
        .max_handling(settings.max_handling)
        .seed(plan.seed);
    if settings.attempt_log {
        endpoint = endpoint.attempt_log(AttemptLog(process.clone()));
    }
    Host::new(mediator).deadline(settings.deadline).endpoint(endpoint)
}

/// The store, as a process or the operator reaches it.
fn deliveries(process: &Process, control: Option<Control>) -> Arc<dyn DeliveryStore> {
    let deliveries = Deliveries::new(process.clone());
    match control {
        Some(control) => Arc::new(StoreShim::new(deliveries, process.clone(), control)),
        None => Arc::new(deliveries),
    }
}

async fn publish(world: World) {
    let mut all: Vec<_> = Vec::new();
    for (message, planned) in world.plan().messages.iter().enumerate() {
        all.extend(planned.at.iter().map(|&at| (at, message)));
    }
    all.sort_unstable();
    for (at, message) in all {
        sleep_until(world.begun() + at).await;
        world.with_engine(|engine, at| engine.publish(message, at));
    }
    world.state().all_published = true;
}

async fn misbehave(world: World) {
    loop {
        let (time, does, lease_ends) = {
            let state = &mut *world.state();
            let (time, does) = (state.random.millis(200, 2_000), state.random.chance(state.faults.taken_away));
            (time, does, state.random.chance(state.store_faults.lease_ends))
        };
        if does {
            world.with_engine(|engine, at| engine.misbehave(at));
        }
        if lease_ends {
            world.with_store(Database::misbehave);
        }
        sleep_until(Instant::now() + time).await;
        if world.state().is_quiet {
            return;
        }
    }
}
