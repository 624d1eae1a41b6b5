use std::fmt;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A TCP proxy on the loopback interface: a name whose server can change, over a network that can fail.
///
/// A test lets the driver connect to the proxy, and the proxy to a server.
///
/// # Guarantees
///
/// - The port is the same for the life of the value, and free for each value.
/// - It runs in threads of its own, so that no runtime of the test holds it up.
/// - All methods may be called from several threads. When a method returns, it has taken effect for every connection
///   that the server has seen.
/// - Dropping the value closes its port and all its connections.
///
/// # Example
///
/// ```
/// use std::io::{Read, Write};
/// use std::net::{TcpListener, TcpStream};
///
/// use diator_testkit::Proxy;
///
/// let server = TcpListener::bind("127.0.0.1:0")?;
/// let proxy = Proxy::start(server.local_addr()?);
/// let mut client = TcpStream::connect(proxy.address())?;
/// client.write_all(b"x")?;
/// let (mut connection, _) = server.accept()?;
/// connection.read_exact(&mut [0])?;
///
/// proxy.cut();
/// assert_eq!((connection.read(&mut [0])?, proxy.accepted()), (0, 1));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    target: Mutex<SocketAddr>,
    present: Mutex<Vec<Arc<Connection>>>,
    accepted: AtomicUsize,
    refuses: AtomicBool,
    delay: Mutex<Duration>,
    delay_changed: Condvar,
    ended: AtomicBool,
}

/// Both ends stay open as long as this value is there.
struct Connection {
    client: TcpStream,
    server: TcpStream,
    swallows: AtomicBool,
}

impl Proxy {
    /// Starts a proxy in front of the server at this address.
    ///
    /// # Panics
    ///
    /// If the system has no port left.
    #[must_use]
    pub fn start(target: SocketAddr) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = port.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            target: Mutex::new(target),
            present: Mutex::default(),
            accepted: AtomicUsize::new(0),
            refuses: AtomicBool::new(false),
            delay: Mutex::default(),
            delay_changed: Condvar::new(),
            ended: AtomicBool::new(false),
        });
        let accepting = shared.clone();
        thread::spawn(move || accepting.accept(&port));
        Self { address, shared }
    }

    /// The address to which clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it has accepted so far, also those that it [refused](Self::refuse).
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// Connects new clients to another server; present connections stay with theirs.
    pub fn redirect(&self, target: SocketAddr) {
        *lock(&self.shared.target) = target;
    }

    /// Takes whatever comes over the present connections, passes none of it on, and reports nothing, not even an end.
    ///
    /// A client sees the same of a firewall that forgot its connection. New connections are not affected.
    pub fn swallow(&self) {
        lock(&self.shared.present).iter().for_each(|connection| connection.swallows.store(true, Ordering::SeqCst));
    }

    /// Waits this long before it passes on what has come, at most 16 KiB at a time and each way, over present and new
    /// connections.
    ///
    /// A message and its answer take twice the delay, and at most 16 KiB pass in each delay. [`Duration::ZERO`] ends
    /// the delay. Bytes that wait already get the new delay too, counted from when they came.
    pub fn delay(&self, delay: Duration) {
        *lock(&self.shared.delay) = delay;
        self.shared.delay_changed.notify_all();
    }

    /// Closes new connections at once, until it [admits](Self::admit) them again; present ones are not affected.
    ///
    /// The server does not see them. A client sees that its connection is closed, not that the port is.
    pub fn refuse(&self) {
        // Whoever is about to be connected is so before this returns.
        let _present = lock(&self.shared.present);
        self.shared.refuses.store(true, Ordering::SeqCst);
    }

    /// Lets new connections through again.
    pub fn admit(&self) {
        self.shared.refuses.store(false, Ordering::SeqCst);
    }

    /// Closes the present connections, on both sides; new ones are accepted.
    pub fn cut(&self) {
        lock(&self.shared.present).drain(..).for_each(|connection| connection.close());
    }
}

impl Shared {
    fn accept(self: &Arc<Self>, port: &TcpListener) {
        for client in port.incoming().map_while(Result::ok) {
            if self.ended.load(Ordering::SeqCst) {
                return;
            }
            self.accepted.fetch_add(1, Ordering::SeqCst);
            let target = *lock(&self.target);
            // The server may know of it before it is among those that are present, and whoever cuts these must not miss it.
            let mut present = lock(&self.present);
            if self.refuses.load(Ordering::SeqCst) {
                continue;
            }
            // Without a server, the client sees its connection close.
            let Ok(server) = TcpStream::connect(target) else { continue };
            let connection = Arc::new(Connection { client, server, swallows: AtomicBool::new(false) });
            present.push(connection.clone());
            drop(present);
            let (back, there, here) = (connection.clone(), self.clone(), self.clone());
            thread::spawn(move || connection.pass(&connection.client, &connection.server, &there));
            thread::spawn(move || back.pass(&back.server, &back.client, &here));
        }
    }

    /// Waits until the delay is over for what has just come.
    fn wait(&self) {
        let begun = Instant::now();
        let mut delay = lock(&self.delay);
        while let Some(rest) = delay.checked_sub(begun.elapsed()).filter(|rest| !rest.is_zero()) {
            delay = self.delay_changed.wait_timeout(delay, rest).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Connection {
    /// Passes on what comes from one end, until that ends.
    fn pass(&self, mut from: &TcpStream, mut to: &TcpStream, shared: &Shared) {
        let mut bytes = [0; 16 * 1024];
        loop {
            let read = from.read(&mut bytes).unwrap_or_default();
            shared.wait();
            let swallows = self.swallows.load(Ordering::SeqCst);
            if read == 0 {
                if !swallows {
                    self.close();
                }
                return;
            }
            if !swallows && to.write_all(&bytes[..read]).is_err() {
                return self.close();
            }
        }
    }

    fn close(&self) {
        for end in [&self.client, &self.server] {
            // It may be closed already.
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = *lock(&self.shared.target);
        f.debug_struct("Proxy").field("address", &self.address).field("target", &target).finish_non_exhaustive()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // It wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
        self.cut();
        // Threads that wait find their connections closed.
        self.delay(Duration::ZERO);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
