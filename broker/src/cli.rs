//! The command line: flags over environment over file over defaults.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use brooklet::config::{BrokerConfig, ENVIRONMENT_PREFIX, Origin, Settings};
use clap::{Args, Parser, Subcommand};

use crate::commands;
use crate::declared::DeclaredSettings;

/// A Kafka for development: one small process that every Kafka client can use.
///
/// `brooklet` alone starts a broker on 127.0.0.1:9092 that keeps its data in ./brooklet-data.
#[derive(Debug, Parser)]
#[command(name = "brooklet", version, args_conflicts_with_subcommands = true, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a broker. This is what `brooklet` alone does.
    Serve(ServeArgs),
    #[command(flatten)]
    Other(commands::Command),
}

/// What the process is for.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// To be a broker.
    Serve(ServeArgs),
    /// Something that ends.
    Command(commands::Command),
}

impl Cli {
    /// What is asked for.
    pub(crate) fn purpose(self) -> Purpose {
        match self.command {
            Some(Command::Serve(args)) => Purpose::Serve(args),
            Some(Command::Other(command)) => Purpose::Command(command),
            None => Purpose::Serve(self.serve),
        }
    }
}

/// How to run a broker.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ServeArgs {
    /// Keep data in this directory, which is made if it is not there [default: ./brooklet-data]
    #[arg(long, value_name = "DIR", env = "BROOKLET_DATA_DIR", conflicts_with = "ephemeral")]
    data_dir: Option<PathBuf>,

    /// Keep data in a temporary directory that is gone when the broker is
    #[arg(long, env = "BROOKLET_EPHEMERAL", value_parser = clap::builder::FalseyValueParser::new())]
    ephemeral: bool,

    /// Listen for Kafka clients here; may be given more than once; port 0 takes a free one; `off` for nowhere
    /// [default: 127.0.0.1:9092]
    #[arg(long, value_name = "HOST:PORT", env = "BROOKLET_LISTEN", value_delimiter = ',')]
    listen: Vec<String>,

    /// Read properties from this file: server.properties, or YAML if its name ends in .yaml or .yml
    #[arg(long, value_name = "FILE", env = "BROOKLET_CONFIG")]
    config: Option<PathBuf>,

    /// Set any broker property by Kafka's own name; may be given more than once
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,

    /// Answer /healthz, /readyz, /declared, /metrics and /version here; `off` for nowhere
    #[arg(long, value_name = "HOST:PORT", env = "BROOKLET_ADMIN", default_value = "127.0.0.1:9644")]
    admin: String,

    /// Answer Kafka Connect's REST API here, and run connectors; `off` for nowhere [default: 127.0.0.1:8083]
    #[cfg(feature = "connect")]
    #[arg(long, value_name = "HOST:PORT", env = "BROOKLET_CONNECT")]
    connect: Option<String>,

    /// Bring about what this file or directory declares: topics and connectors, at start and whenever it changes; may be given
    /// more than once
    #[arg(long, value_name = "PATH", env = "BROOKLET_DECLARE", value_delimiter = ',')]
    declare: Vec<PathBuf>,

    /// Delete what was declared once and is declared no more
    #[arg(long, env = "BROOKLET_PRUNE", value_parser = clap::builder::FalseyValueParser::new())]
    prune: bool,

    /// How to log: text, or json with an object in each line
    #[arg(long, value_name = "FORMAT", env = "BROOKLET_LOG_FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,

    /// What to log: error, warn, info, debug or trace, or a list as in `info,brooklet::groups=debug`
    #[arg(long, value_name = "LEVEL", env = "BROOKLET_LOG", default_value = "info")]
    pub(crate) log: String,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

const AFTER_HELP: &str = "\
Every property can also be set in the environment: BROOKLET_ and its name in capitals with _ for a dot, as in
BROOKLET_NUM_PARTITIONS=3. Flags count before the environment, the environment before the file.

