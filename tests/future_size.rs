//! How large the futures are, and that they may move between threads.

use std::mem::size_of_val;

use diator::prelude::*;

#[derive(Debug, Command)]
struct Small([u8; 16]);

#[derive(Debug, Command)]
struct Large([u8; 1024]);

#[request_handler(Small, Large)]
struct Sink;

impl RequestHandler<Small> for Sink {
    async fn handle(&self, request: Small, _: &mut RequestContext<'_, Small>) -> Result<(), BoxError> {
        tokio::task::yield_now().await;
        std::hint::black_box(request.0);
        Ok(())
    }
}

impl RequestHandler<Large> for Sink {
    async fn handle(&self, request: Large, _: &mut RequestContext<'_, Large>) -> Result<(), BoxError> {
        tokio::task::yield_now().await;
        std::hint::black_box(request.0);
        Ok(())
    }
}

#[test]
fn sizes() {
    let mediator = Mediator::from_registry().build().unwrap();
    println!("small send {}", size_of_val(&mediator.send(Small([0; 16]))));
    println!("small send_dyn {}", size_of_val(&mediator.send_dyn(Small([0; 16]))));
    println!("large send {}", size_of_val(&mediator.send(Large([0; 1024]))));
    println!("large send_dyn {}", size_of_val(&mediator.send_dyn(Large([0; 1024]))));
    println!("with: {}", size_of_val(&mediator.with(Meta::new()).send(Small([0; 16]))));
}
