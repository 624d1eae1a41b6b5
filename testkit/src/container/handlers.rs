use std::future;
use std::sync::Arc;

use diator::prelude::*;
use diator::{Handlers, MessageKind, Meta};

use super::services::{Absent, Clock, Config, Failing, Panicking, Probe, Repository, Session, Stamp, Work};
use crate::polling::yields;

/// The handlers of the suite, which a container with its services can build.
///
/// # Example
///
/// ```no_run
/// # fn container(probe: diator_testkit::container::Probe) -> diator::Services { diator::Services::new() }
/// use diator::Mediator;
/// use diator_testkit::container::{Probe, Write, handlers};
///
/// # async fn example() -> Result<(), diator::BoxError> {
/// let probe = Probe::default();
/// let mediator = Mediator::builder().handlers(handlers()).container(container(probe.clone())).build()?;
/// mediator.send(Write::Succeed).await?;
/// assert!(probe.take().contains(&"commit".to_owned()));
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn handlers() -> Handlers {
    diator::handlers![
        LookHandler,
        TakeStepsHandler,
        NoteStep,
        BeFaultyHandler,
        PanicFactoryHandler,
        WriteHandler,
        CarryOnHandler,
        TellKindHandler,
        TellKindsHandler,
        NoteKind,
        NoteKindAfterCommit
    ]
}

/// The one that needs what nobody registers.
pub(crate) fn unresolvable() -> Handlers {
    diator::handlers![NeedAbsentHandler]
}

/// The numbers of all that its handler gets.
#[derive(Debug, Query)]
#[request(response = Seen, unregistered)]
pub(crate) struct Look;

#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) config: usize,
    pub(crate) clock: usize,
    pub(crate) session: usize,
    pub(crate) session_of_repository: usize,
    pub(crate) optional_session: Option<usize>,
    pub(crate) stamps: [usize; 2],
    pub(crate) has_absent: bool,
    pub(crate) probe: Probe,
    pub(crate) metas: [Arc<Meta>; 2],
}

#[request_handler(Look, unregistered)]
struct LookHandler {
    config: Arc<Config>,
    clock: Arc<dyn Clock>,
    session: Arc<Session>,
    repository: Arc<dyn Repository>,
    optional_session: Option<Arc<Session>>,
    stamp: Arc<Stamp>,
    other_stamp: Arc<Stamp>,
    absent: Option<Arc<Absent>>,
    #[inject(clone)]
    probe: Probe,
    meta: Arc<Meta>,
}

impl RequestHandler<Look> for LookHandler {
    async fn handle(&self, _: Look, _: &mut RequestContext<'_, Look>) -> Result<Seen, BoxError> {
        // Other messages get their turn while this one has its services.
        yields(3).await;
        Ok(Seen {
            config: self.config.number(),
            clock: self.clock.number(),
            session: self.session.number,
            session_of_repository: self.repository.session(),
            optional_session: self.optional_session.as_ref().map(|session| session.number),
            stamps: [self.stamp.number(), self.other_stamp.number()],
            has_absent: self.absent.is_some(),
            probe: self.probe.clone(),
            metas: [self.meta.clone(), self.session.meta.clone()],
        })
    }
}

/// Answers with the sessions of its handler and of the nested request; the one of its event's handler is noted.
#[derive(Debug, Command)]
#[request(response = [usize; 2], unregistered)]
pub(crate) struct TakeSteps;

#[derive(Debug, DomainEvent)]
#[event(unregistered)]
struct StepTaken;

#[request_handler(TakeSteps, unregistered)]
struct TakeStepsHandler {
    session: Arc<Session>,
}

impl RequestHandler<TakeSteps> for TakeStepsHandler {
    async fn handle(&self, _: TakeSteps, cx: &mut RequestContext<'_, TakeSteps>) -> Result<[usize; 2], BoxError> {
        cx.emit(StepTaken);
        Ok([self.session.number, cx.send(Look).await?.session])
    }
}

#[event_handler(StepTaken, unregistered)]
struct NoteStep {
    session: Arc<Session>,
    probe: Arc<Probe>,
}

impl EventHandler<StepTaken> for NoteStep {
    async fn handle(&self, _: &StepTaken, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.probe.note(self.session.number.to_string());
        Ok(())
    }
}

/// Its handler needs something that nobody registered.
#[derive(Debug, Command)]
#[request(unregistered)]
pub(crate) struct NeedAbsent;

#[request_handler(NeedAbsent, unregistered)]
struct NeedAbsentHandler {
    absent: Arc<Absent>,
}

