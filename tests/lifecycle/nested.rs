//! Requests that a handler sends: one unit of work, one queue, and what a swallowed failure means.

use diator::{BoxError, CascadeLimit, SendError};
use diator_tests::{Ending, Journal};

use super::messages::{Act, KeepBooks, Refusal, act, announced, done, happened, happened_then, refuse, settled};
use super::world::{Sent, Way, World, every_way};

every_way! {
    the_response_comes_back_to_the_handler_that_sent,
    nested_events_are_handled_after_the_root_handler_in_the_one_queue,
    what_event_handlers_send_joins_the_queue_too,
    a_nested_failure_that_is_passed_on_fails_the_message,
    a_nested_failure_in_an_event_handler_fails_the_message,
    a_swallowed_failure_undoes_all_where_a_scope_is_open,
    a_swallowed_failure_drops_the_nested_events_alone_where_no_scope_is_open,
    a_scope_that_the_failed_request_opened_counts_too,
    a_failure_that_a_nested_handler_swallowed_counts_too,
    a_failure_that_an_event_handler_swallowed_counts_too,
    events_of_a_nested_success_go_with_the_failure_around_it,
    endless_recursion_ends_at_the_depth_limit,
    recursion_may_go_deep,
    many_requests_one_after_the_other_are_not_deep,
    recursion_between_events_and_requests_ends_too,
}

async fn the_response_comes_back_to_the_handler_that_sent(way: Way) {
    let world = World::new(way);
    let adding = act(|cx| {
        Box::pin(async move {
            let statically = cx.send(act(|_| done(Ok(20)))).await?;
            let dynamically = cx.send_dyn(act(|_| done(Ok(22)))).await?;
            Ok(statically + dynamically)
        })
    });
    assert_eq!(world.send(adding).await.expect("it succeeds"), 42);
    world.assert_committed();
}

async fn nested_events_are_handled_after_the_root_handler_in_the_one_queue(way: Way) {
    let world = World::new(way);
    let journal = world.journal.clone();
    let outer = act(move |cx| {
        Box::pin(async move {
            cx.emit(happened("outer 1"));
            cx.send(nested("nested 1")).await?;
            cx.emit(happened("outer 2"));
            cx.send_dyn(nested("nested 2")).await?;
            journal.note("the outer handler is done");
            Ok(1)
        })
    });
    world.send(outer).await.expect("it succeeds");
    assert_eq!(world.notes(), ["the outer handler is done", "outer 1", "nested 1", "outer 2", "nested 2"]);
    world.assert_committed();
}

/// Emits one domain event.
fn nested(label: &'static str) -> Act {
    act(move |cx| {
        cx.emit(happened(label));
        done(Ok(0))
    })
}

async fn what_event_handlers_send_joins_the_queue_too(way: Way) {
    let world = World::new(way);
    let outer = act(|cx| {
        cx.emit(happened_then("a", |cx| {
            Box::pin(async move {
                cx.send(nested("nested")).await?;
                Ok(())
            })
        }));
        cx.emit(happened("b"));
        done(Ok(1))
    });
    world.send(outer).await.expect("it succeeds");
    assert_eq!(world.notes(), ["a", "b", "nested"]);
    world.assert_committed();
}

async fn a_nested_failure_that_is_passed_on_fails_the_message(way: Way) {
    let world = World::new(way);
    let sent = world.send(act(|cx| Box::pin(async move { Ok(cx.send(failing()).await?) }))).await;
    assert!(matches!(&sent, Err(SendError::Handler(Refusal(text))) if text == "nested: no"), "{sent:?}");
    assert_eq!(world.notes(), [""; 0]);
    world.assert_rolled_back();
}

async fn a_nested_failure_in_an_event_handler_fails_the_message(way: Way) {
    let world = World::new(way);
    let outer = act(|cx| {
        cx.emit(happened_then("event", |cx| Box::pin(async move { Ok(cx.send(failing()).await.map(drop)?) })));
        done(Ok(1))
    });
    let sent = world.send(outer).await;
    assert!(matches!(sent, Err(SendError::Event { event: "Happened", .. })), "{sent:?}");
    world.assert_rolled_back();
}

// --- A failure that is swallowed. ---------------------------------------------------------------

/// Emits events of all kinds, and refuses.
pub(super) fn failing() -> Act {
    act(|cx| {
        cx.emit(happened("nested, dropped"));
        cx.emit(announced("nested, dropped"));
        cx.emit(settled("nested, dropped"));
        done(refuse("no"))
    })
}

/// Emits events around a nested request, whose failure it swallows.
fn swallowing(nested: impl FnOnce() -> Act + Send + 'static) -> Act {
    act(move |cx| {
        Box::pin(async move {
            cx.emit(happened("before"));
            cx.emit(announced("before"));
            let failed = cx.send(nested()).await.is_err();
            assert!(failed, "the nested request fails");
            cx.emit(happened("after"));
            cx.emit(announced("after"));
            Ok(1)
        })
    })
}

/// The unit of work was undone where it had a scope; elsewhere the outer handler has carried on.
#[track_caller]
pub(super) fn assert_swallowed(world: &World, sent: &Sent) {
    assert_eq!(world.notes().iter().filter(|note| note.contains("dropped")).count(), 0, "{:?}", world.notes());
    if world.way.scoped {
        assert!(matches!(sent, Err(SendError::RolledBack)), "{sent:?}");
        world.assert_rolled_back();
    } else {
        assert!(matches!(sent, Ok(1)), "{sent:?}");
        assert_eq!(world.notes(), ["before", "after"]);
        assert_eq!(world.published(), ["before", "after"]);
    }
}

