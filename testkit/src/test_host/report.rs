use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::time::Duration;

use diator::endpoint::EndpointHealth;
use diator::host::Health;
use diator::{InboundMessage, OutboundMessage};
use serde_json::Value;
use uuid::Uuid;

use super::RunningTestHost;
use super::attempts::Recorded;
use super::kept::Letter;

/// How many lines of each part are shown; of longer ones it is the first and the last half.
const MOST: usize = 60;

/// All that happened, for whoever has to find out why an assertion failed.
pub(super) struct Report<'t> {
    host: &'t RunningTestHost,
    attempts: Vec<Recorded>,
    messages: Messages,
    marked: BTreeSet<usize>,
}

/// What was published, with the number of each message.
struct Messages {
    published: Vec<OutboundMessage>,
    numbers: HashMap<Uuid, usize>,
}

impl<'t> Report<'t> {
    pub(super) fn of(host: &'t RunningTestHost) -> Self {
        let published = host.broker().published();
        // A message that was published twice has its first number.
        let numbers = published.iter().enumerate().rev().map(|(place, message)| (message.id, place + 1)).collect();
        let messages = Messages { published, numbers };
        Self { host, attempts: host.attempts().all(), messages, marked: BTreeSet::new() }
    }

    /// Points out these attempts.
    pub(super) fn marking(mut self, places: &[usize]) -> Self {
        self.marked = places.iter().copied().collect();
        self
    }

    /// Fails the test, because another number was found than was expected.
    #[track_caller]
    pub(super) fn refuse(&self, expected: usize, found: usize, what: &str, said: &str) -> ! {
        let expected = match expected {
            0 => format!("no {what}"),
            1 => format!("1 {what}"),
            more => format!("{more} {what}s"),
        };
        panic!("expected {expected} {said}, found {found}\n{self}");
    }

    fn attempts(&self) -> Vec<String> {
        let messages: Vec<_> =
            self.attempts.iter().map(|recorded| self.messages.name(recorded.attempt.message)).collect();
        let handlers: Vec<_> = self.attempts.iter().map(|recorded| recorded.attempt.handler.as_str()).collect();
        let width = |texts: &mut dyn Iterator<Item = &str>| texts.map(|text| text.chars().count()).max().unwrap_or(0);
        let message_width = width(&mut messages.iter().map(String::as_str)).max("message".len());
        let handler_width = width(&mut handlers.iter().copied()).max("handler".len());
        let then_width = width(&mut self.attempts.iter().map(|recorded| recorded.then.as_str())).max("then".len());
        let heading = format!(
            "  {:>10}  {:message_width$}  {:handler_width$}  attempt  {:then_width$}  outcome",
            "time", "message", "handler", "then"
        );
        let line = |(place, recorded): (usize, &Recorded)| {
            let attempt = &recorded.attempt;
            let mark = if self.marked.contains(&place) { '>' } else { ' ' };
            let (time, message, handler) = (seconds(attempt.at), &messages[place], handlers[place]);
            let (number, outcome, then) = (attempt.number, &attempt.outcome, &recorded.then);
            format!(
                "{mark} {time:>10}  {message:message_width$}  {handler:handler_width$}  {number:>7}  {then:then_width$}  {outcome}"
            )
        };
        let lines = shortened(self.attempts.iter().enumerate().map(line).collect());
        if lines.is_empty() { lines } else { [vec![heading], lines].concat() }
    }

    fn published(&self) -> Vec<String> {
        let handled: BTreeSet<_> = self.attempts.iter().map(|recorded| recorded.attempt.message).collect();
        let waiting: HashMap<_, _> = self.host.endpoints().iter().flat_map(|endpoint| self.waiting(endpoint)).collect();
        let line = |message: &OutboundMessage| {
            let note = match waiting.get(&message.id) {
                _ if handled.contains(&message.id) => String::new(),
                Some(endpoint) => format!("   waits for `{endpoint}`"),
                None => "   no handler got it".to_owned(),
            };
            let topic = message.topic.as_deref().map_or("no topic".to_owned(), |topic| format!("topic `{topic}`"));
            format!("  {} {}, {topic}{note}", self.messages.name(message.id), content(message))
        };
        shortened(self.messages.published.iter().map(line).collect())
    }

