use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// What the server does about a request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Answers with a status, headers and a body.
    Status(u16, Vec<(String, String)>, String),
    /// Never answers, and keeps the connection.
    Hang,
    /// Breaks the connection off.
    Reset,
    /// Closes the connection in order, without an answer.
    Close,
    /// Sends bytes, and closes.
    Raw(Vec<u8>),
}

impl Answer {
    /// The message is taken.
    #[must_use]
    pub(crate) fn created() -> Self {
        Self::Status(201, Vec::new(), String::new())
    }

    /// A status with a body as the service writes it.
    #[must_use]
    pub(crate) fn error(status: u16, detail: &str) -> Self {
        let body = format!("<Error><Code>{status}</Code><Detail>{detail}</Detail></Error>");
        Self::Status(status, vec![("content-type".to_owned(), "application/xml; charset=utf-8".to_owned())], body)
    }

    /// Adds a header.
    ///
    /// # Panics
    ///
    /// It is no [`Status`](Self::Status).
    #[must_use]
    pub(crate) fn with_header(self, name: &str, value: &str) -> Self {
        let Self::Status(status, mut headers, body) = self else { panic!("only a status has headers") };
        headers.push((name.to_owned(), value.to_owned()));
        Self::Status(status, headers, body)
    }

    pub(super) fn is_created(&self) -> bool {
        matches!(self, Self::Status(201, ..))
    }

    /// Gives the answer, and says whether the connection goes on.
    pub(super) async fn give(self, stream: &mut TlsStream<TcpStream>) -> bool {
        match self {
            Self::Status(status, headers, body) => {
                let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
                let length = body.len();
                let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n{headers}\r\n");
                send(stream, &[head.as_bytes(), body.as_bytes()].concat()).await
            }
            Self::Hang => std::future::pending().await,
            Self::Reset => {
                stream.get_ref().0.set_zero_linger().expect("the socket is there");
                false
            }
            Self::Close => {
                let _ = stream.shutdown().await;
                false
            }
            Self::Raw(bytes) => {
                send(stream, &bytes).await;
                let _ = stream.shutdown().await;
                false
            }
        }
    }
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> bool {
    stream.write_all(bytes).await.is_ok() && stream.flush().await.is_ok()
}
