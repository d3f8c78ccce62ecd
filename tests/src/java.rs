//! Java programs: a class on the jars of a part of `scripts/setup`, in a process of its own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// Where a part's jars lie, or its compiled classes.
///
/// # Panics
/// If the part is not installed.
pub fn installed(part: &str) -> PathBuf {
    let path = crate::root().join(".tools/java").join(part);
    assert!(path.exists(), "{part} is not installed: run scripts/setup {}", part.trim_end_matches("-classes"));
    path
}

/// A class path of such parts: their jars and, where there are, their classes.
pub fn class_path(parts: &[&str]) -> String {
    let entries = parts.iter().map(|part| {
        let path = installed(part).display().to_string();
        if part.ends_with("-classes") { path } else { format!("{path}/*") }
    });
    entries.collect::<Vec<_>>().join(":")
}

/// The command that runs a class: a small heap, and the quick compiler only, since no program here runs for long.
pub fn command(class_path: &str, heap: &str, class: &str) -> Command {
    command_with(&[&format!("-Xmx{heap}"), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"], class_path, class)
}

/// The command that runs a class with options of the virtual machine that are to be given, such as those of Kafka's scripts.
pub fn command_with(options: &[&str], class_path: &str, class: &str) -> Command {
    let mut command = Command::new("java");
    command
        .args(options)
        .args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", class_path, class])
        .stdin(Stdio::null());
    command
}

/// A program that runs until it is told to stop; its output is a file.
#[derive(Debug)]
pub struct JavaProcess {
    child: Child,
    output: PathBuf,
}

impl JavaProcess {
    /// Starts it. What it says is appended to `output`.
    pub fn start(mut command: Command, output: &Path) -> Self {
        let file = File::options().create(true).append(true).open(output).unwrap();
        let child = command.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        Self { child, output: output.to_owned() }
    }

    /// What it has said so far.
    pub fn output(&self) -> String {
        let bytes = std::fs::read(&self.output).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// How it ended, once it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it as `kill -9` does.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Stops it in order, by `SIGTERM`, and waits for its end.
    pub fn stop(&mut self) -> ExitStatus {
        crate::broker::signal(self.pid(), rustix::process::Signal::TERM);
        self.child.wait().unwrap()
    }
}

impl Drop for JavaProcess {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let output = self.output();
            let tail = output.lines().count().saturating_sub(200);
            eprintln!("--- the end of {}", self.output.display());
            output.lines().skip(tail).for_each(|line| eprintln!("{line}"));
        }
    }
}
