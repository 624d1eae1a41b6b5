//! The meeting story: a command, a query, a domain event and a notification event.
//!
//! Run it with `cargo run --example quickstart`. It needs no server: the broker is in memory.

use std::collections::HashSet;
use std::error::Error;
use std::sync::{Arc, Mutex};

use diator::prelude::*;
use serde::{Deserialize, Serialize};

// --- Messages: requests and events. ------------------------------------------------------------

#[derive(Debug, Command)]
#[request(response = MeetingLink, error = JoinError)]
struct JoinMeeting {
    meeting_id: u64,
    user_id: u64,
    is_late: bool,
}

#[derive(Debug, PartialEq)]
struct MeetingLink(String);

#[derive(Debug, thiserror::Error)]
enum JoinError {
    #[error("user {0} is in the meeting already")]
    AlreadyJoined(u64),
}

#[derive(Debug, Query)]
#[request(response = usize)]
struct CountParticipants {
    meeting_id: u64,
}

/// Stays in this process: its handlers run before `send` returns.
#[derive(Debug, DomainEvent)]
struct UserJoined {
    meeting_id: u64,
    user_id: u64,
    is_late: bool,
}

/// Goes to the message broker, once everything else has succeeded.
#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
struct UserJoinedNotification {
    user_id: u64,
}

// --- Handlers: their fields are injected. -------------------------------------------------------

#[request_handler(JoinMeeting)]
struct JoinMeetingHandler {
    meetings: Arc<dyn MeetingApi>,
}

impl RequestHandler<JoinMeeting> for JoinMeetingHandler {
    async fn handle(
        &self,
        command: JoinMeeting,
        cx: &mut RequestContext<'_, JoinMeeting>,
    ) -> Result<MeetingLink, JoinError> {
        let JoinMeeting { meeting_id, user_id, is_late } = command;
        let link = self.meetings.join(meeting_id, user_id)?;
        cx.emit(UserJoined { meeting_id, user_id, is_late });
        cx.emit(UserJoinedNotification { user_id });
        Ok(link)
    }
}

#[request_handler(CountParticipants)]
struct CountParticipantsHandler {
    meetings: Arc<dyn MeetingApi>,
}

impl RequestHandler<CountParticipants> for CountParticipantsHandler {
    async fn handle(
        &self,
        query: CountParticipants,
        _cx: &mut RequestContext<'_, CountParticipants>,
    ) -> Result<usize, BoxError> {
        Ok(self.meetings.count(query.meeting_id))
    }
}

#[event_handler(UserJoined, order = 10)]
struct NotifyRoom;

impl EventHandler<UserJoined> for NotifyRoom {
    async fn handle(&self, event: &UserJoined, _cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        println!("  1st handler: tells room {} that user {} has joined", event.meeting_id, event.user_id);
        Ok(())
    }
}

#[event_handler(UserJoined, order = 20)]
struct WarnWhenLate;

impl EventHandler<UserJoined> for WarnWhenLate {
    async fn handle(&self, event: &UserJoined, _cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        if event.is_late {
            println!("  2nd handler: warns user {} for being late", event.user_id);
        }
        Ok(())
    }
}

// --- A service that the handlers need. ----------------------------------------------------------

trait MeetingApi: Send + Sync {
    fn join(&self, meeting_id: u64, user_id: u64) -> Result<MeetingLink, JoinError>;
    fn count(&self, meeting_id: u64) -> usize;
}

#[derive(Default)]
struct Meetings {
    participants: Mutex<HashSet<(u64, u64)>>,
}

impl MeetingApi for Meetings {
    fn join(&self, meeting_id: u64, user_id: u64) -> Result<MeetingLink, JoinError> {
        let mut participants = self.participants.lock().expect("no handler panics while it holds the lock");
        match participants.insert((meeting_id, user_id)) {
            true => Ok(MeetingLink(format!("https://meet.example/{meeting_id}"))),
            false => Err(JoinError::AlreadyJoined(user_id)),
        }
    }

    fn count(&self, meeting_id: u64) -> usize {
        let participants = self.participants.lock().expect("no handler panics while it holds the lock");
        participants.iter().filter(|(meeting, _)| *meeting == meeting_id).count()
    }
}

// --- The program. -------------------------------------------------------------------------------

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let broker = InMemoryBroker::new();
    let mediator = Mediator::from_registry()
        .container(Services::new().singleton::<dyn MeetingApi>(Arc::new(Meetings::default())))
        .broker(broker.clone())
        .build()?;

    println!("user 7 joins meeting 1, late:");
    let link = mediator.send(JoinMeeting { meeting_id: 1, user_id: 7, is_late: true }).await?;
    println!("  answer: {}", link.0);

    for message in broker.published() {
        println!("  published: {}", String::from_utf8_lossy(&message.body));
    }

    println!("user 7 joins it again:");
    match mediator.send(JoinMeeting { meeting_id: 1, user_id: 7, is_late: false }).await {
        Err(SendError::Handler(JoinError::AlreadyJoined(user))) => println!("  refused: user {user} is in already"),
        other => println!("  unexpected: {other:?}"),
    }
    println!("  published so far: {}", broker.published().len());

    let count = mediator.send(CountParticipants { meeting_id: 1 }).await?;
    println!("participants of meeting 1: {count}");
    Ok(())
}
