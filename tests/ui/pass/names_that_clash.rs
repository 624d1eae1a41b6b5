//! A program may use the names that generated code uses.

#![allow(dead_code, non_camel_case_types)]

use diator::{BoxError, EventContext, EventHandler, RequestContext, RequestHandler};

mod core {}
mod std {}

struct Option;
struct Result;
struct Some;
struct Vec;
trait Future {}
trait Send {}
trait Clone {}

#[derive(diator::Command)]
struct R;

#[derive(diator::Query)]
#[request(response = Answered)]
enum Request {
    Response,
    Error,
}

enum Answered {
    Yes(Option, Result, Some, Vec),
}

#[derive(diator::DomainEvent)]
struct E;

#[derive(diator::Command)]
struct r#type;

#[diator::request_handler(R, Request)]
#[diator::event_handler(E)]
struct H {
    resolver: ::std::sync::Arc<u8>,
    field0: ::std::sync::Arc<u16>,
    r#type: ::std::sync::Arc<u32>,
    #[inject(with = resolver())]
    by_function: u8,
}

fn resolver() -> u8 {
    1
}

type Answer<T> = ::core::result::Result<T, BoxError>;

impl RequestHandler<R> for H {
    async fn handle(&self, _: R, _: &mut RequestContext<'_, R>) -> Answer<()> {
        let _ = (&self.resolver, &self.field0, &self.r#type, self.by_function);
        Ok(())
    }
}

impl RequestHandler<Request> for H {
    async fn handle(&self, request: Request, _: &mut RequestContext<'_, Request>) -> Answer<Answered> {
        match request {
            Request::Response => Ok(Answered::Yes(Option, Result, Some, Vec)),
            Request::Error => Err("no".into()),
        }
    }
}

impl EventHandler<E> for H {
    async fn handle(&self, _: &E, _: &mut EventContext<'_>) -> Answer<()> {
        Ok(())
    }
}

#[diator::request_handler(r#type)]
struct r#struct;

impl RequestHandler<r#type> for r#struct {
    async fn handle(&self, _: r#type, _: &mut RequestContext<'_, r#type>) -> Answer<()> {
        Ok(())
    }
}

async fn all(mediator: &diator::Mediator) {
    let _ = (mediator.send(R).await, mediator.send(r#type).await);
    if let Ok(Answered::Yes(..)) = mediator.send(Request::Error).await {
        let _ = mediator.send(Request::Response).await;
    }
}

fn main() {
    let _ = all;
}