Examples:
  brooklet                                               a broker with its defaults
  brooklet --ephemeral --listen 127.0.0.1:0              for one test run, on a free port
  brooklet --config server.properties --set num.partitions=3
  brooklet --set listeners=IN://:9092,OUT://127.0.0.1:19092 \\
           --set advertised.listeners=IN://kafka:9092,OUT://localhost:19092 \\
           --set listener.security.protocol.map=IN:PLAINTEXT,OUT:PLAINTEXT

docs/configuration.md lists every property and what it does here.";

/// Environment variables that are flags, not properties.
const OWN_VARIABLES: [&str; 10] = [
    "BROOKLET_DATA_DIR",
    "BROOKLET_EPHEMERAL",
    "BROOKLET_LISTEN",
    "BROOKLET_CONFIG",
    "BROOKLET_ADMIN",
    "BROOKLET_CONNECT",
    "BROOKLET_DECLARE",
    "BROOKLET_PRUNE",
    "BROOKLET_LOG",
    "BROOKLET_LOG_FORMAT",
];
const OFF: &str = "off";

/// What the command line asks for, put together.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) settings: Settings,
    /// `None` for a temporary directory.
    pub(crate) data_dir: Option<PathBuf>,
    /// `None` for no listener; empty for what the settings say.
    pub(crate) listen: Option<Vec<String>>,
    /// `None` for no admin port.
    pub(crate) admin: Option<String>,
    /// `None` if nothing is declared.
    pub(crate) declared: Option<DeclaredSettings>,
    /// Where Connect's REST API is to be.
    #[cfg(feature = "connect")]
    pub(crate) connect: ConnectAddress,
}

/// Where Connect's REST API is to be.
#[cfg(feature = "connect")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ConnectAddress {
    /// Nowhere.
    Off,
    /// Where Connect's own is, if that port is free.
    Default,
    /// There.
    At(String),
}

impl ServeArgs {
    /// Reads the file and the environment and puts all together.
    pub(crate) fn resolve(self) -> anyhow::Result<Asked> {
        let flags = self.flag_settings()?;
        let environment = std::env::vars().filter(|(name, _)| name.starts_with(ENVIRONMENT_PREFIX));
        let environment = Settings::from_environment(environment, &OWN_VARIABLES)?;
        let file = match &self.config {
            Some(path) => read_settings(path)?,
            None => Settings::default(),
        };
        let settings = flags.or(environment).or(file);
        let listen = match self.listen.as_slice() {
            [only] if only == OFF => None,
            addresses if addresses.iter().any(|address| address == OFF) => {
                bail!("--listen off stands alone: it means that there is no listener")
            }
            addresses => Some(addresses.to_vec()),
        };
        if listen.as_ref().is_none_or(|addresses| !addresses.is_empty())
            && let Some(setting) = settings.get("listeners")
            && matches!(setting.origin, Origin::Flag(_))
        {
            bail!("--listen and --set listeners=… both say where to listen; use one of them");
        }
        let config = BrokerConfig::resolve(&settings.layers()?)?;
        let data_dir = match (self.ephemeral, self.data_dir) {
            (true, _) => None,
            (false, Some(path)) => Some(path),
            // `log.dirs` or `log.dir`, or their default.
            (false, None) => Some(config.log_dir),
        };
        let paths = if self.declare.is_empty() { config.declare } else { self.declare };
        let declared = declared_settings(paths, self.prune || config.declare_prune)?;
        let admin = Some(self.admin).filter(|address| address != OFF);
        #[cfg(feature = "connect")]
        let connect = match self.connect {
            None => ConnectAddress::Default,
            Some(address) if address == OFF => ConnectAddress::Off,
            Some(address) => ConnectAddress::At(address),
        };
        Ok(Asked {
            settings,
            data_dir,
            listen,
            admin,
            declared,
            #[cfg(feature = "connect")]
            connect,
        })
    }

    fn flag_settings(&self) -> anyhow::Result<Settings> {
        let mut settings = Settings::default();
        for text in &self.set {
            let (name, value) = text.split_once('=').with_context(|| format!("--set {text}: expected NAME=VALUE"))?;
            settings.set(name.trim().to_owned(), value.trim().to_owned(), Origin::Flag(format!("--set {text}")))?;
        }
        Ok(settings)
    }
}

