//! Requests that are large: how much room their futures take, and that they fit the stack of a worker.
//!
//! A stack that overflows ends its process. So each case runs in a process of its own: this program again, which is told the
//! case by a variable, and runs the one test [`case`].

#![allow(clippy::large_futures, reason = "they are what is tried here")]

use std::env;
use std::hint::black_box;
use std::mem::size_of_val;
use std::process::Command;
use std::sync::Arc;

use diator::middleware::{Answered, Call, Middleware, Next};
use diator::prelude::*;
use diator::{BoxFuture, MediatorBuilder};
use tokio::task::yield_now;

// --- The size of a future. ----------------------------------------------------------------------

const KIB: usize = 1024;

#[derive(Debug, Command)]
#[request(response = u8)]
struct Small([u8; KIB]);

/// In place, it holds the handler's future too, which has room for its argument twice.
#[test]
fn the_future_of_send_holds_a_request_once() {
    let mediator = plain(Mediator::builder());
    let size = size_of_val(&mediator.send(Small([0; KIB])));
    let in_place = if cfg!(feature = "in-place") { 2 * KIB } else { 0 };
    assert!(size <= KIB + in_place + 768, "{size} bytes for a request of 1024");
}

#[test]
fn the_future_of_send_dyn_holds_a_request_once() {
    let mediator = plain(Mediator::builder());
    let size = size_of_val(&mediator.send_dyn(Small([0; KIB])));
    assert!(size <= KIB + 768, "{size} bytes for a request of 1024");
}

// --- The program that the cases are of. ---------------------------------------------------------

const SIZE: usize = 100 * KIB;

/// A hundred times as large.
#[derive(Debug, Command)]
#[request(response = u8)]
struct Large([u8; SIZE]);

impl Large {
    fn new() -> Self {
        Self([7; SIZE])
    }
}

/// The same; its handler is built for each message.
#[derive(Debug, Command)]
#[request(response = u8)]
struct LargeScoped([u8; SIZE]);

/// Sends a [`Large`].
#[derive(Debug, Command)]
#[request(response = u8)]
struct Nest;

/// Sends a [`LargeScoped`].
#[derive(Debug, Command)]
#[request(response = u8)]
struct NestScoped;

struct Transaction;

/// Keeps requests across an await.
#[request_handler(Small, Large)]
struct Hold;

#[request_handler(LargeScoped)]
struct HoldScoped {
    _transaction: Arc<Transaction>,
}

#[request_handler(Nest, NestScoped)]
struct Nesting;

impl RequestHandler<Small> for Hold {
    async fn handle(&self, request: Small, _: &mut RequestContext<'_, Small>) -> Result<u8, BoxError> {
        yield_now().await;
        Ok(black_box(&request.0)[0])
    }
}

impl RequestHandler<Large> for Hold {
    async fn handle(&self, request: Large, _: &mut RequestContext<'_, Large>) -> Result<u8, BoxError> {
        yield_now().await;
        Ok(black_box(&request.0)[SIZE - 1])
    }
}

impl RequestHandler<LargeScoped> for HoldScoped {
    async fn handle(&self, request: LargeScoped, _: &mut RequestContext<'_, LargeScoped>) -> Result<u8, BoxError> {
        yield_now().await;
        Ok(black_box(&request.0)[SIZE - 1])
    }
}

impl RequestHandler<Nest> for Nesting {
    async fn handle(&self, _: Nest, cx: &mut RequestContext<'_, Nest>) -> Result<u8, BoxError> {
        Ok(cx.send(Large::new()).await?)
    }
}

impl RequestHandler<NestScoped> for Nesting {
    async fn handle(&self, _: NestScoped, cx: &mut RequestContext<'_, NestScoped>) -> Result<u8, BoxError> {
        Ok(cx.send(LargeScoped([7; SIZE])).await?)
    }
}

/// Lets every message pass.
struct PassOn;

#[diator::async_trait]
impl Middleware for PassOn {
    async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
        next.run(call).await
    }
}

fn plain(builder: MediatorBuilder) -> Mediator {
    let services = Services::new().scoped(|_| Ok(Transaction));
    builder.handlers(handlers![Hold, HoldScoped, Nesting]).container(services).build().unwrap()
}

