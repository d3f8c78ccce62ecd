//! Declared resources by hand to a cluster that asks who one is, and proves who it is: Apache Kafka with SASL over TLS.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use brooklet_tests::apache_kafka::ApacheKafka;
use brooklet_tests::broker::free_port;
use brooklet_tests::command_line::{brooklet, text};
use brooklet_tests::java;
use tempfile::TempDir;

const USER: &str = "deployer";
/// With what properties files, JAAS and SCRAM each have a meaning for.
const PASSWORD: &str = "=b,c#d\"e horse";
const TOPIC: &str = "apiVersion: kafka.strimzi.io/v1\nkind: KafkaTopic\nmetadata: {name: orders}\nspec: {partitions: 3, \
                     replicas: 1, config: {retention.ms: 86400000}}\n";

/// Somebody who signs certificates, and a directory for them.
struct Authority {
    dir: TempDir,
}

impl Authority {
    fn new(name: &str) -> Self {
        let authority = Self { dir: TempDir::with_prefix("authority-").unwrap() };
        authority.keytool("ca", "-genkeypair", &["-keyalg", "EC", "-dname", &format!("CN={name}"), "-ext", "bc:c"]);
        authority.keytool("ca", "-exportcert", &["-rfc", "-file", &authority.path("ca.pem")]);
        authority
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    /// Runs a command on the key store `who`.p12, of which `who` is an entry.
    fn keytool(&self, who: &str, command: &str, arguments: &[&str]) {
        let output = Command::new("keytool")
            .args([command, "-alias", who, "-storepass", "changeit", "-storetype", "PKCS12", "-keystore"])
            .arg(self.path(&format!("{who}.p12")))
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "keytool {command}: {}", text(&output));
    }

    /// A key store with the key and the certificate of a server that has an address and no name.
    fn server(&self) -> String {
        let (request, certificate, ca) = (self.path("server.csr"), self.path("server.pem"), self.path("ca.pem"));
        self.keytool("server", "-genkeypair", &["-keyalg", "EC", "-dname", "CN=server"]);
        self.keytool("server", "-certreq", &["-file", &request]);
        let signed = ["-infile", &request, "-outfile", &certificate, "-rfc", "-ext", "san=ip:127.0.0.1"];
        self.keytool("ca", "-gencert", &signed);
        fs::write(&certificate, fs::read_to_string(&certificate).unwrap() + &fs::read_to_string(&ca).unwrap()).unwrap();
        self.keytool("server", "-importcert", &["-noprompt", "-file", &certificate, "-trustcacerts"]);
        self.path("server.p12")
    }
}

/// A cluster with one user, whom it knows by three mechanisms.
struct Secured {
    kafka: ApacheKafka,
    port: u16,
    authority: Authority,
}

impl Secured {
    fn start() -> Self {
        let authority = Authority::new("Authority");
        let port = free_port();
        let listener = format!("SASL_SSL://127.0.0.1:{port}");
        let scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
        let plain = format!(
            "org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}=\"{}\";",
            PASSWORD.replace('"', "\\\"").replace('\\', "\\\\")
        );
        let properties = [
            "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL".to_owned(),
            "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512".to_owned(),
            format!("listener.name.sasl_ssl.plain.sasl.jaas.config={plain}"),
            format!("listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config={scram}"),
            format!("listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={scram}"),
            "ssl.keystore.type=PKCS12".to_owned(),
            format!("ssl.keystore.location={}", authority.server()),
            "ssl.keystore.password=changeit".to_owned(),
        ];
        let properties: Vec<&str> = properties.iter().map(String::as_str).collect();
        let secured = Self { kafka: ApacheKafka::start_listening(&[&listener], &properties), port, authority };
        secured.add_user();
        secured
    }

    /// As an administrator does it, from within.
    fn add_user(&self) {
        let quoted = PASSWORD.replace('\\', "\\\\");
        let file = self.authority.path("scram.properties");
        for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
            fs::write(&file, format!("{mechanism}=password={quoted}\n")).unwrap();
            let output = java::command(&java::class_path(&["kafka"]), "128m", "kafka.admin.ConfigCommand")
                .args(["--bootstrap-server", &self.kafka.bootstrap(), "--alter", "--entity-type", "users"])
                .args(["--entity-name", USER, "--add-config-file", &file])
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", text(&output));
        }
    }

    /// A file of client properties, as Kafka's own tools take it.
    fn client(&self, name: &str, mechanism: &str, password: &str, trusted: &Path) -> PathBuf {
        let module = match mechanism {
            "PLAIN" => "plain.PlainLoginModule",
            _ => "scram.ScramLoginModule",
        };
        // Quoted for JAAS, and that again for a properties file.
        let jaas = format!(
            "org.apache.kafka.common.security.{module} required username=\"{USER}\" password=\"{}\";",
            password.replace('"', "\\\"")
        );
        let properties = format!(
            "bootstrap.servers=127.0.0.1:{}\nsecurity.protocol=SASL_SSL\nsasl.mechanism={mechanism}\n\
             sasl.jaas.config={}\nssl.truststore.type=PEM\nssl.truststore.location={}\nrequest.timeout.ms=20000\n",
            self.port,
            jaas.replace('\\', "\\\\"),
            trusted.display()
        );
        let path = self.authority.dir.path().join(name);
        fs::write(&path, properties).unwrap();
        path
    }

    fn trusted(&self) -> PathBuf {
        self.authority.path("ca.pem").into()
    }
}

