//! Runs what stands beside the mediator, and ends all of it in the right order.
//!
//! | part | file |
//! |---|---|
//! | the host: start, run, stop | `mod` |
//! | what it runs, as it sees it; what that is | `child`, `children` |
//! | a web server, which ends first | `front` |
//! | how all of it is | `health` |

mod child;
mod children;
mod front;
mod health;
#[cfg(feature = "signal")]
mod signal;

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};

use crate::BoxError;
use crate::endpoint::{Endpoint, bind};
use crate::mediator::Mediator;
use crate::race::{First, race};
use crate::relay::Relay;
use crate::stop::Stopper;

use self::child::{Child, Supervised};
use self::children::EndpointChild;
use self::front::Fronts;
pub use self::front::Stop;
pub use self::health::{ChildHealth, ChildState, Health, HostMonitor};
#[cfg(feature = "signal")]
#[cfg_attr(docsrs, doc(cfg(feature = "signal")))]
pub use self::signal::shutdown_signal;

/// No deadline is longer: more is not a time but a slip, and no clock can add it.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);

/// Runs a program's web server, endpoints and relay beside its mediator, until it is told to stop.
///
/// # Guarantees
///
/// - **Start.** Nothing starts before all children have said that they can work: endpoints report all that is wrong with them at once
///   ([`EndpointError`](crate::endpoint::EndpointError)), a relay looks at the tables of its store. A data
///   base that does not answer within 5 s holds nothing up; the relay looks again when it does. If `stop` ends before that, nothing
///   starts.
/// - **Run.** A child that fails or panics is started again, after 100 ms, and twice as long each time it fails at once, up to
///   30 s. A front that ends ends the host.
/// - **Stop**, in this order: the fronts and the endpoints take no more and finish what they have; the mediator finishes its messages;
///   the relay publishes what these have left, as far as it can go, and gives its leases back. What is not done by the deadline is dropped.
/// - Dropping the future of [`run_until`](Self::run_until) drops all of it at once; nothing is lost that is committed.
///
/// # Example
///
/// ```
/// use diator::host::Host;
/// use diator::outbox::InMemoryOutbox;
/// use diator::prelude::*;
/// use diator::relay::Relay;
///
/// #[derive(Debug, serde::Serialize, serde::Deserialize, NotificationEvent)]
/// struct UserJoined { user_id: u64 }
///
/// # #[derive(Command)] struct Nothing;
/// # #[request_handler(Nothing)] struct Handle;
/// # impl RequestHandler<Nothing> for Handle {
/// #     async fn handle(&self, _: Nothing, _: &mut RequestContext<'_, Nothing>) -> Result<(), BoxError> { Ok(()) }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let (outbox, broker) = (InMemoryOutbox::new(), InMemoryBroker::new());
/// let mediator = Mediator::builder()
///     .handlers(handlers![Handle])
///     .container(outbox.services())
///     .broker(broker.clone())
///     .outbox(outbox.clone())
///     .build()?;
/// let service = mediator.clone();
/// Host::new(mediator)
///     .relay(Relay::new(outbox))
///     // In a service: `.front(|stop| axum::serve(listener, routes).with_graceful_shutdown(stop))`.
///     .front(|stop| async move {
///         service.emit(UserJoined { user_id: 7 }).await?;
///         stop.await;
///         Ok::<_, BoxError>(())
///     })
///     .run_until(broker.published_at_least(1))
///     .await?;
/// broker.assert_published::<UserJoined>(|event| event.user_id == 7);
/// # Ok(())
/// # }
/// ```
#[must_use = "a host does nothing until it runs"]
pub struct Host {
    mediator: Mediator,
    fronts: Fronts,
    endpoints: Vec<Endpoint>,
    relay: Option<Relay>,
    deadline: Duration,
    monitor: HostMonitor,
}

/// Why a host did not start, or did not end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// A child cannot work; nothing was started.
    #[error("`{child}` cannot start")]
    Start {
        /// Which one.
        child: &'static str,
        /// Why.
        source: BoxError,
    },
    /// A front failed; all else was told to end, in order.
    #[error("a front failed")]
    Front(#[source] BoxError),
    /// The deadline came before all had ended.
    #[error("{what} had not ended when the deadline of {deadline:?} came")]
    Deadline {
        /// What was dropped then.
        what: &'static str,
        /// The deadline.
        deadline: Duration,
    },
}

impl Host {
    /// A host that runs nothing yet.
    pub fn new(mediator: Mediator) -> Self {
        Self {
            mediator,
            fronts: Fronts::default(),
            endpoints: Vec::new(),
            relay: None,
            deadline: Duration::from_secs(30),
            monitor: HostMonitor::new(),
        }
    }

    /// Runs what lets requests in, such as a web server; it must end when `stop` does.
    ///
    /// # Guarantees
    ///
    /// The front runs in a task of its own. When it ends by itself, the host stops; when it fails, the host stops and answers with
    /// [`HostError::Front`].
    pub fn front<F, R, E>(mut self, front: F) -> Self
    where
        F: FnOnce(Stop) -> R + Send + 'static,
        R: IntoFuture<Output = Result<(), E>>,
        R::IntoFuture: Send + 'static,
        E: Into<BoxError> + Send + 'static,
    {
        self.fronts.add(front);
        self
    }

    /// Lets the mediator's handlers handle what a subscription delivers; any number of endpoints may be added.
    pub fn endpoint(mut self, endpoint: Endpoint) -> Self {
        self.monitor.watch_endpoint(endpoint.monitor());
        self.endpoints.push(endpoint);
        self
    }

