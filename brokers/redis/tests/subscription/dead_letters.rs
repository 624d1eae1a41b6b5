//! Dead letters, also of entries that the stream has dropped.

use diator::subscription::{ConsumeErrorKind, Settlement, Verdict};
use diator_tests::redis_server::RedisServer;

use super::world::{config, open, publish, settle, take};

#[tokio::test]
async fn an_entry_that_was_dropped_in_hand_can_be_a_dead_letter_and_is_never_given_back() {
    let server = RedisServer::start(&[]);
    let mut opened = open(config(&server), "billing").await;
    publish(config(&server), 0..2).await;
    let came = take(&mut opened, 2).await;
    server.cli().run(&["XTRIM", "orders", "MAXLEN", "0"]);
    settle(&opened, &came[..1], Verdict::dead_letter("no order")).await;
    let letter = &server.cli().entries("orders.dead")[0];
    assert_eq!(letter.last(), Some(&("body".to_owned(), b"{}".to_vec())));
    let released = opened.settle.settle(&[Settlement::new(came[1].tag, Verdict::Release)]).await;
    assert!(matches!(&released[..], [Err(error)] if error.kind() == ConsumeErrorKind::Fatal), "{released:?}");
    settle(&opened, &came[1..], Verdict::Ack).await;
}

#[tokio::test]
async fn a_dead_letter_has_what_was_published_and_why_it_is_dead() {
    let server = RedisServer::start(&[]);
    let mut opened = open(config(&server), "billing").await;
    publish(config(&server), 0..1).await;
    let came = take(&mut opened, 1).await;
    settle(&opened, &came, Verdict::dead_letter("no order")).await;
    let letter = &server.cli().entries("orders.dead")[0];
    let letter: Vec<_> = letter.iter().map(|(name, value)| (&**name, String::from_utf8_lossy(value))).collect();
    let position = came[0].position.as_deref().unwrap();
    for field in [
        ("dead_letter_endpoint", "billing"),
        ("dead_letter_reason", "no order"),
        ("dead_letter_failures", "0"),
        ("dead_letter_position", position),
        ("name", "OrderPlaced"),
        ("key", "0"),
        ("body", "{}"),
    ] {
        assert!(letter.contains(&(field.0, field.1.into())), "{field:?} in {letter:?}");
    }
    assert_eq!(server.cli().run(&["XPENDING", "orders", "billing"])[0], "0");
}
