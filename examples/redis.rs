//! Publishes events to a real Redis: notifications on Pub/Sub channels, as the Python library does, and state to a
//! stream.
//!
//! Run it with `cargo run --features redis --example redis -- redis://127.0.0.1:6379`, or with the URL in `REDIS_URL`. It
//! publishes for five seconds, and prints how to watch.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use diator::broker::{MessageType, RetryPolicy, RetryingBroker, Route, RoutingBroker};
use diator::prelude::*;
use diator_redis::{RedisBroker, RedisConfig};
use serde::Serialize;

#[derive(Debug, Command)]
struct JoinMeeting {
    meeting_id: u64,
    user_id: u64,
}

/// Goes to `python_diator_channel:notification_event:<id>`, for those that are subscribed at that moment.
#[derive(Debug, Serialize, NotificationEvent)]
struct UserJoined {
    user_id: u64,
}

/// Goes to the stream `meetings`, also for those that read later.
#[derive(Debug, Serialize, EcstEvent)]
#[event(topic = "meetings", key = meeting_id)]
struct MeetingChanged {
    meeting_id: u64,
    participants: Vec<u64>,
}

#[request_handler(JoinMeeting)]
struct JoinMeetingHandler;

impl RequestHandler<JoinMeeting> for JoinMeetingHandler {
    async fn handle(&self, command: JoinMeeting, cx: &mut RequestContext<'_, JoinMeeting>) -> Result<(), BoxError> {
        let JoinMeeting { meeting_id, user_id } = command;
        cx.emit(UserJoined { user_id });
        cx.emit(MeetingChanged { meeting_id, participants: (1..=user_id).collect() });
        Ok(())
    }
}

fn broker(url: &str) -> Result<RoutingBroker, Box<dyn Error>> {
    let channels = RedisBroker::new(RedisConfig::pub_sub(url).deadline(Duration::from_secs(2)))?;
    let streams = RedisBroker::new(RedisConfig::streams(url).max_len(10_000))?;
    // While the server is away, a message is published again, with the same id.
    let streams = RetryingBroker::new(streams, RetryPolicy::new())?;
    Ok(RoutingBroker::new()
        .route(Route::message_type(MessageType::Notification).to(Arc::new(channels)))
        .otherwise(Arc::new(streams)))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).or_else(|| std::env::var("REDIS_URL").ok());
    let url = url.ok_or("say which server: `… --example redis -- redis://127.0.0.1:6379`, or set REDIS_URL")?;
    RedisBroker::new(RedisConfig::pub_sub(url.as_str()))?.ping().await?;
    let mediator = Mediator::from_registry().broker(broker(&url)?).build()?;

    // This does not print the URL itself, which may hold a password.
    println!("watch with:  redis-cli -u <that url> PSUBSCRIBE 'python_diator_channel:notification_event:*'");
    println!("read with:   redis-cli -u <that url> XRANGE meetings - +");
    for user_id in 1..=5 {
        mediator.send(JoinMeeting { meeting_id: 1, user_id }).await?;
        println!("user {user_id} has joined meeting 1");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}
