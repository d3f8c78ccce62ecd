//! Declared resources by hand: `apply`, `diff` and `export`, against any Kafka and any Connect.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use brooklet_declare::{
    Admin, Connect, Loaded, Plan, Reason, Reconciler, Remembered, Status, export as manifests, load,
};
use clap::Args;

use super::{BAD, ClusterArgs, GOOD, UNKNOWN};
use crate::client::{ClientSettings, ConnectRest, KafkaAdmin, Url};
use crate::declared::Providers;

/// What `apply` and `diff` look at.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// What declares: a file, a directory, or - for standard input; may be given more than once
    #[arg(short, long = "filename", value_name = "PATH", required = true)]
    files: Vec<PathBuf>,

    #[command(flatten)]
    cluster: ClusterArgs,

    /// The Connect cluster's REST API; without it, connectors are reported as failing
    #[arg(long, alias = "connect", value_name = "URL", env = "CONNECT_URL", hide_env_values = true)]
    connect_url: Option<String>,

    /// Delete what was declared once and is declared no more, as the file of --remember knows
    #[arg(long, requires = "remember")]
    prune: bool,

    /// Keep in this file what was declared
    #[arg(long, value_name = "FILE")]
    remember: Option<PathBuf>,
}

/// What `apply` looks at.
#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    all: DiffArgs,
}

/// What `export` looks at.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    cluster: ClusterArgs,

    /// The Connect cluster's REST API; without it, there are only topics
    #[arg(long, alias = "connect", value_name = "URL", env = "CONNECT_URL", hide_env_values = true)]
    connect_url: Option<String>,

    /// The label strimzi.io/cluster of every manifest
    #[arg(long, value_name = "NAME")]
    label: Option<String>,
}

type ByHand = Reconciler<KafkaAdmin, ConnectRest, Providers>;

impl DiffArgs {
    fn prepare(&self) -> anyhow::Result<(ByHand, Loaded, Remembered)> {
        let reconciler = Reconciler {
            admin: admin(&self.cluster)?,
            connect: connect(self.connect_url.as_deref())?,
            secrets: Providers,
            prune: self.prune,
        };
        let loaded = match self.files.as_slice() {
            [only] if only == Path::new("-") => {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text).context("standard input")?;
                Loaded::of_text(Path::new("stdin"), &text)
            }
            files if files.iter().any(|file| file == Path::new("-")) => bail!("- stands alone"),
            files => load(files),
        };
        let remembered = match &self.remember {
            Some(path) => Remembered::read(path).with_context(|| format!("--remember {}", path.display()))?,
            None => Remembered::default(),
        };
        Ok((reconciler, loaded, remembered))
    }
}

/// `brooklet diff`.
pub(super) async fn diff(args: DiffArgs) -> anyhow::Result<u8> {
    let (reconciler, loaded, remembered) = args.prepare()?;
    let plan = reconciler.plan(&loaded, &remembered).await?;
    for (step, seen) in plan.steps() {
        println!("{}", seen.hide(&step.to_string()));
    }
    let wrong = tell_wrong(&loaded, &plan);
    Ok(match (wrong, plan.steps().next()) {
        (true, _) => UNKNOWN,
        (false, Some(_)) => BAD,
        (false, None) => GOOD,
    })
}

/// Tells what cannot be as it is declared.
fn tell_wrong(loaded: &Loaded, plan: &Plan) -> bool {
    let planned = plan.resources.iter().map(|resource| &resource.condition);
    let all = loaded.conditions.iter().chain(planned);
    let wrong: Vec<_> = all.filter(|condition| condition.status != Status::Ready).collect();
    wrong.iter().for_each(|condition| eprintln!("{condition}"));
    wrong.iter().any(|condition| condition.status == Status::NotReady)
}

/// `brooklet apply`.
pub(super) async fn apply(args: ApplyArgs) -> anyhow::Result<u8> {
    let (reconciler, loaded, mut remembered) = args.all.prepare()?;
    let report = reconciler.reconcile(&loaded, &mut remembered).await;
    if let Some(path) = &args.all.remember {
        remembered.write(path).with_context(|| format!("--remember {}", path.display()))?;
    }
    for condition in &report.conditions {
        match condition.status {
            Status::Ready => println!("{condition}"),
            Status::NotReady | Status::Skipped => eprintln!("{condition}"),
        }
    }
    let failing: Vec<Reason> = report.failing().map(|condition| condition.reason).collect();
    let nobody_answers = report.changes == 0 && failing.iter().all(|reason| *reason == Reason::Unavailable);
    Ok(match failing.is_empty() {
        true => GOOD,
        false if nobody_answers => UNKNOWN,
        false => BAD,
    })
}

/// `brooklet export`.
pub(super) async fn export(args: ExportArgs) -> anyhow::Result<u8> {
    let label = args.label.as_deref();
    for topic in admin(&args.cluster)?.topics(None).await? {
        print!("{}", manifests::topic(&topic, label));
    }
    if let Some(connect) = connect(args.connect_url.as_deref())? {
        for name in connect.connectors().await? {
            if let Some(connector) = connect.connector(&name).await? {
                print!("{}", manifests::connector(&name, &connector, label));
            }
        }
    }
    Ok(GOOD)
}

fn admin(cluster: &ClusterArgs) -> anyhow::Result<KafkaAdmin> {
    let settings = ClientSettings::read(cluster.command_config.as_deref(), cluster.bootstrap_server.as_deref())?;
    Ok(KafkaAdmin::new(settings))
}

fn connect(url: Option<&str>) -> anyhow::Result<Option<ConnectRest>> {
    // The URL may say who one is, so it is not repeated.
    let url = url.map(|url| Url::parse(url).context("--connect-url")).transpose()?;
    Ok(url.map(ConnectRest::new))
}
