//! Encrypted connections: each of `database.sslmode`'s ways against a server that has a certificate.
#![allow(clippy::unwrap_used)]
#![cfg(feature = "tls")]

#[path = "golden/postgres.rs"]
mod postgres;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use brooklet_connect_shim::postgres::{Connection, ConnectionConfig, SslMode};
use postgres::Postgres;

/// Makes a certificate for a name, signed by itself.
fn certificate(dir: &Path, name: &str) -> (PathBuf, PathBuf) {
    let (certificate, key) = (dir.join(format!("{name}.crt")), dir.join(format!("{name}.key")));
    let mut command = Command::new("openssl");
    command.args(["req", "-new", "-x509", "-days", "30", "-nodes", "-newkey", "rsa:2048", "-subj", "/CN=db.test"]);
    command.args(["-addext", "subjectAltName=DNS:db.test", "-addext", "basicConstraints=critical,CA:TRUE"]);
    let output = command.arg("-out").arg(&certificate).arg("-keyout").arg(&key).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (certificate, key)
}

fn has_openssl() -> bool {
    Command::new("openssl").arg("version").output().is_ok_and(|output| output.status.success())
}

#[tokio::test]
async fn certificates_are_checked_as_the_mode_asks() {
    let Some(postgres) = Postgres::start().filter(|_| has_openssl()) else {
        eprintln!("PostgreSQL OR OpenSSL IS NOT INSTALLED: NO ENCRYPTED CONNECTION HAS BEEN TRIED.");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let (certificate_file, key_file) = certificate(dir.path(), "server");
    let (other, _) = certificate(dir.path(), "other");
    postgres.use_certificate(&certificate_file, &key_file);

    let connects = async |mode: SslMode, root: Option<&Path>| {
        let config = ConnectionConfig {
            host: "localhost".into(),
            port: postgres.port,
            user: "postgres".into(),
            password: Some("postgres".into()),
            database: "postgres".into(),
            ssl_mode: mode,
            ssl_root_cert: root.map(Path::to_owned),
            ssl_cert: None,
            ssl_key: None,
            initial_statements: Vec::new(),
            tcp_keepalive: true,
            connect_timeout: Duration::from_secs(10),
        };
        let mut connection = Connection::connect(&config, "test", false).await.ok()?;
        let sql = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
        Some(connection.query(sql).await.unwrap().single() == Some("t"))
    };
    assert_eq!(connects(SslMode::Disable, None).await, Some(false));
    assert_eq!(connects(SslMode::Allow, None).await, Some(false));
    assert_eq!(connects(SslMode::Prefer, None).await, Some(true));
    assert_eq!(connects(SslMode::Require, None).await, Some(true));
    assert_eq!(connects(SslMode::VerifyCa, None).await, None);
    assert_eq!(connects(SslMode::VerifyCa, Some(&other)).await, None);
    assert_eq!(connects(SslMode::VerifyCa, Some(&certificate_file)).await, Some(true));
    // The certificate is another host's.
    assert_eq!(connects(SslMode::VerifyFull, Some(&certificate_file)).await, None);
}
