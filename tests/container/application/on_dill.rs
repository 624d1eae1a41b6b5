//! The shop on dill.

mod shop;

use std::sync::Arc;

use diator::Meta;
use diator::container::Enlistment;
use dill::{Catalog, component, interface, scope, scopes};

use self::shop::{Books, Ledger, Prices, Stock, Warehouse};

#[component(pub(crate))]
#[scope(scopes::Transaction)]
impl Ledger {
    fn new(books: &Books, meta: Arc<Meta>, enlistment: &Enlistment) -> Self {
        let ledger = Self::open(books, meta);
        enlistment.enlist(Arc::new(ledger.clone()));
        ledger
    }
}

#[component(pub(crate))]
#[scope(scopes::Transaction)]
#[interface(dyn Stock)]
impl Warehouse {
    fn new(ledger: Arc<Ledger>) -> Self {
        Self { ledger }
    }
}

#[tokio::test]
async fn the_shop_runs_on_dill() {
    let books = Books::default();
    let mut catalog = Catalog::builder();
    catalog.add_value(Prices(vec![("tea", 7)])).add_value(books.clone()).add::<Ledger>().add::<Warehouse>();
    shop::run(books, catalog.build()).await;
}

#[test]
fn dill_itself_finds_what_its_components_lack() {
    use dill::ValidationErrorExt;
    let mut catalog = Catalog::builder();
    catalog.add_value(Prices(Vec::new())).add::<Ledger>().add::<Warehouse>();
    let error = catalog.validate().ignore::<Meta>().ignore::<Enlistment>().unwrap_err();
    assert!(error.to_string().contains("Unregistered type: on_dill::shop::Books"), "{error}");
    let known = catalog.add_value(Books::default()).validate();
    known.ignore::<Meta>().ignore::<Enlistment>().unwrap();
}
