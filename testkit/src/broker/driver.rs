use std::net::SocketAddr;
use std::sync::Arc;

use diator::MessageBroker;
use diator::broker::Guarantees;
use uuid::Uuid;

/// A driver under test, with a server of its own if it has one.
///
/// The author of a driver implements it in a test file: the [module](super) has one. Each case starts a driver, and
/// drops it at its end; the server must then end too.
#[diator::async_trait]
pub trait Driver: Send + Sync + Sized + 'static {
    /// The driver's promises; the cases check these, and no others.
    const GUARANTEES: Guarantees;

    /// Starts the server, empty; it must not share anything with the servers of cases that run at the same time.
    async fn start() -> Self;

    /// Makes a broker that shares no connection with others.
    ///
    /// It need not connect before it publishes, and must not wait. A driver without a server may return the same broker
    /// each time. The deadline of its calls must be less than 20 seconds.
    fn connect(&self, login: Login) -> Arc<dyn MessageBroker>;

    /// Listens to the messages that are published from now on, and to those that were published before, if the server
    /// keeps them.
    ///
    /// It must read with another client than the driver's, and must be listening when this returns.
    async fn listen(&self) -> Box<dyn Listener>;

    /// The server, for [`broker_faults!`](crate::broker_faults).
    ///
    /// # Panics
    ///
    /// The default always panics: the driver has no server.
    fn server(&self) -> &dyn Server {
        panic!("it has no server")
    }

    /// Makes a broker as [`connect`](Self::connect) does for [`Login::Right`], which finds the server at this address
    /// of a [`Proxy`](crate::Proxy); for [`broker_faults!`](crate::broker_faults).
    ///
    /// # Panics
    ///
    /// The default always panics: the driver has no server.
    fn connect_through(&self, _proxy: SocketAddr) -> Arc<dyn MessageBroker> {
        panic!("it has no server")
    }
}

/// A driver whose servers can take over from one another, for [`broker_failover!`](crate::broker_failover).
pub trait Failover: Driver {
    /// Makes the server a replica of the other driver's, which takes messages; its connections stay open.
    fn demote(&self, successor: &Self);
}

/// A driver whose server can stop storing messages while it runs; for [`broker_storage!`](crate::broker_storage).
///
/// [`GUARANTEES`](Driver::GUARANTEES) must state that it is durable.
pub trait Storage: Driver {
    /// Lets the server confirm messages from now on without storing them; its connections stay open.
    fn stop_storing(&self);
}

/// The user to connect as; a driver without logins may ignore it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// As a user who may publish.
    Right,
    /// With a password that is not that user's: [`Login::WRONG`].
    WrongPassword,
    /// As a user who may not publish.
    NotPermitted,
}

impl Login {
    /// A wrong password; no text may repeat it.
    pub const WRONG: &'static str = "wr0ng-s3cret";
}

/// Receives messages, in the order in which they arrive.
#[diator::async_trait]
pub trait Listener: Send {
    /// Waits for the next one; `None` once the server is gone.
    async fn next(&mut self) -> Option<Arrived>;
}

/// A message as a consumer sees it.
#[derive(Clone, PartialEq, Eq)]
pub struct Arrived {
    /// Its id, from wherever the driver puts it.
    pub id: Uuid,
    /// Its body.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Arrived {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = String::from_utf8_lossy(&self.body[..self.body.len().min(64)]);
        write!(f, "{} ({} bytes: {shown:?})", self.id, self.body.len())
    }
}

/// A server that can be made to misbehave.
///
/// [`ServerProcess`](crate::ServerProcess) does the first four for a server that is a child process.
pub trait Server: Send + Sync {
    /// Ends the server at once, without a chance to save anything.
    fn kill(&self);
    /// Starts the server again, with what it saved.
    fn restart(&self);
    /// Stops the server in the middle of whatever it does; its connections stay open.
    fn pause(&self);
    /// Lets the server go on.
    fn resume(&self);
    /// Permits [`Login::NotPermitted`] to publish.
    fn permit(&self);
    /// Refuses larger bodies from now on, without the driver's knowledge; present connections stay.
    fn limit(&self, bytes: usize);
    /// The address at which the server listens.
    fn address(&self) -> SocketAddr;
}
