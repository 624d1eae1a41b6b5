//! The built-in container as handlers see it: what is optional, what a test replaces, and what another container has.

use std::sync::Arc;

use diator::prelude::*;

trait Clock: Send + Sync {
    fn now(&self) -> u32;
}

struct Fixed(u32);

impl Clock for Fixed {
    fn now(&self) -> u32 {
        self.0
    }
}

/// What the handler got: the time, and whether it is the same clock that its event handler gets.
#[derive(Debug, Command)]
#[request(response = Option<u32>)]
struct AskTime;

#[derive(Debug, DomainEvent)]
struct TimeAsked(Option<u32>);

#[request_handler(AskTime)]
struct AskTimeHandler {
    clock: Option<Arc<dyn Clock>>,
}

impl RequestHandler<AskTime> for AskTimeHandler {
    async fn handle(&self, _: AskTime, cx: &mut RequestContext<'_, AskTime>) -> Result<Option<u32>, BoxError> {
        let now = self.clock.as_ref().map(|clock| clock.now());
        cx.emit(TimeAsked(now));
        Ok(now)
    }
}

#[event_handler(TimeAsked)]
struct CheckTime {
    clock: Option<Arc<dyn Clock>>,
}

impl EventHandler<TimeAsked> for CheckTime {
    async fn handle(&self, event: &TimeAsked, _cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        match event.0 == self.clock.as_ref().map(|clock| clock.now()) {
            true => Ok(()),
            false => Err("it is another clock".into()),
        }
    }
}

/// What two messages get, one after the other.
async fn ask_twice(services: Services) -> [Result<Option<u32>, String>; 2] {
    let handlers = handlers![AskTimeHandler, CheckTime];
    let mediator = Mediator::builder().handlers(handlers).container(services).build().unwrap();
    let ask = async || {
        let asked = mediator.send(AskTime).await;
        asked.map_err(|error| std::error::Error::source(&error).map_or(error.to_string(), ToString::to_string))
    };
    [ask().await, ask().await]
}

#[tokio::test]
async fn an_optional_service_that_is_missing_is_none() {
    assert_eq!(ask_twice(Services::new()).await, [Ok(None), Ok(None)]);
}

#[tokio::test]
async fn an_optional_service_that_is_registered_is_there() {
    let singleton = Services::new().singleton::<dyn Clock>(Arc::new(Fixed(7)));
    assert_eq!(ask_twice(singleton).await, [Ok(Some(7)), Ok(Some(7))]);
    let scoped = Services::new().scoped(|_| Ok(Fixed(8))).alias::<dyn Clock, Fixed>(|clock| clock);
    assert_eq!(ask_twice(scoped).await, [Ok(Some(8)), Ok(Some(8))]);
}

#[tokio::test]
async fn an_optional_service_that_cannot_be_built_is_an_error() {
    let failing = Services::new()
        .scoped::<Fixed, _>(|_| Err("the clock has stopped".into()))
        .alias::<dyn Clock, Fixed>(|clock| clock);
    for asked in ask_twice(failing).await {
        let error = asked.unwrap_err();
        assert!(error.contains("the clock has stopped"), "{error}");
    }
}

#[tokio::test]
async fn a_test_puts_a_fake_over_a_service_of_a_module() {
    let module = Services::new().singleton_with(|_| Ok(Fixed(7))).alias::<dyn Clock, Fixed>(|clock| clock);
    let program = Services::new().extend(module);
    let faked = program.clone().singleton::<dyn Clock>(Arc::new(Fixed(0)));
    assert_eq!(ask_twice(faked).await, [Ok(Some(0)), Ok(Some(0))]);
    assert_eq!(ask_twice(program).await, [Ok(Some(7)), Ok(Some(7))]);
}

mod from_a_compile_time_container {
    use std::error::Error;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Each clock that it makes is an hour later.
    #[derive(Default)]
    struct Module(AtomicU32);

    impl Module {
        fn make(&self) -> Result<Box<dyn Clock>, Box<dyn Error>> {
            match self.0.fetch_add(1, Ordering::Relaxed) + 1 {
                3.. => Err("it is too late".into()),
                hour => Ok(Box::new(Fixed(hour))),
            }
        }
    }

    #[tokio::test]
    async fn a_scoped_service_is_shared_by_the_handlers_of_a_message() {
        let services = Services::new().provide_from(Arc::<Module>::default(), |from| from.scoped(Module::make));
        assert_eq!(ask_twice(services).await, [Ok(Some(1)), Ok(Some(2))]);
    }

    #[tokio::test]
    async fn a_transient_one_is_not() {
        let services = Services::new().provide_from(Arc::<Module>::default(), |from| from.transient(Module::make));
        let [first, second] = ask_twice(services).await;
        assert_eq!(first, Err("it is another clock".to_owned()));
        let error = second.unwrap_err();
        assert!(error.contains("it is too late"), "{error}");
    }

    #[tokio::test]
    async fn a_shared_one_is_the_same_for_all() {
        let services = Services::new().provide_from(Arc::<Module>::default(), |from| {
            from.singleton::<dyn Clock>(|module| module.make().unwrap().into())
        });
        assert_eq!(ask_twice(services).await, [Ok(Some(1)), Ok(Some(1))]);
    }
}
