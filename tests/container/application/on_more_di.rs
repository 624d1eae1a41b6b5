//! The shop on more-di.

mod shop;

use di::{Ref, ServiceCollection, existing_as_self, scoped_factory};
use diator::container::{Enlistment, MoreDi};

use self::shop::{Books, Ledger, Prices, Stock, Warehouse};

#[tokio::test]
async fn the_shop_runs_on_more_di() {
    let books = Books::default();
    let mut services = ServiceCollection::new();
    services
        .add(existing_as_self(Prices(vec![("tea", 7)])))
        .add(existing_as_self(books.clone()))
        .add(scoped_factory(|scope| {
            let ledger = Ledger::open(&scope.get_required(), scope.get_required());
            scope.get_required::<Enlistment>().enlist(Ref::new(ledger.clone()));
            Ref::new(ledger)
        }))
        .add(scoped_factory::<dyn Stock, _>(|scope| Ref::new(Warehouse { ledger: scope.get_required() })));
    shop::run(books, MoreDi::new(&services)).await;
}
