//! A private PostgreSQL for change data capture: a cluster in a temporary directory, on a port of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::broker::{free_port, signal};
use crate::process::is_alive;

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
        run(server_command("initdb").args(["-U", "postgres", "-A", "trust", "-N", "-D"]).arg(&data));
        postgres.start_again();
        postgres
    }

    /// Starts the server after it was killed, and waits until it answers.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_again(&self) {
        self.start_with(&[]);
    }

    /// The same with other settings, such as `wal_level=replica`.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_with(&self, settings: &[&str]) {
        let data = self.dir.path().join("data");
        let logical = format!(
            "-p {} -k {} -c wal_level=logical -c fsync=off -c listen_addresses=127.0.0.1 -c password_encryption=scram-sha-256",
            self.port,
            self.dir.path().display()
        );
        let logical = settings.iter().fold(logical, |all, setting| format!("{all} -c {setting}"));
        run(server_command("pg_ctl")
            .args(["start", "-w", "-o", &logical, "-l"])
            .arg(data.join("log"))
            .arg("-D")
            .arg(&data));
    }

    /// Stops the server in order.
    ///
    /// # Panics
    /// If it does not run.
    pub fn stop(&self) {
        run(server_command("pg_ctl").args(["stop", "-w", "-m", "fast", "-D"]).arg(self.dir.path().join("data")));
    }

    /// Has a role's password asked for, which nobody else's is.
    ///
    /// # Panics
    /// If the server's rules cannot be changed.
    pub fn ask_for_password_of(&self, role: &str) {
        let rules = self.dir.path().join("data/pg_hba.conf");
        let others = std::fs::read_to_string(&rules).unwrap();
        std::fs::write(rules, format!("host all {role} 127.0.0.1/32 scram-sha-256\n{others}")).unwrap();
        self.execute("select pg_reload_conf()");
    }

    /// Kills all of the server's processes as `kill -9` does.
    ///
    /// # Panics
    /// If it does not run.
    pub fn kill(&self) {
        let lock = self.dir.path().join("data/postmaster.pid");
        let postmaster: u32 = std::fs::read_to_string(&lock).unwrap().lines().next().unwrap().parse().unwrap();
        // It must not notice that its children die, nor have more of them.
        signal(postmaster, Signal::STOP);
        let children = std::fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children")).unwrap();
        let mut processes: Vec<u32> = children.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
        processes.push(postmaster);
        for pid in &processes {
            signal(*pid, Signal::KILL);
        }
        crate::wait_until("the server is dead", Duration::from_secs(10), || {
            !processes.iter().any(|pid| is_alive(*pid))
        });
        // What is dead may be a zombie, which the next server would take for a running one.
        std::fs::remove_file(lock).unwrap();
        std::fs::remove_file(self.dir.path().join(format!(".s.PGSQL.{}.lock", self.port))).unwrap();
    }

    /// Its major version.
    pub fn major_version(&self) -> u32 {
        self.execute("show server_version_num").trim().parse::<u32>().unwrap() / 10_000
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs statements, and returns the rows of the last one, columns parted by tabs.
    ///
    /// # Panics
    /// If one fails.
    pub fn execute(&self, sql: &str) -> String {
        run(self.psql().args(["-v", "ON_ERROR_STOP=1", "-c", sql]))
    }

    /// Runs a statement as a transaction of its own, so many times a second for so many seconds (`pgbench`).
    ///
    /// # Panics
    /// If it fails.
    pub fn load(&self, sql: &str, rate: u64, seconds: u64) {
        let script = self.dir.path().join("load.sql");
        std::fs::write(&script, sql).unwrap();
        run(server_command("pgbench")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "postgres", "-n", "-f"])
            .arg(&script)
            .args(["-R", &rate.to_string(), "-T", &seconds.to_string(), "postgres"]));
    }

    /// A client of the server, whose statements are to be given.
    pub fn psql(&self) -> Command {
        let mut command = Command::new("psql");
        command.args([
            "-h",
            "127.0.0.1",
            "-p",
            &self.port.to_string(),
            "-U",
            "postgres",
            "-X",
            "-q",
            "-At",
            "-F",
            "\t",
        ]);
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let data = self.dir.path().join("data");
        if std::thread::panicking() {
            let log = std::fs::read(data.join("log")).unwrap_or_default();
            eprintln!(
                "--- the end of PostgreSQL's log\n{}",
                String::from_utf8_lossy(&log[log.len().saturating_sub(4000)..])
            );
        }
        let _ = server_command("pg_ctl").args(["stop", "-m", "immediate", "-D"]).arg(data).output();
    }
}

/// Where the server's programs are: in `POSTGRES_BIN`, or where Debian keeps those of its newest version, out of the path.
fn binaries() -> PathBuf {
    if let Some(chosen) = std::env::var_os("POSTGRES_BIN") {
        return chosen.into();
    }
    let versions =
        std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed: run scripts/setup postgres");
    versions.map(|version| version.unwrap().path().join("bin")).max().unwrap()
}

/// One of the server's programs.
fn server_command(program: &str) -> Command {
    let path = binaries().join(program);
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

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
