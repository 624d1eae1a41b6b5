//! A mediator, all that it stands on, and the ways in which a test sends to it.

use diator::middleware::{Answered, Call, Middleware, Next};
use diator::prelude::*;
use diator::{BoxFuture, MediatorBuilder};
use diator_tests::{Ending, Journal, Recorder, RecordingBroker};

use super::messages::{Act, Refusal, Relay, all_handlers};

/// What came of an [`Act`].
pub(crate) type Sent = Result<u32, SendError<Refusal>>;

/// A way in which a message reaches its handler.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) call: Sending,
    /// Whether the handler needs a scope, and is therefore built for each message.
    pub(crate) scoped: bool,
    /// Whether a middleware applies.
    pub(crate) middleware: bool,
}

/// The method that is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    Send,
    SendDyn,
    Nested,
    NestedDyn,
}

impl Way {
    pub(crate) const SEND: Self = Self { call: Sending::Send, scoped: false, middleware: false };
    pub(crate) const SEND_SCOPED: Self = Self { scoped: true, ..Self::SEND };
    pub(crate) const SEND_THROUGH_MIDDLEWARE: Self = Self { middleware: true, ..Self::SEND };
    pub(crate) const SEND_DYN: Self = Self { call: Sending::SendDyn, ..Self::SEND };
    pub(crate) const SEND_DYN_SCOPED: Self = Self { scoped: true, middleware: true, ..Self::SEND_DYN };
    pub(crate) const NESTED: Self = Self { call: Sending::Nested, ..Self::SEND };
    pub(crate) const NESTED_SCOPED: Self = Self { scoped: true, middleware: true, ..Self::NESTED };
    pub(crate) const NESTED_DYN: Self = Self { call: Sending::NestedDyn, scoped: true, middleware: false };

    pub(crate) fn is_nested(self) -> bool {
        matches!(self.call, Sending::Nested | Sending::NestedDyn)
    }
}

/// Runs each of the test functions once for every way of sending.
///
/// A test that hangs fails, because the paused clock runs as soon as nothing else does.
macro_rules! every_way {
    ($($(#[$attribute:meta])* $test:ident),+ $(,)?) => { $(
        mod $test {
            use super::super::world::{Way, every_way, run};

            every_way!(@one [$(#[$attribute])*] $test: send SEND, send_scoped SEND_SCOPED, send_through_middleware SEND_THROUGH_MIDDLEWARE,
                send_dyn SEND_DYN, send_dyn_scoped SEND_DYN_SCOPED,
                nested NESTED, nested_scoped NESTED_SCOPED, nested_dyn NESTED_DYN);
        }
    )+ };
    (@one $attributes:tt $test:ident: $($name:ident $way:ident),+) => { $(
        every_way!(@test $attributes $test $name $way);
    )+ };
    (@test [$($attribute:tt)*] $test:ident $name:ident $way:ident) => {
        #[tokio::test(start_paused = true)]
        $($attribute)*
        async fn $name() {
            run(super::$test(Way::$way)).await;
        }
    };
}
pub(crate) use every_way;

/// Runs a test, and ends it should it hang.
pub(crate) async fn run(test: impl Future<Output = ()>) {
    let limit = std::time::Duration::from_secs(24 * 60 * 60);
    tokio::time::timeout(limit, Box::pin(test)).await.expect("the test hangs");
}

/// A mediator with the scripted handlers, and what it stands on.
///
/// When it goes, every scope must have ended, and exactly once.
pub(crate) struct World {
    pub(crate) way: Way,
    pub(crate) journal: Journal,
    pub(crate) container: Recorder,
    pub(crate) broker: RecordingBroker,
    pub(crate) mediator: Mediator,
}

impl World {
    pub(crate) fn new(way: Way) -> Self {
        Self::with(way, |builder, _| builder)
    }

    /// A world whose mediator is different in something.
    pub(crate) fn with(way: Way, configure: impl FnOnce(MediatorBuilder, &Journal) -> MediatorBuilder) -> Self {
        Self::without_broker(way, |builder, journal, broker| configure(builder.broker(broker), journal))
    }

    /// A world whose mediator has no broker, unless `configure` gives it one.
    pub(crate) fn without_broker(
        way: Way,
        configure: impl FnOnce(MediatorBuilder, &Journal, RecordingBroker) -> MediatorBuilder,
    ) -> Self {
        let journal = Journal::default();
        let container = match way.scoped {
            true => Recorder::new(journal.clone()),
            false => Recorder::with_singletons_only(journal.clone()),
        };
        let broker = RecordingBroker::new(journal.clone());
        let mut builder = Mediator::builder().handlers(all_handlers()).container(container.clone());
        if way.middleware {
            builder = builder.middleware(PassOn);
        }
        let mediator = configure(builder, &journal, broker.clone()).build().expect("the world is in order");
        Self { way, journal, container, broker, mediator }
    }

    /// Sends the command in this world's way; the future can be kept, and dropped.
    pub(crate) fn send(&self, act: Act) -> BoxFuture<'static, Sent> {
        self.send_with(Meta::new(), act)
    }

    /// Sends the command in this world's way, and lets it carry something.
    pub(crate) fn send_with(&self, meta: Meta, act: Act) -> BoxFuture<'static, Sent> {
        let (mediator, call) = (self.mediator.clone(), self.way.call);
        Box::pin(async move {
            let mediator = mediator.with(meta);
            match call {
                Sending::Send => mediator.send(act).await,
                Sending::SendDyn => mediator.send_dyn(act).await,
                Sending::Nested => mediator.send(Relay { act, dynamically: false }).await.map_err(flatten),
                Sending::NestedDyn => mediator.send(Relay { act, dynamically: true }).await.map_err(flatten),
            }
        })
    }

    /// Waits for what goes on although its sender has gone.
    pub(crate) async fn settle(&self) {
        let report = self.mediator.shutdown(std::time::Duration::from_secs(60 * 60)).await;
        assert!(report.is_clean(), "{report:?}");
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        self.journal.notes()
    }

    pub(crate) fn published(&self) -> Vec<String> {
        self.journal.published()
    }

    /// How the scopes ended, in the order in which they were opened.
    #[track_caller]
    pub(crate) fn endings(&self) -> Vec<Ending> {
        self.journal.endings()
    }

    /// The one scope of the message, if this way opens one, ended like this; no other was opened.
    #[track_caller]
    pub(crate) fn assert_ended(&self, ending: Ending) {
        let expected = if self.way.scoped { vec![ending] } else { Vec::new() };
        assert_eq!(self.endings(), expected);
    }

    /// The message happened.
    #[track_caller]
    pub(crate) fn assert_committed(&self) {
        self.assert_ended(Ending::Committed);
    }

    /// Nothing of the message has happened, and nothing of it left the process.
    #[track_caller]
    pub(crate) fn assert_rolled_back(&self) {
        self.assert_ended(Ending::RolledBack);
        assert_eq!(self.published(), [""; 0], "nothing is published");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _each_ended_once = self.journal.endings();
        }
    }
}

/// The nested failure itself, as if the command had been sent directly.
fn flatten(error: SendError<SendError<Refusal>>) -> SendError<Refusal> {
    match error {
        SendError::Handler(nested) => nested,
        other => other.map_handler(|_| unreachable!("a handler's error is a nested one")),
    }
}

/// A middleware that lets every message pass.
struct PassOn;

#[diator::async_trait]
impl Middleware for PassOn {
    async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
        next.run(call).await
    }
}
