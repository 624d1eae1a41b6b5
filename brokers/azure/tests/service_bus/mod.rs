//! A stand-in for Azure Service Bus: TLS on a loopback port, that checks what it gets as the service documents it.
//!
//! It shows what a client sends. It does not show that the service would take it.

mod request;
mod sas;
mod script;
mod tls;

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddr, TcpListener as Port};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use diator_azure::ServiceBusConfig;
use diator_azure::reqwest::{Certificate, ClientBuilder};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

pub(crate) use self::request::Captured;
pub(crate) use self::sas::sas_token;
pub(crate) use self::script::Answer;

/// The name of the access policy that may send.
pub(crate) const POLICY: &str = "send";
/// Its key.
pub(crate) const KEY: &str = "c2VjcmV0LWtleS1mb3ItdGVzdHMtb25seS0wMDAwMDA=";
/// A policy that may only listen; its key is the same.
pub(crate) const LISTENER: &str = "listen";

/// A server that stands in for Service Bus; what it took outlives [`stop`](Self::stop), as what a service stored would.
pub(crate) struct ServiceBusServer {
    shared: Arc<Shared>,
    certificate: Certificate,
    acceptor: TlsAcceptor,
    address: SocketAddr,
    running: Mutex<Option<Runtime>>,
}

struct Shared {
    keys: Mutex<HashMap<String, String>>,
    script: Mutex<VecDeque<Answer>>,
    denied: Mutex<HashSet<String>>,
    limit: AtomicUsize,
    connections: AtomicUsize,
    gate: watch::Sender<Gate>,
    record: watch::Sender<Record>,
}

/// How far the server goes with what comes.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Gate {
    #[default]
    Open,
    /// It reads requests, and leaves them.
    Held,
    /// It does nothing at all.
    Shut,
}

/// What came, and what was taken of it.
#[derive(Clone, Default)]
struct Record {
    requests: Vec<Captured>,
    taken: Vec<Captured>,
}

