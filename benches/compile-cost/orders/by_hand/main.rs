// Nobody reads what the events carry.
#![allow(dead_code)]

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex};
use diator::{BoxError, BoxFuture};

pub struct Article { pub id: u64, pub left: u64 }

/// What the handlers need; each question takes its time.
pub struct Stock;
pub struct Prices;
pub struct Ledger;

impl Stock {
    pub async fn find(&self, id: u64) -> Option<Article> {
        tokio::task::yield_now().await;
        Some(Article { id, left: 5 })
    }

    pub async fn take(&self, article: &Article, pieces: u64) -> bool {
        tokio::task::yield_now().await;
        article.left >= pieces
    }
}

impl Prices {
    pub async fn of(&self, article: &Article) -> u64 {
        tokio::task::yield_now().await;
        article.id + 100
    }
}

impl Ledger {
    pub async fn write(&self, amount: u64) -> Result<u64, BoxError> {
        tokio::task::yield_now().await;
        if amount == 0 { Err("nothing to write".into()) } else { Ok(amount) }
    }
}

pub trait Message: Send + 'static {
    type Response: Send + 'static;
    type Error: Error + Send + Sync + 'static;
}

/// What a handler has emitted, to be handled when it has succeeded.
#[derive(Clone, Default)]
pub struct Events(Arc<Mutex<Vec<(TypeId, Box<dyn Any + Send + Sync>)>>>);

impl Events {
    pub fn emit<E: Send + Sync + 'static>(&self, event: E) {
        self.0.lock().unwrap().push((TypeId::of::<E>(), Box::new(event)));
    }
}

/// Answers with a boxed `Result<M::Response, M::Error>`.
type Handler = Box<dyn Fn(Box<dyn Any + Send>, Events) -> BoxFuture<'static, Box<dyn Any + Send>> + Send + Sync>;
type EventHandler = Box<dyn for<'a> Fn(&'a (dyn Any + Send + Sync)) -> BoxFuture<'a, Result<(), BoxError>> + Send + Sync>;

#[derive(Debug)]
enum SendError<E> {
    Handler(E),
    Event(BoxError),
}

#[derive(Default)]
struct Mediator {
    handlers: HashMap<TypeId, Handler>,
    event_handlers: HashMap<TypeId, Vec<EventHandler>>,
}

impl Mediator {
    fn register<M: Message, F>(&mut self, handle: impl Fn(M, Events) -> F + Send + Sync + 'static)
    where
        F: Future<Output = Result<M::Response, M::Error>> + Send + 'static,
    {
        let handle = move |message: Box<dyn Any + Send>, events| -> BoxFuture<'static, Box<dyn Any + Send>> {
            let handling = handle(*message.downcast().unwrap(), events);
            Box::pin(async move { Box::new(handling.await) as Box<dyn Any + Send> })
        };
        self.handlers.insert(TypeId::of::<M>(), Box::new(handle));
    }

    async fn send<M: Message>(&self, message: M) -> Result<M::Response, SendError<M::Error>> {
        let events = Events::default();
        let answer = self.handlers[&TypeId::of::<M>()](Box::new(message), events.clone()).await;
        let response = answer.downcast::<Result<M::Response, M::Error>>().unwrap().map_err(SendError::Handler)?;
        self.handle(events).await.map_err(SendError::Event)?;
        Ok(response)
    }

    async fn handle(&self, events: Events) -> Result<(), BoxError> {
        let events = std::mem::take(&mut *events.0.lock().unwrap());
        for (id, event) in events {
            for handle in self.event_handlers.get(&id).into_iter().flatten() {
                handle(&*event).await?;
            }
        }
        Ok(())
    }
}

//each mod handlerNUMBER;

fn wire(stock: &Arc<Stock>, prices: &Arc<Prices>, ledger: &Arc<Ledger>) -> Mediator {
    let mut mediator = Mediator::default();
//each     mediator.register({ let handler = Arc::new(handlerNUMBER::OrderHandler { stock: stock.clone(), prices: prices.clone(), ledger: ledger.clone() }); move |order, events| handler.clone().handle(order, events) });
    mediator
}

fn main() {
    let mediator = wire(&Arc::new(Stock), &Arc::new(Prices), &Arc::new(Ledger));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
//each         assert_eq!(mediator.send(handlerNUMBER::Order { article: 1, pieces: 2 }).await.unwrap().amount, 202);
    });
}
