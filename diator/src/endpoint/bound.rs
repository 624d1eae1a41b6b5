use std::any::TypeId;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::mem;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::attempt::answer;
use super::check::inbox_of;
use super::failure::Judgement;
use super::health::EndpointMonitor;
use super::memory::Memory;
use super::rows::Rows;
use super::settings::{OwnMessages, Settings};
use super::store::Store;
use super::told::Told;
use super::watchdog::Watchdog;
use super::work::{OnAttempt, OnDecision, Work};
use crate::broker::{EventRoute, InboundMessage, SENDER};
use crate::deliveries::{AttemptLog, Ended};
use crate::inbox::Inbox;
use crate::registry::HandlerId;
use crate::stop::StopSignal;
use crate::subscription::{Capabilities, Order, Subscription, Wanted};
use crate::{BoxError, Mediator};

/// How long a message is held where its lock cannot be extended, and the engine could deliver it again later.
const HELD_AT_MOST: Duration = Duration::from_secs(1);
/// A row that a rule lets wait for longer goes back to the store, so that it takes no place from others.
const ROW_HELD_AT_MOST: Duration = Duration::from_secs(5);
/// How long the start of a host waits for the database of its inbox.
const CHECK_PATIENCE: Duration = Duration::from_secs(5);
/// A handler that has to end waits so long for the attempt log.
const CUT_OFF_PATIENCE: Duration = Duration::from_secs(2);

/// An endpoint with its mediator, checked: it can run.
pub(crate) struct Bound {
    pub(super) settings: Settings,
    pub(super) subscription: Arc<dyn Subscription>,
    pub(super) capabilities: Capabilities,
    pub(super) mediator: Mediator,
    pub(super) handlers: Arc<EventsHandled>,
    pub(super) topics: Vec<String>,
    pub(super) events: Vec<EventRoute<'static>>,
    pub(super) log: Option<Arc<dyn AttemptLog>>,
    pub(super) on_attempt: Option<OnAttempt>,
    pub(super) on_decision: Option<OnDecision>,
    pub(super) monitor: EndpointMonitor,
    pub(super) kept: Kept,
    /// What it cannot handle now waits there.
    pub(super) store: Option<Arc<Store>>,
    /// It handles the rows of the store, and not what the engine delivers.
    pub(super) of_rows: bool,
}

/// What outlives an opening.
#[derive(Default)]
pub(super) struct Kept {
    memory: Mutex<Memory>,
    pub(super) unknown: Mutex<BTreeSet<String>>,
    pub(super) told: Mutex<Told>,
    pub(super) watchdog: Watchdog,
}

/// Which handlers of each event are the endpoint's, in the order in which they run.
#[derive(Debug, Default)]
pub(super) struct EventsHandled(pub(super) HashMap<TypeId, Vec<HandlerId>>);

impl EventsHandled {
    pub(super) fn of(&self, event: TypeId) -> &[HandlerId] {
        self.0.get(&event).map_or(&[], |handlers| handlers)
    }
}

impl Bound {
    pub(crate) async fn run(self: &Arc<Self>, stop: StopSignal) -> Result<(), BoxError> {
        super::run::run(self.clone(), stop).await
    }

    pub(crate) fn has_inbox(&self) -> bool {
        self.inbox().is_some()
    }

    /// Checks the tables of its inbox, which is that of the mediator, if it has one. A database that is away must not delay the start.
    pub(crate) async fn check_inbox(&self) -> Result<(), BoxError> {
        let Some(inbox) = self.inbox() else { return Ok(()) };
        timeout(CHECK_PATIENCE, inbox.check()).await.unwrap_or(Ok(()))
    }

    /// The endpoint, as a part of the host.
    pub(crate) fn child(&self) -> String {
        let part = if self.of_rows { ", its delivery store" } else { "" };
        format!("endpoint {}{part}", self.settings.name)
    }

    /// What handles the rows of its store, beside it.
    pub(super) fn beside(&self) -> Option<Self> {
        let store = self.store.clone()?;
        let Settings { seed, max_handling, .. } = self.settings;
        let (monitor, lease) = (self.monitor.of_rows(), store.lease(max_handling));
        let rows = Rows { store: store.clone(), monitor, parks: self.parks(), lease, seed };
        Some(Self {
            // The store keeps the order.
            settings: Settings { order: Order::None, ..self.settings.clone() },
            subscription: Arc::new(rows),
            capabilities: Rows::capabilities(lease),
            mediator: self.mediator.clone(),
            handlers: self.handlers.clone(),
            topics: self.topics.clone(),
            events: self.events.clone(),
            log: self.log.clone(),
            on_attempt: self.on_attempt.clone(),
            on_decision: self.on_decision.clone(),
            monitor: self.monitor.of_rows(),
            kept: Kept::default(),
            store: Some(store),
            of_rows: true,
        })
    }

