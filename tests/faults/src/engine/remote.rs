use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use diator::async_trait;
use diator::subscription::{
    Capabilities, ConsumeError, Delivery, DeliveryTag, Observation, Opened, Order, Ownership, Settle, Settled,
    Settlement, Source, Subscription, Taken, Wanted,
};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use super::wire::{self, Answer, Asked, Call, FromEngine, News, ToEngine};

/// A subscription whose [engine](super::Engine) is in another process, and listens at this address.
#[derive(Clone, Copy, Debug)]
pub struct Remote(pub SocketAddr);

#[async_trait]
impl Subscription for Remote {
    fn capabilities(&self) -> Capabilities {
        wire::CAPABILITIES
    }

    async fn open(&self, wanted: &Wanted<'_>) -> Result<Opened, ConsumeError> {
        let asked = Asked {
            endpoint: wanted.endpoint.to_owned(),
            formerly: wanted.formerly.to_vec(),
            topics: wanted.topics.to_vec(),
            default_topic: wanted.default_topic,
            per_key: wanted.order == Order::PerKey,
            concurrency: wanted.concurrency.get(),
            max_ahead: wanted.max_ahead.get(),
            delays: wanted.delays.to_vec(),
        };
        let opened = timeout(Duration::from_secs(5), open(self.0, asked)).await;
        opened.map_err(|_| ConsumeError::transient("the engine does not answer"))?
    }
}

async fn open(address: SocketAddr, asked: Asked) -> Result<Opened, ConsumeError> {
    let gone = |error| ConsumeError::transient("the engine is away").with_source(error);
    let stream = TcpStream::connect(address).await.map_err(gone)?;
    stream.set_nodelay(true).map_err(gone)?;
    let (mut reader, mut writer) = stream.into_split();
    wire::write(&ToEngine::Open(asked), &mut writer).await.map_err(gone)?;
    let FromEngine::Opened(opened) = wire::read(&mut reader).await.map_err(gone)? else {
        return Err(ConsumeError::fatal("the engine answers something else"));
    };
    opened.map_err(wire::Failure::into_error)?;
    let (out, frames) = mpsc::unbounded_channel();
    let (tell, news) = mpsc::unbounded_channel();
    let calls = Arc::new(Calls::default());
    let reading = tokio::spawn(listen(reader, tell, calls.clone())).abort_handle();
    tokio::spawn(say(writer, frames));
    let connection = Arc::new(Connection { out, calls, reading });
    let source = RemoteSource { news, ready: VecDeque::new(), received: 0, connection: connection.clone() };
    Ok(Opened::new(source, connection))
}

/// One opening; the connection ends with it.
struct Connection {
    out: mpsc::UnboundedSender<ToEngine>,
    calls: Arc<Calls>,
    reading: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// Those that wait for an answer; `None` once the connection has ended.
struct Calls {
    next: AtomicU64,
    waiting: Mutex<Option<HashMap<u64, oneshot::Sender<Answer>>>>,
    heard: Mutex<Instant>,
}

impl Default for Calls {
    fn default() -> Self {
        Self { next: AtomicU64::new(0), waiting: Mutex::new(Some(HashMap::new())), heard: Mutex::new(Instant::now()) }
    }
}

impl Calls {
    fn waiting<T>(&self, act: impl FnOnce(&mut Option<HashMap<u64, oneshot::Sender<Answer>>>) -> T) -> T {
        act(&mut self.waiting.lock().expect("nothing panics with it"))
    }

    fn heard(&self) -> Instant {
        *self.heard.lock().expect("nothing panics with it")
    }
}

fn closed() -> ConsumeError {
    ConsumeError::closed("the connection to the engine has ended")
}

async fn listen(mut reader: OwnedReadHalf, tell: mpsc::UnboundedSender<News>, calls: Arc<Calls>) {
    while let Ok(frame) = wire::read::<FromEngine>(&mut reader).await {
        *calls.heard.lock().expect("nothing panics with it") = Instant::now();
        match frame {
            FromEngine::News(news) => {
                if tell.send(news).is_err() {
                    // The source is gone; what is in hand is still settled.
                    continue;
                }
            }
            FromEngine::Answer(call, answer) => {
                let asked = calls.waiting(|waiting| waiting.as_mut()?.remove(&call));
                // Whoever asked may have given up.
                let _ = asked.map(|asked| asked.send(answer));
            }
            FromEngine::Opened(_) => break,
        }
    }
    calls.waiting(Option::take);
}

async fn say(mut writer: OwnedWriteHalf, mut frames: mpsc::UnboundedReceiver<ToEngine>) -> Result<(), std::io::Error> {
    loop {
        let frame = match timeout(wire::ALIVE, frames.recv()).await {
            Ok(None) => return Ok(()),
            Ok(Some(frame)) => frame,
            Err(_) => ToEngine::Alive,
        };
        wire::write(&frame, &mut writer).await?;
    }
}

struct RemoteSource {
    news: mpsc::UnboundedReceiver<News>,
    /// What was received and not yielded.
    ready: VecDeque<Delivery>,
    received: u64,
    connection: Arc<Connection>,
}

impl RemoteSource {
    fn take(&mut self, credit: usize) -> Option<Taken> {
        let count = self.ready.len().min(credit);
        (count > 0).then(|| Taken::Deliveries(self.ready.drain(..count).collect()))
    }

