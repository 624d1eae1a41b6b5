use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::endpoint::{EndpointHealth, EndpointMonitor};
use crate::relay::{RelayHealth, RelayMonitor};

/// An endpoint asks its store every 15 s what it keeps: this long without an answer is no fault.
const UNTOLD: Duration = Duration::from_secs(60);

/// Reports the health of a host that runs elsewhere in the process.
///
/// Clones report on the same host.
///
/// # Example
///
/// ```
/// # use diator::host::{Host, HostMonitor};
/// # async fn page(monitor: HostMonitor) -> Result<(u16, String), serde_json::Error> {
/// let health = monitor.health().await;
/// let status = if health.ready { 200 } else { 503 };
/// Ok((status, serde_json::to_string(&health)?))
/// # }
/// ```
#[derive(Clone)]
pub struct HostMonitor(Arc<Mutex<Seen>>);

struct Seen {
    running: bool,
    children: BTreeMap<String, ChildHealth>,
    endpoints: Vec<EndpointMonitor>,
    relay: Option<RelayMonitor>,
    ready_below: Duration,
}

/// The health of a host.
///
/// # Guarantees
///
/// The host is ready if all of this is true:
///
/// - It runs, no child is restarting, and the database answers.
/// - Each of these ages is below [`ready_below`](super::Host::ready_below): that of the oldest message that a relay
///   could publish; that of the oldest message that waits for an endpoint at the engine; the time for which a kept
///   delivery could have been handled; the time for which a message in hand [is stuck](EndpointHealth::stuck_seconds).
/// - The delivery store has answered within `ready_below`, or within a minute.
///
/// The number of messages does not count: a large backlog that gets smaller is no fault. Dead letters do not count
/// either, and neither do the messages that are parked behind them: they wait for an operator.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Health {
    /// Whether a load balancer should send requests to this process.
    pub ready: bool,
    /// Whether the host has started and has not begun to stop.
    pub running: bool,
    /// The health of each child by its name: `relay`, and `endpoint billing` for the endpoint of that name.
    pub children: BTreeMap<String, ChildHealth>,
    /// The health of the endpoints by their names.
    pub endpoints: BTreeMap<String, EndpointHealth>,
    /// The health of the relay, if the host has one.
    pub relay: Option<RelayHealth>,
}

/// The health of a child, which is a part that the host restarts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ChildHealth {
    /// Whether the child works.
    pub state: ChildState,
    /// How often the host has started it again.
    pub restarts: u64,
    /// The error of its last failure.
    pub error: Option<String>,
}

/// Whether a child of a host works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChildState {
    /// The child works.
    Running,
    /// The child has failed, and the host is about to start it again.
    Restarting,
    /// The host has told the child to stop, and the child has ended.
    Ended,
}

impl HostMonitor {
    pub(super) fn new() -> Self {
        let ready_below = Duration::from_secs(300);
        Self(Arc::new(Mutex::new(Seen {
            running: false,
            children: BTreeMap::new(),
            endpoints: Vec::new(),
            relay: None,
            ready_below,
        })))
    }

    /// Checks everything that the host runs, within about two seconds.
    pub async fn health(&self) -> Health {
        let relay = self.seen().relay.clone();
        let relay = match relay {
            Some(relay) => Some(relay.health().await),
            None => None,
        };
        let seen = self.seen();
        let gets_on = relay.as_ref().is_none_or(|relay| {
            relay.error.is_none() && relay.oldest_seconds.is_none_or(|age| age < seen.ready_below.as_secs_f64())
        });
        let children = seen.children.clone();
        let of = |endpoint: &EndpointMonitor| (endpoint.name.to_string(), endpoint.health());
        let endpoints: BTreeMap<_, _> = seen.endpoints.iter().map(of).collect();
        let is_young = |endpoint: &EndpointHealth| {
            let overdue = endpoint.kept.as_ref().and_then(|kept| kept.overdue_seconds);
            let is_below = |age: Option<f64>, limit: Duration| age.is_none_or(|age| age < limit.as_secs_f64());
            [endpoint.oldest_seconds, overdue, endpoint.stuck_seconds]
                .into_iter()
                .all(|age| is_below(age, seen.ready_below))
                && is_below(endpoint.kept_seconds, seen.ready_below.max(UNTOLD))
        };
        let gets_on = gets_on && endpoints.values().all(is_young);
        let all_work = children.values().all(|child| child.state == ChildState::Running);
        Health { ready: seen.running && gets_on && all_work, running: seen.running, children, endpoints, relay }
    }

    pub(super) fn watch_relay(&self, relay: RelayMonitor) {
        self.seen().relay = Some(relay);
    }

    pub(super) fn watch_endpoint(&self, endpoint: EndpointMonitor) {
        self.seen().endpoints.push(endpoint);
    }

    pub(super) fn ready_below(&self, age: Duration) {
        self.seen().ready_below = age;
    }

    pub(super) fn set_running(&self, running: bool) {
        self.seen().running = running;
    }

    pub(super) fn note_child(&self, name: &str, state: ChildState, error: Option<String>) {
        let mut seen = self.seen();
        let child = seen.children.entry(name.to_owned()).or_insert(ChildHealth { state, restarts: 0, error: None });
        child.state = state;
        child.restarts += u64::from(state == ChildState::Restarting);
        child.error = error.or(child.error.take());
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for HostMonitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = self.seen();
        f.debug_struct("HostMonitor")
            .field("running", &seen.running)
            .field("children", &seen.children)
            .finish_non_exhaustive()
    }
}
