//! Runs a web server and a relay beside the mediator, and ends them in the right order.
//!
//! | part | file |
//! |---|---|
//! | the host: start, run, stop | `mod` |
//! | the trait of a part that the host restarts; the parts that have it | `child`, `children` |
//! | a part that lets requests in, such as a web server | `front` |
//! | the health of all parts | `health` |
//! | why it did not start, or did not end in order | `error` |

mod child;
mod children;
mod error;
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
use crate::wiring::Wiring;

use self::child::{Child, Supervised};
use self::children::EndpointChild;
pub use self::error::HostError;
use self::front::Fronts;
pub use self::front::Stop;
pub use self::health::{ChildHealth, ChildState, Health, HostMonitor};
#[cfg(feature = "signal")]
#[cfg_attr(docsrs, doc(cfg(feature = "signal")))]
pub use self::signal::shutdown_signal;

/// No deadline is longer: a longer one is a mistake, and clocks cannot add every duration.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);

/// Runs a program's web server, endpoints and relay beside its mediator, until `stop` ends.
///
/// # Guarantees
///
/// - **Wiring.** The host starts nothing if the mediator has an outbox and the host has no relay, if the host has a relay and the mediator
///   has no outbox, or if the relay reads other tables than those that the outbox writes. A mediator whose builder says
///   [`relayed_elsewhere`](crate::MediatorBuilder::relayed_elsewhere) may have an outbox without a relay, or with a relay of another store.
/// - **Start.** The endpoints report everything that is wrong with them at once ([`EndpointError`](crate::endpoint::EndpointError)). The
///   relay first checks the tables of its store, and the endpoints those of the inbox; the host starts nothing if they do not fit. If the
///   database does not answer within 5 s, the host starts anyway, and the relay checks later. If `stop` ends before that, the host starts nothing.
/// - **Run.** If the relay or an endpoint fails or panics, the host starts it again after 100 ms. The wait doubles with each failure, up
///   to 30 s, until it has run for a second and for longer than the wait. If a front ends, the host stops.
/// - **Stop.** First the fronts and the endpoints take nothing new and finish what they have. Then the mediator finishes its messages. Then the
///   relay publishes the pending events that the broker takes, and gives its leases back. The host drops everything that has not ended
///   at the [deadline](Self::deadline).
/// - **Cancellation.** If the caller drops the future of [`run_until`](Self::run_until), the host drops everything at once. Committed
///   data and events stay in the database.
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

impl Host {
    /// Makes a host that runs nothing but the mediator.
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

    /// Adds a part that lets requests in, such as a web server.
    ///
    /// The front must end when its `stop` ends.
    ///
    /// # Guarantees
    ///
    /// The front runs in a task of its own. If it ends by itself, the host stops. If it fails, the host stops and answers with
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

    /// Adds an endpoint, which lets the mediator's handlers handle what a subscription delivers; a host may have any number of them.
    pub fn endpoint(mut self, endpoint: Endpoint) -> Self {
        self.monitor.watch_endpoint(endpoint.monitor());
        self.endpoints.push(endpoint);
        self
    }

    /// Adds the relay that publishes the events of the mediator's outbox.
    ///
    /// It publishes to the mediator's broker, unless it has its own.
    pub fn relay(mut self, relay: Relay) -> Self {
        self.monitor.watch_relay(relay.monitor());
        self.relay = Some(relay);
        self
    }

    /// Limits how long the host takes to stop.
    ///
    /// # Units
    ///
    /// 30 s by default, a day at most, counted from the end of `stop`. Zero drops everything at once. Each part has its share:
    ///
    /// | time | part |
    /// |---|---|
    /// | up to 4/8 of the deadline | the fronts finish their requests, and the endpoints let handlers come to their end |
    /// | up to 9/16 | the endpoints settle |
    /// | up to 5/8 | the mediator finishes its messages |
    /// | up to 6/8 | the relay publishes |
    /// | up to the deadline | the relay notes the broker's answers, and gives its leases back |
    ///
    /// The broker must answer within the last two eighths for what the relay gave it at the end of its share. So the deadline should be
    /// at least four and a half times the broker's [deadline](crate::MessageBroker::deadline): 45 s for 10 s. If the broker answers later,
    /// the host answers with [`HostError::Deadline`], the leases end with their period, and another relay publishes again what was
    /// sent and not noted: at most one [`batch`](Relay::batch).
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets the age of the oldest message below which the host is [ready](Health::ready).
    ///
    /// # Units
    ///
    /// 5 minutes by default. With zero the host is ready only if no message is pending.
    pub fn ready_below(self, age: Duration) -> Self {
        self.monitor.ready_below(age);
        self
    }

    /// Returns a monitor, which reports the host's health to a supervisor.
    #[must_use]
    pub fn monitor(&self) -> HostMonitor {
        self.monitor.clone()
    }

