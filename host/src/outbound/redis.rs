//! Connections to Redis that a component opens itself; the key-value store has its own.

use crate::store::{StoreError, limit};
use redis::{
    AsyncCommands, AsyncConnectionConfig, Client, ErrorKind, RedisResult, Value, aio::MultiplexedConnection,
};
use std::fmt::Display;

/// An open connection.
#[derive(Clone)]
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct RedisConnection(MultiplexedConnection);

/// Why a command or a connection failed.
#[derive(Debug)]
pub(crate) enum RedisError {
    InvalidAddress,
    /// The value under the key is of another type.
    Type,
    Other(String),
}

impl From<StoreError> for RedisError {
    fn from(error: StoreError) -> Self {
        Self::Other(error.into_message())
    }
}

/// An argument of a command.
pub(crate) enum Argument {
    Integer(i64),
    Bytes(Vec<u8>),
}

/// A part of an answer; nested arrays are flat.
pub(crate) enum Answer {
    Nil,
    Status(String),
    Integer(i64),
    Bytes(Vec<u8>),
}

impl RedisConnection {
    /// Connects to `url`. As in Spin, neither this nor a command has a time limit.
    ///
    /// # Errors
    ///
    /// Returns [`RedisError::InvalidAddress`] if `url` is malformed, and the reason if the server cannot be reached.
    pub(crate) async fn open(url: &str) -> Result<Self, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let client = Client::open(url).map_err(|_| RedisError::InvalidAddress)?;
        let connection = client.get_multiplexed_async_connection_with_config(&config);
        connection.await.map(Self).map_err(other)
    }

    pub(crate) async fn publish(mut self, channel: String, payload: Vec<u8>) -> Result<(), RedisError> {
        self.0.publish(channel, payload).await.map_err(other)
    }

    pub(crate) async fn get(mut self, key: String) -> Result<Option<Vec<u8>>, RedisError> {
        let value: Option<Vec<u8>> = self.0.get(key).await.map_err(other)?;
        let size = value.as_ref().map_or(0, Vec::len);
        Ok(limit(value, size)?)
    }

    pub(crate) async fn set(mut self, key: String, value: Vec<u8>) -> Result<(), RedisError> {
        self.0.set(key, value).await.map_err(other)
    }

    pub(crate) async fn incr(mut self, key: String) -> Result<i64, RedisError> {
        self.0.incr(key, 1).await.map_err(other)
    }

    pub(crate) async fn del(mut self, keys: Vec<String>) -> Result<u32, RedisError> {
        self.0.del(keys).await.map_err(other)
    }

    pub(crate) async fn sadd(mut self, key: String, values: Vec<String>) -> Result<u32, RedisError> {
        let added: RedisResult<u32> = self.0.sadd(key, values).await;
        added.map_err(|error| match error.kind() {
            ErrorKind::UnexpectedReturnType => RedisError::Type,
            _ => other(error),
        })
    }

    pub(crate) async fn smembers(mut self, key: String) -> Result<Vec<String>, RedisError> {
        self.0.smembers(key).await.map_err(other)
    }

    pub(crate) async fn srem(mut self, key: String, values: Vec<String>) -> Result<u32, RedisError> {
        self.0.srem(key, values).await.map_err(other)
    }

    /// Sends any command.
    ///
    /// # Errors
    ///
    /// Returns the server's error, and an error if the answer is of a kind that Spin does not pass on, or too large.
    pub(crate) async fn execute(
        mut self,
        command: String,
        arguments: impl IntoIterator<Item = Argument>,
    ) -> Result<Vec<Answer>, RedisError> {
        let mut command = redis::cmd(&command);
        for argument in arguments {
            match argument {
                Argument::Integer(number) => command.arg(number),
                Argument::Bytes(bytes) => command.arg(bytes),
            };
        }
        let value: Value = command.query_async(&mut self.0).await.map_err(other)?;
        let mut answers = Vec::new();
        flatten(value, &mut answers)?;
        let size = answers.iter().map(Answer::size).sum();
        Ok(limit(answers, size)?)
    }
}

impl Answer {
    fn size(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Nil | Self::Integer(_) => 0,
                Self::Status(text) => text.len(),
                Self::Bytes(bytes) => bytes.len(),
            }
    }
}

fn flatten(value: Value, answers: &mut Vec<Answer>) -> Result<(), RedisError> {
    answers.push(match value {
        Value::Nil => Answer::Nil,
        Value::Int(number) => Answer::Integer(number),
        Value::Boolean(truth) => Answer::Integer(truth.into()),
        Value::BulkString(bytes) => Answer::Bytes(bytes),
        Value::Double(number) => Answer::Bytes(number.to_string().into_bytes()),
        Value::SimpleString(text) => Answer::Status(text),
        Value::Okay => Answer::Status("OK".to_owned()),
        Value::Array(values) | Value::Set(values) => {
            return values.into_iter().try_for_each(|value| flatten(value, answers));
        }
        Value::ServerError(error) => return Err(other(format!("Server error: {error:?}"))),
        unsupported => {
            return Err(other(format!("Could not convert Redis response {unsupported:?}")));
        }
    });
    Ok(())
}

fn other(error: impl Display) -> RedisError {
    RedisError::Other(error.to_string())
}
