//! Checks that the rows of the inbox commit with what handlers write, and with the events that they emit.

use crate::builder::MediatorBuilder;
use crate::container::DependencyKey;
use crate::registry::{Problem, ProblemKind};
use crate::wiring::Added;

use super::outbox::{Writer, another_unit_of_work, not_enlisted};

pub(super) fn inbox(builder: &MediatorBuilder, problems: &mut Vec<Problem>) {
    let (Some(inbox), Some(added)) = (&builder.inbox, builder.inbox_added) else { return };
    let unit = inbox.unit_of_work();
    problems.extend(no_outbox(builder, added, unit.as_ref()));
    let Some(unit) = unit else { return };
    let writer = Writer { what: "inbox", rows: "rows", added, hint: inbox.how_to_register() };
    // Where there is an outbox, it reports its unit of work, and the inbox has the same one.
    let others = || builder.outbox.is_none().then(|| another_unit_of_work(builder, &writer, &unit)).flatten();
    problems.extend(not_enlisted(builder, &writer, &unit, ProblemKind::InboxNotEnlisted).or_else(others));
}

fn no_outbox(builder: &MediatorBuilder, added: Added, unit: Option<&DependencyKey>) -> Option<Problem> {
    let inbox = builder.inbox.as_ref()?;
    let (text, remedy) = match &builder.outbox {
        None if builder.without_broker => return None,
        None => (
            "and the mediator has no outbox: if the process dies after a commit, the events of the handler are lost, because it does \
             not run again"
                .to_owned(),
            "add the outbox of the same store: `.outbox(store.outbox())`\n\
             if this process emits no notification or ECST event, say `.without_broker()`",
        ),
        Some(outbox) if outbox.unit_of_work().as_ref() != unit => {
            let name = |unit: Option<&DependencyKey>| unit.map_or("none".to_owned(), |unit| format!("`{}`", unit.name()));
            let theirs = outbox.unit_of_work();
            let text = format!("but the outbox writes in another unit of work: {}", name(theirs.as_ref()));
            (text, "take both from one store: `.outbox(store.outbox()).inbox(store.inbox())`")
        }
        Some(outbox) => match (inbox.place(), outbox.place()) {
            (Some(ours), Some(theirs)) if ours != theirs => {
                let text = format!("but the inbox writes to {ours}, and the outbox to {theirs}");
                (text, "take both from one store: `.outbox(store.outbox()).inbox(store.inbox())`")
            }
            _ => return None,
        },
    };
    let inbox = added.type_name;
    let unit = unit.map(|unit| format!(" within the unit of work `{}`", unit.name())).unwrap_or_default();
    let text = format!("the inbox `{inbox}` notes what was handled{unit}, {text}");
    Some(Problem::new(ProblemKind::InboxWithoutOutbox, added.location, text, remedy))
}

/// Warns of handlers whose id changes with the name of their type.
pub(in crate::builder) fn warn_of_ids_by_type(builder: &MediatorBuilder) {
    if builder.inbox.is_none() {
        return;
    }
    let arrives = |event: &crate::event::EventDescriptor| event.message_type.is_some();
    let unnamed =
        builder.handlers.iter().filter(|handler| handler.id.is_none() && handler.handled_event().is_some_and(arrives));
    for handler in unnamed {
        tracing::warn!(
            target: "diator",
            handler = handler.handler(),
            place = %handler.location(),
            "the handler has no id of its own, so the inbox knows it by the name of its type: after a rename or a move of the \
             type, it handles redelivered messages again; give it an id, such as `id = \"billing.charge\"`"
        );
    }
}