    fn waiting<'e>(&self, endpoint: &'e str) -> impl Iterator<Item = (Uuid, &'e str)> + use<'e> {
        let unsettled = self.host.broker().unsettled(endpoint).unwrap_or_default().into_iter();
        unsettled.map(move |message| (message.id, endpoint))
    }

    fn dead_letters(&self) -> Vec<String> {
        let line = |letter: Letter| {
            let (name, reason) = (self.messages.name(letter.message), letter.reason.replace('\n', "\\n"));
            format!("  {name} at `{}`: {reason}", letter.endpoint)
        };
        shortened(self.host.letters().into_iter().map(line).collect())
    }
}

impl Messages {
    fn name(&self, message: Uuid) -> String {
        match self.numbers.get(&message) {
            Some(&number) => format!("{number}. {}", self.published[number - 1].name),
            None => message.to_string(),
        }
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("handled:", "nothing was handled", self.attempts()),
            ("published:", "nothing was published", self.published()),
            ("dead letters:", "no dead letters", self.dead_letters()),
        ];
        for (title, nothing, lines) in parts {
            write!(f, "\n{}", if lines.is_empty() { nothing } else { title })?;
            lines.iter().try_for_each(|line| write!(f, "\n{line}"))?;
        }
        Ok(())
    }
}

/// What a host has not settled in time.
pub(super) struct InFlight<'t> {
    pub(super) host: &'t RunningTestHost,
    pub(super) health: &'t Health,
    pub(super) limit: Duration,
}

impl fmt::Display for InFlight<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, health, limit } = self;
        write!(f, "something is still in flight after {} of the clock", seconds(*limit))?;
        let report = Report::of(host);
        for (name, endpoint) in &health.endpoints {
            let unsettled = host.broker().unsettled(name).unwrap_or_default();
            let kept = host.kept().messages(name);
            if unsettled.is_empty() && kept.is_empty() && endpoint.held == 0 {
                continue;
            }
            write!(f, "\n  endpoint `{name}` {}", state(endpoint))?;
            let lines = unsettled.iter().map(|message| format!("    {}", report.messages.name(message.id)));
            shortened(lines.collect()).iter().try_for_each(|line| write!(f, "\n{line}"))?;
            let lines =
                kept.iter().map(|&message| format!("    {}, in its delivery store", report.messages.name(message)));
            shortened(lines.collect()).iter().try_for_each(|line| write!(f, "\n{line}"))?;
        }
        let Some(relay) = &health.relay else { return Ok(()) };
        if let Some(age) = relay.oldest_seconds {
            write!(f, "\n  the relay has not published a message for {age:.3} s")?;
        }
        relay.circuits.iter().try_for_each(|circuit| write!(f, "\n    {circuit:?}"))?;
        relay.error.iter().try_for_each(|error| write!(f, "\n    {error}"))
    }
}

fn state(endpoint: &EndpointHealth) -> String {
    let EndpointHealth { state, held, running, last_error, .. } = endpoint;
    let state = format!("{state:?}").to_lowercase();
    let error = last_error.iter().map(|error| format!("; its last error: {error}")).collect::<String>();
    let messages = if *held == 1 { "message" } else { "messages" };
    format!("({state}) holds {held} {messages}, {running} running{error}; unsettled:")
}

/// The event's own fields, as the sender wrote them.
fn content(message: &OutboundMessage) -> String {
    match InboundMessage::try_from(message) {
        Ok(mut read) => {
            if let Value::Object(fields) = &mut read.payload {
                fields.retain(|name, _| name != "event_id" && name != "event_timestamp");
            }
            read.payload.to_string()
        }
        Err(error) => format!("(unreadable: {error})"),
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}

fn shortened(mut lines: Vec<String>) -> Vec<String> {
    if lines.len() > MOST {
        let left_out = lines.len() - MOST;
        lines.splice(MOST / 2..MOST / 2 + left_out, [format!("  … {left_out} more …")]);
    }
    lines
}
