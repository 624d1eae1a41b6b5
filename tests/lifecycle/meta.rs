//! Step 1, what travels with a message: everybody sees the same, and an id is drawn when it is asked for.

use diator::prelude::*;
use diator_tests::Journal;
use uuid::Uuid;

use super::messages::{Act, act, announced, done, happened_then, settled_then};
use super::world::{Way, World, every_way};

every_way! {
    the_handler_reads_what_the_message_carries,
    domain_event_handlers_read_the_same,
    after_commit_handlers_read_the_same,
    published_messages_inherit_it,
    nested_requests_inherit_it,
    an_id_is_the_same_when_asked_twice,
    an_id_is_not_drawn_before_it_is_asked_for,
    an_id_is_the_same_when_first_asked_for_after_the_commit,
    every_message_has_an_id_of_its_own,
    a_message_without_a_correlation_starts_its_own,
    the_container_is_told_before_it_opens_a_scope,
}

const CORRELATION: Uuid = Uuid::from_u128(0xc0);
const CAUSATION: Uuid = Uuid::from_u128(0xca);
const MESSAGE: Uuid = Uuid::from_u128(0xe5);
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A value of the program's own.
struct Tenant(&'static str);

fn everything() -> Meta {
    Meta::new()
        .with_message_id(MESSAGE)
        .with_correlation_id(CORRELATION)
        .with_causation_id(CAUSATION)
        .with_traceparent(TRACE)
        .with(Tenant("acme"))
}

/// Notes who found everything.
fn check(journal: &Journal, who: &str, meta: &Meta) {
    let ids = (meta.message_id(), meta.correlation_id(), meta.causation_id());
    assert_eq!(ids, (MESSAGE, CORRELATION, Some(CAUSATION)), "{who}");
    assert_eq!(meta.traceparent(), Some(TRACE), "{who}");
    assert_eq!(meta.get::<Tenant>().map(|tenant| tenant.0), Some("acme"), "{who}");
    journal.note(format!("{who} knows"));
}

fn checking(journal: &Journal, who: &'static str) -> Act {
    let journal = journal.clone();
    act(move |cx| {
        check(&journal, who, cx.meta());
        done(Ok(0))
    })
}

async fn the_handler_reads_what_the_message_carries(way: Way) {
    let world = World::new(way);
    world.send_with(everything(), checking(&world.journal, "handler")).await.expect("it succeeds");
    assert_eq!(world.notes(), ["handler knows"]);
}

async fn domain_event_handlers_read_the_same(way: Way) {
    let world = World::new(way);
    let journal = world.journal.clone();
    let sent = act(move |cx| {
        cx.emit(happened_then("event", move |cx| {
            check(&journal, "event handler", cx.meta());
            done(Ok(()))
        }));
        done(Ok(0))
    });
    world.send_with(everything(), sent).await.expect("it succeeds");
    assert_eq!(world.notes(), ["event", "event handler knows"]);
}

async fn after_commit_handlers_read_the_same(way: Way) {
    let world = World::new(way);
    let journal = world.journal.clone();
    let sent = act(move |cx| {
        cx.emit(settled_then("event", move |cx| {
            check(&journal, "after the commit one", cx.meta());
            done(Ok(()))
        }));
        done(Ok(0))
    });
    world.send_with(everything(), sent).await.expect("it succeeds");
    assert_eq!(world.notes(), ["event", "after the commit one knows", "event too"]);
}

async fn published_messages_inherit_it(way: Way) {
    let world = World::new(way);
    let announcing = act(|cx| {
        cx.emit(announced("a"));
        done(Ok(0))
    });
    world.send_with(everything(), announcing).await.expect("it succeeds");
    let published = world.broker.memory().published();
    let [message] = &published[..] else { panic!("one is published: {published:?}") };
    assert_eq!((message.correlation_id, message.causation_id), (Some(CORRELATION), Some(MESSAGE)));
    assert_eq!(message.traceparent.as_deref(), Some(TRACE));
    assert_ne!(message.id, MESSAGE, "an event has an id of its own");
}

async fn nested_requests_inherit_it(way: Way) {
    let world = World::new(way);
    let (statically, dynamically) = (checking(&world.journal, "nested"), checking(&world.journal, "nested by dyn"));
    let outer = act(move |cx| {
        Box::pin(async move {
            cx.send(statically).await?;
            Ok(cx.send_dyn(dynamically).await?)
        })
    });
    world.send_with(everything(), outer).await.expect("it succeeds");
    assert_eq!(world.notes(), ["nested knows", "nested by dyn knows"]);
}

/// Notes the message's id.
fn noting_the_id(journal: &Journal) -> Act {
    let journal = journal.clone();
    act(move |cx| {
        journal.note(cx.meta().message_id().to_string());
        cx.emit(happened_then("event", move |cx| {
            journal.note(cx.meta().message_id().to_string());
            done(Ok(()))
        }));
        cx.emit(announced("a"));
        done(Ok(0))
    })
}

async fn an_id_is_the_same_when_asked_twice(way: Way) {
    let world = World::new(way);
    world.send(noting_the_id(&world.journal)).await.expect("it succeeds");
    let [handler, _, event_handler] = &world.notes()[..] else { panic!("three notes: {:?}", world.notes()) };
    let message = &world.broker.memory().published()[0];
    assert_eq!(handler, event_handler);
    assert_eq!(message.causation_id.map(|id| id.to_string()).as_ref(), Some(handler));
    assert_eq!(message.correlation_id, message.causation_id);
    assert_eq!(message.causation_id.map(|id| id.get_version_num()), Some(7));
}

async fn an_id_is_not_drawn_before_it_is_asked_for(way: Way) {
    let world = World::new(way);
    let sent = act(|cx| {
        cx.emit(happened_then("event", |cx| {
            let undrawn = format!("{:?}", cx.meta()).contains("message_id: None");
            assert!(undrawn, "it was drawn unasked: {:?}", cx.meta());
            let _asked = cx.meta().message_id();
            let drawn = format!("{:?}", cx.meta()).contains("message_id: Some");
            assert!(drawn, "nothing shows whether it was drawn: {:?}", cx.meta());
            done(Ok(()))
        }));
        done(Ok(0))
    });
    world.send(sent).await.expect("it succeeds");
    assert_eq!(world.notes(), ["event"]);
}

async fn an_id_is_the_same_when_first_asked_for_after_the_commit(way: Way) {
    let world = World::new(way);
    let journal = world.journal.clone();
    let settling = act(move |cx| {
        for label in ["a", "b"] {
            let journal = journal.clone();
            cx.emit(settled_then(label, move |cx| {
                journal.note(cx.meta().message_id().to_string());
                cx.emit(announced(label));
                done(Ok(()))
            }));
        }
        done(Ok(0))
    });
    world.send(settling).await.expect("it succeeds");
    let ids: Vec<_> = world.notes().into_iter().filter(|note| note.parse::<Uuid>().is_ok()).collect();
    assert_eq!(ids[0], ids[1], "both handlers belong to one message");
    let published = world.broker.memory().published();
    assert_eq!(published[0].correlation_id, published[1].correlation_id, "and so does what they publish");
    assert_eq!(published[0].causation_id.map(|id| id.to_string()).as_ref(), Some(&ids[0]));
}

async fn every_message_has_an_id_of_its_own(way: Way) {
    let world = World::new(way);
    world.send(noting_the_id(&world.journal)).await.expect("it succeeds");
    world.send(noting_the_id(&world.journal)).await.expect("it succeeds");
    assert_ne!(world.notes()[0], world.notes()[3]);
    let published = world.broker.memory().published();
    assert_ne!(published[0].id, published[1].id);
    assert_ne!(published[0].correlation_id, published[1].correlation_id);
}

async fn a_message_without_a_correlation_starts_its_own(way: Way) {
    let world = World::new(way);
    let sent = act(|cx| {
        assert_eq!(cx.meta().correlation_id(), cx.meta().message_id());
        assert_eq!(cx.meta().causation_id(), None);
        done(Ok(0))
    });
    world.send_with(Meta::new().with_message_id(MESSAGE), sent).await.expect("it succeeds");
}

async fn the_container_is_told_before_it_opens_a_scope(way: Way) {
    let world = World::new(way);
    world.send_with(everything(), checking(&world.journal, "handler")).await.expect("it succeeds");
    let expected = if way.scoped { vec![Some(TRACE.to_owned())] } else { Vec::new() };
    assert_eq!(world.container.opened_for(), expected);
}