async fn a_swallowed_failure_undoes_all_where_a_scope_is_open(way: Way) {
    let world = World::new(way);
    let outer = act(|cx| {
        Box::pin(async move {
            cx.send(KeepBooks).await.expect("it opens a scope");
            cx.emit(announced("never announced"));
            assert!(cx.send(failing()).await.is_err());
            Ok(1)
        })
    });
    let sent = world.send(outer).await;
    assert!(matches!(sent, Err(SendError::RolledBack)), "{sent:?}");
    assert_eq!(world.notes(), ["kept in scope 0"]);
    assert_eq!(world.published(), [""; 0]);
    assert_eq!(world.endings(), [Ending::RolledBack]);
}

async fn a_swallowed_failure_drops_the_nested_events_alone_where_no_scope_is_open(way: Way) {
    let world = World::new(way);
    let sent = world.send(swallowing(failing)).await;
    assert_swallowed(&world, &sent);
}

async fn a_scope_that_the_failed_request_opened_counts_too(way: Way) {
    let world = World::new(way);
    let opening = || {
        act(|cx| {
            Box::pin(async move {
                cx.send(KeepBooks).await.expect("it opens a scope");
                refuse("no")
            })
        })
    };
    let sent = world.send(swallowing(opening)).await;
    assert!(matches!(sent, Err(SendError::RolledBack)), "{sent:?}");
    assert_eq!(world.published(), [""; 0]);
    assert_eq!(world.endings(), [Ending::RolledBack]);
}

async fn a_failure_that_a_nested_handler_swallowed_counts_too(way: Way) {
    let world = World::new(way);
    let sent = world.send(act(|cx| Box::pin(async move { Ok(cx.send(swallowing(failing)).await?) }))).await;
    assert_swallowed(&world, &sent);
}

async fn a_failure_that_an_event_handler_swallowed_counts_too(way: Way) {
    let world = World::new(way);
    let outer = act(|cx| {
        cx.emit(happened_then("before", |cx| {
            Box::pin(async move {
                assert!(cx.send(failing()).await.is_err());
                Ok(())
            })
        }));
        cx.emit(happened("after"));
        cx.emit(announced("before"));
        cx.emit(announced("after"));
        done(Ok(1))
    });
    let sent = world.send(outer).await;
    assert_swallowed(&world, &sent);
}

async fn events_of_a_nested_success_go_with_the_failure_around_it(way: Way) {
    let world = World::new(way);
    let failing_around = || {
        act(|cx| {
            Box::pin(async move {
                cx.send(nested("nested deeper, dropped")).await?;
                cx.emit(happened("nested, dropped"));
                refuse("no")
            })
        })
    };
    let sent = world.send(swallowing(failing_around)).await;
    assert_swallowed(&world, &sent);
}

// --- Depth. -------------------------------------------------------------------------------------

/// Sends itself until it has failed; each level notes itself.
fn recursive(journal: Journal) -> Act {
    act(move |cx| {
        Box::pin(async move {
            journal.note("level");
            match cx.send(recursive(journal.clone())).await {
                Err(SendError::Cascade { message, limit: CascadeLimit::Depth(64) }) => refuse(&format!("`{message}`")),
                Err(SendError::Handler(deeper)) => Err(deeper),
                other => panic!("it is too deep: {other:?}"),
            }
        })
    })
}

async fn endless_recursion_ends_at_the_depth_limit(way: Way) {
    let world = World::new(way);
    let sent = world.send(recursive(world.journal.clone())).await;
    let Err(SendError::Handler(Refusal(message))) = sent else { panic!("it is too deep: {sent:?}") };
    assert!(message.contains("Act"), "{message}");
    let around_it = usize::from(way.is_nested());
    assert_eq!(around_it + world.notes().len(), 1 + 64, "the message from outside, and 64 levels below it");
    world.assert_rolled_back();
}

async fn recursion_may_go_deep(way: Way) {
    fn counting_down(levels: u32) -> Act {
        act(move |cx| {
            Box::pin(async move {
                match levels {
                    0 => Ok(0),
                    _ => Ok(1 + cx.send_dyn(counting_down(levels - 1)).await?),
                }
            })
        })
    }
    let world = World::new(way);
    for _ in 0..3 {
        assert_eq!(world.send(counting_down(60)).await.expect("it is within the limit"), 60);
    }
}

async fn many_requests_one_after_the_other_are_not_deep(way: Way) {
    let world = World::new(way);
    let busy = act(|cx| {
        Box::pin(async move {
            for _ in 0..100 {
                cx.send(nested("nested")).await?;
            }
            cx.emit(happened("outer"));
            Ok(1)
        })
    });
    assert_eq!(world.send(busy).await.expect("they are all on one level"), 1);
    assert_eq!(world.notes().len(), 101);
}

async fn recursion_between_events_and_requests_ends_too(way: Way) {
    /// An event whose handler sends a request whose handler emits that event.
    fn circle() -> Act {
        act(|cx| {
            cx.emit(happened_then("again", |cx| {
                Box::pin(async move { cx.send(circle()).await.map(drop).map_err(BoxError::from) })
            }));
            done(Ok(0))
        })
    }
    let world = World::new(way);
    let sent = world.send(circle()).await;
    assert!(sent.is_err(), "{sent:?}");
    let rounds = world.notes().len();
    assert!((16..=64).contains(&rounds), "{rounds} rounds");
    world.assert_rolled_back();
}
