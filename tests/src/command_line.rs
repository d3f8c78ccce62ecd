//! The built binary as somebody runs it by hand: a command, and what it says.

use std::process::{Command, Output, Stdio};

use crate::broker::binary;

/// Runs a command to its end, without an environment, and prints what it says for whoever reads why a test failed.
pub fn brooklet(args: &[&str]) -> Output {
    let output = Command::new(binary()).args(args).env_clear().stdin(Stdio::null()).output().unwrap();
    println!("brooklet {args:?}: {}\n{}", output.status, text(&output));
    output
}

/// All that a command says: what it answers, and then its errors.
pub fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
