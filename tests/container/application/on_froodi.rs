//! The shop on froodi.

mod shop;

use std::sync::Arc;

use diator::Meta;
use diator::container::Enlistment;
use froodi::DefaultScope::{App, Request};
use froodi::{Container, Inject, Registry, async_impl, declare, instance, registry};

use self::shop::{Books, Ledger, Prices, Stock, Warehouse};

fn services(books: Books) -> Registry {
    registry! {
        scope(App) [
            provide(|| Ok(Prices(vec![("tea", 7)]))),
            provide(instance(books)),
        ],
        scope(Request) [
            provide(declare::<Meta>()),
            provide(declare::<Enlistment>()),
            provide(
                |Inject(books): Inject<Books>, Inject(meta): Inject<Meta>, Inject(enlistment): Inject<Enlistment>| {
                    let ledger = Ledger::open(&books, meta);
                    enlistment.enlist(Arc::new(ledger.clone()));
                    Ok(ledger)
                }
            ),
            provide(|Inject(ledger): Inject<Ledger>| Ok(Arc::new(Warehouse { ledger }) as Arc<dyn Stock>)),
        ],
    }
    .into_registry()
}

#[tokio::test]
async fn the_shop_runs_on_froodi() {
    let books = Books::default();
    let container = Container::new(services(books.clone()));
    shop::run(books, container).await;
}

#[tokio::test]
async fn the_shop_runs_on_asynchronous_froodi() {
    let books = Books::default();
    let container = async_impl::Container::new(services(books.clone()));
    shop::run(books, container).await;
}
