//! The way to the service: a pooled client that keeps what the service says when it refuses.

use std::fmt;

use azure_core::error::{ErrorKind, ResultExt};
use azure_core::headers::Headers;
use azure_core::{Body, CollectedResponse, Error, HttpClient, Request, Response, StatusCode};
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Method};

use super::error::Refusal;

/// The client's own transport has no pool, and its errors lose Retry-After and the body.
pub(super) struct Transport(pub(super) Client);

#[async_trait::async_trait]
impl HttpClient for Transport {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<Response> {
        self.0.execute_request(request).await
    }

    async fn execute_request_check_status(&self, request: &Request) -> azure_core::Result<CollectedResponse> {
        let Body::Bytes(body) = request.body() else {
            return Err(Error::message(ErrorKind::Other, "a message is sent in one piece"));
        };
        let headers = request.headers().iter();
        let post = self.0.request(Method::POST, request.url().clone()).body(body.clone());
        let post = headers.fold(post, |post, (name, value)| post.header(name.as_str(), value.as_str()));
        let answer = post.send().await.map_kind(ErrorKind::Io)?;
        // The one answer that means that the message is taken.
        if answer.status() == reqwest::StatusCode::CREATED {
            return Ok(CollectedResponse::new(StatusCode::Created, Headers::new(), Vec::new().into()));
        }
        Err(Error::new(ErrorKind::Other, refusal(answer).await))
    }
}

async fn refusal(mut answer: reqwest::Response) -> Refusal {
    const READ: usize = 16 * 1024;
    let status = answer.status().as_u16();
    let retry_after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut body = Vec::new();
    while body.len() < READ {
        // The status says what became of the message; a body that breaks off only leaves the reason out.
        let Ok(Some(chunk)) = answer.chunk().await else { break };
        body.extend_from_slice(&chunk);
    }
    body.truncate(READ);
    Refusal::new(status, retry_after.as_deref(), &body)
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What the program gave the client may hold the password of a proxy.
        f.write_str("Transport")
    }
}
