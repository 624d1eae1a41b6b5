// Nobody reads what the events carry.
#![allow(dead_code)]

use diator::prelude::*;

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

//each mod handlerNUMBER;

fn main() {
    let services = Services::new().value(Stock).value(Prices).value(Ledger);
    let mediator = Mediator::from_registry().container(services).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
//each         assert_eq!(mediator.send(handlerNUMBER::Order { article: 1, pieces: 2 }).await.unwrap().amount, 202);
    });
}
