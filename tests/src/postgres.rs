//! A private PostgreSQL for change data capture: a cluster in a temporary directory, on a port of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::broker::free_port;

/// The server, which ends with this value.
#[derive(Debug)]
pub struct Postgres {
    dir: TempDir,
    port: u16,
}

impl Postgres {
    /// Makes a cluster with logical decoding and starts it. Everybody on this machine may be `postgres`.
    ///
    /// # Panics
    /// If the server is not installed.
    pub fn start() -> Self {
        let dir = TempDir::with_prefix("postgres-test-").unwrap();
        if is_root() {
            // The server refuses to run as root.
            run(Command::new("chown").arg("postgres").arg(dir.path()));
        }
        let postgres = Self { dir, port: free_port() };
        let data = postgres.dir.path().join("data");
        let logical = format!(
            "-p {} -k {} -c wal_level=logical -c fsync=off -c listen_addresses=127.0.0.1",
            postgres.port,
            postgres.dir.path().display()
        );
        run(server_command("initdb").args(["-U", "postgres", "-A", "trust", "-N", "-D"]).arg(&data));
        run(server_command("pg_ctl")
            .args(["start", "-w", "-o", &logical, "-l"])
            .arg(data.join("log"))
            .arg("-D")
            .arg(&data));
        postgres
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs statements.
    ///
    /// # Panics
    /// If one fails.
    pub fn execute(&self, sql: &str) {
        let mut command = Command::new("psql");
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "postgres", "-q"]);
        run(command.args(["-v", "ON_ERROR_STOP=1", "-c", sql]));
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let data = self.dir.path().join("data");
        let _ = server_command("pg_ctl").args(["stop", "-m", "immediate", "-D"]).arg(data).output();
    }
}

/// One of the server's programs, which Debian keeps out of the path.
fn server_command(program: &str) -> Command {
    let versions =
        std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed: run scripts/setup postgres");
    let path: PathBuf = versions.map(|version| version.unwrap().path().join("bin")).max().unwrap().join(program);
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
