//! A broker for code without a runtime.

use std::ops::Deref;

use tokio::runtime::{Builder, Runtime};

use crate::broker::Broker;
use crate::builder::{BrokerBuilder, StartError};

/// A broker with a runtime of its own. Everything of [`Broker`] can be called on it.
#[derive(Debug)]
pub struct BlockingBroker {
    /// Dropped before the runtime that it runs on.
    broker: Option<Broker>,
    runtime: Runtime,
}

impl BlockingBroker {
    pub(crate) fn start(builder: BrokerBuilder) -> Result<Self, StartError> {
        let mut builder_of_runtime = Builder::new_multi_thread();
        let runtime = builder_of_runtime.worker_threads(1).enable_all().build().map_err(StartError::Runtime)?;
        let broker = runtime.block_on(builder.start())?;
        Ok(Self { broker: Some(broker), runtime })
    }

    /// Stops in order, as [`Broker::shutdown`] does.
    pub fn shutdown(mut self) {
        if let Some(broker) = self.broker.take() {
            self.runtime.block_on(broker.shutdown());
        }
    }
}

impl Deref for BlockingBroker {
    type Target = Broker;

    fn deref(&self) -> &Broker {
        self.broker.as_ref().expect("the broker is there until shutdown takes it, which takes this too")
    }
}
