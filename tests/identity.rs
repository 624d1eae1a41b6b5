//! What tells messages and handlers from each other: that they are other types, not how they are written.

#![allow(unused_qualifications, reason = "two spellings of one type are tried here")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use diator::prelude::*;
use diator::registry::ProblemKind;
use diator::{BuildError, Handlers, MediatorBuilder};

fn build(builder: MediatorBuilder, runs: &Arc<Runs>) -> Result<Mediator, BuildError> {
    builder.container(Services::new().singleton(runs.clone())).build()
}

fn listed(handlers: Handlers) -> MediatorBuilder {
    Mediator::builder().handlers(handlers)
}

fn registered(handlers: Handlers) -> MediatorBuilder {
    Mediator::from_registry().only(handlers)
}

// --- Two types whose path reads the same. -------------------------------------------------------

/// What a block of its own has to show of itself.
trait Part: Sized {
    fn handlers() -> Handlers;
    fn answer(mediator: &Mediator) -> impl Future<Output = u8>;
}

struct First;
struct Second;

/// Writes a request, an event and their handler into a block of their own.
macro_rules! part {
    ($part:ident, $answer:literal) => {
        const _: () = {
            #[derive(Debug, Query)]
            #[request(response = u8)]
            struct Ask;

            #[derive(Debug, DomainEvent)]
            #[event(name = "Asked")]
            struct Asked;

            #[request_handler(Ask)]
            #[event_handler(Asked)]
            struct Answer;

            impl RequestHandler<Ask> for Answer {
                async fn handle(&self, _: Ask, _: &mut RequestContext<'_, Ask>) -> Result<u8, BoxError> {
                    Ok($answer)
                }
            }

            impl EventHandler<Asked> for Answer {
                async fn handle(&self, _: &Asked, _: &mut EventContext<'_>) -> Result<(), BoxError> {
                    Err(stringify!($part).into())
                }
            }

            impl Part for $part {
                fn handlers() -> Handlers {
                    handlers![Answer]
                }

                async fn answer(mediator: &Mediator) -> u8 {
                    let error = mediator.emit(Asked).await.unwrap_err();
                    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), stringify!($part));
                    assert_eq!(mediator.send_dyn(Ask).await.unwrap(), $answer);
                    mediator.send(Ask).await.unwrap()
                }
            }
        };
    };
}

part!(First, 1);
part!(Second, 2);

/// Two requests whose paths read the same are two requests.
#[tokio::test]
async fn requests_whose_paths_read_the_same_are_two() {
    let builder = Mediator::builder().handlers(First::handlers()).handlers(Second::handlers());
    let mediator = builder.build().unwrap();
    assert_eq!((First::answer(&mediator).await, Second::answer(&mediator).await), (1, 2));
}

#[tokio::test]
async fn one_of_them_is_known_alone() {
    let mediator = build(listed(Second::handlers()), &Arc::default()).unwrap();
    assert_eq!(Second::answer(&mediator).await, 2);
}

// --- One type in two spellings. -----------------------------------------------------------------

/// How often the handlers of [`Paid`] ran.
#[derive(Default)]
struct Runs(AtomicUsize);

#[derive(Debug, DomainEvent)]
struct Paid;

type Payment = Paid;

