//! What the binary does beside being a broker. Each command ends with a status that a script can act on.

mod admin_port;
mod by_hand;
mod selftest;

use std::process::ExitCode;

use clap::{Args, Subcommand};

pub(crate) use admin_port::AdminPortArgs;
pub(crate) use by_hand::{ApplyArgs, DiffArgs, ExportArgs};
pub(crate) use selftest::SelftestArgs;

/// All is as it should be.
const GOOD: u8 = 0;
/// It is not.
const BAD: u8 = 1;
/// Whether it is could not be found out.
const UNKNOWN: u8 = 2;

/// A command that ends.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Tell how it stands with what is declared to a running broker
    ///
    /// Ends with 0 if all is as declared, 1 if something is not, 2 if the broker does not answer.
    Declared(AdminPortArgs),
    /// Bring about, in any Kafka and any Connect, what files declare
    ///
    /// Ends with 0 if all is as declared now, 1 if something is not, 2 if nothing could be done.
    Apply(ApplyArgs),
    /// Show what `apply` would do
    ///
    /// Ends with 0 if that is nothing, 1 if it is something, 2 if files are wrong or nobody answers.
    Diff(DiffArgs),
    /// Write topics and connectors of any Kafka and any Connect as manifests
    Export(ExportArgs),
    /// Make a topic, write a record, read it, and delete the topic
    ///
    /// Ends with 0 if all of it has worked, otherwise with 1.
    Selftest(SelftestArgs),
    /// Ask a running broker whether it is ready
    ///
    /// Ends with 0 if it is, otherwise with 1.
    Healthcheck(AdminPortArgs),
}

/// How to reach a cluster.
#[derive(Debug, Args)]
pub(crate) struct ClusterArgs {
    /// Brokers to begin with [default: bootstrap.servers of --command-config, or 127.0.0.1:9092]
    #[arg(long, alias = "bootstrap", value_name = "HOST:PORT,…")]
    bootstrap_server: Option<String>,

    /// Properties of a Kafka client: security.protocol, sasl.*, ssl.* (PEM)
    #[arg(long, value_name = "FILE")]
    command_config: Option<std::path::PathBuf>,
}

impl Command {
    /// Does it.
    pub(crate) fn run(self) -> ExitCode {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                eprintln!("brooklet: no runtime: {error}");
                return ExitCode::from(UNKNOWN);
            }
        };
        runtime.block_on(async {
            let (ended, otherwise) = match self {
                Self::Declared(args) => (admin_port::declared(args).await, UNKNOWN),
                Self::Apply(args) => (by_hand::apply(args).await, UNKNOWN),
                Self::Diff(args) => (by_hand::diff(args).await, UNKNOWN),
                Self::Export(args) => (by_hand::export(args).await, BAD),
                Self::Selftest(args) => (selftest::selftest(args).await, BAD),
                Self::Healthcheck(args) => (admin_port::healthcheck(args).await, BAD),
            };
            let status = ended.unwrap_or_else(|error| {
                eprintln!("brooklet: {error:#}");
                otherwise
            });
            ExitCode::from(status)
        })
    }
}
