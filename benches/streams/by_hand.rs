//! What a team writes that needs nothing else: it reads about 100 entries, decodes and handles them one after the other, and acknowledges
//! them in one pipeline. It has no errors, no order but that of the stream, and no way back for what it loses.

use redis::{Pipeline, RedisResult, Value, cmd};
use serde::Deserialize;

use super::bookings::{Booked, Desk};
use super::server::Server;

/// How many entries a read gives, from all streams together.
const COUNT: usize = 100;

#[derive(Deserialize)]
struct Envelope {
    payload: Booked,
}

pub(crate) async fn consume(server: &Server, streams: &[String], group: &str, desk: &Desk, messages: u64) {
    let mut connection = server.connection().await;
    for stream in streams {
        let mut create = cmd("XGROUP");
        create.arg("CREATE").arg(stream).arg(group).arg("0").arg("MKSTREAM");
        create.query_async::<()>(&mut connection).await.expect("it is new");
    }
    let mut read = cmd("XREADGROUP");
    read.arg("GROUP")
        .arg(group)
        .arg("0")
        .arg("COUNT")
        .arg(COUNT.div_ceil(streams.len()))
        .arg("BLOCK")
        .arg(60_000)
        .arg("STREAMS");
    read.arg(streams).arg(vec![">"; streams.len()]);
    let mut handled = 0;
    while handled < messages {
        let reply: Value = read.query_async(&mut connection).await.expect("it is there");
        let mut acks = Pipeline::with_capacity(COUNT);
        // Without a map for each entry, which `StreamReadReply` has: that would cost a third.
        for (stream, entries) in pairs(reply) {
            for entry in list(entries) {
                let [id, fields] = <[Value; 2]>::try_from(list(entry)).expect("an entry has an id and fields");
                let (_, body) = pairs(fields).find(|(name, _)| name == b"body").expect("each has one");
                let envelope: Envelope = serde_json::from_slice(&bytes(body)).expect("it is a booking");
                desk.handle(&envelope.payload);
                acks.cmd("XACK").arg(&stream).arg(group).arg(bytes(id));
                handled += 1;
            }
        }
        let acked: RedisResult<Vec<u64>> = acks.query_async(&mut connection).await;
        acked.expect("they are ours");
    }
}

fn list(value: Value) -> Vec<Value> {
    if let Value::Array(values) = value { values } else { panic!("it is a list, not {value:?}") }
}

fn bytes(value: Value) -> Vec<u8> {
    if let Value::BulkString(bytes) = value { bytes } else { panic!("it is a text, not {value:?}") }
}

/// Names and values, which follow each other, or stand in lists of two.
fn pairs(value: Value) -> impl Iterator<Item = (Vec<u8>, Value)> {
    let values = list(value).into_iter().flat_map(|value| match value {
        Value::Array(pair) if matches!(&*pair, [Value::BulkString(_), Value::Array(_)]) => pair,
        single => vec![single],
    });
    let mut values = values.peekable();
    std::iter::from_fn(move || Some((bytes(values.next()?), values.next()?)))
}
