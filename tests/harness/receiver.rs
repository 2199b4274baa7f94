//! A receiver of webhooks, which checks each as a consumer does, and fails in the ways that a test asks for.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use standardwebhooks::Webhook;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the receiver does with a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduct {
    /// Answers with this status.
    Answer(u16),
    /// Accepts it after a while.
    Slow(Duration),
    /// Reads it and never answers.
    Hang,
}

/// A webhook server. It reads the whole of a request before it answers.
#[derive(Debug)]
pub struct Receiver {
    address: String,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// The secrets that each webhook has to be signed with.
    secrets: Vec<String>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    conduct: Conduct,
    /// The subject whose events are refused with 422.
    refused: Option<String>,
    accepted: Vec<Value>,
    attempts: usize,
}

impl Receiver {
    /// The secret in the test vector of Standard Webhooks.
    pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    /// A receiver that accepts everything signed with [`Receiver::SECRET`].
    pub async fn start() -> Self {
        Self::with_secrets(&[Self::SECRET]).await
    }

    /// A receiver that wants a signature by each of these secrets.
    pub async fn with_secrets(secrets: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared {
            secrets: secrets.iter().map(|&secret| secret.to_owned()).collect(),
            state: Mutex::new(State {
                conduct: Conduct::Answer(204),
                refused: None,
                accepted: Vec::new(),
                attempts: 0,
            }),
        });
        let server = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&server);
                tokio::spawn(async move { serve(stream, &shared).await });
            }
        });
        Self { address, shared }
    }

    /// Scheme, host and port.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets its behaviour from now on.
    pub fn behave(&self, conduct: Conduct) {
        self.shared.lock().conduct = conduct;
    }

    /// Refuses every event of this user from now on, or no event.
    pub fn refuse(&self, user: Option<&str>) {
        self.shared.lock().refused = user.map(str::to_owned);
    }

    /// The events that it has accepted, in the order of arrival.
    pub fn accepted(&self) -> Vec<Value> {
        self.shared.lock().accepted.clone()
    }

    /// The number of webhooks that arrived, accepted or not.
    pub fn attempts(&self) -> usize {
        self.shared.lock().attempts
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The event in a webhook.
    fn verified(&self, head: &str, body: &[u8]) -> Value {
        let mut lines = head.split("\r\n");
        assert_eq!(lines.next(), Some("POST /hook?a=b HTTP/1.1"));
        let headers: HeaderMap = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| {
                (
                    name.parse::<HeaderName>().unwrap(),
                    value.parse::<HeaderValue>().unwrap(),
                )
            })
            .collect();
        assert_eq!(headers["content-type"], "application/cloudevents+json");
        for secret in &self.secrets {
            let webhook = Webhook::new(secret).unwrap();
            if let Err(error) = webhook.verify(body, &headers) {
                panic!("{error}: {headers:?}");
            }
        }
        let event: Value = serde_json::from_slice(body).unwrap();
        assert_eq!(headers["webhook-id"], event["id"].as_str().unwrap());
        event
    }
}

async fn serve(mut stream: TcpStream, shared: &Shared) {
    let mut bytes = Vec::new();
    while let Some((head, length)) = next_head(&mut stream, &mut bytes).await {
        while bytes.len() < length {
            if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let body: Vec<u8> = bytes.drain(..length).collect();
        let event = shared.verified(&head, &body);
        let conduct = {
            let mut state = shared.lock();
            state.attempts += 1;
            if state.refused.is_some() && state.refused.as_deref() == event["subject"].as_str() {
                Conduct::Answer(422)
            } else {
                state.conduct
            }
        };
        let status = match conduct {
            Conduct::Hang => return std::future::pending().await,
            Conduct::Answer(status) => status,
            Conduct::Slow(pause) => {
                tokio::time::sleep(pause).await;
                204
            }
        };
        if status < 300 {
            shared.lock().accepted.push(event);
        }
        let content = if status == 204 {
            ""
        } else {
            "Content-Length: 0\r\n"
        };
        let answer = format!("HTTP/1.1 {status} Answered\r\n{content}\r\n");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The head of the next request and the length of its body; what follows the head is left in `bytes`.
async fn next_head(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<(String, usize)> {
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(bytes).await.unwrap_or(0) == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes.drain(..end).collect()).unwrap();
    let length = head
        .split("\r\n")
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(0);
    Some((head, length))
}
