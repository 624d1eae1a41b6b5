use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use diator_testkit::broker::{Arrived, Listener};
use tokio::sync::mpsc;
use uuid::Uuid;

/// `redis-cli`, which shares no code with the driver.
#[derive(Clone, Copy, Debug)]
pub struct RedisCli {
    port: u16,
}

type Values = Vec<Vec<u8>>;

/// The names and values of an entry's fields.
pub type Fields = Vec<(String, Vec<u8>)>;

impl RedisCli {
    pub(super) fn new(port: u16) -> Self {
        Self { port }
    }

    fn command(self, arguments: &[&str]) -> Command {
        let mut command = Command::new("redis-cli");
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "--csv"]).args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs a command, and returns the values of its answer, with nested ones in a row.
    ///
    /// # Panics
    ///
    /// If the server refuses it.
    pub fn run(self, arguments: &[&str]) -> Vec<String> {
        let values = self.try_run(arguments).unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
        values.into_iter().map(|value| String::from_utf8(value).expect("it is text")).collect()
    }

    fn try_run(self, arguments: &[&str]) -> Result<Values, String> {
        let output = self.command(arguments).output().expect("redis-cli is missing, run scripts/install-servers");
        let text = String::from_utf8(output.stdout).expect("it writes ascii");
        // `redis-cli --csv` writes an error like a value, without quotes.
        if !output.status.success() || text.starts_with("ERROR,") {
            return Err(format!("{text}{}", String::from_utf8_lossy(&output.stderr)));
        }
        Ok(values(text.trim_end_matches('\n')))
    }

    /// Subscribes to channels by a pattern, and waits until that is done.
    ///
    /// # Panics
    ///
    /// If the server is not there.
    #[must_use]
    pub fn subscribe(self, pattern: &str) -> ChannelListener {
        let command = self.command(&["PSUBSCRIBE", pattern]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut process = command.expect("redis-cli is missing, run scripts/install-servers");
        let lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let mut lines = lines.map_while(Result::ok).skip_while(|line| !line.starts_with("\"psubscribe\""));
        lines.next().expect("the server is there");
        let (heard, messages) = mpsc::unbounded_channel();
        std::thread::spawn(move || lines.map(|line| values(&line)).try_for_each(|values| heard.send(values)));
        ChannelListener { process, messages }
    }

    /// What a stream has at this moment: the fields of its entries, oldest first.
    ///
    /// # Panics
    ///
    /// If the server refuses it.
    #[must_use]
    pub fn entries(self, stream: &str) -> Vec<Fields> {
        let read = self.try_run(&["XREAD", "STREAMS", stream, "0"]).unwrap_or_else(|error| panic!("{error}"));
        entries(read).into_iter().map(|entry| entry.fields).collect()
    }

    /// Reads a stream from its beginning.
    #[must_use]
    pub fn read(self, stream: &str) -> StreamListener {
        StreamListener { cli: self, stream: stream.to_owned(), last: "0".to_owned(), heard: Vec::new() }
    }
}

/// One who is subscribed to channels.
#[derive(Debug)]
pub struct ChannelListener {
    process: Child,
    messages: mpsc::UnboundedReceiver<Values>,
}

impl ChannelListener {
    /// Waits for the next message; its channel and its body.
    pub async fn heard(&mut self) -> Option<(String, Vec<u8>)> {
        let [kind, _pattern, channel, body] = self.messages.recv().await?.try_into().ok()?;
        assert_eq!(kind, b"pmessage");
        Some((String::from_utf8(channel).expect("it is text"), body))
    }
}

impl Drop for ChannelListener {
    fn drop(&mut self) {
        let _ = self.process.kill().and_then(|()| self.process.wait());
    }
}

#[diator::async_trait]
impl Listener for ChannelListener {
    async fn next(&mut self) -> Option<Arrived> {
        let (channel, body) = self.heard().await?;
        let id = channel.rsplit(':').next().and_then(|id| id.parse().ok()).expect("the channel ends in the id");
        Some(Arrived { id, body })
    }
}

/// One who reads a stream.
#[derive(Debug)]
pub struct StreamListener {
    cli: RedisCli,
    stream: String,
    last: String,
    /// What was read already, the next one last.
    heard: Vec<Entry>,
}

