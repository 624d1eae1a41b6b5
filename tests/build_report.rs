//! What `build()` finds wrong with handlers that are listed by hand, one sort of problem after the other.
//!
//! `build_report/whole.rs` has them all in one report, `build_report/empty.rs` the empty registry, and `linkage`
//! those that come of crates which are not linked.

use std::sync::Arc;

use diator::broker::RoutingBroker;
use diator::container::{Container, DependencyKey, Lifetime, Opening, ServiceSlot};
use diator::prelude::*;
use diator::registry::{Problem, ProblemKind};
use diator::{BuildError, Handlers, MediatorBuilder, MessageKind};
use serde::{Deserialize, Serialize};

// --- Messages. ----------------------------------------------------------------------------------

#[derive(Debug, Command)]
struct OpenMeeting;

#[derive(Debug, Command)]
struct CloseMeeting;

#[derive(Debug, Query)]
struct CountMeetings<T: Send + 'static>(T);

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(alias = "UserEntered", alias = "Joined")]
struct UserJoined;

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(name = "UserEntered")]
struct UserEnteredNotification;

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(alias = "Joined")]
struct GuestJoined;

/// Shares its name with a notification, but is another kind.
#[derive(Debug, Serialize, Deserialize, EcstEvent)]
#[event(name = "UserJoined")]
struct UserState;

// --- Services. ----------------------------------------------------------------------------------

trait Rooms: Send + Sync {}

struct Clock;
struct Transaction;

#[derive(Clone)]
struct Pool;

struct Zoom;

impl Rooms for Zoom {}

// --- Handlers; what they do is of no interest here. ---------------------------------------------

