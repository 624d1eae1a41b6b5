//! medi-rs 3: the compiler knows the handler. Events go to a task of its own, which is waited for.

use std::hint::black_box;

use medi_rs::{DecoratorNext, MediCommand, Result, medi_handler, medi_module, mediator};

use crate::handled;

#[derive(MediCommand)]
#[medi_command(return_type = u64, error_type = medi_rs::Error)]
struct Add(u64);

#[medi_handler]
async fn add(command: Add) -> Result<u64> {
    handled();
    Ok(command.0 + 1)
}

medi_module! {
    manifest adding;
    commands { Add => add; }
}

mediator! {
    struct Plain {
        event_queue_capacity: 1;
        event_workers: 1;
        modules: [adding];
    }
}

pub(crate) fn send() -> impl AsyncFnMut(u64) -> u64 {
    let mediator = Plain::builder().build();
    async move |number| mediator.send(Add(number)).await.unwrap()
}

// --- Decorators. --------------------------------------------------------------------------------

async fn pass<Command, Next>(command: Command, next: Next) -> core::result::Result<Next::Response, Next::Error>
where
    Command: Send,
    Next: DecoratorNext<Command>,
{
    next.call(command).await
}

mediator! {
    struct Decorated {
        event_queue_capacity: 1;
        event_workers: 1;
        modules: [adding];
        decorators: [pass, pass, pass];
    }
}

pub(crate) fn send_through_3() -> impl AsyncFnMut(u64) -> u64 {
    let mediator = Decorated::builder().build();
    async move |number| mediator.send(Add(number)).await.unwrap()
}

// --- Events. ------------------------------------------------------------------------------------

#[derive(Clone)]
struct AddedForOne(u64);

#[derive(Clone)]
struct AddedForTen(u64);

#[medi_handler]
async fn note_for_one(event: AddedForOne) -> Result<()> {
    black_box(event.0);
    handled();
    Ok(())
}

#[medi_handler]
async fn note_for_ten(event: AddedForTen) -> Result<()> {
    black_box(event.0);
    handled();
    Ok(())
}

#[derive(MediCommand)]
#[medi_command(return_type = u64, error_type = medi_rs::Error)]
struct AddAndTell(u64);

#[medi_handler]
async fn add_and_tell(mediator: &Eventful, command: AddAndTell) -> Result<u64> {
    handled();
    mediator.publish_and_wait(AddedForOne(command.0)).await?;
    Ok(command.0 + 1)
}

medi_module! {
    manifest telling;
    commands { AddAndTell => add_and_tell; }
    events {
        AddedForOne => [note_for_one];
        AddedForTen => [
            note_for_ten, note_for_ten, note_for_ten, note_for_ten, note_for_ten,
            note_for_ten, note_for_ten, note_for_ten, note_for_ten, note_for_ten
        ];
    }
}

mediator! {
    struct Eventful {
        event_queue_capacity: 16;
        event_workers: 1;
        modules: [telling];
    }
}

fn eventful() -> &'static Eventful {
    let mediator = Box::leak(Box::new(Eventful::builder().build()));
    mediator.start().expect("it starts");
    mediator
}

pub(crate) fn emit_to_1() -> impl AsyncFnMut(u64) {
    let mediator = eventful();
    async move |number| assert!(mediator.publish_and_wait(AddedForOne(number)).await.unwrap().is_success())
}

/// Its own way, without waiting: but for each tenth, so that none is still in the queue at the end.
pub(crate) fn publish_to_1() -> impl AsyncFnMut(u64) {
    let mediator = eventful();
    async move |number| match number % 10 {
        9 => assert!(mediator.publish_and_wait(AddedForOne(number)).await.unwrap().is_success()),
        _ => mediator.publish(AddedForOne(number)).await.unwrap(),
    }
}

pub(crate) fn emit_to_10() -> impl AsyncFnMut(u64) {
    let mediator = eventful();
    async move |number| assert!(mediator.publish_and_wait(AddedForTen(number)).await.unwrap().is_success())
}

pub(crate) fn send_and_emit() -> impl AsyncFnMut(u64) -> u64 {
    let mediator = eventful();
    async move |number| mediator.send(AddAndTell(number)).await.unwrap()
}
