//! A store that says what a test needs it to say.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use diator::broker::{Headers, MessageType};
use diator::deliveries::DeliveryStore;
use diator::outbox::{
    Claim, DeadLetter, DeadLetterFilter, DeadLetters, Leased, LeasedPartition, OutboxRow, OutboxStatus, OutboxStore,
    RelayId, SchemaState, Settlement, StoreSchema,
};
use diator::{BoxError, OutboundMessage};
use uuid::Uuid;

pub(crate) struct Fake {
    letters: Vec<DeadLetter>,
    tables: Mutex<SchemaState>,
    fails: bool,
    deliveries: Option<Arc<dyn DeliveryStore>>,
}

/// An error with a source, and a password in both.
#[derive(Debug)]
pub(crate) struct Chain(&'static str, Option<Box<Chain>>);

impl Chain {
    pub(crate) fn refused() -> Self {
        let source = Self("connection refused\u{1b}[2J (password=hunter2)", None);
        Self("cannot connect to postgres://ada:hunter2@db.example:5432/shop", Some(Box::new(source)))
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Chain {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|source| source as _)
    }
}

impl Fake {
    pub(crate) fn of(kind: &str) -> Result<Self, BoxError> {
        let found = match kind {
            "missing" => None,
            "outdated" => Some((1, 1)),
            "newer" => Some((3, 1)),
            "too_new" => Some((4, 3)),
            _ => Some((2, 1)),
        };
        let letters = match kind {
            "hostile" => vec![hostile(), binary(), long()],
            "unreadable" => vec![unreadable(), binary()],
            "kept" => vec![binary()],
            "many" => (1..=1_001).map(|id| DeadLetter::new(id, binary().message, "it is no text", at())).collect(),
            _ => Vec::new(),
        };
        let tables = Mutex::new(SchemaState::judge(found, 2));
        Ok(Self { letters, tables, fails: kind == "failing", deliveries: None })
    }

    pub(crate) fn with(self, deliveries: Arc<dyn DeliveryStore>) -> Self {
        Self { deliveries: Some(deliveries), ..self }
    }

    fn tables(&self) -> SchemaState {
        *self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer<T>(&self, answer: T) -> Result<T, BoxError> {
        if self.fails { Err(Chain::refused().into()) } else { Ok(answer) }
    }
}

fn at() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_768_471_200)
}

pub(crate) const ORDERS: &str = "\u{1b}[31mred\u{7}\u{9b}2J\r\nerased\u{202e}\u{200b}";

/// Whoever wrote it would like to give a terminal orders.
fn hostile() -> DeadLetter {
    let message = OutboundMessage::new(
        Uuid::from_u128(1),
        MessageType::Ecst,
        ORDERS,
        format!("{{\"a\": 1}}\n{ORDERS}").into_bytes(),
    );
    let mut message = message.with_topic(format!("topic {ORDERS}")).with_key(ORDERS);
    message.headers = Headers::new().with("tenant", ORDERS);
    message.traceparent = Some(ORDERS.into());
    message.content_type = ORDERS.into();
    let reason = format!("no {ORDERS} at redis://:hunter2@cache");
    let letter = DeadLetter::new(1, Ok(message), reason, at());
    with_attempts(letter, 3, true)
}

fn binary() -> DeadLetter {
    let message = OutboundMessage::new(Uuid::from_u128(2), MessageType::Notification, "Binary", *b"\xff\x1b[2J\0");
    with_attempts(DeadLetter::new(2, Ok(message), "it is no text", at()), 1, false)
}

fn long() -> DeadLetter {
    let text = |begin: &str| format!("{begin} {}", "long ".repeat(500));
    let message =
        OutboundMessage::new(Uuid::from_u128(3), MessageType::Notification, "Long", text("body").into_bytes());
    let message = message.with_topic("orders".repeat(10)).with_key("key".repeat(500));
    with_attempts(DeadLetter::new(3, Ok(message), text("reason"), at()), 1, false)
}

fn unreadable() -> DeadLetter {
    let error = format!("the headers are no JSON: {ORDERS}");
    with_attempts(DeadLetter::new(1, Err(error), "it is too large", at()), 3, true)
}

fn with_attempts(mut letter: DeadLetter, attempts: u32, parks_key: bool) -> DeadLetter {
    (letter.attempts, letter.parks_key) = (attempts, parks_key);
    letter
}

#[diator::async_trait]
impl OutboxStore for Fake {
    async fn check(&self) -> Result<(), BoxError> {
        match self.tables() {
            tables if tables.is_usable() => Ok(()),
            tables => Err(format!("{tables}: run `schema apply`").into()),
        }
    }

    fn deliveries(&self) -> Option<Arc<dyn DeliveryStore>> {
        self.deliveries.clone()
    }

    async fn lease(&self, _: RelayId, _: u16, _: Duration) -> Result<Leased, BoxError> {
        self.answer(Leased::default())
    }

    async fn claim(&self, _: Claim<'_>) -> Result<Vec<OutboxRow>, BoxError> {
        self.answer(Vec::new())
    }

    async fn settle(&self, _: &[Settlement]) -> Result<(), BoxError> {
        self.answer(())
    }

    async fn release(&self, _: &[LeasedPartition]) -> Result<(), BoxError> {
        self.answer(())
    }

    async fn oldest(&self) -> Result<Option<Duration>, BoxError> {
        self.answer(None)
    }

    async fn status(&self) -> Result<OutboxStatus, BoxError> {
        let mut status = OutboxStatus::default();
        (status.pending, status.sent, status.oldest_seconds) = (1_234, 5, Some(93_784.5));
        self.answer(status)
    }

    async fn replay(&self, _: SystemTime, topic: Option<&str>) -> Result<u64, BoxError> {
        self.answer(if topic.is_none() { 1 } else { 0 })
    }

    async fn prune(&self, _: RelayId, _: Duration, _: u32) -> Result<u64, BoxError> {
        self.answer(0)
    }

    async fn woken(&self) {}
}

#[diator::async_trait]
impl DeadLetters for Fake {
    async fn list(&self, filter: &DeadLetterFilter) -> Result<Vec<DeadLetter>, BoxError> {
        let most = filter.limit.map_or(usize::MAX, |limit| limit as usize);
        self.answer(self.letters.iter().filter(|letter| filter.takes(letter)).take(most).cloned().collect())
    }

    async fn replay(&self, filter: &DeadLetterFilter) -> Result<u64, BoxError> {
        Ok(self.list(filter).await?.len() as u64)
    }

    async fn discard(&self, filter: &DeadLetterFilter) -> Result<u64, BoxError> {
        Ok(self.list(filter).await?.len() as u64)
    }
}

#[diator::async_trait]
impl StoreSchema for Fake {
    fn statements(&self) -> String {
        "CREATE TABLE outbox ();\n".to_owned()
    }

    async fn state(&self) -> Result<SchemaState, BoxError> {
        self.answer(self.tables())
    }

    async fn apply(&self) -> Result<(), BoxError> {
        *self.tables.lock().unwrap_or_else(PoisonError::into_inner) = SchemaState::Current { version: 2 };
        self.answer(())
    }
}