fn wrapped() -> Mediator {
    plain(Mediator::builder().middleware(PassOn).middleware(PassOn).middleware(PassOn))
}

/// What the mediators are measured by: a handler that is called by its name.
struct ByHand;

impl ByHand {
    async fn send(&self, request: Large) -> Result<u8, SendError<BoxError>> {
        hold(request).await.map_err(SendError::Handler)
    }
}

async fn hold(request: Large) -> Result<u8, BoxError> {
    yield_now().await;
    Ok(black_box(&request.0)[SIZE - 1])
}

// --- The cases. ---------------------------------------------------------------------------------

type Sending = BoxFuture<'static, Result<u8, SendError<BoxError>>>;

/// Writes a function that sends, a test that runs it in a process of its own, and finds it by its name.
///
/// Without optimisation, with the two MiB that a worker has, that is twenty times the request: by hand it takes thirteen.
///
/// A function for each, because without optimisation all that one function ever holds has its place in its frame.
macro_rules! cases {
    ($($(#[$attribute:meta])* $case:ident: $mediator:expr, $send:ident $request:expr;)+) => {
        mod sending {
            use super::*;

            $( pub(super) fn $case() -> Sending {
                let mediator = $mediator;
                Box::pin(async move { mediator.$send($request).await })
            } )+
        }

        fn find(case: &str) -> fn() -> Sending {
            match case {
                $( stringify!($case) => sending::$case, )+
                _ => panic!("there is no case `{case}`"),
            }
        }

        $(
            #[test]
            $(#[$attribute])*
            fn $case() {
                assert_fits_the_stack(stringify!($case));
            }
        )+
    };
}

cases! {
    by_hand: ByHand, send Large::new();
    send: plain(Mediator::builder()), send Large::new();
    /// In place, the future of the handler lies on the stack of its sender, beside the request.
    #[cfg_attr(all(debug_assertions, feature = "in-place"), should_panic(expected = "the stack overflows"))]
    send_through_three_middlewares: wrapped(), send Large::new();
    /// In place, the future of the handler lies on the stack of its sender, beside the request.
    #[cfg_attr(all(debug_assertions, feature = "in-place"), should_panic(expected = "the stack overflows"))]
    send_to_a_handler_with_a_scoped_service: plain(Mediator::builder()), send LargeScoped([7; SIZE]);
    /// In place, the future of the handler lies on the stack of its sender, beside the request.
    #[cfg_attr(all(debug_assertions, feature = "in-place"), should_panic(expected = "the stack overflows"))]
    send_to_a_handler_with_a_scoped_service_through_three_middlewares: wrapped(), send LargeScoped([7; SIZE]);
    send_dyn: plain(Mediator::builder()), send_dyn Large::new();
    send_dyn_through_three_middlewares: wrapped(), send_dyn Large::new();
    send_dyn_to_a_handler_with_a_scoped_service: plain(Mediator::builder()), send_dyn LargeScoped([7; SIZE]);
    nested: plain(Mediator::builder()), send Nest;
    nested_through_three_middlewares: wrapped(), send Nest;
    nested_with_a_scoped_service: plain(Mediator::builder()), send NestScoped;
    nested_with_a_scoped_service_through_three_middlewares: wrapped(), send NestScoped;
}

const CASE: &str = "DIATOR_LARGE_REQUEST";

fn assert_fits_the_stack(case: &str) {
    let mut program = Command::new(env::current_exe().unwrap());
    program.args(["--exact", "case", "--nocapture"]).env(CASE, case).env_remove("RUST_MIN_STACK");
    let output = program.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!errors.contains("has overflowed its stack"), "the stack overflows");
    assert!(output.status.success(), "{errors}");
}

/// Runs the case that a variable names, on a worker; nothing where there is none.
#[test]
fn case() {
    let Ok(case) = env::var(CASE) else { return };
    let sending = find(&case);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let sent = runtime.block_on(async move { tokio::spawn(async move { sending().await }).await });
    assert_eq!(sent.unwrap().unwrap(), 7);
}
