//! The catalog of a program that grew: its messages, their handlers, and what each message causes.
//!
//! Try `cargo run -p diator-examples --features catalog --example catalog -- describe`, `… -- describe CloseMeeting`,
//! or `… -- html >page.html`. `docs/catalog` keeps the output of the commands. The example needs no server.
//!
//! The test at the end notes which handler causes what, and compares the catalog with the one in `docs/catalog`:
//! `cargo test -p diator-examples --features catalog --example catalog`.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use diator::MediatorBuilder;
use diator::endpoint::{Endpoint, ErrorPolicy};
use diator::middleware::{Answered, Call, MessageInfo, Middleware, Next, TracingMiddleware};
use diator::prelude::*;
use diator_catalog::cli::Cli;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

fn main() -> ExitCode {
    Cli::new(builder()).endpoint(accounts()).edges(include_str!("../docs/catalog/edges.json")).run()
}

/// The endpoint that a host of the program runs: `Host::new(builder().build()?).endpoint(accounts())`.
fn accounts() -> Endpoint {
    let policy = ErrorPolicy::new().immediately(2).later([Duration::from_secs(10), Duration::from_secs(60)]);
    Endpoint::new("accounts", InMemoryBroker::new()).handlers(handlers![RemoveDeletedUser]).errors(policy)
}

fn builder() -> MediatorBuilder {
    let services =
        Services::new().singleton::<dyn Meetings>(Arc::new(InMemory::default())).scoped(|_| Ok(Minutes::default()));
    Mediator::from_registry()
        .container(services)
        .middleware(TracingMiddleware::new())
        .middleware(Audit.only(MessageInfo::is_marked::<Audited>))
        .broker(InMemoryBroker::new())
}

// --- Commands and queries. ----------------------------------------------------------------------

#[derive(Debug, Command)]
#[request(response = u64)]
struct ScheduleMeeting {
    title: String,
}

#[derive(Debug, Command)]
#[request(response = MeetingLink, error = JoinError)]
struct JoinMeeting {
    meeting_id: u64,
    user_id: u64,
}

#[derive(Clone, Debug, Command)]
#[request(idempotent, mark = Audited)]
struct LeaveMeeting {
    meeting_id: u64,
    user_id: u64,
}

#[derive(Debug, Command)]
#[request(mark = Audited)]
struct CloseMeeting {
    meeting_id: u64,
}

#[derive(Debug, Query)]
#[request(response = Option<MeetingLink>)]
struct FindMeeting {
    title: String,
}

#[derive(Debug, Query)]
#[request(response = Vec<u64>)]
struct ListParticipants {
    meeting_id: u64,
}

/// Marks a command that leaves a trace for the auditors.
struct Audited;

#[derive(Debug, PartialEq)]
struct MeetingLink(String);

#[derive(Debug, thiserror::Error)]
enum JoinError {
    #[error("there is no meeting {0}")]
    NoSuchMeeting(u64),
}

// --- Events that stay in the process. -----------------------------------------------------------

#[derive(Debug, DomainEvent)]
struct MeetingScheduled;

#[derive(Debug, DomainEvent)]
#[event(must_be_handled)]
struct UserJoined {
    meeting_id: u64,
    user_id: u64,
}

#[derive(Debug, DomainEvent)]
struct UserLeft;

#[derive(Debug, DomainEvent)]
struct MeetingClosed {
    meeting_id: u64,
}

// --- Events for other services. -----------------------------------------------------------------

/// Tells other services that somebody has joined.
#[derive(Debug, Serialize, JsonSchema, NotificationEvent)]
#[event(topic = "meetings", key = meeting_id, schema)]
struct UserJoinedNotification {
    meeting_id: u64,
    user_id: u64,
}