fn read_settings(path: &Path) -> anyhow::Result<Settings> {
    let text = std::fs::read_to_string(path).with_context(|| format!("--config {}", path.display()))?;
    Ok(Settings::from_file(path, &text)?)
}

fn declared_settings(paths: Vec<PathBuf>, prune: bool) -> anyhow::Result<Option<DeclaredSettings>> {
    if paths.is_empty() && prune {
        bail!("--prune deletes what --declare declares no more, and there is no --declare");
    }
    Ok((!paths.is_empty()).then_some(DeclaredSettings { paths, prune }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn ask(args: &[&str]) -> anyhow::Result<Asked> {
        let args = std::iter::once(&"brooklet").chain(args);
        match Cli::try_parse_from(args)?.purpose() {
            Purpose::Serve(args) => args.resolve(),
            Purpose::Command(command) => bail!("{command:?}"),
        }
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn alone_it_means_serve_with_the_defaults() {
        for args in [&[][..], &["serve"]] {
            let asked = ask(args).unwrap();
            assert_eq!(asked.data_dir.unwrap(), PathBuf::from("./brooklet-data"));
            assert_eq!(asked.listen, Some(Vec::new()));
            assert_eq!(asked.admin.as_deref(), Some("127.0.0.1:9644"));
            assert_eq!(asked.declared, None);
            #[cfg(feature = "connect")]
            assert_eq!(asked.connect, ConnectAddress::Default);
        }
    }

    #[test]
    fn flags_count_before_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.properties");
        std::fs::write(&path, "num.partitions=5\nlog.dirs=/tmp/from-file\nauto.create.topics.enable=false\n").unwrap();
        let asked = ask(&["--config", path.to_str().unwrap(), "--set", "num.partitions=7"]).unwrap();
        assert_eq!(asked.settings.get("num.partitions").unwrap().value, "7");
        assert_eq!(asked.settings.get("auto.create.topics.enable").unwrap().value, "false");
        assert_eq!(asked.data_dir.unwrap(), PathBuf::from("/tmp/from-file"));
    }

    #[test]
    fn what_is_declared_is_said_by_flags_or_by_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.properties");
        std::fs::write(&path, "brooklet.declare=/topics,/connectors\nbrooklet.declare.prune=true\n").unwrap();
        let path = path.to_str().unwrap();
        let declared = |args: &[&str]| ask(args).unwrap().declared.unwrap();
        let settings =
            |paths: &[&str], prune| DeclaredSettings { paths: paths.iter().map(PathBuf::from).collect(), prune };
        assert_eq!(declared(&["--config", path]), settings(&["/topics", "/connectors"], true));
        assert_eq!(declared(&["--config", path, "--declare", "/a", "--declare", "/b"]), settings(&["/a", "/b"], true));
        assert_eq!(declared(&["--declare", "/a,/b"]), settings(&["/a", "/b"], false));
    }

    #[test]
    fn mistakes_are_named() {
        for (args, expected) in [
            (&["--set", "num.partition=3"][..], "did you mean num.partitions?"),
            (&["--set", "num.partitions"], "expected NAME=VALUE"),
            (&["--set", "num.partitions=x"], "num.partitions"),
            (&["--listen", "127.0.0.1:1", "--set", "listeners=A://:1"], "use one of them"),
            (&["--config", "/no/such/file"], "/no/such/file"),
            (&["--ephemeral", "--data-dir", "x"], "cannot be used with"),
            (&["--prune"], "there is no --declare"),
            (&["apply"], "--filename"),
            (&["apply", "-f", "x", "--prune"], "--remember"),
            (&["diff", "-f=x", "--bootstrap=y", "--connect=z"], "Diff"),
            (&["selftest", "--bootstrap", "y"], "Selftest"),
        ] {
            let error = format!("{:#}", ask(args).unwrap_err());
            assert!(error.contains(expected), "{args:?}: {error}");
        }
    }
}
