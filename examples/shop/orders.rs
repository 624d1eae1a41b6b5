//! The shop's own business: orders, and the stock that they are taken from.
//!
//! A command changes rows and emits an event in one transaction: after the commit both are there, or neither is. The handlers know
//! nothing of the web, nor of a broker.

use std::sync::Arc;

use diator::prelude::*;
use serde::Serialize;
use sqlx::{FromRow, Row as _};

use crate::contracts::{OrderCancelled, OrderPlaced};
use crate::database::{Connection, Row, Transaction};

// --- What can be asked for. ---------------------------------------------------------------------

/// The client chooses the id: if it gets no answer, it can ask again, and cannot order twice.
#[derive(Debug, Command)]
#[request(response = Order, error = OrderError)]
pub struct PlaceOrder {
    pub order_id: i64,
    pub customer: String,
    pub product: String,
    pub pieces: i64,
}

#[derive(Debug, Command)]
#[request(error = OrderError)]
pub struct CancelOrder {
    pub order_id: i64,
}

#[derive(Debug, Query)]
#[request(response = Order, error = OrderError)]
pub struct OrderById {
    pub order_id: i64,
}

#[derive(Debug, Query)]
#[request(response = Vec<Order>, error = OrderError)]
pub struct OrdersOf {
    pub customer: String,
}