    fn forget(&mut self, owners: Vec<(u32, u64)>) -> Vec<Ownership> {
        let owners: Vec<_> = owners.into_iter().map(wire::owner).collect();
        self.ready.retain(|delivery| delivery.owner.is_none_or(|owner| !owners.contains(&owner)));
        owners
    }
}

#[async_trait]
impl Source for RemoteSource {
    async fn next(&mut self, credit: usize) -> Result<Taken, ConsumeError> {
        if let Some(taken) = self.take(credit) {
            return Ok(taken);
        }
        loop {
            let more = credit.saturating_sub(self.ready.len());
            let asked = self.connection.out.send(ToEngine::Credit { more, received: self.received });
            asked.map_err(|_| closed())?;
            match self.news.recv().await.ok_or_else(closed)? {
                News::Deliveries(deliveries) => {
                    self.received += deliveries.len() as u64;
                    self.ready.extend(deliveries.into_iter().map(wire::Sent::into_delivery));
                    if let Some(taken) = self.take(credit) {
                        return Ok(taken);
                    }
                }
                News::Revoking(owners, within) => {
                    return Ok(Taken::Revoking { owners: self.forget(owners), by: Instant::now() + within });
                }
                News::Lost(owners) => return Ok(Taken::Lost { owners: self.forget(owners) }),
                News::Over(failure) => {
                    self.news.close();
                    return Err(failure.into_error());
                }
            }
        }
    }
}

impl Connection {
    async fn call(&self, what: Call) -> Result<Answer, ConsumeError> {
        let call = self.calls.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        let waits =
            self.calls.waiting(|waiting| waiting.as_mut().map(|waiting| waiting.insert(call, answer)).is_some());
        if !waits || self.out.send(ToEngine::Call { call, what }).is_err() {
            return Err(closed());
        }
        let answered = timeout(Duration::from_secs(5), answered).await;
        answered.map_err(|_| ConsumeError::transient("the engine does not answer"))?.map_err(|_| closed())
    }

    async fn settled(&self, count: usize, what: Call) -> Vec<Result<Settled, ConsumeError>> {
        let settled = |done| if done { Settled::Done } else { Settled::LockLost };
        if self.calls.waiting(|waiting| waiting.is_none()) {
            return (0..count).map(|_| Ok(Settled::LockLost)).collect();
        }
        match self.call(what).await {
            Ok(Answer::Settled(answers)) => {
                answers.into_iter().map(|answer| answer.map(settled).map_err(wire::Failure::into_error)).collect()
            }
            Ok(_) => (0..count).map(|_| Err(closed())).collect(),
            Err(error) => {
                let again = || ConsumeError::new(error.kind(), error.to_string());
                (0..count).map(|_| Err(again())).collect()
            }
        }
    }
}

#[async_trait]
impl Settle for Connection {
    async fn settle(&self, batch: &[Settlement]) -> Vec<Result<Settled, ConsumeError>> {
        self.settled(batch.len(), Call::Settle(batch.iter().map(wire::said).collect())).await
    }

    async fn extend(&self, held: &[DeliveryTag]) -> Vec<Result<Settled, ConsumeError>> {
        self.settled(held.len(), Call::Extend(held.iter().map(|tag| tag.0).collect())).await
    }

    fn revoked(&self, owners: &[Ownership]) {
        let _ = self.out.send(ToEngine::Revoked(owners.iter().map(|&owner| wire::numbers(owner)).collect()));
    }

    async fn observe(&self) -> Result<Observation, ConsumeError> {
        match self.call(Call::Observe).await? {
            Answer::Observed(seen) => {
                let seen = seen.map_err(wire::Failure::into_error)?;
                Ok(seen.into_observation(self.calls.heard()))
            }
            _ => Err(closed()),
        }
    }

    async fn close(&self) {
        let _ = self.call(Call::Close).await;
        self.calls.waiting(Option::take);
    }
}
