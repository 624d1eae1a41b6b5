use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use diator::prelude::*;

#[derive(Default)]
pub struct Total(AtomicU64);

impl Total {
    fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }
}

//each mod handlerNUMBER;

fn main() {
    let total = Arc::new(Total::default());
    let mediator = Mediator::from_registry().container(Services::new().singleton(total.clone())).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
//each         mediator.emit(handlerNUMBER::Added { number: 1 }).await.unwrap();
    });
    assert!(total.0.load(Ordering::Relaxed) > 0);
}