/// The state of a meeting after it has changed.
#[derive(Debug, Serialize, JsonSchema, EcstEvent)]
#[event(name = "MeetingChanged", topic = "meetings", key = meeting_id, schema)]
struct MeetingState {
    meeting_id: u64,
    participants: Vec<Participant>,
    phase: Phase,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Participant {
    user_id: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Phase {
    Open,
    Closed,
}

/// An event of the accounts service.
#[derive(Debug, Serialize, Deserialize, JsonSchema, NotificationEvent)]
#[event(name = "AccountDeleted", alias = "UserDeleted", schema)]
struct AccountDeleted {
    user_id: u64,
    meeting_id: u64,
}

// --- Handlers. ----------------------------------------------------------------------------------

#[request_handler(ScheduleMeeting)]
struct ScheduleMeetingHandler {
    meetings: Arc<dyn Meetings>,
}

impl RequestHandler<ScheduleMeeting> for ScheduleMeetingHandler {
    async fn handle(
        &self,
        command: ScheduleMeeting,
        cx: &mut RequestContext<'_, ScheduleMeeting>,
    ) -> Result<u64, BoxError> {
        let meeting_id = self.meetings.schedule(&command.title);
        cx.emit(MeetingScheduled);
        Ok(meeting_id)
    }
}

#[request_handler(JoinMeeting)]
struct JoinMeetingHandler {
    meetings: Arc<dyn Meetings>,
}

impl RequestHandler<JoinMeeting> for JoinMeetingHandler {
    async fn handle(
        &self,
        command: JoinMeeting,
        cx: &mut RequestContext<'_, JoinMeeting>,
    ) -> Result<MeetingLink, JoinError> {
        let JoinMeeting { meeting_id, user_id } = command;
        let link = self.meetings.join(meeting_id, user_id).ok_or(JoinError::NoSuchMeeting(meeting_id))?;
        cx.emit(UserJoined { meeting_id, user_id });
        Ok(link)
    }
}

#[request_handler(LeaveMeeting)]
struct LeaveMeetingHandler {
    meetings: Arc<dyn Meetings>,
}

impl RequestHandler<LeaveMeeting> for LeaveMeetingHandler {
    async fn handle(&self, command: LeaveMeeting, cx: &mut RequestContext<'_, LeaveMeeting>) -> Result<(), BoxError> {
        self.meetings.leave(command.meeting_id, command.user_id);
        cx.emit(UserLeft);
        Ok(())
    }
}

#[request_handler(CloseMeeting)]
struct CloseMeetingHandler {
    minutes: Arc<Minutes>,
}

impl RequestHandler<CloseMeeting> for CloseMeetingHandler {
    async fn handle(&self, command: CloseMeeting, cx: &mut RequestContext<'_, CloseMeeting>) -> Result<(), BoxError> {
        let meeting_id = command.meeting_id;
        for user_id in cx.send(ListParticipants { meeting_id }).await? {
            cx.send(LeaveMeeting { meeting_id, user_id }).await?;
            self.minutes.note(format!("user {user_id} was there"));
        }
        cx.emit(MeetingClosed { meeting_id });
        Ok(())
    }
}

#[request_handler(FindMeeting, ListParticipants)]
struct Lookup {
    meetings: Arc<dyn Meetings>,
}

impl RequestHandler<FindMeeting> for Lookup {
    async fn handle(
        &self,
        query: FindMeeting,
        _: &mut RequestContext<'_, FindMeeting>,
    ) -> Result<Option<MeetingLink>, BoxError> {
        Ok(self.meetings.find(&query.title))
    }
}

impl RequestHandler<ListParticipants> for Lookup {
    async fn handle(
        &self,
        query: ListParticipants,
        _: &mut RequestContext<'_, ListParticipants>,
    ) -> Result<Vec<u64>, BoxError> {
        Ok(self.meetings.participants(query.meeting_id))
    }
}

#[event_handler(UserJoined, order = 10)]
struct NotifyRoom;

impl EventHandler<UserJoined> for NotifyRoom {
    async fn handle(&self, event: &UserJoined, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        eprintln!("user {} has joined meeting {}", event.user_id, event.meeting_id);
        Ok(())
    }
}

#[event_handler(UserJoined, order = 20)]
#[event_handler(MeetingClosed)]
struct TellOthers {
    meetings: Arc<dyn Meetings>,
}

impl TellOthers {
    fn state(&self, meeting_id: u64, phase: Phase) -> MeetingState {
        let participants = self.meetings.participants(meeting_id).into_iter();
        MeetingState { meeting_id, participants: participants.map(|user_id| Participant { user_id }).collect(), phase }
    }
}

impl EventHandler<UserJoined> for TellOthers {
    async fn handle(&self, event: &UserJoined, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        let UserJoined { meeting_id, user_id } = *event;
        cx.emit(UserJoinedNotification { meeting_id, user_id });
        cx.emit(self.state(meeting_id, Phase::Open));
        Ok(())
    }
}

impl EventHandler<MeetingClosed> for TellOthers {
    async fn handle(&self, event: &MeetingClosed, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        cx.emit(self.state(event.meeting_id, Phase::Closed));
        Ok(())
    }
}

#[event_handler(MeetingClosed, after_commit)]
struct MailMinutes;

impl EventHandler<MeetingClosed> for MailMinutes {
    async fn handle(&self, event: &MeetingClosed, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        eprintln!("the minutes of meeting {} are in the mail", event.meeting_id);
        Ok(())
    }
}

#[event_handler(AccountDeleted)]
struct RemoveDeletedUser;

impl EventHandler<AccountDeleted> for RemoveDeletedUser {
    async fn handle(&self, event: &AccountDeleted, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        let AccountDeleted { meeting_id, user_id } = *event;
        Ok(cx.send(LeaveMeeting { meeting_id, user_id }).await?)
    }
}

// --- Middleware and services. -------------------------------------------------------------------

struct Audit;

#[diator::async_trait]
impl Middleware for Audit {
    async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
        let handled = next.run(call).await;
        eprintln!("{} was handled", call.info().message);
        handled
    }
}

trait Meetings: Send + Sync {
    fn schedule(&self, title: &str) -> u64;
    fn join(&self, meeting_id: u64, user_id: u64) -> Option<MeetingLink>;
    fn leave(&self, meeting_id: u64, user_id: u64);
    fn find(&self, title: &str) -> Option<MeetingLink>;
    fn participants(&self, meeting_id: u64) -> Vec<u64>;
}

/// Title and participants of each meeting.
#[derive(Default)]
struct InMemory(Mutex<BTreeMap<u64, (String, Vec<u64>)>>);

impl InMemory {
    fn meetings(&self) -> MutexGuard<'_, BTreeMap<u64, (String, Vec<u64>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn link(meeting_id: u64) -> MeetingLink {
    MeetingLink(format!("https://meet.example/{meeting_id}"))
}

impl Meetings for InMemory {
    fn schedule(&self, title: &str) -> u64 {
        let mut meetings = self.meetings();
        let meeting_id = meetings.len() as u64 + 1;
        meetings.insert(meeting_id, (title.to_owned(), Vec::new()));
        meeting_id
    }

