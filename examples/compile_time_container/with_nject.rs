//! nject: the provider shares its fields, and an injectable type is made anew each time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use diator::Services;
use nject::{inject, provider};

use super::{Counter, Visit};

pub(super) fn services() -> Services {
    let application = Arc::new(Application { counter: Arc::default() });
    Services::new().provide_from(application, |from| {
        from.singleton::<dyn Counter>(|provider| provider.provide())
            .scoped::<dyn Visit>(|provider| Ok(provider.provide()))
    })
}

#[provider]
#[provide(Box<dyn Visit>, |visit: NumberedVisit| Box::new(visit))]
struct Application {
    #[provide(Arc<dyn Counter>, |counter| counter.clone())]
    counter: Arc<AtomicCounter>,
}

#[derive(Default)]
struct AtomicCounter {
    last: AtomicUsize,
}

impl Counter for AtomicCounter {
    fn next(&self) -> usize {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }
}

#[inject(|counter: Arc<dyn Counter>| Self(counter.next()))]
struct NumberedVisit(usize);

impl Visit for NumberedVisit {
    fn number(&self) -> usize {
        self.0
    }
}
