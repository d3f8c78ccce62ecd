//! The `brooklet` binary: command line, log, admin port, Connect's REST API, what is declared, signals, and a broker; and
//! commands that end.

mod admin;
mod cli;
mod client;
mod commands;
#[cfg(feature = "connect")]
mod connect;
mod declared;

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use brooklet::{Broker, BrokerBuilder};
use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{fmt, reload};

use crate::admin::{AdminState, MoreMetrics, Readiness};
#[cfg(feature = "connect")]
use crate::cli::ConnectAddress;
use crate::cli::{Asked, Cli, LogFormat, Purpose, ServeArgs};
#[cfg(feature = "connect")]
use crate::connect::Connect;

/// More threads than this would only hold memory: what a request does between waits is short.
const MAX_WORKERS: usize = 4;
/// How long after a start its code is kept in memory for whoever comes at once.
const KEEP_START_UP_CODE: Duration = Duration::from_secs(1);
/// Files are opened, synced and removed off the runtime's threads.
const MAX_BLOCKING: usize = 8;

fn main() -> ExitCode {
    let started = Instant::now();
    let args = match Cli::parse().purpose() {
        Purpose::Serve(args) => args,
        Purpose::Command(command) => return command.run(),
    };
    match run(args, started) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("brooklet: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: ServeArgs, started: Instant) -> anyhow::Result<()> {
    let set_levels = log_to_stderr(&args.log, args.log_format)?;
    let asked = args.resolve()?;
    raise_open_file_limit();
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_WORKERS);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .max_blocking_threads(MAX_BLOCKING)
        .enable_all()
        .build()
        .context("no runtime")?;
    runtime.block_on(serve(asked, set_levels, started))
}

async fn serve(asked: Asked, set_levels: SetLevels, started: Instant) -> anyhow::Result<()> {
    let mut stop = StopSignals::new()?;
    let (readiness, watching) = watch::channel(Readiness::Starting);
    let (tell_declared, declared) = watch::channel(Arc::default());
    let (tell_metrics, metrics) = watch::channel(None);
    let (tell_more_metrics, more_metrics) = watch::channel(MoreMetrics::default());
    let admin = match &asked.admin {
        None => None,
        Some(address) => {
            let (listener, bound) = admin::bind(address).await?;
            let state = AdminState { readiness: watching, declared, metrics, more_metrics };
            tokio::spawn(admin::serve(listener, state));
            Some(bound)
        }
    };
    #[cfg(feature = "connect")]
    let connect_listener = match &asked.connect {
        ConnectAddress::Off => None,
        ConnectAddress::Default => connect::bind(None).await?,
        ConnectAddress::At(address) => connect::bind(Some(address)).await?,
    };
    let broker = builder(&asked)?.on_log_levels(set_levels).start().await?;
    tell_metrics.send_replace(Some(broker.metrics_source()));
    #[cfg(feature = "connect")]
    let connect_bound = connect_listener.as_ref().map(|(_, bound)| *bound);
    #[cfg(not(feature = "connect"))]
    let connect_bound: Option<SocketAddr> = None;
    #[cfg(feature = "connect")]
    let connect = match connect_listener {
        Some((listener, bound)) => Some(Connect::start(broker.destination(), listener, bound).await?),
        None => None,
    };
    #[cfg(feature = "connect")]
    let more_told = connect.as_ref().map(Connect::metrics).unwrap_or_default();
    #[cfg(not(feature = "connect"))]
    let more_told = MoreMetrics::default();
    tell_more_metrics.send_replace(more_told);
    let declaring = CancellationToken::new();
    let applied = async {
        let Some(settings) = asked.declared.clone() else {
            return;
        };
        #[cfg(feature = "connect")]
        let connectors = connect.as_ref().map(Connect::connectors);
        #[cfg(not(feature = "connect"))]
        let connectors: Option<std::convert::Infallible> = None;
        declared::start(settings, &broker, connectors, tell_declared, declaring.clone()).await;
    };
    let interrupted = tokio::select! {
        () = applied => None,
        signal = stop.next() => Some(signal),
    };
    let signal = match interrupted {
        Some(signal) => signal,
        None => {
            let listeners = broker.addresses().into_iter().map(|address| address.advertised).collect();
            readiness.send_replace(Readiness::Ready { listeners });
            tell_ready(&broker, started, admin, connect_bound);
            tokio::spawn(release_start_up_code());
            stop.next().await
        }
    };
    tracing::info!("{signal} received, stopping");
    readiness.send_replace(Readiness::Stopping);
    let shutdown = async {
        declaring.cancel();
        #[cfg(feature = "connect")]
        if let Some(connect) = connect {
            connect.shutdown().await;
        }
        broker.shutdown().await;
    };
    tokio::select! {
        () = shutdown => tracing::info!("stopped"),
        // Whoever asks twice does not want to wait.
        signal = stop.next() => tracing::warn!("{signal} received again, stopping at once"),
    }
    Ok(())
}

