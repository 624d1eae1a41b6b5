//! shaku: components are shared, and providers make something new each time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use diator::Services;
use shaku::{Component, HasComponent, HasProvider, Provider, module};

use super::{Counter, Visit};

pub(super) fn services() -> Services {
    let module = Arc::new(Application::builder().build());
    Services::new().provide_from(module, |from| {
        from.singleton::<dyn Counter>(HasComponent::resolve).scoped::<dyn Visit>(HasProvider::provide)
    })
}

module! {
    Application {
        components = [AtomicCounter],
        providers = [NumberedVisit],
    }
}

#[derive(Component)]
#[shaku(interface = Counter)]
struct AtomicCounter {
    #[shaku(default)]
    last: AtomicUsize,
}

impl Counter for AtomicCounter {
    fn next(&self) -> usize {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }
}

#[derive(Provider)]
#[shaku(interface = Visit)]
struct NumberedVisit {
    #[shaku(inject)]
    counter: Arc<dyn Counter>,
    #[shaku(force_default)]
    number: OnceLock<usize>,
}

impl Visit for NumberedVisit {
    fn number(&self) -> usize {
        *self.number.get_or_init(|| self.counter.next())
    }
}
