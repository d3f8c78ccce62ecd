//! The broker that a story is told to: Brooklet, or, with `SUBJECT=apache-kafka`, Apache Kafka, which shows that the
//! story itself is sound.

use crate::apache_kafka::ApacheKafka;
use crate::broker::BrokerProcess;

/// A broker of one node or the other kind.
#[derive(Debug)]
pub enum Subject {
    /// The built binary.
    Brooklet(Box<BrokerProcess>),
    /// The stock broker.
    ApacheKafka(ApacheKafka),
}

impl Subject {
    /// Starts the broker that the environment asks for, with properties such as `num.partitions=3`.
    pub fn start(properties: &[&str]) -> Self {
        match std::env::var("SUBJECT").as_deref() {
            Ok("apache-kafka") => Self::ApacheKafka(ApacheKafka::start(properties)),
            Ok("brooklet") | Err(_) => {
                let args: Vec<&str> = properties.iter().flat_map(|property| ["--set", property]).collect();
                Self::Brooklet(Box::new(BrokerProcess::start(&args)))
            }
            Ok(other) => panic!("SUBJECT={other}, which is neither brooklet nor apache-kafka"),
        }
    }

    /// `host:port` for clients.
    pub fn bootstrap(&self) -> String {
        match self {
            Self::Brooklet(broker) => broker.bootstrap(),
            Self::ApacheKafka(kafka) => kafka.bootstrap(),
        }
    }

    /// Starts it after it was stopped or killed.
    pub fn start_again(&mut self) {
        match self {
            Self::Brooklet(broker) => drop(broker.start_again()),
            Self::ApacheKafka(kafka) => kafka.start_again(),
        }
    }

    /// Stops it in order.
    pub fn stop(&mut self) {
        match self {
            Self::Brooklet(broker) => drop(broker.stop()),
            Self::ApacheKafka(kafka) => kafka.stop(),
        }
    }

    /// Kills it as `kill -9` does.
    pub fn kill(&mut self) {
        match self {
            Self::Brooklet(broker) => broker.kill(),
            Self::ApacheKafka(kafka) => kafka.kill(),
        }
    }
}
