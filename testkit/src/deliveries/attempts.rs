//! What an attempt log remembers.

use diator::deliveries::{Attempts, Ended};
use uuid::Uuid;

use super::Driver;
use super::fixture::{LONG, Process};

const THERE: &str = "the database is there";

/// An attempt must be known to every process until it ends, however it ends.
pub async fn what_was_begun_is_known_until_it_ends<D: Driver>() {
    let driver = D::start(LONG).await;
    for ended in [Ended::Handled, Ended::Failed, Ended::CutOff] {
        let message = [Uuid::now_v7()];
        for unended in 0..4 {
            let log = Process::of(&driver).log();
            assert_eq!(log.begin("billing", &message).await.expect(THERE), [Attempts::unended(unended)]);
        }
        Process::of(&driver).log().end("billing", &[(message[0], ended)]).await.expect(THERE);
        let log = Process::of(&driver).log();
        assert_eq!(log.begin("billing", &message).await.expect(THERE), [Attempts::NONE], "{ended:?}");
    }
}

/// The attempts of another message, or of another endpoint, must not count.
pub async fn messages_and_endpoints_do_not_know_of_each_other<D: Driver>() {
    let driver = D::start(LONG).await;
    let log = Process::of(&driver).log();
    let (one, other) = (Uuid::now_v7(), Uuid::nil());
    for (endpoint, message) in [("billing", one), ("billing", other), ("Billing", one), ("größe ' \" \\ ?1 $1", one)]
    {
        assert_eq!(log.begin(endpoint, &[message]).await.expect(THERE), [Attempts::NONE], "{endpoint} {message}");
    }
    log.end("Billing", &[(one, Ended::Handled)]).await.expect(THERE);
    assert_eq!(log.begin("billing", &[one, other]).await.expect(THERE), [Attempts::unended(1); 2]);
}

/// There must be one answer for each message, in their order.
pub async fn answers_come_in_the_order_of_the_messages<D: Driver>() {
    let driver = D::start(LONG).await;
    let log = Process::of(&driver).log();
    let messages: Vec<_> = (0..40).map(|number| Uuid::from_u128(u128::from(number ^ 0x15_u32))).collect();
    for (place, &message) in messages.iter().enumerate() {
        for _ in 0..place % 3 {
            log.begin("billing", &[message]).await.expect(THERE);
        }
    }
    let known = log.begin("billing", &messages).await.expect(THERE);
    let unended: Vec<_> = known.iter().map(|attempts| attempts.unended as usize).collect();
    assert_eq!(unended, (0..40).map(|place| place % 3).collect::<Vec<_>>());
    let ended: Vec<_> = messages.iter().map(|&message| (message, Ended::Handled)).collect();
    log.end("billing", &ended).await.expect(THERE);
    assert_eq!(log.begin("billing", &messages).await.expect(THERE), vec![Attempts::NONE; 40]);
    assert!(log.begin("billing", &[]).await.expect(THERE).is_empty());
}

/// The end of an attempt that nobody knows must change nothing.
pub async fn an_end_without_a_beginning_changes_nothing<D: Driver>() {
    let driver = D::start(LONG).await;
    let log = Process::of(&driver).log();
    let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
    log.begin("billing", &[one]).await.expect(THERE);
    log.end("billing", &[(other, Ended::Handled), (other, Ended::Failed)]).await.expect(THERE);
    log.end("billing", &[]).await.expect(THERE);
    assert_eq!(log.begin("billing", &[one, other]).await.expect(THERE), [Attempts::unended(1), Attempts::NONE]);
}