#[derive(Debug, Serialize)]
pub struct Order {
    pub order_id: i64,
    pub customer: String,
    pub product: String,
    pub pieces: i64,
    pub cents: i64,
    pub cancelled: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    #[error("there is no product `{0}`")]
    UnknownProduct(String),
    #[error("only {0} pieces are left")]
    SoldOut(i64),
    #[error("an order has at least one piece")]
    NoPieces,
    #[error("order {0} exists already")]
    AlreadyPlaced(i64),
    #[error("there is no order {0}")]
    UnknownOrder(i64),
    #[error("order {0} was cancelled before")]
    AlreadyCancelled(i64),
    #[error("the database failed")]
    Database(#[from] BoxError),
}

// --- Commands. ----------------------------------------------------------------------------------

#[request_handler(PlaceOrder)]
pub struct PlaceOrderHandler {
    transaction: Arc<Transaction>,
}

impl RequestHandler<PlaceOrder> for PlaceOrderHandler {
    async fn handle(&self, command: PlaceOrder, cx: &mut RequestContext<'_, PlaceOrder>) -> Result<Order, OrderError> {
        let PlaceOrder { order_id, customer, product, pieces } = command;
        if pieces < 1 {
            return Err(OrderError::NoPieces);
        }
        let db = &mut *self.transaction.connection().await?;
        let Some(price) = take_from_stock(db, &product, pieces).await? else {
            let left = in_stock(db, &product).await?;
            return Err(left.map_or(OrderError::UnknownProduct(product), OrderError::SoldOut));
        };
        let order = Order { order_id, customer, product, pieces, cents: price * pieces, cancelled: false };
        if !insert(db, &order).await? {
            return Err(OrderError::AlreadyPlaced(order_id)); // the transaction ends with it, and the pieces are back in stock
        }
        cx.emit(OrderPlaced { order_id, customer: order.customer.clone(), cents: order.cents });
        Ok(order)
    }
}

#[request_handler(CancelOrder)]
pub struct CancelOrderHandler {
    transaction: Arc<Transaction>,
}

impl RequestHandler<CancelOrder> for CancelOrderHandler {
    async fn handle(
        &self,
        CancelOrder { order_id }: CancelOrder,
        cx: &mut RequestContext<'_, CancelOrder>,
    ) -> Result<(), OrderError> {
        let db = &mut *self.transaction.connection().await?;
        if !mark_cancelled(db, order_id).await? {
            let order = find(db, order_id).await?;
            return Err(order.map_or(OrderError::UnknownOrder(order_id), |_| OrderError::AlreadyCancelled(order_id)));
        }
        put_back_in_stock(db, order_id).await?;
        cx.emit(OrderCancelled { order_id });
        Ok(())
    }
}

// --- Queries. -----------------------------------------------------------------------------------

#[request_handler(OrderById)]
pub struct OrderByIdHandler {
    transaction: Arc<Transaction>,
}

impl RequestHandler<OrderById> for OrderByIdHandler {
    async fn handle(
        &self,
        OrderById { order_id }: OrderById,
        _: &mut RequestContext<'_, OrderById>,
    ) -> Result<Order, OrderError> {
        let order = find(&mut *self.transaction.connection().await?, order_id).await?;
        order.ok_or(OrderError::UnknownOrder(order_id))
    }
}

#[request_handler(OrdersOf)]
pub struct OrdersOfHandler {
    transaction: Arc<Transaction>,
}

impl RequestHandler<OrdersOf> for OrdersOfHandler {
    async fn handle(
        &self,
        OrdersOf { customer }: OrdersOf,
        _: &mut RequestContext<'_, OrdersOf>,
    ) -> Result<Vec<Order>, OrderError> {
        Ok(find_all(&mut *self.transaction.connection().await?, &customer).await?)
    }
}

// --- Rows. --------------------------------------------------------------------------------------

pub const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS products (
        product text PRIMARY KEY,
        cents bigint NOT NULL,
        stock bigint NOT NULL
    );
    CREATE TABLE IF NOT EXISTS orders (
        order_id bigint PRIMARY KEY,
        customer text NOT NULL,
        product text NOT NULL REFERENCES products,
        pieces bigint NOT NULL,
        cents bigint NOT NULL,
        cancelled boolean NOT NULL
    );
    CREATE INDEX IF NOT EXISTS orders_of_customer ON orders (customer);
    INSERT INTO products VALUES
        ('armchair', 24900, 1000000), ('bench', 8900, 1000000), ('chair', 4900, 1000000), ('desk', 15900, 1000000),
        ('lamp', 2900, 1000000), ('shelf', 6900, 1000000), ('stool', 1900, 1000000), ('table', 12900, 1000000),
        ('clock of 1890', 99900, 100)
    ON CONFLICT DO NOTHING;
";

/// Returns the price of a piece, or nothing if the stock has fewer pieces.
async fn take_from_stock(db: &mut Connection, product: &str, pieces: i64) -> Result<Option<i64>, BoxError> {
    let take = "UPDATE products SET stock = stock - $2 WHERE product = $1 AND stock >= $2 RETURNING cents";
    Ok(sqlx::query_scalar(take).bind(product).bind(pieces).fetch_optional(db).await?)
}

async fn in_stock(db: &mut Connection, product: &str) -> Result<Option<i64>, BoxError> {
    let stock = "SELECT stock FROM products WHERE product = $1";
    Ok(sqlx::query_scalar(stock).bind(product).fetch_optional(db).await?)
}

/// Returns `false` if the order exists already.
async fn insert(db: &mut Connection, order: &Order) -> Result<bool, BoxError> {
    let insert = "INSERT INTO orders VALUES ($1, $2, $3, $4, $5, false) ON CONFLICT DO NOTHING";
    let insert = sqlx::query(insert).bind(order.order_id).bind(&order.customer).bind(&order.product);
    Ok(insert.bind(order.pieces).bind(order.cents).execute(db).await?.rows_affected() == 1)
}

/// Returns `false` if the order does not exist, or was cancelled before.
async fn mark_cancelled(db: &mut Connection, order_id: i64) -> Result<bool, BoxError> {
    let cancel = "UPDATE orders SET cancelled = true WHERE order_id = $1 AND NOT cancelled";
    Ok(sqlx::query(cancel).bind(order_id).execute(db).await?.rows_affected() == 1)
}

async fn put_back_in_stock(db: &mut Connection, order_id: i64) -> Result<(), BoxError> {
    let put_back = "UPDATE products SET stock = stock + pieces FROM orders
                    WHERE orders.product = products.product AND order_id = $1";
    sqlx::query(put_back).bind(order_id).execute(db).await?;
    Ok(())
}

async fn find(db: &mut Connection, order_id: i64) -> Result<Option<Order>, BoxError> {
    let find = "SELECT * FROM orders WHERE order_id = $1";
    Ok(sqlx::query_as(find).bind(order_id).fetch_optional(db).await?)
}

async fn find_all(db: &mut Connection, customer: &str) -> Result<Vec<Order>, BoxError> {
    let find = "SELECT * FROM orders WHERE customer = $1 ORDER BY order_id";
    Ok(sqlx::query_as(find).bind(customer).fetch_all(db).await?)
}

impl FromRow<'_, Row> for Order {
    fn from_row(row: &Row) -> sqlx::Result<Self> {
        Ok(Self {
            order_id: row.try_get("order_id")?,
            customer: row.try_get("customer")?,
            product: row.try_get("product")?,
            pieces: row.try_get("pieces")?,
            cents: row.try_get("cents")?,
            cancelled: row.try_get("cancelled")?,
        })
    }
}