/// Of a hundred brokers that a morning starts, most wait: then the code that only a start needs is no longer theirs.
async fn release_start_up_code() {
    tokio::time::sleep(KEEP_START_UP_CODE).await;
    if let Err(error) = brooklet_storage::release_program_pages() {
        tracing::debug!(%error, "the memory of start-up's code is kept");
    }
}

fn tell_ready(broker: &Broker, started: Instant, admin: Option<SocketAddr>, connect: Option<SocketAddr>) {
    let shown = broker.addresses().into_iter().map(|address| match address.bound.to_string() == address.advertised {
        true => format!("{} {}", address.listener, address.bound),
        false => format!("{} {} (clients are told {})", address.listener, address.bound, address.advertised),
    });
    let shown: Vec<String> = shown.collect();
    let or_off = |bound: Option<SocketAddr>| bound.map_or("off".to_owned(), |bound| bound.to_string());
    tracing::info!(
        "ready in {} ms: {}; admin {}; connect {}; data in {}",
        started.elapsed().as_millis(),
        if shown.is_empty() { "no listener".to_owned() } else { shown.join(", ") },
        or_off(admin),
        or_off(connect),
        broker.data_dir().display(),
    );
}

fn builder(asked: &Asked) -> anyhow::Result<BrokerBuilder> {
    let mut builder = Broker::builder();
    for (name, setting) in asked.settings.iter() {
        builder = builder.set(name, &*setting.value);
    }
    // Checked with the places that the settings come from, so that the message can name them.
    asked.settings.layers()?;
    builder = match &asked.listen {
        None => builder.without_listeners(),
        Some(addresses) if addresses.is_empty() => builder.default_listeners(),
        Some(addresses) => addresses.iter().fold(builder, BrokerBuilder::listen),
    };
    Ok(match &asked.data_dir {
        Some(path) => builder.data_dir(path),
        None => builder.ephemeral(),
    })
}

/// Follows levels that an administrator sets for loggers, over those of the command line.
type SetLevels = Box<dyn Fn(&str) + Send + Sync>;

fn log_to_stderr(asked: &str, format: LogFormat) -> anyhow::Result<SetLevels> {
    let levels: Targets = asked.parse().with_context(|| format!("--log {asked}"))?;
    let (levels, current) = reload::Layer::new(levels);
    let lines = fmt::layer().with_writer(std::io::stderr).with_target(false);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(levels).with(lines).init();
    let asked = asked.to_owned();
    Ok(Box::new(move |levels| {
        // An empty directive would be one for everything, at the finest level.
        let all = [asked.as_str(), levels].into_iter().filter(|levels| !levels.is_empty());
        let changed = all.collect::<Vec<_>>().join(",").parse::<Targets>();
        let followed = changed.map_err(anyhow::Error::from).and_then(|changed| Ok(current.reload(changed)?));
        if let Err(error) = followed {
            tracing::warn!(%error, levels, "log levels not followed");
        }
    }))
}

/// Each connection takes a descriptor, and the usual soft limit of 1,024 is soon reached.
fn raise_open_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if limit.current != limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, raised)
    {
        tracing::debug!(%error, "limit of open files not raised");
    }
}

struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn new() -> anyhow::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