    fn join(&self, meeting_id: u64, user_id: u64) -> Option<MeetingLink> {
        self.meetings().get_mut(&meeting_id)?.1.push(user_id);
        Some(link(meeting_id))
    }

    fn leave(&self, meeting_id: u64, user_id: u64) {
        if let Some((_, participants)) = self.meetings().get_mut(&meeting_id) {
            participants.retain(|participant| *participant != user_id);
        }
    }

    fn find(&self, title: &str) -> Option<MeetingLink> {
        let meetings = self.meetings();
        meetings.iter().find(|(_, (known, _))| known == title).map(|(meeting_id, _)| link(*meeting_id))
    }

    fn participants(&self, meeting_id: u64) -> Vec<u64> {
        self.meetings().get(&meeting_id).map(|(_, participants)| participants.clone()).unwrap_or_default()
    }
}

/// The lines that one message wrote into the minutes.
#[derive(Default)]
struct Minutes(Mutex<Vec<String>>);

impl Minutes {
    fn note(&self, line: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

// --- The test that keeps the catalog. -----------------------------------------------------------

#[cfg(test)]
mod tests {
    use diator_catalog::{Catalog, ObservedCauses};

    use super::*;

    /// One use case after the other, as a program's own tests would go through them.
    #[tokio::test]
    async fn what_causes_what_is_as_it_was() -> Result<(), BoxError> {
        let (edges, broker) = (ObservedCauses::new(), InMemoryBroker::new());
        let mediator = builder().broker(broker.clone()).observe(edges.clone()).build()?;

        let meeting_id = mediator.send(ScheduleMeeting { title: "planning".to_owned() }).await?;
        let link = mediator.send(JoinMeeting { meeting_id, user_id: 7 }).await?;
        assert_eq!(mediator.send(FindMeeting { title: "planning".to_owned() }).await?, Some(link));
        mediator.send(CloseMeeting { meeting_id }).await?;
        assert_eq!(broker.published().len(), 3);

        let deleted = AccountDeleted { meeting_id, user_id: 7 };
        let payload = serde_json::to_value(&deleted)?;
        let message = diator::InboundMessage::new(
            diator::broker::MessageType::Notification,
            "AccountDeleted",
            "82a0b10e-1b3d-4c3c-9bdd-3934f8f824c2".parse()?,
            payload,
        );
        mediator.receive(message).await?;

        // What breaks others comes first: whoever blesses the edges has read it.
        Catalog::from(mediator.wiring().with_endpoint(&accounts()))
            .with_edges(&edges)?
            .assert_matches("../docs/catalog/catalog.json");
        edges.assert_matches("../docs/catalog/edges.json");
        Ok(())
    }
}
