//! The engine of a consuming service: a broker in this process, which services in other processes reach over loopback.

mod connection;
mod remote;
pub mod wire;

use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;

use diator::InMemoryBroker;
use diator::broker::{MessageBroker, OutboundMessage};
use tokio::runtime::Runtime;

pub use self::remote::Remote;

/// An engine, which ends with this value.
#[derive(Debug)]
pub struct Engine {
    /// The broker: what it has, and how it makes life hard for those who consume.
    pub broker: InMemoryBroker,
    address: SocketAddr,
    /// It is there until the end.
    runtime: Option<Runtime>,
}

impl Engine {
    /// Starts one with 8 partitions.
    ///
    /// # Panics
    ///
    /// The system has no port left.
    #[must_use]
    pub fn start() -> Self {
        let runtime = Runtime::new().expect("the system has threads");
        let broker = InMemoryBroker::new();
        let partitions = NonZeroUsize::new(8).expect("it is more than zero");
        let subscription = broker.subscription().capabilities(wire::CAPABILITIES).partitions(partitions);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        listener.set_nonblocking(true).expect("it is bound");
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("it does not block");
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(connection::serve(stream, subscription.clone()));
            }
        });
        Self { broker, address, runtime: Some(runtime) }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Publishes a message.
    ///
    /// # Panics
    ///
    /// The broker refuses it.
    pub fn publish(&self, message: &OutboundMessage) {
        let runtime = self.runtime.as_ref().expect("it has not ended");
        runtime.block_on(self.broker.publish(message)).expect("it accepts everything");
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // It may be dropped by a task, which must not wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
