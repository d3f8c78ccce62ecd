//! The broker as users run it: the built binary in a process of its own.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{http, process};

use crate::connect_rest::ConnectRest;

/// How long a start may take on a machine that does much else.
const START: Duration = Duration::from_secs(20);

/// The binary under test: what `BROOKLET_BINARY` names, or else the workspace's, built now if it is not up to date.
///
/// # Panics
/// If it does not build.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("BROOKLET_BINARY") {
            return crate::root().join(path);
        }
        let test = std::env::current_exe().unwrap();
        // target/PROFILE/deps/TEST
        let profile_dir = test.parent().and_then(Path::parent).expect("tests run from target").to_owned();
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package", "brooklet", "--bin", "brooklet"]).current_dir(crate::root());
        if profile_dir.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success(), "brooklet does not build");
        profile_dir.join("brooklet")
    })
}

/// A port that was free a moment ago, and that the system gives to nobody who connects: a broker that is started again
/// would find it taken by a client's end of a connection.
pub fn free_port() -> u16 {
    const BELOW_EPHEMERAL: Range<u32> = 10_000..32_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let room = BELOW_EPHEMERAL.end - BELOW_EPHEMERAL.start;
    loop {
        // Processes that run side by side begin at places of their own.
        let step = std::process::id().wrapping_mul(7919).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(BELOW_EPHEMERAL.start + step % room).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Sends a signal to a process.
pub fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).expect("a process has an id");
    kill_process(pid, signal).unwrap();
}

/// A broker process with a data directory and a port that stay the same when it is started again.
#[derive(Debug)]
pub struct BrokerProcess {
    child: Option<Child>,
    dir: TempDir,
    port: u16,
    admin: u16,
    /// Where it answers Connect's REST API, if it does.
    connect: Option<u16>,
    args: Vec<String>,
    /// `ulimit -n`, where it is not this process's own.
    max_open_files: Option<u32>,
}

impl BrokerProcess {
    /// Starts a broker with further arguments.
    pub fn start(args: &[&str]) -> Self {
        let mut broker = Self::prepared(args);
        broker.start_again();
        broker
    }

    /// Starts a broker that runs connectors.
    pub fn with_connect(args: &[&str]) -> Self {
        let mut broker = Self::prepared(args);
        broker.connect = Some(free_port());
        broker.start_again();
        broker
    }

    /// Starts a broker that may have so many files open (`ulimit -n`).
    pub fn limited(max_open_files: u32, args: &[&str]) -> Self {
        let mut broker = Self::prepared(args);
        broker.max_open_files = Some(max_open_files);
        broker.start_again();
        broker
    }

    /// A broker that is yet to be started: its data directory may be filled before.
    pub fn prepared(args: &[&str]) -> Self {
        let dir = TempDir::with_prefix("brooklet-test-").unwrap();
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        Self { child: None, dir, port: free_port(), admin: free_port(), connect: None, args, max_open_files: None }
    }

    /// The admin port, as a URL.
    pub fn admin_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.admin)
    }

    /// `host:port` for clients.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Whether it runs connectors when it is started next.
    pub fn run_connectors(&mut self, run: bool) {
        self.connect = run.then(free_port);
    }

    /// Its Connect REST API.
    ///
    /// # Panics
    /// If it was started without.
    pub fn connect(&self) -> ConnectRest {
        ConnectRest { port: self.connect.expect("a broker that runs connectors") }
    }

    /// The data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// How much of a topic's log has been written, by its first partition: bytes up to the room that is reserved.
    pub fn log_bytes(&self, topic: &str) -> usize {
        let log = self.data_dir().join(format!("{topic}-0/00000000000000000000.log"));
        let content = std::fs::read(log).unwrap_or_default();
        content.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
    }

    /// What the broker has logged, in all its lives.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// The process's id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the broker runs").id()
    }

    /// Starts the broker after it was stopped or killed, and waits until clients can connect. Returns how long that took.
    pub fn start_again(&mut self) -> Duration {
        assert!(self.child.is_none(), "the broker runs already");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.dir.path().join("log")).unwrap();
        let binary = binary();
        let begun = Instant::now();
        let mut command = match self.max_open_files {
            None => Command::new(binary),
            Some(limit) => {
                let mut command = Command::new("sh");
                command.args(["-c", &format!("ulimit -n {limit}; exec \"$0\" \"$@\"")]).arg(binary);
                command
            }
        };
        let child = command
            .args(["--listen", &self.bootstrap(), "--admin", &format!("127.0.0.1:{}", self.admin)])
            .args(["--connect", &self.connect.map_or("off".to_owned(), |port| format!("127.0.0.1:{port}"))])
            .arg("--data-dir")
            .arg(self.data_dir())
            .args(&self.args)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        while TcpStream::connect(address).is_err() {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().unwrap());
            assert!(ended.is_none(), "the broker ended: {}", self.log());
            assert!(begun.elapsed() < START, "the broker does not listen: {}", self.log());
            std::thread::sleep(Duration::from_millis(1));
        }
        begun.elapsed()
    }

    /// Stops the broker in order and returns how long that took.
    pub fn stop(&mut self) -> Duration {
        self.stop_by(Signal::TERM)
    }

    /// Stops the broker in order by this signal and returns how long that took.
    pub fn stop_by(&mut self, signal: Signal) -> Duration {
        self::signal(self.pid(), signal);
        let begun = Instant::now();
        let status = self.child.take().expect("the broker runs").wait().unwrap();
        assert!(status.success(), "the broker ended with {status}: {}", self.log());
        begun.elapsed()
    }

    /// Kills the broker as `kill -9` does.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("the broker runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Gets a path from the admin port: status and body.
    pub fn admin(&self, path: &str) -> (u16, String) {
        http::request(self.admin, "GET", path, "").expect("the admin port answers")
    }

    /// The most memory that was resident since [`forget_most_resident`](Self::forget_most_resident), in bytes.
    pub fn most_resident(&self) -> u64 {
        process::memory(self.pid(), "VmHWM")
    }

    /// Begins to watch for the most memory anew (`clear_refs` of `proc(5)`).
    pub fn forget_most_resident(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.pid()), "5").unwrap();
    }

    /// Resident memory in bytes: anonymous pages, and pages of files.
    pub fn resident(&self) -> (u64, u64) {
        let pid = self.pid();
        (process::memory(pid, "RssAnon"), process::memory(pid, "RssFile"))
    }
}

impl Drop for BrokerProcess {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- broker's log\n{}", self.log());
        }
    }
}
