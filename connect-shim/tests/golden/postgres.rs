//! A private PostgreSQL: a cluster in a temporary directory, on a port of its own.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// The server, which ends with this value.
#[derive(Debug)]
pub(crate) struct Postgres {
    dir: TempDir,
    /// Its port on 127.0.0.1.
    pub(crate) port: u16,
}

impl Postgres {
    /// Makes a cluster with logical decoding and starts it, with a password for `postgres`; `None` if the server is not
    /// installed.
    pub(crate) fn start() -> Option<Self> {
        binaries()?;
        let dir = TempDir::with_prefix("postgres-golden-").unwrap();
        let password = dir.path().join("password");
        std::fs::write(&password, "postgres").unwrap();
        if is_root() {
            // The server refuses to run as root.
            run(Command::new("chown").args(["-R", "postgres"]).arg(dir.path()));
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let data = dir.path().join("data");
        let mut init = server("initdb");
        init.args(["-U", "postgres", "-A", "scram-sha-256", "-N", "-E", "UTF8", "--locale=C.UTF-8", "--pwfile"]);
        run(init.arg(&password).arg("-D").arg(&data));
        let postgres = Self { dir, port };
        postgres.control("start");
        Some(postgres)
    }

    /// `start`, `stop -m fast`, …
    pub(crate) fn control(&self, what: &str) {
        let data = self.dir.path().join("data");
        let options = format!(
            "-p {} -k {} -c wal_level=logical -c fsync=off -c listen_addresses=127.0.0.1 -c timezone=UTC \
             -c max_replication_slots=20 -c max_wal_senders=20 -c max_prepared_transactions=10",
            self.port,
            self.dir.path().display()
        );
        let mut command = server("pg_ctl");
        command.args(what.split(' ')).args(["-w", "-o", &options, "-l"]).arg(data.join("log")).arg("-D").arg(&data);
        run(&mut command);
    }

    /// Starts the server again with encrypted connections.
    #[allow(dead_code, reason = "not every test encrypts")]
    pub(crate) fn use_certificate(&self, certificate: &Path, key: &Path) {
        let place = |name: &str| self.dir.path().join(name);
        std::fs::copy(certificate, place("server.crt")).unwrap();
        std::fs::copy(key, place("server.key")).unwrap();
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(place("server.crt")).arg(place("server.key")));
        }
        run(Command::new("chmod").arg("600").arg(place("server.key")));
        let set = |name: &str, value: &str| format!("alter system set {name} = '{value}';");
        let file = |name: &str| place(name).display().to_string();
        for setting in
            [set("ssl", "on"), set("ssl_cert_file", &file("server.crt")), set("ssl_key_file", &file("server.key"))]
        {
            self.psql("postgres", &setting);
        }
        self.control("restart -m fast");
    }

    /// The properties of a connector that captures a database, and further ones or others in their place.
    #[allow(dead_code, reason = "not every test has a connector")]
    pub(crate) fn connector(&self, database: &str, more: &[(&str, &str)]) -> BTreeMap<String, String> {
        let port = self.port.to_string();
        let base = [
            ("database.hostname", "127.0.0.1"),
            ("database.port", &port),
            ("database.user", "postgres"),
            ("database.password", "postgres"),
            ("database.dbname", database),
            ("plugin.name", "pgoutput"),
            ("key.converter.schemas.enable", "false"),
            ("value.converter.schemas.enable", "false"),
        ];
        base.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// Runs a script in a database, and returns what it prints.
    pub(crate) fn psql(&self, database: &str, script: &str) -> String {
        self.try_psql(database, script).unwrap_or_else(|error| panic!("psql in {database}: {error}"))
    }

    /// The same; the error is what the server says to it.
    pub(crate) fn try_psql(&self, database: &str, script: &str) -> Result<String, String> {
        let mut command = Command::new("psql");
        command.args(["-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "postgres", "-d", database]);
        command.args(["-p", &self.port.to_string()]).env("PGPASSWORD", "postgres").env("PGTZ", "UTC");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let data = self.dir.path().join("data");
        let _ = server("pg_ctl").args(["stop", "-m", "immediate", "-D"]).arg(data).output();
    }
}

/// Where the server's programs are: in `POSTGRES_BIN`, or where Debian keeps those of its newest version; `None` if there are
/// none.
fn binaries() -> Option<PathBuf> {
    if let Some(chosen) = std::env::var_os("POSTGRES_BIN") {
        return Some(chosen.into());
    }
    std::fs::read_dir("/usr/lib/postgresql").ok()?.filter_map(|version| Some(version.ok()?.path().join("bin"))).max()
}

fn server(program: &str) -> Command {
    let path = binaries().unwrap().join(program);
    if !is_root() {
        return Command::new(path);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]).arg(path);
    command.current_dir(Path::new("/"));
    command
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
