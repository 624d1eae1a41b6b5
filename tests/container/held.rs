//! froodi holds a service as it is or in an `Arc`, and a handler need not know.

use std::sync::Arc;

use diator::prelude::*;
use diator::{Mediator, handlers};
use diator_testkit::container::{Clock, Config, Failing, Probe, Repository, Stamp, SystemClock};
use froodi::DefaultScope::{App, Request};
use froodi::{Container, InstantiateErrorKind, Registry, registry};

#[derive(Debug, Query)]
#[request(response = [Option<usize>; 4])]
struct Numbers;

type Shared<T> = Arc<T>;

#[request_handler(Numbers)]
struct NumbersHandler {
    as_it_is: Shared<Stamp>,
    in_arc: Option<Arc<Config>>,
    interface: Option<Arc<dyn Clock>>,
    absent: Option<Arc<dyn Repository>>,
    failing: Option<Arc<Failing>>,
}

impl RequestHandler<Numbers> for NumbersHandler {
    async fn handle(&self, _: Numbers, _: &mut RequestContext<'_, Numbers>) -> Result<[Option<usize>; 4], BoxError> {
        assert!(self.failing.is_none());
        Ok([
            Some(self.as_it_is.number()),
            self.in_arc.as_ref().map(|config| config.number()),
            self.interface.as_ref().map(|clock| clock.number()),
            self.absent.as_ref().map(|repository| repository.session()),
        ])
    }
}

fn services() -> Registry {
    let probe = Probe::default();
    registry! {
        scope(App) [
            provide({ let probe = probe.clone(); move || Ok(Stamp::of(&probe)) }),
            provide({ let probe = probe.clone(); move || Ok(Arc::new(Config::of(&probe))) }),
            provide(move || Ok(Arc::new(SystemClock::of(&probe)) as Arc<dyn Clock>)),
        ],
    }
    .into_registry()
}

fn mediator(services: Registry) -> Mediator {
    Mediator::builder().handlers(handlers![NumbersHandler]).container(Container::new(services)).build().unwrap()
}

#[tokio::test]
async fn a_service_is_found_either_way_and_an_optional_one_may_be_absent() {
    assert_eq!(mediator(services()).send(Numbers).await.unwrap(), [Some(0), Some(1), Some(2), None]);
}

#[tokio::test]
async fn an_optional_service_that_fails_is_no_absent_one() {
    let failing = registry! {
        scope(Request) [
            provide(|| -> Result<Failing, InstantiateErrorKind> {
                Err(InstantiateErrorKind::Custom(std::io::Error::other("the factory failed").into()))
            }),
        ],
    };
    let mediator = mediator(registry! { extend(services(), failing.into_registry()) }.into_registry());
    let error = mediator.send(Numbers).await.unwrap_err();
    let SendError::Resolve { source, .. } = error else { panic!("{error}") };
    assert_eq!(
        source.to_string(),
        "field `failing` needs `diator_testkit::container::services::Failing`: the factory failed"
    );
}
