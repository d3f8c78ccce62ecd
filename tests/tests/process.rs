//! The broker as a process: how it starts, says where it is, refuses what cannot be, stops, and what is there when it is
//! started again.
#![allow(clippy::unwrap_used)]

use std::process::Command;
use std::time::Duration;

use brooklet_tests::broker::{BrokerProcess, binary, free_port};
use brooklet_tests::client::Client;
use brooklet_tests::wait_until;
use rustix::process::Signal;

/// Runs the binary with arguments that must make it end at once; returns what it said.
fn refused(args: &[&str], environment: &[(&str, &str)]) -> String {
    let output = Command::new(binary())
        .args(args)
        .env_clear()
        .envs(environment.iter().copied())
        .current_dir(std::env::temp_dir())
        .output()
        .unwrap();
    assert!(!output.status.success(), "{args:?} was accepted");
    String::from_utf8(output.stderr).unwrap()
}

fn kcat(args: &[&str]) -> String {
    let output = Command::new("kcat").args(args).output().unwrap();
    assert!(output.status.success(), "kcat {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn when_it_is_ready_it_says_so_in_one_line_and_on_the_admin_port() {
    let mut broker = BrokerProcess::start(&[]);
    wait_until("the line", Duration::from_secs(5), || broker.log().contains("ready in"));
    let log = broker.log();
    let ready: Vec<_> = log.lines().filter(|line| line.contains("ready in")).collect();
    assert_eq!(ready.len(), 1);
    for part in [broker.bootstrap(), broker.data_dir().display().to_string(), "admin 127.0.0.1:".to_owned()] {
        assert!(ready[0].contains(&part), "{} lacks {part}", ready[0]);
    }
    assert_eq!(broker.admin("/healthz"), (200, "ok\n".to_owned()));
    let (status, body) = broker.admin("/readyz");
    assert_eq!(status, 200);
    assert!(body.contains(&broker.bootstrap()), "{body}");
    let (status, body) = broker.admin("/version");
    assert!(status == 200 && body.contains(r#""kafka":"4.3.1""#), "{body}");
    assert_eq!(broker.admin("/nothing").0, 404);
    let took = broker.stop();
    assert!(took < Duration::from_secs(1), "an idle stop took {took:?}");
}

#[test]
fn mistakes_are_named_with_what_to_do() {
    let broker = BrokerProcess::start(&[]);
    let data = broker.data_dir().display().to_string();
    let listen = broker.bootstrap();
    let port = listen.rsplit(':').next().unwrap();
    let other = format!("127.0.0.1:{}", free_port());
    for (args, environment, expected) in [
        (&["--set", "num.partitons=3"][..], &[][..], "did you mean num.partitions?"),
        (&[], &[("BROOKLET_NUM_PARTITONS", "3")], "BROOKLET_NUM_PARTITIONS"),
        (&["--ephemeral", "--admin", "off", "--listen", &listen], &[], &format!("port {port} is in use")),
        (&["--ephemeral", "--admin", "off", "--listen", &listen], &[], "--listen"),
        (&["--data-dir", &data, "--admin", "off", "--listen", &other], &[], "in use by process"),
        (&["--set", "listeners=SSL://:9093"], &[], "SSL"),
        (&["--config", "/no/such/file"], &[], "/no/such/file"),
        (&["--no-such-flag"], &[], "--no-such-flag"),
    ] {
        let said = refused(args, environment);
        assert!(said.contains(expected), "{args:?}: {said}");
    }
}

#[test]
fn flags_count_before_the_environment_and_that_before_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("broker.yaml");
    std::fs::write(&file, "num:\n  partitions: 2\nlog.segment.bytes: 2000000\nmessage.max.bytes: 1000\n").unwrap();
    let port = free_port();
    let mut child = Command::new(binary())
        .args(["--ephemeral", "--admin", "off", "--config", file.to_str().unwrap(), "--set", "num.partitions=4"])
        .env_clear()
        .env("BROOKLET_LISTEN", format!("127.0.0.1:{port}"))
        .env("BROOKLET_NUM_PARTITIONS", "3")
        .env("BROOKLET_LOG_SEGMENT_BYTES", "3000000")
        .spawn()
        .unwrap();
    let bootstrap = format!("127.0.0.1:{port}");
    wait_until("a listener", Duration::from_secs(5), || std::net::TcpStream::connect(&bootstrap).is_ok());
    let client = Client("kcat");
    let created = client.run(&["create", &bootstrap, "t", "1"]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(created.contains(r#""partitions":4"#) || created.contains(r#""partitions": 4"#), "{created}");
}

#[test]
fn each_listener_tells_its_clients_an_address_that_they_can_reach() {
    let (inside, outside) = (free_port(), free_port());
    let forwarded = 19092;
    let listeners = format!("listeners=IN://127.0.0.1:{inside},OUT://127.0.0.1:{outside}");
    let advertised = format!("advertised.listeners=IN://127.0.0.1:{inside},OUT://localhost:{forwarded}");
    let mut child = Command::new(binary())
        .args(["--ephemeral", "--admin", "off", "--set", &listeners, "--set", &advertised])
        .args(["--set", "listener.security.protocol.map=IN:PLAINTEXT,OUT:PLAINTEXT"])
        .env_clear()
        .spawn()
        .unwrap();
    wait_until("a listener", Duration::from_secs(5), || std::net::TcpStream::connect(("127.0.0.1", outside)).is_ok());
    let by_inside = kcat(&["-L", "-b", &format!("127.0.0.1:{inside}")]);
    let by_outside = kcat(&["-L", "-b", &format!("127.0.0.1:{outside}")]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(by_inside.contains(&format!("broker 1 at 127.0.0.1:{inside}")), "{by_inside}");
    assert!(by_outside.contains(&format!("broker 1 at localhost:{forwarded}")), "{by_outside}");
}

#[test]
fn a_topic_is_there_after_kill_9_a_millisecond_after_its_creation_was_answered() {
    let mut broker = BrokerProcess::start(&[]);
    for round in 0..20 {
        let topic = format!("t{round}");
        let created = Client("franz-go").run(&["create", &broker.bootstrap(), &topic, "3"]);
        broker.kill();
        assert!(created.contains(&topic));
        broker.start_again();
        let listed = kcat(&["-L", "-b", &broker.bootstrap()]);
        assert!(listed.contains(&format!("topic \"{topic}\" with 3 partitions")), "round {round}: {listed}");
    }
}

#[test]
fn a_signal_to_stop_is_obeyed_within_a_second_while_clients_wait() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut broker = BrokerProcess::start(&[]);
        let client = Client("confluent-kafka");
        client.run(&["create", &broker.bootstrap(), "t", "3"]);
        let member = client.join(&broker.bootstrap(), "t", "g", None);
        wait_until("the member waits for records", Duration::from_secs(20), || member.assigned().len() == 3);
        let took = broker.stop_by(signal);
        assert!(took < Duration::from_secs(1), "{signal:?}: {took:?}");
        assert!(broker.log().contains("stopped"));
    }
}

#[test]
fn an_idle_broker_is_small() {
    let broker = BrokerProcess::start(&[]);
    std::thread::sleep(Duration::from_millis(300));
    let (anonymous, file) = broker.resident();
    eprintln!("idle: {anonymous} bytes anonymous, {file} of files");
    assert!(anonymous < 3 << 20, "{anonymous} bytes anonymous");
    assert!(anonymous + file < 16 << 20, "{} bytes in all, of a build that is not stripped", anonymous + file);
}

#[test]
fn a_partition_of_200_mb_is_read_within_the_limits_of_each_fetch() {
    let broker = BrokerProcess::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("values");
    let line = "x".repeat(9_999) + "\n";
    std::fs::write(&path, line.repeat(20_000)).unwrap();
    let client = Client("confluent-kafka");
    client.run(&["create", &broker.bootstrap(), "big", "1"]);
    client.run(&["produce-file", &broker.bootstrap(), "big", "1", path.to_str().unwrap(), "none"]);
    assert!(broker.log_bytes("big") > 200_000_000);
    // A limit that answers must keep to, or the client gives up on them.
    let out = kcat(&[
        "-C",
        "-b",
        &broker.bootstrap(),
        "-t",
        "big",
        "-e",
        "-q",
        "-f",
        "%S\n",
        "-X",
        "fetch.message.max.bytes=100000",
        "-X",
        "fetch.max.bytes=300000",
        "-X",
        "receive.message.max.bytes=1400000",
        "-X",
        "message.max.bytes=200000",
    ]);
    let sizes: Vec<_> = out.lines().collect();
    assert_eq!(sizes.len(), 20_000);
    assert!(sizes.iter().all(|size| *size == "9999"));
}