/// An entry of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    position: String,
    fields: Fields,
}

impl StreamListener {
    /// Waits for the next entry; its position and its fields.
    pub async fn entry(&mut self) -> Option<(String, Fields)> {
        while self.heard.is_empty() {
            let (cli, stream, last) = (self.cli, self.stream.clone(), self.last.clone());
            let read = move || cli.try_run(&["XREAD", "BLOCK", "1000", "STREAMS", &stream, &last]);
            let values = tokio::task::spawn_blocking(read).await.expect("it does not panic").ok()?;
            self.heard = entries(values);
            self.heard.reverse();
        }
        let entry = self.heard.pop()?;
        self.last.clone_from(&entry.position);
        Some((entry.position, entry.fields))
    }
}

/// The values of an answer to `XREAD`: the name of the stream, then for each entry its position and its fields, of
/// which `body` is the last.
fn entries(values: Values) -> Vec<Entry> {
    let mut values = values.into_iter().skip(1);
    let mut entries = Vec::new();
    while let Some(position) = values.next().map(text) {
        let mut fields = Vec::new();
        while let (Some(name), Some(value)) = (values.next().map(text), values.next()) {
            fields.push((name, value));
            if fields.last().is_some_and(|(name, _)| name == "body") {
                break;
            }
        }
        entries.push(Entry { position, fields });
    }
    entries
}

fn text(value: Vec<u8>) -> String {
    String::from_utf8(value).expect("it is text")
}

#[diator::async_trait]
impl Listener for StreamListener {
    async fn next(&mut self) -> Option<Arrived> {
        let (_, fields) = self.entry().await?;
        let field = |wanted: &str| fields.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
        let id = field("id").and_then(|id| Uuid::try_parse_ascii(&id).ok()).expect("it has an id");
        Some(Arrived { id, body: field("body").expect("it has a body") })
    }
}

/// Reads a line of what `redis-cli --csv` writes: texts in quotes with escapes as in C, and bare numbers and words.
fn values(line: &str) -> Values {
    let mut values = Vec::new();
    let mut bytes = line.bytes().peekable();
    while let Some(first) = bytes.next() {
        let mut value = Vec::new();
        if first == b'"' {
            while let Some(byte) = bytes.next().filter(|byte| *byte != b'"') {
                value.push(if byte == b'\\' { unescaped(&mut bytes) } else { byte });
            }
        } else {
            value.push(first);
            while let Some(byte) = bytes.next_if(|byte| *byte != b',') {
                value.push(byte);
            }
        }
        bytes.next_if_eq(&b',');
        // What stands for nothing at all.
        if first == b'"' || value != b"NULL" {
            values.push(value);
        }
    }
    values
}

/// The byte behind a backslash that was just read.
fn unescaped(bytes: &mut impl Iterator<Item = u8>) -> u8 {
    match bytes.next().expect("the escape is whole") {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'a' => 7,
        b'b' => 8,
        b'x' => {
            let digits = [bytes.next(), bytes.next()].map(|digit| digit.expect("the escape is whole"));
            u8::from_str_radix(str::from_utf8(&digits).expect("they are digits"), 16).expect("they are digits")
        }
        itself => itself,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_escapes_are_read() {
        let line = r#""pmessage","a\"b\\",12,"\r\n\t\a\b\x00\xff,",NULL,"""#;
        let expected: [&[u8]; 5] = [b"pmessage", b"a\"b\\", b"12", b"\r\n\t\x07\x08\x00\xff,", b""];
        assert_eq!(values(line), expected);
        assert_eq!(values(""), Values::new());
    }

    #[test]
    fn entries_end_in_the_body() {
        let entry = |position: &str, key: &str| Entry {
            position: position.to_owned(),
            fields: vec![(key.to_owned(), b"1".to_vec()), ("body".to_owned(), b"{}".to_vec())],
        };
        let line = r#""s","1-0","id","1","body","{}","2-0","key","1","body","{}""#;
        assert_eq!(entries(values(line)), [entry("1-0", "id"), entry("2-0", "key")]);
    }
}
