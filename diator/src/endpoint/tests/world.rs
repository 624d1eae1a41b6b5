use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::engine::Engine;
use crate::endpoint::{Endpoint, EndpointHealth};
use crate::host::{Host, HostError, HostMonitor};
use crate::outbox::InMemoryOutbox;
use crate::prelude::*;
use crate::stop::Stopper;

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(topic = "orders", key = key)]
pub(super) struct OrderPlaced {
    pub(super) key: String,
    pub(super) number: u32,
}

/// What a handler does with a message.
#[derive(Clone, Debug)]
pub(super) enum Conduct {
    Succeed,
    Take(Duration),
    /// It keeps its thread.
    Block(Duration),
    Fail,
    Panic,
    Down,
    Hang,
    /// It hangs, and what it holds panics when it is dropped.
    HangAndExplode,
    /// It fails, and its error panics where others show themselves.
    Bomb,
}

/// Panics when it is dropped.
struct Explodes;

impl Drop for Explodes {
    fn drop(&mut self) {
        panic!("what the handler held panics")
    }
}

#[derive(Debug)]
pub(super) struct Bomb;

impl std::fmt::Display for Bomb {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("the error panics")
    }
}

impl std::error::Error for Bomb {}

#[derive(Debug, thiserror::Error)]
#[error("the gateway is down")]
pub(super) struct GatewayDown;

/// What the handlers are to do, and what they did.
#[derive(Clone)]
pub(super) struct Script(Arc<Mutex<Inner>>);

struct Inner {
    began: Instant,
    conducts: HashMap<(&'static str, u32), Vec<Conduct>>,
    log: Vec<(&'static str, u32, Duration)>,
    running: usize,
    most_running: usize,
    ended: Vec<(&'static str, u32)>,
    succeeded: Vec<(&'static str, u32)>,
}

impl Script {
    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a handler does with a message, one time after the other; then it succeeds. The last conduct stays, if it hangs.
    pub(super) fn say(&self, handler: &'static str, number: u32, conducts: impl IntoIterator<Item = Conduct>) {
        let mut conducts: Vec<_> = conducts.into_iter().collect();
        conducts.reverse();
        self.inner().conducts.insert((handler, number), conducts);
    }

    /// Which handler began with which message, in order.
    pub(super) fn runs(&self) -> Vec<(&'static str, u32)> {
        self.inner().log.iter().map(|(handler, number, _)| (*handler, *number)).collect()
    }

    /// The numbers that one handler began with.
    pub(super) fn numbers(&self, handler: &str) -> Vec<u32> {
        let inner = self.inner();
        inner.log.iter().filter(|(name, ..)| *name == handler).map(|(_, number, _)| *number).collect()
    }

    /// When one handler began with one message, since the start of the world.
    pub(super) fn times(&self, handler: &str, number: u32) -> Vec<Duration> {
        let inner = self.inner();
        let of_it = inner.log.iter().filter(|(name, other, _)| *name == handler && *other == number);
        of_it.map(|(_, _, time)| *time).collect()
    }

    pub(super) fn most_running(&self) -> usize {
        self.inner().most_running
    }

    /// Which runs came to their end, in order.
    pub(super) fn ended(&self) -> Vec<(&'static str, u32)> {
        self.inner().ended.clone()
    }

    /// Which runs succeeded, in order.
    pub(super) fn succeeded(&self) -> Vec<(&'static str, u32)> {
        self.inner().succeeded.clone()
    }

    async fn handle(&self, handler: &'static str, number: u32) -> Result<(), BoxError> {
        let conduct = {
            let mut inner = self.inner();
            let time = inner.began.elapsed();
            inner.log.push((handler, number, time));
            inner.running += 1;
            inner.most_running = inner.most_running.max(inner.running);
            inner.conducts.get_mut(&(handler, number)).and_then(Vec::pop).unwrap_or(Conduct::Succeed)
        };
        let _running = Leaves(self);
        let ended = match conduct {
            Conduct::Succeed => Ok(()),
            Conduct::Take(time) => {
                sleep(time).await;
                Ok(())
            }
            Conduct::Block(time) => {
                std::thread::sleep(time);
                Ok(())
            }
            Conduct::Fail => Err("it fails".into()),
            Conduct::Panic => panic!("it panics"),
            Conduct::Down => Err(GatewayDown.into()),
            Conduct::Hang => std::future::pending().await,
            Conduct::HangAndExplode => {
                let _held = Explodes;
                std::future::pending().await
            }
            Conduct::Bomb => Err(Bomb.into()),
        };
        let mut inner = self.inner();
        inner.ended.push((handler, number));
        if ended.is_ok() {
            inner.succeeded.push((handler, number));
        }
        drop(inner);
        ended
    }
}

/// Counts a handler out, also one that is dropped.
struct Leaves<'a>(&'a Script);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.inner().running -= 1;
    }
}

#[event_handler(OrderPlaced, id = "charge", order = 1)]
pub(super) struct Charge {
    script: Arc<Script>,
}

impl EventHandler<OrderPlaced> for Charge {
    async fn handle(&self, event: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.script.handle("charge", event.number).await
    }
}

#[event_handler(OrderPlaced, id = "post", order = 2)]
pub(super) struct Post {
    script: Arc<Script>,
}

impl EventHandler<OrderPlaced> for Post {
    async fn handle(&self, event: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.script.handle("post", event.number).await
    }
}

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(topic = "orders")]
pub(super) struct OrderCancelled {
    pub(super) number: u32,
}

