use std::future::{pending, poll_fn};
use std::mem::forget;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::Poll;
use std::time::Duration;

use diator::MediatorBuilder;
use diator::container::Container;
use diator::prelude::*;
use tokio::time::timeout;

use super::ledger::{Bank, Enlisting, Ledger, services};

/// What a handler does, one step after the other.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Write(&'static str),
    Emit(Vec<Step>),
    /// Sends a request, and goes on whatever comes of it.
    Try(Vec<Step>),
    /// The same, with a request whose handler has no ledger of its own.
    TryWithout(Vec<Step>),
    /// Sends a request, and fails as it does.
    Must(Vec<Step>),
    /// Gives a request no time, and goes on.
    GiveUp(Vec<Step>),
    /// Gives a request ten milliseconds, and goes on.
    Hurry(Vec<Step>),
    /// Gives a request ten milliseconds, forgets its future, and goes on.
    Forget(Vec<Step>),
    /// Forgets the future of a request before it begins, and goes on.
    ForgetAtOnce(Vec<Step>),
    /// Waits for ever.
    Hang,
    /// Fails the first time.
    FailOnce(Arc<AtomicBool>),
    Fail,
}

pub(crate) use Step::{Emit, Fail, FailOnce, Forget, ForgetAtOnce, GiveUp, Hang, Hurry, Must, Try, TryWithout, Write};

/// How long a sender waits that is in a hurry; the tests' clock skips it.
const PATIENCE: Duration = Duration::from_millis(10);

/// A command whose handler writes into the ledger.
#[derive(Clone, Debug, Command)]
#[request(idempotent)]
pub(crate) struct Writing(pub(crate) Vec<Step>);

/// A command whose handler needs no scope.
#[derive(Debug, Command)]
pub(crate) struct Conducting(pub(crate) Vec<Step>);

#[derive(Debug, DomainEvent)]
pub(crate) struct Happened(Vec<Step>);

/// Takes the steps; the contexts of requests and events have no type in common.
macro_rules! play {
    ($steps:expr, $cx:ident, $write:expr) => {{
        let write: &(dyn Fn(&'static str) + Sync) = &$write;
        for step in $steps {
            match step {
                Write(entry) => write(entry),
                Emit(steps) => $cx.emit(Happened(steps)),
                Try(steps) => drop($cx.send(Writing(steps)).await),
                TryWithout(steps) => drop($cx.send(Conducting(steps)).await),
                Must(steps) => $cx.send(Writing(steps)).await?,
                GiveUp(steps) => {
                    let mut sending = Box::pin($cx.send(Writing(steps)));
                    let polled = poll_fn(|cx| Poll::Ready(sending.as_mut().poll(cx))).await;
                    assert!(polled.is_pending(), "it was to wait");
                }
                Hurry(steps) => {
                    let answer = timeout(PATIENCE, $cx.send(Writing(steps))).await;
                    assert!(answer.is_err(), "it was to take longer");
                }
                Forget(steps) => {
                    let mut sending = Box::pin($cx.send(Writing(steps)));
                    assert!(timeout(PATIENCE, sending.as_mut()).await.is_err(), "it was to take longer");
                    forget(sending);
                }
                ForgetAtOnce(steps) => forget(Box::pin($cx.send(Writing(steps)))),
                Hang => pending().await,
                FailOnce(failed) if failed.swap(true, Relaxed) => {}
                FailOnce(_) | Fail => return Err("it fails".into()),
            }
        }
        Ok(())
    }};
}

#[request_handler(Writing)]
struct WritingHandler {
    ledger: Arc<Ledger>,
}

impl RequestHandler<Writing> for WritingHandler {
    async fn handle(&self, command: Writing, cx: &mut RequestContext<'_, Writing>) -> Result<(), BoxError> {
        play!(command.0, cx, |entry| self.ledger.write(entry))
    }
}

#[request_handler(Conducting)]
struct ConductingHandler;

impl RequestHandler<Conducting> for ConductingHandler {
    async fn handle(&self, command: Conducting, cx: &mut RequestContext<'_, Conducting>) -> Result<(), BoxError> {
        play!(command.0, cx, |entry| unreachable!("there is no ledger for `{entry}`"))
    }
}

#[event_handler(Happened)]
struct HappenedHandler {
    ledger: Arc<Ledger>,
}

impl EventHandler<Happened> for HappenedHandler {
    async fn handle(&self, event: &Happened, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        play!(event.0.clone(), cx, |entry| self.ledger.write(entry))
    }
}

/// Which container holds the ledger.
#[derive(Clone, Copy)]
pub(crate) enum With {
    Services,
    Enlistment,
}

pub(crate) fn mediator(bank: &Arc<Bank>, with: With) -> Mediator {
    match with {
        With::Services => configured(services(bank), |builder| builder),
        With::Enlistment => configured(Enlisting(bank.clone()), |builder| builder),
    }
}

pub(crate) fn configured(
    container: impl Container,
    configure: impl FnOnce(MediatorBuilder) -> MediatorBuilder,
) -> Mediator {
    let handlers = handlers![WritingHandler, ConductingHandler, HappenedHandler];
    configure(Mediator::builder().handlers(handlers).container(container)).build().expect("it is in order")
}
