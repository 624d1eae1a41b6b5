//! What is lost is told before a shutdown is clean, and in a form from which it can be sent again.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use diator::broker::PublishErrorKind;
use diator::{DeliveryFailure, DeliveryState, SendError};
use diator_tests::{Ending, Entry, eventually};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, span};

use super::world::{Conduct, Gate, World, work};

/// Keeps the fields of what is logged as an error, and takes its time for it.
#[derive(Clone, Default)]
struct Errors(Arc<Mutex<Vec<String>>>);

#[derive(Default)]
struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push_str(&format!("{}={value:?} ", field.name()));
    }
}

impl tracing::Subscriber for Errors {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::ERROR && metadata.is_event()
    }

    fn event(&self, event: &Event<'_>) {
        // A slow log: whoever does not wait for it is gone by now.
        std::thread::sleep(Duration::from_millis(5));
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.0.lock().unwrap().push(fields.0);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[test]
fn a_clean_shutdown_has_told_of_every_loss() {
    let errors = Errors::default();
    tracing::subscriber::set_global_default(errors.clone()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    for round in 0..100 {
        let told = runtime.block_on(async {
            let world = World::new();
            world.broker.memory().hang();
            let sending = world.spawn("lost", &Gate::opened(), Conduct::Succeed).await;
            eventually(|| world.journal.count(&Entry::Ended(0, Ending::Committed)) == 1).await;
            // It is committed, the broker has not answered, and its sender goes.
            sending.abort();
            assert!(sending.await.is_err_and(|error| error.is_cancelled()));
            world.broker.memory().refuse(PublishErrorKind::Fatal);
            let report = world.mediator.shutdown(Duration::from_secs(30)).await;
            assert!(report.is_clean(), "{report:?}");
            // Here a program would exit.
            std::mem::take(&mut *errors.0.lock().unwrap())
        });
        let lost = told.iter().find(|line| line.contains("a message has to be delivered again"));
        let line = lost.unwrap_or_else(|| panic!("round {round}: {told:?}"));
        for part in [
            "diator.message=Announced",
            "diator.key=\"lost\"",
            "diator.state=\"not_taken\"",
            "messaging.message.conversation_id=",
            "content_type=application/json",
            r#"label\":\"lost"#,
        ] {
            assert!(line.contains(part), "{part}: {line}");
        }
    }
}

#[tokio::test]
async fn a_hook_that_panics_takes_no_message_with_it() {
    let world = World::with(|builder| builder.on_undelivered(|_| panic!("in the hook")));
    world.broker.memory().refuse(PublishErrorKind::Ambiguous);
    let error = world.mediator.send(work("kept", &Gate::opened(), Conduct::Succeed)).await.unwrap_err();
    let SendError::Undelivered(undelivered) = &error else { panic!("{error:?}") };
    let again: Vec<_> = undelivered.messages().iter().map(|it| (it.message.key.as_deref(), it.state)).collect();
    assert_eq!(again, [(Some("kept"), DeliveryState::Ambiguous)]);
    let [DeliveryFailure::Hook { panic, undelivered }] = undelivered.failures() else { panic!("{error:?}") };
    assert_eq!(panic, "it panicked: in the hook");
    assert!(undelivered.contains("nobody knows whether the event `Announced` was published"), "{undelivered}");
    assert!(error.to_string().contains("the hook of `on_undelivered` failed: it panicked: in the hook"), "{error}");
    assert!(world.mediator.shutdown(Duration::from_secs(5)).await.is_clean());
}
