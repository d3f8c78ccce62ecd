//! Kafka's own command-line tools, all in one JVM (`tests/applications/admin-tools`).

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use crate::java;

/// The JVM with the tools.
#[derive(Debug)]
pub struct AdminTools {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl AdminTools {
    /// Starts it.
    pub fn start() -> Self {
        let mut command = java::command(&java::class_path(&["admin-tools-classes", "kafka"]), "256m", "AdminTools");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdin, stdout }
    }

    /// Runs a tool, and returns the lines that it printed and, in the last one, its exit code.
    ///
    /// # Panics
    /// If the JVM ended.
    pub fn run(&mut self, words: &[&str]) -> Vec<String> {
        writeln!(self.stdin, "{}", words.join("\t")).unwrap();
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            assert!(self.stdout.read_line(&mut line).unwrap() > 0, "the tools' JVM ended at {words:?}");
            let line = line.trim_end();
            match line.strip_prefix("| ") {
                Some(printed) => lines.push(printed.to_owned()),
                None => {
                    lines.push(format!("exit code {}", line.trim_start_matches("= ")));
                    return lines;
                }
            }
        }
    }
}

impl Drop for AdminTools {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
