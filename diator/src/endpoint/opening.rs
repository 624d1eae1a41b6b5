use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::Bound;
use super::ask::{PATIENCE, ask};
use super::credit::Credit;
use super::ending::{Draining, Revocation};
use super::event::Event;
use super::gone::Gone;
use super::health::{EndpointState, Numbers};
use super::held::Held;
use super::jitter::Jitter;
use super::keeper::{ToPut, put_all};
use super::lanes::Lanes;
use super::locks::Locks;
use super::pause::Pause;
use super::reader::{observe_all, read_all};
use super::settler::{ToSettle, extend_all, settle_all};
use super::stuck::Stuck;
use super::suspects::Suspects;
use super::tag_map::TagMap;
use super::watermark::Watermark;
use super::workers::Workers;
use crate::subscription::{DeliveryTag, Opened, Ownership, Settle, Settlement};

/// How long a driver may take to close, and what was cut off to end before others hear of the end.
const CLOSING: Duration = Duration::from_secs(5);

/// One opening of an endpoint's subscription.
pub(super) struct Opening {
    pub(super) bound: Arc<Bound>,
    /// Everything that came and is not done with.
    pub(super) held: TagMap<Held>,
    pub(super) lanes: Lanes,
    pub(super) locks: Locks,
    pub(super) watermark: Watermark,
    pub(super) pause: Pause,
    pub(super) suspects: Suspects,
    pub(super) stuck: Stuck,
    pub(super) credit: Credit,
    pub(super) jitter: Jitter,
    /// How many the workers have, those that were handed over and have not begun among them.
    pub(super) running: usize,
    /// How many are held whose handlers are done.
    pub(super) decided: usize,
    /// These are so many that it takes nothing more, and somebody was told.
    pub(super) is_full: bool,
    /// What is to be settled in the next call.
    pub(super) outgoing: Vec<(Option<Ownership>, Settlement)>,
    /// Deliveries that wait for another one of their message.
    pub(super) twins: HashMap<Uuid, Vec<DeliveryTag>>,
    /// Owners of which nothing can be settled, and nothing is handled, any more; `None` is an engine without owners.
    pub(super) ended_owners: BTreeSet<Option<Ownership>>,
    pub(super) gone: Gone,
    /// How many settlements wait for the engine's answer.
    pub(super) settling: usize,
    pub(super) revocations: Vec<Revocation>,
    pub(super) draining: Option<Draining>,
    pub(super) last_taken: Instant,
    /// When nothing waited at last, or there was no room for it.
    pub(super) last_wanted: Instant,
    pub(super) workers: Workers,
    /// What else runs beside the loop, and ends with it.
    pub(super) tasks: JoinSet<()>,
    pub(super) inbox: UnboundedReceiver<Event>,
    pub(super) to_settle: UnboundedSender<ToSettle>,
    pub(super) to_put: UnboundedSender<ToPut>,
    /// How many deliveries wait for the store.
    pub(super) keeping: usize,
    pub(super) to_extend: UnboundedSender<Vec<DeliveryTag>>,
    /// How many deliveries may have come since the opening.
    pub(super) grants: watch::Sender<u64>,
    pub(super) engine: Arc<dyn Settle>,
}

impl Opening {
    pub(super) fn new(bound: Arc<Bound>, Opened { source, settle }: Opened) -> Self {
        let (events, inbox) = unbounded_channel();
        let (to_settle, settlements) = unbounded_channel();
        let (to_extend, extensions) = unbounded_channel();
        let (to_put, rows) = unbounded_channel();
        let (grants, granted) = watch::channel(0);
        let capabilities = bound.capabilities;
        let settings = &bound.settings;
        let mut tasks = JoinSet::new();
        tasks.spawn(read_all(settings.name.clone(), source, granted, events.clone()));
        tasks.spawn(settle_all(settle.clone(), !capabilities.settles_out_of_order, settlements, events.clone()));
        if let (Some(lock), true) = (capabilities.lock, capabilities.extends) {
            tasks.spawn(extend_all(settle.clone(), extensions, lock / 3, events.clone()));
        }
        if let Some(store) = bound.puts() {
            tasks.spawn(put_all(store.clone(), rows, events.clone()));
        }
        tasks.spawn(observe_all(settle.clone(), events.clone()));
        Self {
            held: TagMap::default(),
            lanes: Lanes::new(settings.order),
            locks: Locks::new(capabilities.lock, capabilities.extends),
            watermark: Watermark::default(),
            pause: Pause::Open,
            suspects: Suspects::new(settings.max_ahead),
            stuck: Stuck::default(),
            credit: Credit::new(settings.concurrency, settings.max_ahead, capabilities.lock),
            jitter: settings.seed.map_or_else(Jitter::random, Jitter::new),
            running: 0,
            decided: 0,
            is_full: false,
            outgoing: Vec::new(),
            twins: HashMap::new(),
            ended_owners: BTreeSet::new(),
            gone: Gone::default(),
            settling: 0,
            revocations: Vec::new(),
            draining: None,
            last_taken: Instant::now(),
            last_wanted: Instant::now(),
            workers: Workers::new(settings.concurrency, bound.clone(), settle.clone(), events),
            tasks,
            inbox,
            to_settle,
            to_put,
            keeping: 0,
            to_extend,
            grants,
            engine: settle,
            bound,
        }
    }

    /// Ends what still runs, and gives the subscription up. It does not return before all handlers have ended: none may run beside
    /// the next opening.
    pub(super) async fn finish(mut self) {
        self.call_back();
        self.tags(|held| held.stage.runs()).into_iter().for_each(|tag| self.cut(tag));
        self.workers.dismiss();
        let all_have_ended = timeout(CLOSING, self.workers.all_ended()).await;
        // The source goes with its task.
        self.tasks.shutdown().await;
        let _closed = ask(async { self.engine.close().await }, PATIENCE).await;
        if all_have_ended.is_err() {
            tracing::warn!(
                target: "diator",
                endpoint = &*self.bound.settings.name,
                handlers = self.workers.len(),
                "handlers that block their threads cannot be cut off, and the endpoint does not open anew before they end"
            );
            self.workers.shutdown().await;
        }
        let now = Instant::now();
        while let Ok(event) = self.inbox.try_recv() {
            if let Event::Worked { work, .. } = event {
                self.bound.remember(Some(work), now);
            }
        }
        for tag in self.tags(|_| true) {
            self.bound.remember(self.held.remove(&tag).and_then(|held| held.work), now);
        }
        self.bound.monitor.note(EndpointState::Ending, Numbers::default());
    }
}
