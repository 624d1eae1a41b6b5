use std::error::Error;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::iter::successors;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use diator::container::{DependencyKey, Scope};
use diator::deliveries::{AttemptLog, DeliveryStore};
use diator::inbox::{Entry, Inbox, Seen};
use diator::{BoxError, Meta, async_trait};

use super::{FailPoint, FailingStore};
use crate::wrong::{WrongInbox, WrongStore};

/// An inbox whose [store](FailingStore) can end the process; it writes down what went wrong with the database.
pub(crate) struct FailingInbox<I> {
    inner: WrongInbox<I>,
    fail: Option<FailPoint>,
    /// A line for each error that is no fault of a message.
    troubles: File,
}

impl<I> FailingInbox<I> {
    pub(crate) fn new(inner: WrongInbox<I>, fail: Option<FailPoint>, folder: &Path) -> io::Result<Self> {
        let troubles = OpenOptions::new().create(true).append(true).open(folder.join("troubles"))?;
        Ok(Self { inner, fail, troubles })
    }

    fn trouble(&self, error: &(dyn Error + 'static)) {
        let mut line = String::new();
        for error in successors(Some(error), |&error| error.source()) {
            write!(line, "{}: ", error.to_string().escape_debug()).expect("a text takes everything");
        }
        line.push('\n');
        let _ = (&self.troubles).write_all(line.as_bytes());
    }
}

#[async_trait]
impl<I: Inbox> Inbox for FailingInbox<I> {
    fn unit_of_work(&self) -> Option<DependencyKey> {
        self.inner.inner.unit_of_work()
    }

    fn how_to_register(&self) -> Option<&str> {
        self.inner.inner.how_to_register()
    }

    fn place(&self) -> Option<String> {
        self.inner.inner.place()
    }

    fn retention(&self) -> Duration {
        self.inner.retention()
    }

    async fn enter(&self, scope: &dyn Scope, meta: &Meta, entry: &Entry<'_>) -> Result<Seen, BoxError> {
        let seen = self.inner.enter(scope, meta, entry).await;
        match &seen {
            Ok(Seen::Busy) => self.trouble(&io::Error::other("another transaction is handling the message")),
            Ok(_) => {}
            Err(error) => self.trouble(&**error),
        }
        seen
    }

    fn is_transient(&self, error: &(dyn Error + 'static)) -> bool {
        let is_transient = self.inner.inner.is_transient(error);
        if is_transient {
            self.trouble(error);
        }
        is_transient
    }

    fn deliveries(&self) -> Option<Arc<dyn DeliveryStore>> {
        let store = self.inner.inner.deliveries()?;
        let store = WrongStore { inner: store, wrong: self.inner.wrong };
        Some(Arc::new(FailingStore { inner: Arc::new(store), fail: self.fail.clone() }))
    }

    fn attempt_log(&self) -> Option<Arc<dyn AttemptLog>> {
        self.inner.inner.attempt_log()
    }
}
