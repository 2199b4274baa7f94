//! `spin:redis` and `fermyon:spin/redis`, with which Spin's SDKs reach Redis servers.

use super::{
    Linked,
    bindings::{fermyon::spin::redis as v2, spin::redis::redis as v3},
};
use crate::{
    outbound::{Answer, Argument, RedisConnection, RedisError},
    state::State,
};
use wasmtime::component::{Accessor, Resource};

/// Converts between the types of an interface and those of [`RedisConnection`].
macro_rules! conversions {
    ($interface:ident) => {
        impl From<RedisError> for $interface::Error {
            fn from(error: RedisError) -> Self {
                match error {
                    RedisError::InvalidAddress => Self::InvalidAddress,
                    RedisError::Type => Self::TypeError,
                    RedisError::Other(message) => Self::Other(message),
                }
            }
        }

        impl From<$interface::RedisParameter> for Argument {
            fn from(parameter: $interface::RedisParameter) -> Self {
                match parameter {
                    $interface::RedisParameter::Int64(number) => Self::Integer(number),
                    $interface::RedisParameter::Binary(bytes) => Self::Bytes(bytes),
                }
            }
        }

        impl From<Answer> for $interface::RedisResult {
            fn from(answer: Answer) -> Self {
                match answer {
                    Answer::Nil => Self::Nil,
                    Answer::Status(text) => Self::Status(text),
                    Answer::Integer(number) => Self::Int64(number),
                    Answer::Bytes(bytes) => Self::Binary(bytes),
                }
            }
        }
    };
}

conversions!(v2);
conversions!(v3);

impl State {
    /// A handle to the connection, which several tasks may use at the same time.
    fn connection(&self, handle: &Resource<RedisConnection>) -> Result<RedisConnection, RedisError> {
        let connection = self.redis.get(handle);
        connection
            .cloned()
            .map_err(|_| RedisError::Other("could not find connection for resource".to_owned()))
    }
}

impl v2::Host for State {}

impl v2::HostConnection for State {
    async fn open(&mut self, address: String) -> Result<Resource<RedisConnection>, v2::Error> {
        if !self.outbound.allows(&address, "redis") {
            return Err(v2::Error::InvalidAddress);
        }
        let connection = RedisConnection::open(&address).await?;
        self.redis
            .push(connection)
            .map_err(|_| v2::Error::TooManyConnections)
    }

    async fn publish(
        &mut self,
        handle: Resource<RedisConnection>,
        channel: String,
        payload: Vec<u8>,
    ) -> Result<(), v2::Error> {
        Ok(self.connection(&handle)?.publish(channel, payload).await?)
    }

    async fn get(
        &mut self,
        handle: Resource<RedisConnection>,
        key: String,
    ) -> Result<Option<Vec<u8>>, v2::Error> {
        Ok(self.connection(&handle)?.get(key).await?)
    }

    async fn set(
        &mut self,
        handle: Resource<RedisConnection>,
        key: String,
        value: Vec<u8>,
    ) -> Result<(), v2::Error> {
        Ok(self.connection(&handle)?.set(key, value).await?)
    }

    async fn incr(&mut self, handle: Resource<RedisConnection>, key: String) -> Result<i64, v2::Error> {
        Ok(self.connection(&handle)?.incr(key).await?)
    }

    async fn del(&mut self, handle: Resource<RedisConnection>, keys: Vec<String>) -> Result<u32, v2::Error> {
        Ok(self.connection(&handle)?.del(keys).await?)
    }

    async fn sadd(
        &mut self,
        handle: Resource<RedisConnection>,
        key: String,
        values: Vec<String>,
    ) -> Result<u32, v2::Error> {
        Ok(self.connection(&handle)?.sadd(key, values).await?)
    }

    async fn smembers(
        &mut self,
        handle: Resource<RedisConnection>,
        key: String,
    ) -> Result<Vec<String>, v2::Error> {
        Ok(self.connection(&handle)?.smembers(key).await?)
    }

    async fn srem(
        &mut self,
        handle: Resource<RedisConnection>,
        key: String,
        values: Vec<String>,
    ) -> Result<u32, v2::Error> {
        Ok(self.connection(&handle)?.srem(key, values).await?)
    }