    /// Lists the parts of the mediator and the endpoints; the call checks nothing, and connects to nothing.
    #[must_use]
    pub fn wiring(&self) -> Wiring {
        self.endpoints.iter().fold(self.mediator.wiring(), Wiring::with_endpoint)
    }

    /// Runs until `stop` or a front ends, and then ends everything in order.
    ///
    /// # Errors
    ///
    /// Each [`HostError`].
    ///
    /// # Panics
    ///
    /// If it runs outside a tokio runtime with a timer.
    pub async fn run_until(self, stop: impl Future) -> Result<(), HostError> {
        let Self { mediator, fronts, endpoints, relay, deadline, monitor } = self;
        check_wiring(&mediator, relay.as_ref())?;
        let endpoints = bind(endpoints, &mediator)
            .map_err(|error| HostError::Start { child: "endpoints", source: error.into() })?;
        // They all enter the one inbox of the mediator, except those that broadcast.
        let with_inbox = endpoints.iter().find(|endpoint| endpoint.has_inbox()).cloned();
        let endpoints = endpoints.into_iter().map(EndpointChild::new).map(|child| Arc::new(child) as Arc<dyn Child>);
        let relay = relay.map(|relay| match (relay.has_broker(), &mediator.0.broker) {
            (false, Some(broker)) => relay.with_shared_broker(broker.clone()),
            _ => relay,
        });
        let children: Vec<Arc<dyn Child>> = relay.into_iter().map(|relay| Arc::new(relay) as Arc<dyn Child>).collect();
        let mut stop = pin!(stop);
        let prepare = async {
            if let Some(endpoint) = with_inbox {
                endpoint.check_inbox().await.map_err(|source| HostError::Start { child: "inbox", source })?;
            }
            for child in &children {
                child.prepare().await.map_err(|source| HostError::Start { child: "relay", source })?;
            }
            Ok(())
        };
        match race(prepare, stop.as_mut()).await {
            First::Left(prepared) => prepared?,
            First::Right(_) => {
                let share = deadline.min(LONGEST);
                let left = mediator.shutdown(share).await;
                let late = HostError::Deadline { what: "a message", share, deadline };
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
        // The caller gets the error after everything else has ended, and by then nobody looks for the reason any more.
        if let Some(Err(error)) = &ended_early {
            let text = "a front failed: the host ends everything else in order";
            tracing::error!(target: "diator", ?deadline, error = %crate::shown::text(crate::shown::Chain(&**error)), "{text}");
        }

        let stopped = Instant::now();
        let shares = Shares::of(deadline.min(LONGEST), stopped);
        // Neither waits for the other: no request waits for what an endpoint handles.
        stop_endpoints.stop(shares.fronts);
        let fronts_ended = timeout_at(shares.fronts, fronts.stop()).await;
        let endpoints_ended = all_ended(endpoints, shares.endpoints).await;
        let left = mediator.shutdown(shares.messages.saturating_duration_since(Instant::now())).await;
        stop_children.stop(shares.children);
        let children_ended = all_ended(children, shares.end).await;
        let late = |what, by: Instant| HostError::Deadline { what, share: by - stopped, deadline };
        if let Some(Err(error)) = ended_early {
            return Err(HostError::Front(error));
        }
        fronts_ended.map_err(|_| late("a front", shares.fronts))?.map_err(HostError::Front)?;
        endpoints_ended.map_err(|_| late("an endpoint", shares.endpoints))?;
        if !left.is_clean() {
            return Err(late("a message", shares.messages));
        }
        children_ended.map_err(|_| late("the relay", shares.end))
    }
}

/// Whether the relay publishes what the mediator writes.
fn check_wiring(mediator: &Mediator, relay: Option<&Relay>) -> Result<(), HostError> {
    match (&mediator.0.outbox, relay) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(HostError::NoOutbox),
        (Some(_), _) if mediator.0.relayed_elsewhere => Ok(()),
        (Some(_), None) => Err(HostError::NoRelay),
        (Some(outbox), Some(relay)) => match (outbox.place(), relay.place()) {
            (Some(outbox), Some(relay)) if outbox != relay => Err(HostError::OtherStore { outbox, relay }),
            _ => Ok(()),
        },
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

/// The time by which each part must end, so that no part uses up the time of the next.
struct Shares {
    fronts: Instant,
    /// The handlers of the endpoints run until the share of the fronts is over; the endpoints settle until this.
    endpoints: Instant,
    messages: Instant,
    /// The relay publishes until then; until `end` it may note the answers.
    children: Instant,
    end: Instant,
}

impl Shares {
    fn of(deadline: Duration, now: Instant) -> Self {
        let after = |sixteenths: u32| now + deadline / 16 * sixteenths;
        Self { fronts: after(8), endpoints: after(9), messages: after(10), children: after(12), end: now + deadline }
    }
}

/// Notes that the host no longer runs, even if its future is dropped.
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
