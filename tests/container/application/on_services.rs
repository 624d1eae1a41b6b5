//! The shop on the built-in container.

mod shop;

use diator::Services;

use self::shop::{Books, Ledger, Prices, Stock, Warehouse};

#[tokio::test]
async fn the_shop_runs_on_services() {
    let books = Books::default();
    let services = Services::new()
        .value(Prices(vec![("tea", 7)]))
        .value(books.clone())
        .unit_of_work_sync(|scope| Ok(Ledger::open(&*scope.get::<Books>()?, scope.get()?)))
        .scoped(|scope| Ok(Warehouse { ledger: scope.get()? }))
        .alias::<dyn Stock, Warehouse>(|warehouse| warehouse);
    shop::run(books, services).await;
}
