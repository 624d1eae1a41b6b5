//! A program with every mistake that can be found at once, and its report, word by word.
//!
//! The lines of this file are part of the report: `whole.txt` says what it must be.

use std::sync::Arc;

use diator::prelude::*;
use diator::registry::{Problem, ProblemKind};
use diator::{BuildError, MediatorBuilder};
use serde::Serialize;

/// It has no handlers.
mod linked {
    diator::link!(diator_tests);
}

mod requests {
    use super::*;

    #[derive(Debug, Command)]
    pub(crate) struct OpenMeeting;

    #[derive(Debug, Command)]
    pub(crate) struct CloseMeeting;

    #[derive(Debug, Query)]
    pub(crate) struct CountMeetings;
}

mod events {
    use super::*;

    #[derive(Debug, DomainEvent)]
    #[event(must_be_handled)]
    pub(crate) struct MeetingOpened;

    #[derive(Debug, Serialize, NotificationEvent)]
    #[event(name = "MeetingClosed")]
    pub(crate) struct MeetingClosedNotification;

    #[derive(Debug, Serialize, NotificationEvent)]
    #[event(alias = "MeetingClosed")]
    pub(crate) struct MeetingEnded;

    /// Not the same kind, so it may have the same name.
    #[derive(Debug, Serialize, EcstEvent)]
    pub(crate) struct MeetingClosed;
}

mod services {
    use super::*;

    pub(crate) trait Rooms: Send + Sync {}

    pub(crate) struct Clock;
    pub(crate) struct Transaction;
    pub(crate) struct Reports;
    pub(crate) struct Chicken;
    pub(crate) struct Egg;

    pub(crate) fn services() -> Services {
        Services::new()
            .singleton_with::<Clock, _>(|_| Err("the hardware clock is not set".into()))
            .scoped(|_| Ok(Transaction))
            .singleton_with(|scope| scope.get::<Transaction>().map(|_| Reports))
            .singleton_with(|scope| scope.get::<Egg>().map(|_| Chicken))
            .singleton_with(|scope| scope.get::<Chicken>().map(|_| Egg))
    }
}

mod handlers {
    use super::requests::{CloseMeeting, OpenMeeting};
    use super::services::{Clock, Rooms, Transaction};
    use super::*;

    #[request_handler(OpenMeeting)]
    pub(crate) struct OpenMeetingHandler {
        _rooms: Arc<dyn Rooms>,
        _clock: Arc<Clock>,
        #[inject(clone)]
        _limit: u32,
    }

    impl RequestHandler<OpenMeeting> for OpenMeetingHandler {
        async fn handle(&self, _: OpenMeeting, _: &mut RequestContext<'_, OpenMeeting>) -> Result<(), BoxError> {
            Ok(())
        }
    }

    #[request_handler(CloseMeeting)]
    pub(crate) struct CloseMeetingHandler {
        _rooms: Option<Arc<dyn Rooms>>,
        _transaction: Arc<Transaction>,
    }

    impl RequestHandler<CloseMeeting> for CloseMeetingHandler {
        async fn handle(&self, _: CloseMeeting, _: &mut RequestContext<'_, CloseMeeting>) -> Result<(), BoxError> {
            Ok(())
        }
    }

    /// Where one module has two handlers of a request, they do not compile.
    pub(crate) mod others {
        use super::*;

        #[request_handler(CloseMeeting)]
        pub(crate) struct HangUp;

        impl RequestHandler<CloseMeeting> for HangUp {
            async fn handle(&self, _: CloseMeeting, _: &mut RequestContext<'_, CloseMeeting>) -> Result<(), BoxError> {
                Ok(())
            }
        }

        #[request_handler(OpenMeeting)]
        pub(crate) struct LeftOut;

        impl RequestHandler<OpenMeeting> for LeftOut {
            async fn handle(&self, _: OpenMeeting, _: &mut RequestContext<'_, OpenMeeting>) -> Result<(), BoxError> {
                Ok(())
            }
        }
    }
}

/// Leaves a handler out twice, which is once too often.
fn builder() -> MediatorBuilder {
    let builder = Mediator::from_registry().container(services::services());
    builder.except::<handlers::others::LeftOut>().except::<handlers::others::LeftOut>()
}

fn report() -> BuildError {
    builder().build().unwrap_err()
}

#[test]
fn the_report_tells_every_problem_with_its_place_and_its_remedy() {
    let report = report().to_string().replace('\\', "/");
    assert!(report == include_str!("whole.txt").trim_end(), "`whole.txt` says something else than:\n{report}");
}

#[test]
fn debug_prints_what_display_prints() {
    let report = report();
    assert_eq!(format!("{report:?}"), report.to_string());
    assert_eq!(format!("{report:#?}"), report.to_string());
}

#[test]
fn the_problems_are_sorted_and_have_a_place_and_a_remedy() {
    let report = report();
    assert!(report.problems().is_sorted(), "{report}");
    for problem in report.problems() {
        assert!(problem.location().is_some(), "{problem}");
        assert!(!problem.remedy().is_empty(), "{problem}");
    }
}

#[test]
fn every_sort_of_problem_is_there_that_can_be_beside_the_others() {
    let mut found: Vec<_> = report().problems().iter().map(Problem::kind).collect();
    found.sort();
    found.dedup();
    let expected = [
        ProblemKind::NoHandler,
        ProblemKind::SeveralHandlers,
        ProblemKind::UnhandledEvent,
        ProblemKind::MissingDependency,
        ProblemKind::Container,
        ProblemKind::NoBroker,
        ProblemKind::AmbiguousName,
        ProblemKind::NothingLinked,
        ProblemKind::NoEffect,
    ];
    assert_eq!(found, expected);
}