impl RequestHandler<NeedAbsent> for NeedAbsentHandler {
    async fn handle(&self, _: NeedAbsent, _: &mut RequestContext<'_, NeedAbsent>) -> Result<(), BoxError> {
        let Absent = *self.absent;
        Ok(())
    }
}

/// Its handler needs a service whose factory may fail.
#[derive(Debug, Command)]
#[request(unregistered)]
pub(crate) struct BeFaulty;

#[request_handler(BeFaulty, unregistered)]
struct BeFaultyHandler {
    failing: Arc<Failing>,
}

impl RequestHandler<BeFaulty> for BeFaultyHandler {
    async fn handle(&self, _: BeFaulty, _: &mut RequestContext<'_, BeFaulty>) -> Result<(), BoxError> {
        let Failing = *self.failing;
        Ok(())
    }
}

/// Its handler needs a service whose factory may panic.
#[derive(Debug, Command)]
#[request(unregistered)]
pub(crate) struct PanicFactory;

#[request_handler(PanicFactory, unregistered)]
struct PanicFactoryHandler {
    panicking: Arc<Panicking>,
}

impl RequestHandler<PanicFactory> for PanicFactoryHandler {
    async fn handle(&self, _: PanicFactory, _: &mut RequestContext<'_, PanicFactory>) -> Result<(), BoxError> {
        let Panicking = *self.panicking;
        Ok(())
    }
}

/// A command whose handler writes "something" into its [`Work`], has a [`Session`], and ends as the variant says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Command)]
#[request(unregistered)]
pub enum Write {
    /// The handler succeeds.
    Succeed,
    /// The handler fails.
    Fail,
    /// The handler panics.
    Panic,
    /// The handler never ends.
    Hang,
}

#[request_handler(Write, unregistered)]
struct WriteHandler {
    work: Arc<Work>,
    _session: Arc<Session>,
}

impl RequestHandler<Write> for WriteHandler {
    async fn handle(&self, command: Write, _: &mut RequestContext<'_, Write>) -> Result<(), BoxError> {
        self.work.write("something");
        match command {
            Write::Succeed => Ok(()),
            Write::Fail => Err("the handler failed".into()),
            Write::Panic => panic!("the handler panicked"),
            Write::Hang => future::pending().await,
        }
    }
}

/// Writes, and carries on though a nested request fails.
#[derive(Debug, Command)]
#[request(unregistered)]
pub(crate) struct CarryOn;

#[request_handler(CarryOn, unregistered)]
struct CarryOnHandler {
    work: Arc<Work>,
}

impl RequestHandler<CarryOn> for CarryOnHandler {
    async fn handle(&self, _: CarryOn, cx: &mut RequestContext<'_, CarryOn>) -> Result<(), BoxError> {
        self.work.write("before");
        cx.send(Write::Fail).await.expect_err("it fails");
        Ok(())
    }
}

/// The kind of message that its scope was opened for.
#[derive(Debug, Query)]
#[request(response = Option<MessageKind>, unregistered)]
pub(crate) struct TellKind;

#[request_handler(TellKind, unregistered)]
struct TellKindHandler {
    work: Arc<Work>,
}

impl RequestHandler<TellKind> for TellKindHandler {
    async fn handle(&self, _: TellKind, _: &mut RequestContext<'_, TellKind>) -> Result<Option<MessageKind>, BoxError> {
        Ok(self.work.kind)
    }
}

/// The kinds of its own scope and of that of its nested query; those of its event's handlers are noted.
#[derive(Debug, Command)]
#[request(response = [Option<MessageKind>; 2], unregistered)]
pub(crate) struct TellKinds;

#[derive(Debug, DomainEvent)]
#[event(unregistered)]
struct KindTold;

#[request_handler(TellKinds, unregistered)]
struct TellKindsHandler {
    work: Arc<Work>,
}

impl RequestHandler<TellKinds> for TellKindsHandler {
    async fn handle(
        &self,
        _: TellKinds,
        cx: &mut RequestContext<'_, TellKinds>,
    ) -> Result<[Option<MessageKind>; 2], BoxError> {
        cx.emit(KindTold);
        Ok([self.work.kind, cx.send(TellKind).await?])
    }
}

#[event_handler(KindTold, unregistered)]
struct NoteKind {
    work: Arc<Work>,
}

impl EventHandler<KindTold> for NoteKind {
    async fn handle(&self, _: &KindTold, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.work.note_kind();
        Ok(())
    }
}

#[event_handler(KindTold, after_commit, unregistered)]
struct NoteKindAfterCommit {
    work: Arc<Work>,
}

impl EventHandler<KindTold> for NoteKindAfterCommit {
    async fn handle(&self, _: &KindTold, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.work.note_kind();
        Ok(())
    }
}