/// A handler of [`Paid`] that says so twice.
macro_rules! twice {
    ($handler:ident: $($attribute:meta),+) => {
        $(#[$attribute])+
        struct $handler {
            runs: Arc<Runs>,
        }

        impl EventHandler<Paid> for $handler {
            async fn handle(&self, _: &Paid, _: &mut EventContext<'_>) -> Result<(), BoxError> {
                self.runs.0.fetch_add(1, Ordering::SeqCst);
                Ok(())
            }
        }
    };
}

twice!(ByPath: event_handler(Paid), event_handler(crate::Paid));
twice!(BySelf: event_handler(Paid), event_handler(self::Paid));
twice!(ByAlias: event_handler(Paid), event_handler(Payment));
twice!(AfterToo: event_handler(Paid), event_handler(crate::Paid, after_commit));
twice!(ById: event_handler(Paid, id = "one"), event_handler(crate::Paid, id = "other", order = 1));

/// Whether the registry has the handler or a list.
async fn assert_a_problem(handlers: Handlers, handler: &str) {
    for builder in [registered(handlers.clone()), listed(handlers)] {
        let runs = Arc::<Runs>::default();
        match build(builder, &runs) {
            Ok(mediator) => {
                mediator.emit(Paid).await.unwrap();
                panic!("`{handler}` runs {} times, and nobody says so", runs.0.load(Ordering::SeqCst));
            }
            Err(error) => {
                assert!(error.problems().iter().any(|problem| problem.text().contains(handler)), "{error}");
            }
        }
    }
}

/// Everything that is wrong is in the report of `build()`.
#[tokio::test]
async fn an_event_in_two_spellings_is_a_problem() {
    assert_a_problem(handlers![ByPath], "ByPath").await;
}

#[tokio::test]
async fn an_event_beside_itself_is_a_problem() {
    assert_a_problem(handlers![BySelf], "BySelf").await;
}

#[tokio::test]
async fn an_event_and_its_other_name_are_a_problem() {
    assert_a_problem(handlers![ByAlias], "ByAlias").await;
}

/// The one before the commit, and the other after it.
#[tokio::test]
async fn an_event_before_and_after_the_commit_is_a_problem() {
    assert_a_problem(handlers![AfterToo], "AfterToo").await;
}

#[tokio::test]
async fn an_event_with_two_ids_is_a_problem() {
    assert_a_problem(handlers![ById], "ById").await;
}

/// The registry has it once, and the list names it once more: that is one handler.
#[tokio::test]
async fn a_handler_that_is_listed_twice_runs_once() {
    #[event_handler(Paid)]
    struct Once {
        runs: Arc<Runs>,
    }

    impl EventHandler<Paid> for Once {
        async fn handle(&self, _: &Paid, _: &mut EventContext<'_>) -> Result<(), BoxError> {
            self.runs.0.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    }

    let runs = Arc::<Runs>::default();
    build(registered(handlers![Once, Once]), &runs).unwrap().emit(Paid).await.unwrap();
    assert_eq!(runs.0.load(Ordering::SeqCst), 1);
}

#[derive(Debug, Query)]
struct Ask;

#[request_handler(Ask)]
#[request_handler(crate::Ask)]
struct AnswerTwice;

impl RequestHandler<Ask> for AnswerTwice {
    async fn handle(&self, _: Ask, _: &mut RequestContext<'_, Ask>) -> Result<(), BoxError> {
        Ok(())
    }
}

/// Of a request, one of the two would be left out.
#[tokio::test]
async fn a_request_in_two_spellings_is_a_problem() {
    assert_a_problem(handlers![AnswerTwice], "AnswerTwice").await;
}

// --- One handler that is there twice. -----------------------------------------------------------

#[derive(Debug, Query)]
struct Count;

/// Writes two handlers that read the same and stand at one place, as those of a crate do that is linked twice.
macro_rules! linked_twice {
    ($($number:literal),+) => {
        $(
            const _: () = {
                #[request_handler(Count)]
                #[event_handler(Paid)]
                struct Counter;

                impl RequestHandler<Count> for Counter {
                    async fn handle(&self, _: Count, _: &mut RequestContext<'_, Count>) -> Result<(), BoxError> {
                        Ok(())
                    }
                }

                impl EventHandler<Paid> for Counter {
                    async fn handle(&self, _: &Paid, _: &mut EventContext<'_>) -> Result<(), BoxError> {
                        Ok(())
                    }
                }

                impl Numbered<$number> for Everything {
                    fn handlers() -> Handlers {
                        handlers![Counter]
                    }
                }
            };
        )+
    };
}

trait Numbered<const NUMBER: u8> {
    fn handlers() -> Handlers;
}

struct Everything;

linked_twice!(1, 2);

#[test]
fn a_crate_that_is_linked_twice_is_told_of() {
    let builder = listed(<Everything as Numbered<1>>::handlers()).handlers(<Everything as Numbered<2>>::handlers());
    let error = builder.build().unwrap_err();
    let kinds: Vec<_> = error.problems().iter().map(diator::registry::Problem::kind).collect();
    assert_eq!(kinds, [ProblemKind::HandlerId, ProblemKind::SeveralHandlers], "{error}");
    for problem in error.problems() {
        for part in ["the crate `identity` is linked twice", "`Mediator::builder().handlers(handlers![…])`"] {
            assert!(problem.remedy().contains(part), "{error}");
        }
    }
}