/// Declares a handler, and lets it answer a request; unregistered, because one module may have only one that is.
macro_rules! request_handler {
    ($(#[$attribute:meta])* $handler:ident { $($fields:tt)* } of $request:ty) => {
        $(#[$attribute])*
        #[request_handler($request, unregistered)]
        #[allow(dead_code, reason = "only the types of the fields count")]
        struct $handler { $($fields)* }

        impl RequestHandler<$request> for $handler {
            async fn handle(&self, _: $request, _: &mut RequestContext<'_, $request>) -> Result<(), BoxError> {
                Ok(())
            }
        }
    };
}

/// Declares a handler, and lets it ignore an event.
macro_rules! event_handler {
    ($handler:ident { $($fields:tt)* } of $event:ty) => {
        #[event_handler($event)]
        #[allow(dead_code, reason = "only the types of the fields count")]
        struct $handler { $($fields)* }

        impl EventHandler<$event> for $handler {
            async fn handle(&self, _: &$event, _: &mut EventContext<'_>) -> Result<(), BoxError> {
                Ok(())
            }
        }
    };
}

request_handler!(Open { rooms: Arc<dyn Rooms> } of OpenMeeting);
request_handler!(OpenInRoom { rooms: Arc<dyn Rooms>, clock: Arc<Clock> } of OpenMeeting);
request_handler!(OpenAnywhere { rooms: Option<Arc<dyn Rooms>> } of OpenMeeting);
request_handler!(Close { #[inject(clone)] pool: Pool, transaction: Arc<Transaction> } of CloseMeeting);
request_handler!(CloseQuietly {} of CloseMeeting);
request_handler!(CountBytes {} of CountMeetings<u8>);
request_handler!(CountWords {} of CountMeetings<Vec<String>>);
request_handler!(CountWordsAgain {} of CountMeetings<Vec<String>>);
event_handler!(Greet { rooms: Arc<dyn Rooms> } of UserJoined);
event_handler!(WaveAtUser {} of UserJoined);
event_handler!(WaveAtEntry {} of UserEnteredNotification);
event_handler!(WaveAtGuest {} of GuestJoined);
event_handler!(CopyState {} of UserState);

// --- Building. ----------------------------------------------------------------------------------

fn builder(handlers: Handlers) -> MediatorBuilder {
    Mediator::builder().handlers(handlers).broker(InMemoryBroker::new())
}

#[track_caller]
fn refused(builder: MediatorBuilder) -> BuildError {
    builder.build().expect_err("the builder has a problem")
}

/// The texts of the problems, which must be of one kind.
#[track_caller]
fn texts(error: &BuildError, kind: ProblemKind) -> Vec<&str> {
    assert!(error.problems().iter().all(|problem| problem.kind() == kind), "{error}");
    error.problems().iter().map(Problem::text).collect()
}

#[test]
fn what_is_right_has_no_problem() {
    let services = Services::new().singleton::<dyn Rooms>(Arc::new(Zoom)).value(Clock).scoped(|_| Ok(Transaction));
    let handlers = handlers![OpenInRoom, CloseQuietly, CountBytes, CountWords, Greet, WaveAtUser, CopyState];
    assert!(builder(handlers).container(services).build().is_ok());
}

#[test]
fn nothing_is_listed() {
    let error = refused(builder(handlers![]));
    assert_eq!(texts(&error, ProblemKind::EmptyRegistry), ["no handler is registered"]);
    assert!(error.problems()[0].remedy().contains("Mediator::from_registry()"), "{error}");
}

// --- Several handlers. --------------------------------------------------------------------------

#[test]
fn two_handlers_of_one_request() {
    let services = Services::new().value(Pool).scoped(|_| Ok(Transaction));
    let error = refused(builder(handlers![CloseQuietly, Close]).container(services));
    let [text] = texts(&error, ProblemKind::SeveralHandlers)[..] else { panic!("{error}") };
    assert!(text.starts_with("the request `CloseMeeting` has 2 handlers: "), "{error}");
    for handler in ["`build_report::Close` at tests", "`build_report::CloseQuietly` at tests"] {
        assert!(text.contains(handler), "{error}");
    }
}

#[test]
fn instances_of_a_generic_request_are_told_apart() {
    let error = refused(builder(handlers![CountBytes, CountWords, CountWordsAgain]));
    let [text] = texts(&error, ProblemKind::SeveralHandlers)[..] else { panic!("{error}") };
    assert!(text.starts_with("the request `CountMeetings<Vec<String>>` has 2 handlers: "), "{error}");
}

#[test]
fn a_handler_that_is_listed_twice_is_one() {
    assert!(builder(handlers![CountBytes, CountBytes]).handlers(handlers![CountBytes]).build().is_ok());
}

#[test]
fn any_number_of_handlers_of_one_event() {
    assert!(builder(handlers![Greet, WaveAtUser]).container(rooms()).build().is_ok());
}

// --- Dependencies. ------------------------------------------------------------------------------

fn rooms() -> Services {
    Services::new().singleton::<dyn Rooms>(Arc::new(Zoom))
}

#[test]
fn a_missing_dependency_is_reported_for_every_handler_that_needs_it() {
    let error = refused(builder(handlers![Open, Greet]));
    let expected = [
        "the handler `build_report::Open` needs `dyn build_report::Rooms` for its field `rooms`, \
         and the container has none",
        "the handler `build_report::Greet` needs `dyn build_report::Rooms` for its field `rooms`, \
         and the container has none",
    ];
    assert_eq!(texts(&error, ProblemKind::MissingDependency), expected);
    for problem in error.problems() {
        assert_eq!(problem.location().unwrap().crate_name(), "build_report");
        assert!(problem.remedy().contains("singleton::<dyn Rooms>(Arc::new(…))"), "{error}");
    }
}

#[test]
fn all_missing_dependencies_of_a_handler_are_reported() {
    let error = refused(builder(handlers![OpenInRoom]));
    let texts = texts(&error, ProblemKind::MissingDependency);
    assert_eq!(texts.len(), 2, "{error}");
    assert!(texts[0].contains("`build_report::Clock` for its field `clock`"), "{error}");
    assert!(texts[1].contains("`dyn build_report::Rooms` for its field `rooms`"), "{error}");
}

#[test]
fn an_arc_that_is_registered_as_a_value_is_named_as_what_is_there_instead() {
    let rooms: Arc<dyn Rooms> = Arc::new(Zoom);
    let (services, line) = (Services::new().value(rooms), line!());
    let error = refused(builder(handlers![Open]).container(services));
    let [problem] = error.problems() else { panic!("{error}") };
    let instead = format!(
        "`alloc::sync::Arc<dyn build_report::Rooms>` is registered instead, at {}:{line}: give that `Arc` to \
         `.singleton::<dyn build_report::Rooms>(…)`; a factory returns the service itself, and no `Arc`",
        file!()
    );
    assert_eq!(problem.remedy(), instead);
}

#[test]
fn an_optional_dependency_may_be_missing() {
    assert!(builder(handlers![OpenAnywhere]).build().is_ok());
}

#[test]
fn what_a_replaced_handler_would_need_may_be_missing() {
    struct Fake;

    impl RequestHandler<OpenMeeting> for Fake {
        async fn handle(&self, _: OpenMeeting, _: &mut RequestContext<'_, OpenMeeting>) -> Result<(), BoxError> {
            Ok(())
        }
    }

    assert!(builder(handlers![Open]).replace::<OpenMeeting>(Fake).build().is_ok());
}

#[test]
fn what_a_handler_that_is_left_out_would_need_may_be_missing() {
    assert!(builder(handlers![Open, CloseQuietly]).except::<Open>().build().is_ok());
}

// --- The container. -----------------------------------------------------------------------------

#[test]
fn a_singleton_that_needs_a_scoped_service() {
    let services =
        Services::new().scoped(|_| Ok(Transaction)).singleton_with(|scope| scope.get::<Transaction>().map(|_| Clock));
    let error = refused(builder(handlers![CloseQuietly]).container(services));
    let [text] = texts(&error, ProblemKind::Container)[..] else { panic!("{error}") };
    let part = "the singleton `build_report::Clock` needs the scoped service `build_report::Transaction`";
    assert!(text.contains(part), "{error}");
}

#[test]
fn a_cycle() {
    let services = Services::new()
        .singleton_with(|scope| scope.get::<Zoom>().map(|_| Clock))
        .singleton_with(|scope| scope.get::<Clock>().map(|_| Zoom));
    let error = refused(builder(handlers![CloseQuietly]).container(services));
    for text in texts(&error, ProblemKind::Container) {
        assert!(text.contains("cycle"), "{error}");
        assert!(text.contains("build_report::Zoom -> build_report::Clock"), "{error}");
    }
}

#[test]
fn a_singleton_whose_factory_fails() {
    let services = Services::new().singleton_with::<Clock, _>(|_| Err("the hardware clock is not set".into()));
    let error = refused(builder(handlers![CloseQuietly]).container(services));
    let [text] = texts(&error, ProblemKind::Container)[..] else { panic!("{error}") };
    assert!(text.contains("`build_report::Clock` cannot be built: the hardware clock is not set"), "{error}");
}

#[test]
fn an_alias_of_nothing() {
    let services = Services::new().alias::<dyn Rooms, Zoom>(|zoom| zoom);
    let error = refused(builder(handlers![CloseQuietly]).container(services));
    let expected = "`dyn build_report::Rooms` is an alias of `build_report::Zoom`, which is not registered";
    assert_eq!(texts(&error, ProblemKind::Container), [expected]);
}

#[test]
fn problems_of_services_show_where_those_were_registered() {
    let line = line!() + 1;
    let services = Services::new().singleton_with::<Clock, _>(|_| Err("the hardware clock is not set".into()));
    let error = refused(builder(handlers![CloseQuietly]).container(services));
    let location = error.problems()[0].location().unwrap();
    assert_eq!((location.file(), location.line()), (file!(), line));
}

/// Says that it has a clock, and fails to give it.
struct BrokenContainer;

impl Container for BrokenContainer {
    fn lifetime(&self, key: &DependencyKey) -> Lifetime {
        match key.name().contains("Clock") {
            true => Lifetime::Singleton,
            false => Lifetime::Missing,
        }
    }

    fn singleton(&self, _: &DependencyKey, _: ServiceSlot<'_>) -> Result<(), BoxError> {
        Err("the clock stands still".into())
    }

    fn open<'a>(&'a self, _: &'a Meta, _: MessageKind) -> Opening<'a> {
        Opening::Ready(Err("there are no scopes".into()))
    }
}

request_handler!(OpenAtNine { clock: Arc<Clock> } of OpenMeeting);

#[test]
fn a_singleton_that_another_container_cannot_give() {
    let error = refused(builder(handlers![OpenAtNine]).container(BrokenContainer));
    let expected = "the handler `build_report::OpenAtNine` cannot be built: \
                    field `clock` needs `build_report::Clock`: the clock stands still";
    assert_eq!(texts(&error, ProblemKind::Container), [expected]);
    assert!(error.problems()[0].location().is_some());
}

request_handler!(OpenWithPool { pool: Arc<Pool> } of OpenMeeting);
event_handler!(GreetWithPool { pool: Arc<Pool> } of UserJoined);

#[tokio::test]
async fn what_the_factory_of_a_scoped_service_needs_is_tried_out_without_a_message() {
    let (services, line) = (Services::new().scoped(|scope| scope.get::<Clock>().map(|_| Pool)), line!());
    let mediator = builder(handlers![OpenWithPool, GreetWithPool, CloseQuietly]).container(services.clone());
    let error = mediator.build().unwrap().check_scopes().await.unwrap_err();
    assert!(error.to_string().starts_with("handlers cannot be built for their messages: 2 problems"), "{error}");
    let expected = ["OpenWithPool", "GreetWithPool"].map(|handler| {
        format!(
            "`build_report::{handler}` could not be built: field `pool` needs `build_report::Pool`: `build_report::Clock` is not \
             registered (needed by `build_report::Pool`, registered at {}:{line})",
            file!()
        )
    });
    assert_eq!(texts(&error, ProblemKind::Container), expected);
    assert!(error.problems().iter().all(|problem| problem.location().is_some()));

    let complete = services.singleton(Arc::new(Clock));
    let mediator = builder(handlers![OpenWithPool, GreetWithPool, CloseQuietly]).container(complete);
    assert!(mediator.build().unwrap().check_scopes().await.is_ok());
}

#[tokio::test]
async fn a_scope_that_does_not_open_is_reported() {
    struct Closed;

    impl Container for Closed {
        fn lifetime(&self, _: &DependencyKey) -> Lifetime {
            Lifetime::Scoped
        }

        fn singleton(&self, _: &DependencyKey, _: ServiceSlot<'_>) -> Result<(), BoxError> {
            Err("there are no singletons".into())
        }

        fn open<'a>(&'a self, _: &'a Meta, _: MessageKind) -> Opening<'a> {
            Opening::Ready(Err("there are no scopes".into()))
        }
    }

    let mediator = builder(handlers![OpenWithPool]).container(Closed).build().unwrap();
    let error = mediator.check_scopes().await.unwrap_err();
    let [text] = texts(&error, ProblemKind::Container)[..] else { panic!("{error}") };
    assert!(text.ends_with(": there are no scopes"), "{error}");
}

// --- Events. ------------------------------------------------------------------------------------

#[test]
fn an_event_for_the_broker_without_a_broker() {
    let builder = || Mediator::builder().handlers(handlers![WaveAtUser]);
    let error = refused(builder());
    let expected = "the event `UserJoined` goes to a message broker, and the mediator has none";
    assert_eq!(texts(&error, ProblemKind::NoBroker), [expected]);
    assert!(builder().without_broker().build().is_ok());
}

#[test]
fn an_event_that_the_broker_does_not_take() {
    let error = refused(builder(handlers![WaveAtUser]).broker(RoutingBroker::new()));
    let [text] = texts(&error, ProblemKind::NotAccepted)[..] else { panic!("{error}") };
    assert!(text.starts_with("the broker does not accept the event `UserJoined`: "), "{error}");
}

#[test]
fn two_events_of_one_kind_with_one_name() {
    let error = refused(builder(handlers![WaveAtUser, WaveAtEntry]));
    let [text] = texts(&error, ProblemKind::AmbiguousName)[..] else { panic!("{error}") };
    for part in ["`build_report::UserJoined`", "`build_report::UserEnteredNotification`", "on the wire: `UserEntered`"]
    {
        assert!(text.contains(part), "{error}");
    }
}

#[test]
fn two_events_of_one_kind_with_one_alias() {
    let error = refused(builder(handlers![WaveAtUser, WaveAtGuest]));
    let [text] = texts(&error, ProblemKind::AmbiguousName)[..] else { panic!("{error}") };
    for part in ["`build_report::UserJoined`", "`build_report::GuestJoined`", "on the wire: `Joined`"] {
        assert!(text.contains(part), "{error}");
    }
}

#[test]
fn events_of_different_kinds_may_have_one_name() {
    assert!(builder(handlers![WaveAtUser, CopyState]).build().is_ok());
}

// --- The report. --------------------------------------------------------------------------------

#[test]
fn the_sequence_of_the_builders_calls_does_not_matter() {
    let one = refused(builder(handlers![Open, Close, CloseQuietly, WaveAtUser, WaveAtEntry]));
    let other = refused(builder(handlers![WaveAtEntry, WaveAtUser, CloseQuietly]).handlers(handlers![Close, Open]));
    assert!(one.problems().len() >= 5, "{one}");
    assert_eq!(one.to_string(), other.to_string());
    assert!(one.problems().is_sorted(), "{one}");
}

#[test]
fn an_error_in_main_shows_the_report() {
    fn main() -> Result<(), Box<dyn std::error::Error>> {
        builder(handlers![Open]).build()?;
        Ok(())
    }

    let shown = format!("{:?}", main().unwrap_err());
    assert!(shown.starts_with("the mediator cannot be built: 1 problem\n\n1. tests"), "{shown}");
    assert!(shown.ends_with("handlers were found in: build_report"), "{shown}");
}
