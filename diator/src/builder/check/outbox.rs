//! Checks that the events of the outbox commit with the data that they describe, and that a relay can publish them.

use crate::builder::MediatorBuilder;
use crate::container::{DependencyKey, Enlisted, Lifetime};
use crate::registry::{HandlerDescriptor, Problem, ProblemKind, short_name};
use crate::wiring::Added;

use super::dependencies::AS_UNIT_OF_WORK;

pub(super) fn outbox(builder: &MediatorBuilder, problems: &mut Vec<Problem>) {
    let (Some(outbox), Some(added)) = (&builder.outbox, builder.outbox_added) else { return };
    problems.extend(nobody_publishes(builder, added));
    let Some(unit) = outbox.unit_of_work() else { return };
    let writer = Writer { what: "outbox", rows: "messages", added, hint: outbox.how_to_register() };
    let not_enlisted = not_enlisted(builder, &writer, &unit, ProblemKind::OutboxNotEnlisted);
    problems.extend(not_enlisted.or_else(|| another_unit_of_work(builder, &writer, &unit)));
}

/// What writes in a unit of work: the outbox or the inbox.
pub(super) struct Writer<'b> {
    pub(super) what: &'static str,
    pub(super) rows: &'static str,
    pub(super) added: Added,
    pub(super) hint: Option<&'b str>,
}

fn nobody_publishes(builder: &MediatorBuilder, added: Added) -> Option<Problem> {
    if builder.broker.is_some() || builder.relayed_elsewhere {
        return None;
    }
    Some(Problem::new(
        ProblemKind::OutboxWithoutBroker,
        added.location,
        format!("the outbox `{}` keeps messages that nobody publishes: the mediator has no broker", added.type_name),
        "add the broker that its relay publishes to, for example `.broker(InMemoryBroker::new())`\n\
         if a relay in another process publishes what the outbox holds, say `.relayed_elsewhere()`",
    ))
}

pub(super) fn not_enlisted(
    builder: &MediatorBuilder,
    writer: &Writer<'_>,
    unit: &DependencyKey,
    kind: ProblemKind,
) -> Option<Problem> {
    let Writer { what: writes, rows, added, hint } = writer;
    let name = unit.name();
    let (what, remedy) = match (builder.container.lifetime(unit), builder.container.enlisted(unit)) {
        (Lifetime::Missing, _) => ("and the container has none".to_owned(), hint.unwrap_or(AS_UNIT_OF_WORK).to_owned()),
        (Lifetime::Ambiguous, _) => {
            ("and the container has several".to_owned(), format!("register one `{}` only", short_name(name)))
        }
        (_, Enlisted::No { registered }) => {
            let place = registered.map(|place| format!(" at {place}")).unwrap_or_default();
            (format!("whose registration{place} never commits it"), AS_UNIT_OF_WORK.to_owned())
        }
        _ => return None,
    };
    let text = format!("the {writes} `{}` writes its {rows} within the unit of work `{name}`, {what}", added.type_name);
    Some(Problem::new(kind, added.location, text, remedy))
}

pub(super) fn another_unit_of_work(
    builder: &MediatorBuilder,
    Writer { what, rows, added, .. }: &Writer<'_>,
    unit: &DependencyKey,
) -> Option<Problem> {
    if builder.several_units_of_work {
        return None;
    }
    let others = others(builder, unit);
    if others.is_empty() {
        return None;
    }
    let names: Vec<_> = others.iter().map(|other| format!("`{}`", other.name())).collect();
    Some(Problem::new(
        ProblemKind::SeveralUnitsOfWork,
        added.location,
        format!(
            "the {what} `{}` writes its {rows} within the unit of work `{}`, and a message can have others: {}; one of \
             them can commit where another one fails",
            added.type_name,
            unit.name(),
            names.join(", ")
        ),
        "let one unit of work write both the data and the events: one transaction of one database\n\
         if the program can bear data of another unit of work without its events, and events without that data, say \
         `.several_units_of_work()`",
    ))
}

/// The units of work that a message can have beside this one, as far as can be known.
fn others(builder: &MediatorBuilder, unit: &DependencyKey) -> Vec<DependencyKey> {
    let container = &*builder.container;
    let mut known = container.units_of_work();
    let counts_all = !known.is_empty();
    let handlers = builder.handlers.iter().filter(|handler| !builder.is_replaced(handler));
    let fields = handlers.flat_map(HandlerDescriptor::dependencies).filter(|field| field.unit_of_work);
    let keys = fields.map(|field| field.key).filter(|key| match container.enlisted(key) {
        // It may be an alias of a unit of work that the container counts.
        Enlisted::Yes => !counts_all,
        Enlisted::No { .. } => false,
        Enlisted::CannotTell => container.lifetime(key) != Lifetime::Missing,
    });
    let is_alias = counts_all && !known.contains(unit) && container.enlisted(unit) == Enlisted::Yes;
    known.extend(keys);
    known.retain(|key| key != unit);
    known.sort_by_key(DependencyKey::name);
    known.dedup();
    match known.len() {
        // The outbox names the only one by an alias.
        1 if is_alias => Vec::new(),
        _ => known,
    }
}

/// Warns of an outbox whose broker can lose messages that it has acknowledged.
pub(in crate::builder) fn warn_if_not_durable(builder: &MediatorBuilder) {
    let (Some(_), Some(broker), false) = (&builder.outbox, &builder.broker, builder.relayed_elsewhere) else { return };
    if !broker.guarantees().durable {
        tracing::warn!(
            target: "diator",
            broker = builder.broker_added.map(|added| added.type_name),
            "the outbox keeps messages safe until the broker has them, and this broker may then lose them: it does not \
             promise to be durable; on Redis, `RedisConfig::streams(url).durable()` does"
        );
    }
}
