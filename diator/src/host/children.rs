use std::sync::Arc;

use async_trait::async_trait;

use super::child::Child;
use crate::BoxError;
use crate::endpoint::Bound;
use crate::relay::{Relay, RelayError};
use crate::stop::StopSignal;

/// The relay, as the host runs it.
#[async_trait]
impl Child for Relay {
    fn name(&self) -> &str {
        "relay"
    }

    async fn prepare(&self) -> Result<(), BoxError> {
        Self::prepare(self).await.map_err(|error: RelayError| match error {
            RelayError::Store(source) => source,
            other => other.into(),
        })
    }

    async fn run(&self, stop: StopSignal) -> Result<(), BoxError> {
        Ok(Self::run(self, stop).await?)
    }
}

/// An endpoint, as the host runs it.
pub(super) struct EndpointChild {
    name: String,
    endpoint: Arc<Bound>,
}

impl EndpointChild {
    pub(super) fn new(endpoint: Arc<Bound>) -> Self {
        Self { name: endpoint.child(), endpoint }
    }
}

#[async_trait]
impl Child for EndpointChild {
    fn name(&self) -> &str {
        &self.name
    }

    async fn prepare(&self) -> Result<(), BoxError> {
        Ok(())
    }

    async fn run(&self, stop: StopSignal) -> Result<(), BoxError> {
        self.endpoint.run(stop).await
    }
}