    /// Whether the lease of a row must last before its handler begins, because it cannot be extended while it runs.
    pub(super) fn leases_ahead(&self) -> bool {
        self.of_rows && self.store.as_ref().is_some_and(|store| !store.deliveries.extends_beside_handlers())
    }

    /// Where a delivery of the engine goes that cannot be handled now.
    pub(super) fn puts(&self) -> Option<&Arc<Store>> {
        self.store.as_ref().filter(|_| !self.of_rows)
    }

    pub(super) fn wanted(&self) -> Wanted<'_> {
        let Settings { name, formerly, order, share, max_ahead, concurrency, .. } = &self.settings;
        let at_least_one = |number: usize| NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN);
        // What goes back is overtaken by those behind it.
        let goes_back = *order == Order::None && !self.can_hold() && self.store.is_none();
        Wanted {
            endpoint: name,
            formerly,
            topics: &self.topics,
            default_topic: self.events.iter().any(|event| event.topic.is_none()),
            events: &self.events,
            share: *share,
            order: *order,
            concurrency: at_least_one(*concurrency),
            max_ahead: at_least_one(*max_ahead),
            delays: if goes_back { self.settings.errors.delays() } else { &[] },
        }
    }

    /// Whether the program has sent it itself, and the endpoint is to leave it.
    pub(super) fn skips(&self, message: &InboundMessage) -> bool {
        let is_own = |sender| message.headers.get(SENDER) == Some(sender);
        // A row was for this endpoint before it was one.
        !self.of_rows
            && self.settings.own_messages == OwnMessages::Skip
            && self.mediator.0.sender.as_deref().is_some_and(is_own)
    }

    /// Whether a delivery can stay in hand as long as it takes.
    pub(super) fn can_hold(&self) -> bool {
        self.capabilities.lock.is_none() || self.capabilities.extends
    }

    /// After which time a delivery that goes back comes again, if it can go back for this one: the next longer one of those that the
    /// engine was told of.
    pub(super) fn goes_back_for(&self, wait: Duration) -> Option<Duration> {
        let longest = self.capabilities.delayed_retry.filter(|_| wait > HELD_AT_MOST)?;
        let named = self.wanted().delays.iter().copied();
        named.filter(|&named| wait <= named && named <= longest).min()
    }

    /// Whether a rule lets a row wait for so long that it goes back to the store. Pauses that double would begin anew there.
    pub(super) fn holds_a_place_for_long(&self, judgement: Judgement, wait: Duration) -> bool {
        self.of_rows && matches!(judgement, Judgement::Ruled(_)) && wait > ROW_HELD_AT_MOST
    }

    /// The log that has to know before the work runs.
    pub(super) fn log_for(&self, work: &Work) -> Option<&dyn AttemptLog> {
        self.log.as_deref().filter(|_| work.suspect)
    }

    /// The inbox that it enters, if there is one.
    pub(super) fn inbox(&self) -> Option<&dyn Inbox> {
        inbox_of(self.settings.share, &self.mediator)
    }

    /// The age of a message, if the inbox may have forgotten whether it was handled.
    ///
    /// An operator who replays it knows what he does, and what holds its key came to no handler meanwhile.
    pub(super) fn is_too_old(&self, work: &Work) -> Option<Duration> {
        let retention = self.inbox()?.retention();
        if work.row.as_ref().is_some_and(|row| row.generation > 0 || row.holds_key) {
            return None;
        }
        SystemTime::now().duration_since(work.made?).ok().filter(|age| *age > retention)
    }

    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.kept.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What became of a message that may come again; of a row, the store knows all but which beginnings were no crash.
    pub(super) fn remember(&self, work: Option<Box<Work>>, now: Instant) {
        if let Some(mut work) = work
            && let Some(message) = work.known_as()
        {
            let outcomes = if self.of_rows { Vec::new() } else { mem::take(&mut work.outcomes) };
            self.memory().remember(message, outcomes, work.begun, now);
        }
    }

    pub(super) async fn note_cut_off(&self, message: Option<Uuid>) {
        let (Some(log), Some(message)) = (self.log.as_ref(), message) else { return };
        let ended = [(message, Ended::CutOff)];
        if let Err(error) = answer(CUT_OFF_PATIENCE, async { log.end(&self.settings.name, &ended).await }).await {
            self.monitor.note_failed_call("attempt log", error);
        }
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound").field("settings", &self.settings).finish_non_exhaustive()
    }
}