    /// Publishes what the mediator's outbox holds; to the mediator's broker, unless the relay has one of its own.
    pub fn relay(mut self, relay: Relay) -> Self {
        self.monitor.watch_relay(relay.monitor());
        self.relay = Some(relay);
        self
    }

    /// Bounds how long it takes to stop.
    ///
    /// # Units
    ///
    /// 30 s by default, a day at most, counted from when `stop` ends. Fronts and endpoints may take a half of it, the endpoints a
    /// sixteenth more to settle; the messages may take five eighths, the relay another eighth to publish, and the rest to note it down.
    /// Zero drops everything at once.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Says from which age of the oldest unpublished message the host is no longer [ready](Health::ready).
    ///
    /// # Units
    ///
    /// 5 minutes by default.
    pub fn ready_below(self, age: Duration) -> Self {
        self.monitor.ready_below(age);
        self
    }

    /// What tells how all of it is, for a page that a supervisor reads.
    #[must_use]
    pub fn monitor(&self) -> HostMonitor {
        self.monitor.clone()
    }

    /// Runs until `stop` ends or a front does, and ends everything in order.
    ///
    /// # Errors
    ///
    /// As of [`HostError`].
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with a timer.
    pub async fn run_until(self, stop: impl Future) -> Result<(), HostError> {
        let Self { mediator, fronts, endpoints, relay, deadline, monitor } = self;
        let endpoints = bind(endpoints, &mediator)
            .map_err(|error| HostError::Start { child: "endpoints", source: error.into() })?;
        let endpoints = endpoints.into_iter().map(EndpointChild::new).map(|child| Arc::new(child) as Arc<dyn Child>);
        let relay = relay.map(|relay| match (relay.has_broker(), &mediator.0.broker) {
            (false, Some(broker)) => relay.with_shared_broker(broker.clone()),
            _ => relay,
        });
        let children: Vec<Arc<dyn Child>> = relay.into_iter().map(|relay| Arc::new(relay) as Arc<dyn Child>).collect();
        let mut stop = pin!(stop);
        let prepare = async {
            for child in &children {
                child.prepare().await.map_err(|source| HostError::Start { child: "relay", source })?;
            }
            Ok(())
        };
        match race(prepare, stop.as_mut()).await {
            First::Left(prepared) => prepared?,
            First::Right(_) => {
                let left = mediator.shutdown(deadline.min(LONGEST)).await;
                let late = HostError::Deadline { what: "a message", deadline };
                return if left.is_clean() { Ok(()) } else { Err(late) };
            }
        }
        let (stop_children, signal) = Stopper::new();
        let children: Vec<_> =
            children.into_iter().map(|child| Supervised::start(child, signal.clone(), &monitor)).collect();
        let (stop_endpoints, signal) = Stopper::new();
        let endpoints: Vec<_> =
            endpoints.map(|endpoint| Supervised::start(endpoint, signal.clone(), &monitor)).collect();
        let mut fronts = fronts.start();
        let running = RunningMark::set(&monitor);
        let ended_early = match race(fronts.first_end(), stop).await {
            First::Left(ended) => Some(ended),
            First::Right(_) => None,
        };
        drop(running);

        let shares = Shares::of(deadline.min(LONGEST), Instant::now());
        // Neither waits for the other: no request waits for what an endpoint handles.
        stop_endpoints.stop(shares.fronts);
        let fronts_ended = timeout_at(shares.fronts, fronts.stop()).await;
        let endpoints_ended = all_ended(endpoints, shares.endpoints).await;
        let left = mediator.shutdown(shares.messages.saturating_duration_since(Instant::now())).await;
        stop_children.stop(shares.children);
        let children_ended = all_ended(children, shares.end).await;
        let late = |what| HostError::Deadline { what, deadline };
        if let Some(Err(error)) = ended_early {
            return Err(HostError::Front(error));
        }
        fronts_ended.map_err(|_| late("a front"))?.map_err(HostError::Front)?;
        endpoints_ended.map_err(|_| late("an endpoint"))?;
        if !left.is_clean() {
            return Err(late("a message"));
        }
        children_ended.map_err(|_| late("the relay"))
    }
}

/// Waits for children that were told to stop; what has not ended by then is dropped.
async fn all_ended(children: Vec<Supervised>, by: Instant) -> Result<(), Elapsed> {
    let mut ended = Ok(());
    for child in children {
        ended = ended.and(timeout_at(by, child.ended()).await);
    }
    ended
}

/// Until when each part may take to end: none of them may use up the time of those that come after it.
struct Shares {
    fronts: Instant,
    /// Until the share of the fronts their handlers run; what is done they settle until then.
    endpoints: Instant,
    messages: Instant,
    /// Until then they work; what they have begun they note down until the end.
    children: Instant,
    end: Instant,
}

impl Shares {
    fn of(deadline: Duration, now: Instant) -> Self {
        let after = |sixteenths: u32| now + deadline / 16 * sixteenths;
        Self { fronts: after(8), endpoints: after(9), messages: after(10), children: after(12), end: now + deadline }
    }
}

/// Puts down that the host no longer runs, also if it is dropped.
struct RunningMark(HostMonitor);

impl RunningMark {
    fn set(monitor: &HostMonitor) -> Self {
        monitor.set_running(true);
        Self(monitor.clone())
    }
}

impl Drop for RunningMark {
    fn drop(&mut self) {
        self.0.set_running(false);
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("fronts", &self.fronts)
            .field("endpoints", &self.endpoints)
            .field("relay", &self.relay)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