impl ServiceBusServer {
    /// Starts on a free port, with a certificate of its own.
    ///
    /// # Panics
    ///
    /// No port is free.
    #[must_use]
    pub(crate) fn start() -> Self {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into())
    }

    /// Starts at an address that was another's, with a certificate that nobody has heard of.
    ///
    /// # Panics
    ///
    /// The port is taken.
    #[must_use]
    pub(crate) fn start_at(address: SocketAddr) -> Self {
        let (certificate, acceptor) = tls::identity();
        let keys = [POLICY, LISTENER].map(|policy| (policy.to_owned(), KEY.to_owned()));
        let shared = Shared {
            keys: Mutex::new(HashMap::from(keys)),
            script: Mutex::default(),
            denied: Mutex::new(HashSet::from([LISTENER.to_owned()])),
            limit: AtomicUsize::new(256 * 1024),
            connections: AtomicUsize::new(0),
            gate: watch::Sender::default(),
            record: watch::Sender::default(),
        };
        let port = Port::bind(address).expect("the port is free");
        let address = port.local_addr().expect("it is bound");
        let server = Self { shared: Arc::new(shared), certificate, acceptor, address, running: Mutex::default() };
        server.listen(port);
        server
    }

    /// What a client needs to reach it under the name of a namespace; the client trusts nobody else.
    pub(crate) fn reach(&self, namespace: &str) -> impl Fn(ClientBuilder) -> ClientBuilder + Send + Sync + use<> {
        self.reach_through(namespace, self.address)
    }

    /// The same, where the server is found at another address, that of a proxy.
    fn reach_through(
        &self,
        namespace: &str,
        address: SocketAddr,
    ) -> impl Fn(ClientBuilder) -> ClientBuilder + Send + Sync + use<> {
        let host = format!("{namespace}.servicebus.windows.net");
        let certificate = self.certificate.clone();
        move |builder| {
            builder
                .no_proxy()
                .tls_built_in_root_certs(false)
                .add_root_certificate(certificate.clone())
                .resolve(&host, address)
        }
    }

    /// A configuration that reaches it, and has no topic or queue yet.
    pub(crate) fn config(&self) -> ServiceBusConfig {
        self.config_as(POLICY, KEY)
    }

    /// The same, with another name or key.
    pub(crate) fn config_as(&self, policy: &str, key: &str) -> ServiceBusConfig {
        ServiceBusConfig::new("shop", policy, key).http(self.reach("shop"))
    }

    /// A configuration that reaches it through a proxy.
    pub(crate) fn config_through(&self, proxy: SocketAddr) -> ServiceBusConfig {
        ServiceBusConfig::new("shop", POLICY, KEY).http(self.reach_through("shop", proxy))
    }

    /// Accepts one more policy, which may send.
    pub(crate) fn allow(&self, policy: &str, key: &str) {
        lock(&self.shared.keys).insert(policy.to_owned(), key.to_owned());
    }

    /// Answers the next requests like this, one after the other, and then by itself again.
    pub(crate) fn script(&self, answers: impl IntoIterator<Item = Answer>) {
        lock(&self.shared.script).extend(answers);
    }

    /// Refuses larger bodies from now on.
    pub(crate) fn limit(&self, bytes: usize) {
        self.shared.limit.store(bytes, Ordering::SeqCst);
    }

    /// Lets a policy send that could not, such as [`LISTENER`].
    pub(crate) fn permit(&self, policy: &str) {
        lock(&self.shared.denied).remove(policy);
    }

    /// Reads requests, but does nothing about them until [`resume`](Self::resume).
    pub(crate) fn hold(&self) {
        self.shared.gate.send_replace(Gate::Held);
    }

    /// Does nothing until [`resume`](Self::resume): connections are made by the system alone, without their TLS.
    pub(crate) fn pause(&self) {
        self.shared.gate.send_replace(Gate::Shut);
    }

    /// Goes on with what came in between, also where nobody waits any more.
    pub(crate) fn resume(&self) {
        self.shared.gate.send_replace(Gate::Open);
    }

    /// Ends at once: connections break, the port is closed.
    ///
    /// # Panics
    ///
    /// It is not running.
    pub(crate) fn stop(&self) {
        let running = lock(&self.running).take().expect("it is running");
        // A runtime must not be dropped where another one runs.
        std::thread::spawn(move || drop(running)).join().expect("no task panics while it is dropped");
    }

    /// Starts again, on the same port.
    ///
    /// # Panics
    ///
    /// Somebody else has taken the port.
    pub(crate) fn restart(&self) {
        self.listen(Port::bind(self.address).expect("the port is still free"));
    }

    /// Everything that came, oldest first, whatever the answer was.
    #[must_use]
    pub(crate) fn requests(&self) -> Vec<Captured> {
        self.shared.record.borrow().requests.clone()
    }

    /// What it answered with 201, oldest first.
    #[must_use]
    pub(crate) fn taken(&self) -> Vec<Captured> {
        self.shared.record.borrow().taken.clone()
    }

    /// Waits until so many requests have come; for ever, if they do not.
    pub(crate) async fn requests_at_least(&self, count: usize) -> Vec<Captured> {
        self.wait(|record| record.requests.len() >= count).await.requests
    }

    /// Waits until so many messages are taken; for ever, if they do not come.
    pub(crate) async fn taken_at_least(&self, count: usize) -> Vec<Captured> {
        self.wait(|record| record.taken.len() >= count).await.taken
    }

    /// Waits for one of the messages that it took, the first of which is number 0; for ever, if it does not come.
    pub(crate) async fn taken_number(&self, number: usize) -> Captured {
        let mut record = self.shared.record.subscribe();
        let record = record.wait_for(|record| record.taken.len() > number).await.expect("the server is there");
        record.taken[number].clone()
    }

    async fn wait(&self, enough: impl FnMut(&Record) -> bool) -> Record {
        let mut record = self.shared.record.subscribe();
        record.wait_for(enough).await.expect("the server is there").clone()
    }

    /// Where it listens.
    #[must_use]
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections were made.
    #[must_use]
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Serves in a runtime of its own, which can end while that of the test waits for it.
    fn listen(&self, port: Port) {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let (shared, acceptor) = (self.shared.clone(), self.acceptor.clone());
        port.set_nonblocking(true).expect("it is a socket");
        runtime.spawn(async move {
            let listener = TcpListener::from_std(port).expect("it does not block");
            while let Ok((stream, _)) = listener.accept().await {
                let number = shared.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(shared.clone(), acceptor.clone(), stream, number));
            }
        });
        *lock(&self.running) = Some(runtime);
    }
}

impl Drop for ServiceBusServer {
    fn drop(&mut self) {
        if let Some(running) = lock(&self.running).take() {
            running.shutdown_background();
        }
    }
}

impl std::fmt::Debug for ServiceBusServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceBusServer").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Answers the requests of one connection until it ends.
async fn serve(shared: Arc<Shared>, acceptor: TlsAcceptor, stream: TcpStream, connection: usize) {
    shared.passes(|gate| gate != Gate::Shut).await;
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    loop {
        shared.passes(|gate| gate != Gate::Shut).await;
        let Some(request) = request::read(&mut stream, connection).await else { return };
        shared.record.send_modify(|record| record.requests.push(request.clone()));
        shared.passes(|gate| gate == Gate::Open).await;
        let scripted = lock(&shared.script).pop_front();
        let answer = scripted.unwrap_or_else(|| shared.judge(&request));
        if answer.is_created() {
            shared.record.send_modify(|record| record.taken.push(request));
        }
        if !answer.give(&mut stream).await {
            return;
        }
    }
}

impl Shared {
    async fn passes(&self, through: impl Fn(Gate) -> bool) {
        let mut gate = self.gate.subscribe();
        gate.wait_for(|gate| through(*gate)).await.expect("the server is there");
    }

    /// What the service would answer, as far as its documentation says.
    fn judge(&self, request: &Captured) -> Answer {
        let policy = match sas::policy(request, &lock(&self.keys)) {
            Ok(policy) => policy,
            Err(problem) => return Answer::error(401, problem),
        };
        if lock(&self.denied).contains(&policy) {
            return Answer::error(401, "Unauthorized access. 'Send' claim(s) are required to perform this operation.");
        }
        if let Some(problem) = request.problem() {
            return Answer::error(400, &problem);
        }
        if request.body.len() > self.limit.load(Ordering::SeqCst) {
            return Answer::error(413, "The request size exceeds the limit.");
        }
        Answer::created()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
