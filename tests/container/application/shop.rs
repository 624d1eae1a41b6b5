//! An application, which does not know the container that its services come from.

use std::mem;
use std::sync::{Arc, Mutex};

use diator::container::{CommitError, UnitOfWork};
use diator::prelude::*;
use diator::{Container, Meta};

// --- Messages. ----------------------------------------------------------------------------------

#[derive(Debug, Command)]
#[request(response = u64)]
struct PlaceOrder {
    product: &'static str,
    pieces: u64,
}

#[derive(Debug, Query)]
#[request(response = u64)]
struct PriceOf(&'static str);

#[derive(Debug, DomainEvent)]
struct OrderPlaced {
    total: u64,
}

// --- Services. ----------------------------------------------------------------------------------

/// What a product costs: one for the whole program.
pub(crate) struct Prices(pub(crate) Vec<(&'static str, u64)>);

/// What was written for good: one for the whole program.
#[derive(Clone, Default)]
pub(crate) struct Books(Arc<Mutex<Vec<String>>>);

impl Books {
    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// What one message writes: it reaches the books if the message succeeds.
#[derive(Clone)]
pub(crate) struct Ledger {
    books: Books,
    lines: Arc<Mutex<Vec<String>>>,
    meta: Arc<Meta>,
}

impl Ledger {
    pub(crate) fn open(books: &Books, meta: Arc<Meta>) -> Self {
        Self { books: books.clone(), lines: Arc::default(), meta }
    }

    fn write(&self, line: &str) {
        let traceparent = self.meta.traceparent().unwrap_or("untraced");
        self.lines.lock().unwrap().push(format!("{line} ({traceparent})"));
    }
}

#[diator::async_trait]
impl UnitOfWork for Ledger {
    async fn commit(&self) -> Result<(), CommitError> {
        let mut lines = mem::take(&mut *self.lines.lock().unwrap());
        self.books.0.lock().unwrap().append(&mut lines);
        Ok(())
    }

    async fn roll_back(&self) -> Result<(), BoxError> {
        self.lines.lock().unwrap().clear();
        Ok(())
    }
}

pub(crate) trait Stock: Send + Sync {
    fn reserve(&self, product: &str, pieces: u64);
}

pub(crate) struct Warehouse {
    pub(crate) ledger: Arc<Ledger>,
}

impl Stock for Warehouse {
    fn reserve(&self, product: &str, pieces: u64) {
        self.ledger.write(&format!("reserve {pieces} {product}"));
    }
}

// --- Handlers. ----------------------------------------------------------------------------------

#[request_handler(PlaceOrder)]
struct PlaceOrderHandler {
    stock: Arc<dyn Stock>,
}

impl RequestHandler<PlaceOrder> for PlaceOrderHandler {
    async fn handle(&self, command: PlaceOrder, cx: &mut RequestContext<'_, PlaceOrder>) -> Result<u64, BoxError> {
        self.stock.reserve(command.product, command.pieces);
        let total = cx.send(PriceOf(command.product)).await? * command.pieces;
        cx.emit(OrderPlaced { total });
        Ok(total)
    }
}

#[request_handler(PriceOf)]
struct PriceOfHandler {
    prices: Arc<Prices>,
}

impl RequestHandler<PriceOf> for PriceOfHandler {
    async fn handle(&self, query: PriceOf, _: &mut RequestContext<'_, PriceOf>) -> Result<u64, BoxError> {
        let price = self.prices.0.iter().find(|(product, _)| *product == query.0);
        price.map(|(_, price)| *price).ok_or_else(|| format!("nobody sells {}", query.0).into())
    }
}

#[event_handler(OrderPlaced)]
struct Bill {
    ledger: Arc<Ledger>,
}

impl EventHandler<OrderPlaced> for Bill {
    async fn handle(&self, event: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.ledger.write(&format!("bill {}", event.total));
        if event.total > 1000 { Err("nobody has that much".into()) } else { Ok(()) }
    }
}

// --- What it does, whatever the container. ------------------------------------------------------

pub(crate) async fn run(books: Books, container: impl Container) {
    let mediator = Mediator::from_registry().container(container).build().unwrap_or_else(|error| panic!("{error}"));
    let traced = mediator.with(Meta::new().with_traceparent("00-1-2-01"));
    assert_eq!(traced.send(PlaceOrder { product: "tea", pieces: 2 }).await.unwrap(), 14);
    let lines = ["reserve 2 tea (00-1-2-01)", "bill 14 (00-1-2-01)"];
    assert_eq!(books.lines(), lines);

    mediator.send(PlaceOrder { product: "gold", pieces: 1 }).await.unwrap_err();
    mediator.send(PlaceOrder { product: "tea", pieces: 500 }).await.unwrap_err();
    assert_eq!(books.lines(), lines, "a message that fails writes nothing");
}