    async fn execute(
        &mut self,
        handle: Resource<RedisConnection>,
        command: String,
        arguments: Vec<v2::RedisParameter>,
    ) -> Result<Vec<v2::RedisResult>, v2::Error> {
        let arguments = arguments.into_iter().map(Into::into);
        let answers = self.connection(&handle)?.execute(command, arguments).await?;
        Ok(answers.into_iter().map(Into::into).collect())
    }

    async fn drop(&mut self, handle: Resource<RedisConnection>) -> wasmtime::Result<()> {
        // A handle that is not in the table is already closed.
        let _ = self.redis.delete(handle);
        Ok(())
    }
}

impl v3::Host for State {}

impl v3::HostConnection for State {
    async fn drop(&mut self, handle: Resource<RedisConnection>) -> wasmtime::Result<()> {
        v2::HostConnection::drop(self, handle).await
    }
}

/// The connection behind a handle of the concurrent interface.
fn find<T>(
    accessor: &Accessor<T, Linked>,
    handle: &Resource<RedisConnection>,
) -> Result<RedisConnection, v3::Error> {
    Ok(accessor.with(|mut access| access.get().connection(handle))?)
}

impl<T: Send> v3::HostConnectionWithStore<T> for Linked {
    async fn open(
        accessor: &Accessor<T, Self>,
        address: String,
    ) -> Result<Resource<RedisConnection>, v3::Error> {
        if !accessor.with(|mut access| access.get().outbound.allows(&address, "redis")) {
            return Err(v3::Error::InvalidAddress);
        }
        let connection = RedisConnection::open(&address).await?;
        accessor
            .with(|mut access| access.get().redis.push(connection))
            .map_err(|_| v3::Error::TooManyConnections)
    }

    async fn publish(
        accessor: &Accessor<T, Self>,
        handle: Resource<RedisConnection>,
        channel: String,
        payload: Vec<u8>,
    ) -> Result<(), v3::Error> {
        Ok(find(accessor, &handle)?.publish(channel, payload).await?)
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        handle: Resource<RedisConnection>,
        key: String,
    ) -> Result<Option<Vec<u8>>, v3::Error> {
        Ok(find(accessor, &handle)?.get(key).await?)
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        handle: Resource<RedisConnection>,
        key: String,
        value: Vec<u8>,
    ) -> Result<(), v3::Error> {
        Ok(find(accessor, &handle)?.set(key, value).await?)
    }

    async fn incr(
        accessor: &Accessor<T, Self>,
        handle: Resource<RedisConnection>,
        key: String,
    ) -> Result<i64, v3::Error> {
        Ok(find(accessor, &handle)?.incr(key).await?)
    }

    async fn del(
        accessor: &Accessor<T, Self>,
        handle: Resource<RedisConnection>,
        keys: Vec<String>,
    ) -> Result<u32, v3::Error> {
        Ok(find(accessor, &handle)?.del(keys).await?)
    }

    async fn sadd(
        accessor: &Accessor<T, Self>,
        handle: Resource<RedisConnection>,
        key: String,
        values: Vec<String>,
    ) -> Result<u32, v3::Error> {
        Ok(find(accessor, &handle)?.sadd(key, values).await?)
    }

    async fn smembers(
        accessor: &Accessor<T, Self>,
        handle: Resource<RedisConnection>,
        key: String,
    ) -> Result<Vec<String>, v3::Error> {
        Ok(find(accessor, &handle)?.smembers(key).await?)
    }

    async fn srem(
        accessor: &Accessor<T, Self>,
        handle: Resource<RedisConnection>,
        key: String,
        values: Vec<String>,
    ) -> Result<u32, v3::Error> {
        Ok(find(accessor, &handle)?.srem(key, values).await?)
    }

    async fn execute(
        accessor: &Accessor<T, Self>,
        handle: Resource<RedisConnection>,
        command: String,
        arguments: Vec<v3::RedisParameter>,
    ) -> Result<Vec<v3::RedisResult>, v3::Error> {
        let arguments = arguments.into_iter().map(Into::into);
        let answers = find(accessor, &handle)?.execute(command, arguments).await?;
        Ok(answers.into_iter().map(Into::into).collect())
    }
}
