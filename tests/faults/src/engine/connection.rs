use std::io::Error;
use std::num::NonZeroUsize;
use std::sync::Arc;

use diator::BoxError;
use diator::subscription::{
    ConsumeError, DeliveryTag, InMemorySubscription, Opened, Order, Settle, Source, Subscription, Taken, Wanted,
};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

use super::wire::{self, Answer, Asked, Call, FromEngine, News, ToEngine};

type Out = mpsc::UnboundedSender<FromEngine>;

/// Serves one opening of a service. If its connection ends, or nothing is heard of it, it is what a crash is to the engine.
pub(super) async fn serve(stream: TcpStream, subscription: InMemorySubscription) -> Result<(), BoxError> {
    stream.set_nodelay(true)?;
    let (mut reader, writer) = stream.into_split();
    let ToEngine::Open(asked) = hear(&mut reader).await? else { return Err("it does not open".into()) };
    let (out, frames) = mpsc::unbounded_channel();
    tokio::spawn(say(writer, frames));
    let Opened { source, settle } = match open(&subscription, asked).await {
        Ok(opened) => opened,
        Err(error) => return Ok(out.send(FromEngine::Opened(Err(error.into())))?),
    };
    out.send(FromEngine::Opened(Ok(())))?;
    let (credit, credits) = watch::channel((0, 0));
    let pumping = tokio::spawn(pump(source, credits, out.clone()));
    let closing = listen(&mut reader, &settle, &credit, &out).await;
    pumping.abort();
    let _ = pumping.await;
    if let Ok(call) = closing {
        settle.close().await;
        out.send(FromEngine::Answer(call, Answer::Closed))?;
    }
    Ok(())
}

async fn open(subscription: &InMemorySubscription, asked: Asked) -> Result<Opened, ConsumeError> {
    let number = |number| NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN);
    let order = if asked.per_key { Order::PerKey } else { Order::None };
    let wanted = Wanted::new(&asked.endpoint, &asked.topics).with_formerly(&asked.formerly);
    let wanted = if asked.default_topic { wanted.with_default_topic() } else { wanted };
    let wanted = wanted
        .with_order(order)
        .with_concurrency(number(asked.concurrency))
        .with_max_ahead(number(asked.max_ahead))
        .with_delays(&asked.delays);
    subscription.open(&wanted).await
}

/// Does what the service says, until it wants to close: the number of that call.
async fn listen(
    reader: &mut OwnedReadHalf,
    settle: &Arc<dyn Settle>,
    credit: &watch::Sender<(usize, u64)>,
    out: &Out,
) -> Result<u64, Error> {
    loop {
        match hear(reader).await? {
            ToEngine::Credit { more, received } => _ = credit.send_replace((more, received)),
            ToEngine::Call { call, what: Call::Close } => return Ok(call),
            ToEngine::Call { call, what } => {
                let (settle, out) = (settle.clone(), out.clone());
                tokio::spawn(async move {
                    let answer = answer(&*settle, what).await;
                    // Whoever has gone needs no answer.
                    let _ = out.send(FromEngine::Answer(call, answer));
                });
            }
            ToEngine::Revoked(owners) => settle.revoked(&owners.into_iter().map(wire::owner).collect::<Vec<_>>()),
            ToEngine::Open(_) | ToEngine::Alive => {}
        }
    }
}

async fn answer(settle: &dyn Settle, what: Call) -> Answer {
    match what {
        Call::Settle(batch) => {
            let batch: Vec<_> = batch.into_iter().map(wire::settlement).collect();
            wire::answers(settle.settle(&batch).await)
        }
        Call::Extend(held) => {
            let held: Vec<_> = held.into_iter().map(DeliveryTag).collect();
            wire::answers(settle.extend(&held).await)
        }
        Call::Observe => Answer::Observed(settle.observe().await.map(Into::into).map_err(Into::into)),
        Call::Close => Answer::Closed,
    }
}

/// Sends what the source yields, and no more deliveries than the service has credit for.
async fn pump(mut source: Box<dyn Source>, mut credits: watch::Receiver<(usize, u64)>, out: Out) {
    let mut sent = 0_u64;
    loop {
        let (more, received) = *credits.borrow_and_update();
        let credit = more.saturating_sub(usize::try_from(sent - received).unwrap_or(usize::MAX));
        let taken = tokio::select! {
            biased;
            changed = credits.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
            taken = source.next(credit) => taken,
        };
        let numbers = |owners: Vec<_>| owners.into_iter().map(wire::numbers).collect();
        let news = match taken {
            Ok(Taken::Deliveries(deliveries)) => {
                sent += deliveries.len() as u64;
                News::Deliveries(deliveries.into_iter().map(Into::into).collect())
            }
            Ok(Taken::Revoking { owners, by, .. }) => {
                News::Revoking(numbers(owners), by.saturating_duration_since(Instant::now()))
            }
            Ok(Taken::Lost { owners, .. }) => News::Lost(numbers(owners)),
            Ok(other) => panic!("it yields {other:?}"),
            Err(error) => News::Over(error.into()),
        };
        let over = matches!(news, News::Over(_));
        if out.send(FromEngine::News(news)).is_err() || over {
            return;
        }
    }
}

/// The next frame of the service, which is gone if none comes for as long as a lock lasts.
async fn hear(reader: &mut OwnedReadHalf) -> Result<ToEngine, Error> {
    timeout(wire::LOCK, wire::read(reader)).await?
}

async fn say(mut writer: OwnedWriteHalf, mut frames: mpsc::UnboundedReceiver<FromEngine>) -> Result<(), Error> {
    while let Some(frame) = frames.recv().await {
        wire::write(&frame, &mut writer).await?;
    }
    Ok(())
}
