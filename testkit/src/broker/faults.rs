//! What every broker does when its server misbehaves.
//!
//! Each function is a case: it panics where the broker does not do what the case demands, and where the driver has no
//! [`server`](Driver::server). [`broker_faults!`](crate::broker_faults) makes tests of them all.

use std::collections::HashSet;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use diator::broker::{PublishErrorKind, Receipt, RetryPolicy, RetryingBroker};
use diator::{MessageBroker, OutboundMessage, PublishError};
use tokio::sync::watch;
use uuid::Uuid;

use super::{Driver, Login, arrivals, ids, message};

/// More than any deadline of a driver under test, less than any time-out of a socket.
pub(super) const SOON: Duration = Duration::from_secs(20);

pub(super) fn is_transient(error: &PublishError) -> bool {
    matches!(error.kind(), PublishErrorKind::Transient { .. })
}

/// The error with all its sources, as text and as `Debug`.
fn whole_text(error: &PublishError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(" {error} {error:?}"));
        source = error.source();
    }
    text
}

/// Publishes until it succeeds, and returns the errors before that.
async fn publish_until_taken(broker: &dyn MessageBroker, message: &OutboundMessage) -> Vec<PublishError> {
    let mut errors = Vec::new();
    while let Err(error) = broker.publish(message).await {
        errors.push(error);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    errors
}

/// What publishers were told, while they publish without a pause.
#[derive(Default)]
struct Told {
    taken: Vec<Uuid>,
    ambiguous: Vec<Uuid>,
    transient: Vec<Uuid>,
    fatal: Vec<String>,
}

impl Told {
    fn note(&mut self, message: &OutboundMessage, answer: Result<Receipt, PublishError>) {
        match answer {
            Ok(_) => self.taken.push(message.id),
            Err(error) if error.kind() == PublishErrorKind::Ambiguous => self.ambiguous.push(message.id),
            Err(error) if is_transient(&error) => self.transient.push(message.id),
            Err(error) => self.fatal.push(whole_text(&error)),
        }
    }

    fn failed(&self) -> usize {
        self.ambiguous.len() + self.transient.len() + self.fatal.len()
    }
}

/// Publishes one by one, or in batches, until it is told to stop.
async fn publish_on(
    broker: Arc<dyn MessageBroker>,
    told: watch::Sender<Told>,
    batch: usize,
    stop: watch::Receiver<bool>,
) {
    while !*stop.borrow() {
        let messages: Vec<_> = (0..batch).map(message).collect();
        let answers = match &*messages {
            [only] => vec![broker.publish(only).await],
            several => broker.publish_batch(several).await,
        };
        assert_eq!(answers.len(), messages.len());
        let failed = answers.iter().any(Result::is_err);
        told.send_modify(|told| messages.iter().zip(answers).for_each(|(message, answer)| told.note(message, answer)));
        if failed {
            // A driver that fails at once must not keep the others from their turn.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// No message that was answered with `Ok` may be lost by a kill under load where the broker is durable and retains
/// messages; none may arrive that was said not to be taken, and none twice.
pub async fn a_kill_in_mid_stream_loses_nothing_that_was_acknowledged<D: Driver>() {
    let driver = D::start().await;
    let mut listener = driver.listen().await;
    let broker = driver.connect(Login::Right);
    let (stop, stopped) = watch::channel(false);
    let publishers: Vec<_> = [1, 1, 1, 20]
        .into_iter()
        .map(|batch| {
            let (told, telling) = watch::channel(Told::default());
            (tokio::spawn(publish_on(broker.clone(), told, batch, stopped.clone())), telling)
        })
        .collect();
    for (_, told) in &publishers {
        told.clone().wait_for(|told| told.taken.len() >= 40).await.expect("it publishes");
    }
    driver.server().kill();
    for (_, told) in &publishers {
        told.clone().wait_for(|told| told.failed() >= 2).await.expect("it publishes");
    }
    driver.server().restart();
    for (_, told) in &publishers {
        let before = told.borrow().taken.len();
        told.clone().wait_for(|told| told.taken.len() >= before + 40).await.expect("it publishes");
    }
    stop.send_replace(true);
    // Only when the last answer is there, it is known what must have arrived.
    let mut told = Vec::new();
    for (publisher, telling) in publishers {
        publisher.await.expect("it does not panic");
        told.push(telling);
    }

    let kept = D::GUARANTEES.durable && D::GUARANTEES.retained;
    let arrived: Vec<_> = if kept {
        let mut listener = driver.listen().await;
        arrivals(&driver, &mut *listener).await.into_iter().map(|message| message.id).collect()
    } else {
        let mut heard = Vec::new();
        while let Some(message) = listener.next().await {
            heard.push(message.id);
        }
        heard
    };
    let heard: HashSet<_> = arrived.iter().copied().collect();
    assert_eq!(heard.len(), arrived.len(), "something arrived twice");
    for told in &told {
        let told = told.borrow();
        assert_eq!(told.fatal, [""; 0]);
        assert!(!told.transient.iter().any(|id| heard.contains(id)), "a message arrived that was said not to be taken");
        if kept {
            let lost: Vec<_> = told.taken.iter().filter(|id| !heard.contains(id)).collect();
            assert!(lost.is_empty(), "acknowledged, and lost: {lost:?}");
        }
        if D::GUARANTEES.ordered {
            let in_order: Vec<_> = arrived.iter().filter(|id| told.taken.contains(id)).collect();
            let expected: Vec<_> = told.taken.iter().filter(|id| heard.contains(id)).collect();
            assert_eq!(in_order, expected);
        }
    }
}

/// After a restart of the server the same broker must publish again, without a fatal error in between.
pub async fn a_restart_between_two_messages_needs_no_restart_of_the_program<D: Driver>() {
    let driver = D::start().await;
    let broker = driver.connect(Login::Right);
    for round in 0..3 {
        let (before, after) = (message(round), message(round));
        broker.publish(&before).await.expect("the server is well");
        driver.server().kill();
        driver.server().restart();
        let mut listener = driver.listen().await;
        let errors = publish_until_taken(&*broker, &after).await;
        assert!(errors.iter().all(|error| error.kind() != PublishErrorKind::Fatal), "{errors:?}");
        let heard: Vec<_> = arrivals(&driver, &mut *listener).await.into_iter().map(|message| message.id).collect();
        assert!(heard.contains(&after.id));
        if D::GUARANTEES.durable && D::GUARANTEES.retained {
            assert!(heard.contains(&before.id));
        }
    }
}

/// Publishing to a server that is not there must be a transient error, and succeed once the server has come.
pub async fn a_server_that_is_not_there_is_transient_until_it_is<D: Driver>() {
    let driver = D::start().await;
    driver.server().kill();
    let broker = driver.connect(Login::Right);
    let (one, batch) = (message(0), [message(1), message(2)]);
    for _ in 0..3 {
        let error = broker.publish(&one).await.expect_err("nobody is there");
        assert!(is_transient(&error), "{error:?}");
        let answers = broker.publish_batch(&batch).await;
        let errors: Vec<_> = answers.into_iter().map(|answer| answer.expect_err("nobody is there")).collect();
        assert!(errors.len() == 2 && errors.iter().all(is_transient), "{errors:?}");
    }
    driver.server().restart();
    let mut listener = driver.listen().await;
    broker.publish(&one).await.expect("the server is well");
    let heard: Vec<_> = arrivals(&driver, &mut *listener).await.into_iter().map(|message| message.id).collect();
    assert_eq!(heard, [one.id]);
}

/// A message to a connected server that stops answering must be ambiguous, before 20 seconds have passed.
pub async fn a_paused_server_makes_a_message_ambiguous_in_time<D: Driver>() {
    let driver = D::start().await;
    let mut listener = driver.listen().await;
    let broker = driver.connect(Login::Right);
    let [before, during, after] = [0, 1, 2].map(message);
    broker.publish(&before).await.expect("the server is well");
    driver.server().pause();
    let begun = Instant::now();
    let error = broker.publish(&during).await.expect_err("nobody answers");
    assert_eq!(error.kind(), PublishErrorKind::Ambiguous, "{error:?}");
    assert!(begun.elapsed() < SOON, "it took {:?}", begun.elapsed());
    driver.server().resume();
    publish_until_taken(&*broker, &after).await;
    let heard: Vec<_> = arrivals(&driver, &mut *listener).await.into_iter().map(|message| message.id).collect();
    let without: Vec<_> = heard.into_iter().filter(|id| *id != during.id).collect();
    assert_eq!(without, [before.id, after.id]);
}

/// A message to a server that never answered the connection must be transient, before 20 seconds have passed, and must
/// not arrive later.
pub async fn a_paused_server_that_was_never_reached_is_transient<D: Driver>() {
    let driver = D::start().await;
    let mut listener = driver.listen().await;
    let broker = driver.connect(Login::Right);
    driver.server().pause();
    let [during, after] = [0, 1].map(message);
    let begun = Instant::now();
    let error = broker.publish(&during).await.expect_err("nobody answers");
    assert!(is_transient(&error), "{error:?}");
    assert!(begun.elapsed() < SOON, "it took {:?}", begun.elapsed());
    driver.server().resume();
    publish_until_taken(&*broker, &after).await;
    let heard: Vec<_> = arrivals(&driver, &mut *listener).await.into_iter().map(|message| message.id).collect();
    assert_eq!(heard, [after.id], "what was said not to be taken arrived");
}

/// A batch of 10,000 messages must end within one deadline, the first message ambiguous; none that is said not to be
/// taken may arrive.
pub async fn a_batch_to_a_paused_server_keeps_its_one_deadline<D: Driver>() {
    let driver = D::start().await;
    let broker = driver.connect(Login::Right);
    broker.publish(&message(0)).await.expect("the server is well");
    driver.server().pause();
    let messages: Vec<_> = (0..10_000).map(message).collect();
    let begun = Instant::now();
    let answers = broker.publish_batch(&messages).await;
    assert!(begun.elapsed() < SOON, "it took {:?}", begun.elapsed());
    driver.server().resume();
    assert_eq!(answers.len(), messages.len());
    let kinds: Vec<_> = answers.into_iter().map(|answer| answer.expect_err("nobody answers").kind()).collect();
    assert_eq!(kinds[0], PublishErrorKind::Ambiguous);
    assert!(!kinds.contains(&PublishErrorKind::Fatal));

    let transient = |number: &usize| matches!(kinds[*number], PublishErrorKind::Transient { .. });
    let untaken: Vec<_> = (0..kinds.len()).filter(transient).map(|number| messages[number].id).collect();
    let mut listener = driver.listen().await;
    publish_until_taken(&*broker, &message(1)).await;
    let heard = arrivals(&driver, &mut *listener).await;
    assert!(!heard.iter().any(|message| untaken.contains(&message.id)), "what was said not to be taken arrived");
}

/// A wrong password must be a fatal error whose texts, sources included, do not repeat it.
pub async fn a_wrong_password_is_fatal_and_stays_secret<D: Driver>() {
    let driver = D::start().await;
    let mut listener = driver.listen().await;
    let broker = driver.connect(Login::WrongPassword);
    for _ in 0..2 {
        let mut answers = broker.publish_batch(&[message(0), message(1)]).await;
        answers.push(broker.publish(&message(2)).await);
        assert_eq!(answers.len(), 3);
        for error in answers.into_iter().map(|answer| answer.expect_err("the password is wrong")) {
            assert_eq!(error.kind(), PublishErrorKind::Fatal, "{error:?}");
            assert!(!whole_text(&error).contains(Login::WRONG), "{error:?}");
        }
    }
    assert_eq!(arrivals(&driver, &mut *listener).await, []);
}

/// A denied permission must be a fatal error with the server's code, and publishing must succeed once it is granted.
pub async fn a_denied_permission_is_fatal_until_it_is_granted<D: Driver>() {
    let driver = D::start().await;
    let mut listener = driver.listen().await;
    let broker = driver.connect(Login::NotPermitted);
    let mut answers = broker.publish_batch(&[message(0), message(1)]).await;
    answers.push(broker.publish(&message(2)).await);
    assert_eq!(answers.len(), 3);
    for error in answers.into_iter().map(|answer| answer.expect_err("it is denied")) {
        assert_eq!(error.kind(), PublishErrorKind::Fatal, "{error:?}");
        assert!(error.code().is_some(), "{error:?}");
    }
    driver.server().permit();
    let granted = [message(3), message(4)];
    broker.publish(&granted[0]).await.expect("it is granted");
    broker.publish_batch(&granted[1..]).await.remove(0).expect("it is granted");
    let heard: Vec<_> = arrivals(&driver, &mut *listener).await.into_iter().map(|message| message.id).collect();
    assert_eq!(heard, ids(&granted));
}

/// A [`RetryingBroker`] around the broker must bring every message through a restart of the server.
pub async fn retries_bring_every_message_through_a_restart<D: Driver>() {
    let driver = D::start().await;
    let policy = RetryPolicy::new().attempts(1000).max_delay(Duration::from_millis(200)).give_up_after(SOON * 3);
    let broker = RetryingBroker::new(driver.connect(Login::Right), policy).expect("it is a policy");
    broker.publish(&message(0)).await.expect("the server is well");
    driver.server().kill();
    let publishing = tokio::spawn(async move {
        let messages: Vec<_> = (0..20).map(message).collect();
        let mut answers = vec![broker.publish(&messages[0]).await];
        answers.extend(broker.publish_batch(&messages[1..]).await);
        (messages, answers)
    });
    driver.server().restart();
    let (messages, answers) = publishing.await.expect("it does not panic");
    assert_eq!(answers.len(), messages.len());
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    if D::GUARANTEES.retained {
        let mut listener = driver.listen().await;
        let heard: HashSet<_> = arrivals(&driver, &mut *listener).await.into_iter().map(|message| message.id).collect();
        assert!(messages.iter().all(|message| heard.contains(&message.id)));
    }
}