#[test]
fn a_secured_cluster_is_brought_to_what_is_declared_by_whom_it_knows() {
    let secured = Secured::start();
    it_is_brought_to_what_is_declared(&secured);
    whoever_is_not_trusted_is_told_so(&secured);
}

fn it_is_brought_to_what_is_declared(secured: &Secured) {
    let declared = secured.authority.path("orders.yaml");
    fs::write(&declared, TOPIC).unwrap();
    // Kafka's own client, with the same file, is the judge of whether the file is right.
    let config = secured.client("java.properties", "SCRAM-SHA-512", PASSWORD, &secured.trusted());
    let listed = java::command(&java::class_path(&["kafka"]), "128m", "org.apache.kafka.tools.TopicCommand")
        .args(["--bootstrap-server", &format!("127.0.0.1:{}", secured.port), "--list", "--command-config"])
        .arg(&config)
        .output()
        .unwrap();
    assert!(listed.status.success(), "{}", text(&listed));

    for mechanism in ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] {
        let config = secured.client(mechanism, mechanism, PASSWORD, &secured.trusted());
        let config = config.to_str().unwrap();
        let run = |command: &str| brooklet(&[command, "-f", &declared, "--command-config", config]);
        let first = mechanism == "SCRAM-SHA-512";
        assert_eq!(run("diff").status.code(), Some(i32::from(first)), "{mechanism}");
        let applied = run("apply");
        assert_eq!(applied.status.code(), Some(0), "{mechanism}");
        assert!(text(&applied).contains(if first { "Created" } else { "UpToDate" }), "{}", text(&applied));
        let diff = run("diff");
        assert_eq!((diff.status.code(), text(&diff).as_str()), (Some(0), ""), "{mechanism}");
        let exported = brooklet(&["export", "--command-config", config]);
        assert_eq!(exported.status.code(), Some(0), "{mechanism}");
        let manifest = text(&exported);
        assert!(manifest.contains("name: \"orders\"") && manifest.contains("retention.ms: \"86400000\""), "{manifest}");
        assert_eq!(brooklet(&["selftest", "--command-config", config]).status.code(), Some(0), "{mechanism}");
    }
}

fn whoever_is_not_trusted_is_told_so(secured: &Secured) {
    let declared = secured.authority.path("orders.yaml");
    fs::write(&declared, TOPIC).unwrap();
    let stranger = Authority::new("Stranger");
    let refused = |config: &Path, bootstrap: Option<&str>, expected: &str| {
        let config = config.to_str().unwrap();
        for (command, code) in [("apply", 2), ("diff", 2), ("export", 1)] {
            let files: &[&str] = if command == "export" { &[] } else { &["-f", &declared] };
            let bootstrap: Vec<&str> = bootstrap.iter().flat_map(|to| ["--bootstrap-server", to]).collect();
            let output = brooklet(&[&[command, "--command-config", config], files, &bootstrap].concat());
            assert_eq!(output.status.code(), Some(code), "{command}");
            assert!(text(&output).contains(expected), "{command}: {}", text(&output));
            assert!(!text(&output).contains("horse"), "{command}: {}", text(&output));
        }
    };
    let trusted = secured.trusted();
    for mechanism in ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] {
        let config = secured.client("wrong-password", mechanism, "battery horse", &trusted);
        let expected = match mechanism {
            "PLAIN" => "Authentication failed: Invalid username or password".to_owned(),
            _ => format!("due to invalid credentials with SASL mechanism {mechanism}"),
        };
        refused(&config, None, &expected);
    }
    let config = secured.client("stranger", "PLAIN", PASSWORD, Path::new(&stranger.path("ca.pem")));
    refused(&config, None, "UnknownIssuer");
    let config = secured.client("good", "PLAIN", PASSWORD, &trusted);
    refused(&config, Some(&format!("localhost:{}", secured.port)), "not valid for name \"localhost\"");
    refused(&config, Some(&secured.kafka.bootstrap()), "encrypted");
    let config = secured.client("nowhere", "PLAIN", PASSWORD, Path::new("/no/such/file.pem"));
    refused(&config, None, "the certificates in /no/such/file.pem");
    let plaintext = secured.authority.dir.path().join("plaintext");
    fs::write(&plaintext, format!("bootstrap.servers=127.0.0.1:{}\n", secured.port)).unwrap();
    refused(&plaintext, None, "the broker wants encryption");
}
