//! A loop that reads 100 entries, handles one after the other, and acknowledges them in one pipeline.

use redis::{Pipeline, Value, cmd};

use crate::bookings::{Desk, Envelope, GROUP, STREAM, Server};

pub(crate) async fn consume(server: &Server, desk: std::sync::Arc<Desk>, messages: u64) {
    let mut connection = server.connection().await;
    let mut read = cmd("XREADGROUP");
    read.arg("GROUP")
        .arg(GROUP)
        .arg("0")
        .arg("COUNT")
        .arg(100)
        .arg("BLOCK")
        .arg(60_000)
        .arg("STREAMS")
        .arg(STREAM)
        .arg(">");
    let mut handled = 0;
    while handled < messages {
        let reply: Vec<(Value, Vec<(String, Vec<Vec<u8>>)>)> =
            read.query_async(&mut connection).await.expect("it is there");
        let mut acks = Pipeline::with_capacity(100);
        for (id, fields) in reply.into_iter().flat_map(|(_, entries)| entries) {
            let body = fields.chunks(2).find(|pair| pair[0] == b"body").expect("each has one");
            let envelope: Envelope = serde_json::from_slice(&body[1]).expect("it is a booking");
            desk.handle(&envelope.payload);
            acks.cmd("XACK").arg(STREAM).arg(GROUP).arg(id);
            handled += 1;
        }
        acks.query_async::<Vec<u64>>(&mut connection).await.expect("they are ours");
    }
}