#[event_handler(OrderCancelled, id = "refund")]
pub(super) struct Refund {
    script: Arc<Script>,
}

impl EventHandler<OrderCancelled> for Refund {
    async fn handle(&self, event: &OrderCancelled, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.script.handle("refund", event.number).await
    }
}

/// It names no topic.
#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
pub(super) struct Alarmed {
    pub(super) number: u32,
}

#[event_handler(Alarmed, id = "alarm")]
pub(super) struct Alarm {
    script: Arc<Script>,
}

impl EventHandler<Alarmed> for Alarm {
    async fn handle(&self, event: &Alarmed, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.script.handle("alarm", event.number).await
    }
}

/// A host with one endpoint, on an engine of the test's own.
pub(super) struct World {
    pub(super) engine: Engine,
    pub(super) script: Script,
    pub(super) mediator: Mediator,
    running: Option<Running>,
}

struct Running {
    stopper: Stopper,
    monitor: HostMonitor,
    host: JoinHandle<Result<(), HostError>>,
}

impl World {
    /// With `Charge` alone.
    pub(super) fn new(engine: Engine) -> Self {
        Self::with(engine, handlers![Charge])
    }

    pub(super) fn with(engine: Engine, handlers: crate::Handlers) -> Self {
        Self::built(engine, Mediator::builder().handlers(handlers))
    }

    /// With an inbox, and so with its delivery store.
    pub(super) fn stored(engine: Engine, handlers: crate::Handlers, inbox: impl crate::Inbox) -> Self {
        Self::built(engine, Mediator::builder().handlers(handlers).inbox(inbox))
    }

    /// Another process, whose handlers do what the same script says.
    pub(super) fn beside(&self, handlers: crate::Handlers, inbox: impl crate::Inbox) -> Self {
        Self::scripted(self.engine.clone(), self.script.clone(), Mediator::builder().handlers(handlers).inbox(inbox))
    }

    pub(super) fn built(engine: Engine, builder: crate::MediatorBuilder) -> Self {
        let script = Script(Arc::new(Mutex::new(Inner {
            began: Instant::now(),
            conducts: HashMap::new(),
            log: Vec::new(),
            running: 0,
            most_running: 0,
            ended: Vec::new(),
            succeeded: Vec::new(),
        })));
        Self::scripted(engine, script, builder)
    }

    fn scripted(engine: Engine, script: Script, builder: crate::MediatorBuilder) -> Self {
        let mediator = builder
            .container(Services::new().singleton(Arc::new(script.clone())).extend(InMemoryOutbox::new().services()))
            .without_broker()
            .build()
            .expect("the world is in order");
        Self { engine, script, mediator, running: None }
    }

    pub(super) fn endpoint(&self) -> Endpoint {
        Endpoint::new("billing", self.engine.clone()).topics(["orders"]).seed(1)
    }

    /// Lets a host run the endpoint, with 16 s for its end: 8 s for handlers, 1 s more to settle.
    pub(super) fn start(&mut self, endpoint: Endpoint) {
        self.start_all([endpoint]);
    }

    pub(super) fn start_all(&mut self, endpoints: impl IntoIterator<Item = Endpoint>) {
        let (stopper, signal) = Stopper::new();
        let host = Host::new(self.mediator.clone()).deadline(Duration::from_secs(16));
        let host = endpoints.into_iter().fold(host, Host::endpoint);
        let monitor = host.monitor();
        let host = tokio::spawn(host.run_until(async move { signal.given().await }));
        self.running = Some(Running { stopper, monitor, host });
    }

    /// The process dies.
    pub(super) async fn crash(&mut self) {
        let running = self.running.take().expect("it runs");
        running.host.abort();
        let _cut = running.host.await;
    }

    /// The end begins, and nobody waits for it.
    pub(super) fn begin_stop(&self) {
        let running = self.running.as_ref().expect("it runs");
        running.stopper.stop(Instant::now());
    }

    pub(super) async fn ended(&mut self) -> Result<(), HostError> {
        let running = self.running.take().expect("it runs");
        running.host.await.expect("the host does not panic")
    }

    pub(super) async fn stop(&mut self) -> Result<(), HostError> {
        self.begin_stop();
        self.ended().await
    }

    pub(super) async fn is_ready(&self) -> bool {
        self.running.as_ref().expect("it runs").monitor.health().await.ready
    }

    pub(super) async fn health(&self) -> EndpointHealth {
        let running = self.running.as_ref().expect("it runs");
        running.monitor.health().await.endpoints.into_values().next().expect("it has one endpoint")
    }
}

pub(super) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Lets that much virtual time pass.
pub(super) async fn pass(time: Duration) {
    sleep(time).await;
}
