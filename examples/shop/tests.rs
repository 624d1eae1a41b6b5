//! What the shop answers, and what becomes of an order, in one process; on PostgreSQL with the features of the servers, or else on SQLite.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode};
use diator::host::Host;
use diator::prelude::*;
use tokio::time::{sleep, timeout};
use tower::ServiceExt;

use crate::contracts::CustomerNotified;
use crate::database::Database;
use crate::services::{Service, host, mediator};
use crate::web;

const SERVICES: [Service; 3] = [Service::Web, Service::Billing, Service::Notifications];

#[tokio::test]
async fn each_refusal_has_a_status_and_changes_nothing() {
    let shop = Shop::new().await;
    let clock = |pieces| format!(r#"{{"customer": "Ada", "product": "clock of 1890", "pieces": {pieces}}}"#);

    assert_eq!(shop.ask(Method::PUT, "/orders/1", &clock(100)).await.0, StatusCode::CREATED);
    let refused = [
        (Method::PUT, "/orders/1", clock(1), StatusCode::CONFLICT, "only 0 pieces are left"),
        (Method::PUT, "/orders/2", clock(0), StatusCode::UNPROCESSABLE_ENTITY, "an order has at least one piece"),
        (
            Method::PUT,
            "/orders/2",
            clock(1).replace("clock", "cup"),
            StatusCode::NOT_FOUND,
            "there is no product `cup of 1890`",
        ),
        (
            Method::PUT,
            "/orders/1",
            clock(1).replace("clock of 1890", "lamp"),
            StatusCode::CONFLICT,
            "order 1 exists already",
        ),
        (Method::DELETE, "/orders/2", String::new(), StatusCode::NOT_FOUND, "there is no order 2"),
        (Method::GET, "/orders/2", String::new(), StatusCode::NOT_FOUND, "there is no order 2"),
    ];
    for (method, path, body, status, text) in refused {
        assert_eq!(shop.ask(method, path, &body).await, (status, text.to_owned()));
    }
    assert_eq!(shop.ask(Method::DELETE, "/orders/1", "").await.0, StatusCode::NO_CONTENT);
    let again = (StatusCode::CONFLICT, "order 1 was cancelled before".to_owned());
    assert_eq!(shop.ask(Method::DELETE, "/orders/1", "").await, again);

    // All of the pieces are there again.
    assert_eq!(shop.count("SELECT stock FROM products WHERE product = 'clock of 1890'").await, 100);
    assert_eq!(shop.count("SELECT stock FROM products WHERE product = 'lamp'").await, 1_000_000);
    let (_, orders) = shop.ask(Method::GET, "/customers/Ada/orders", "").await;
    let order =
        r#"{"order_id":1,"customer":"Ada","product":"clock of 1890","pieces":100,"cents":9990000,"cancelled":true}"#;
    assert_eq!(orders, format!("[{order}]"));
    assert_eq!(shop.ask(Method::GET, "/orders/1", "").await, (StatusCode::OK, order.to_owned()));
}

#[tokio::test]
async fn a_cancelled_order_is_charged_and_refunded_once_and_its_customer_notified() {
    let mut shop = Shop::new().await;
    let host = shop.host.take().expect("nobody has taken it");
    let order = r#"{"customer": "Ada", "product": "lamp", "pieces": 2}"#;
    let ordered = async {
        shop.ask(Method::PUT, "/orders/7", order).await;
        shop.ask(Method::DELETE, "/orders/7", "").await;
        while shop.count("SELECT count(*) FROM refunds").await == 0 || shop.notified() == 0 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(60), host.run_until(ordered))
        .await
        .expect("it comes to its end")
        .expect("it ends in order");

    assert_eq!(shop.count("SELECT CAST(sum(cents) AS bigint) FROM charges WHERE order_id = 7").await, 5_800);
    assert_eq!(shop.count("SELECT CAST(sum(cents) AS bigint) FROM refunds WHERE order_id = 7").await, 5_800);
    assert_eq!((shop.count("SELECT count(*) FROM notifications").await, shop.notified()), (1, 1));
    let text = "Dear Ada, order 7 costs 58.00 euros.";
    shop.broker.assert_published::<CustomerNotified>(|event| event.text == text);
}

/// All services in one process, with a broker in memory.
struct Shop {
    routes: Router,
    host: Option<Host>,
    broker: InMemoryBroker,
    database: Database,
    _server: Server,
}

impl Shop {
    async fn new() -> Self {
        let (server, database) = database().await;
        for service in SERVICES {
            database.create(service.tables()).await.expect("it has no tables yet");
        }
        let broker = InMemoryBroker::new();
        let mediator = mediator(&SERVICES, &database, broker.clone()).expect("the wiring is right");
        let endpoints = SERVICES.into_iter().filter_map(|service| service.endpoint(broker.clone()));
        let host = Some(host(&mediator, &database, endpoints));
        Self { routes: web::routes(mediator), host, broker, database, _server: server }
    }

    async fn ask(&self, method: Method, path: &str, body: &str) -> (StatusCode, String) {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        let request = request.body(Body::from(body.to_owned())).expect("it is a request");
        let answer = self.routes.clone().oneshot(request).await.expect("routes always answer");
        let status = answer.status();
        let body = to_bytes(answer.into_body(), 10_000).await.expect("it is short");
        (status, String::from_utf8(body.into()).expect("it is text"))
    }

    fn notified(&self) -> usize {
        self.broker.published_events::<CustomerNotified>().len()
    }

    async fn count(&self, statement: &'static str) -> i64 {
        sqlx::query_scalar(statement).fetch_one(&self.database.pool).await.expect("it is a number")
    }
}

#[cfg(all(feature = "postgres", feature = "redis"))]
type Server = diator_testkit::Postgres;

#[cfg(all(feature = "postgres", feature = "redis"))]
async fn database() -> (Server, Database) {
    let server = Server::start(&[]);
    let pool = sqlx::PgPool::connect(&server.url()).await.expect("it runs");
    (server, Database::new(pool))
}

#[cfg(not(all(feature = "postgres", feature = "redis")))]
type Server = ();

#[cfg(not(all(feature = "postgres", feature = "redis")))]
async fn database() -> (Server, Database) {
    // Each connection to a database in memory has one of its own.
    let pool = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await;
    ((), Database::new(pool.expect("it needs no file")))
}
