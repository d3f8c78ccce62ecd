//! A file system that is full to the brim: who writes is given an error, the broker stays up, what is there can be read, and
//! when there is room again it goes on by itself. Nothing that was acknowledged is lost, and nothing that was refused is there.
//!
//! It takes a small file system of its own, which only root may mount: without that the test says so and proves nothing.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use brooklet_protocol::records::BatchBuilder;
use brooklet_tests::broker::BrokerProcess;
use brooklet_tests::log_client::LogClient;
use brooklet_tests::wait_until;

const PATIENCE: Duration = Duration::from_secs(30);
const KAFKA_STORAGE_ERROR: i16 = 56;
const TOPICS: [&str; 2] = ["large", "small"];

/// A file system in memory, unmounted in the end.
struct Disk(PathBuf);

impl Disk {
    /// `None` where mounting is not allowed.
    fn mount(path: &Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(path).unwrap();
        let mut mount = Command::new("mount");
        let status = mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(path).status();
        status.is_ok_and(|status| status.success()).then(|| Self(path.to_owned()))
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// Takes some room, which is there again when it is freed.
    fn take(&self, bytes: usize) {
        std::fs::write(self.filler(), vec![7; bytes]).unwrap();
    }

    /// Takes all room that is left, to the last byte.
    fn fill(&self) {
        let mut file = std::fs::File::options().create(true).append(true).open(self.filler()).unwrap();
        for size in [1 << 16, 4096, 1] {
            while file.write_all(&vec![7; size]).is_ok() {}
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a broker may still run.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// What was written, and what became of it.
#[derive(Default)]
struct Written {
    next: usize,
    /// Values by offset.
    acknowledged: BTreeMap<(&'static str, i64), String>,
    refused: usize,
}

impl Written {
    /// Writes a record of so many bytes. Returns Kafka's code if it was refused.
    fn write(&mut self, client: &mut LogClient, topic: &'static str, bytes: usize) -> Result<(), i16> {
        let value = format!("{}-{}", self.next, "x".repeat(bytes));
        self.next += 1;
        let mut builder = BatchBuilder::new();
        builder.push(1_900_000_000_000, None, Some(value.as_bytes()), &[]);
        match client.try_produce(topic, 0, builder.build().unwrap(), None) {
            Ok(offset) => {
                let before = self.acknowledged.insert((topic, offset), value);
                assert_eq!(before, None, "an offset is given once");
                Ok(())
            }
            Err(code) => {
                self.refused += 1;
                assert_eq!(code, KAFKA_STORAGE_ERROR, "{topic}");
                Err(code)
            }
        }
    }

    /// That what is there is what was acknowledged.
    fn check(&self, client: &mut LogClient) {
        for topic in TOPICS {
            let mut found = BTreeMap::new();
            for batch in client.read_from(topic, 0, 0) {
                batch.verify_crc().unwrap();
                for record in batch.records(1 << 24).unwrap().map(Result::unwrap) {
                    let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
                    found.insert((topic, record.offset), value);
                }
            }
            let expected: BTreeMap<_, _> = self
                .acknowledged
                .iter()
                .filter(|((of, _), _)| *of == topic)
                .map(|(at, value)| (*at, value.clone()))
                .collect();
            assert_eq!(found.len(), expected.len(), "{topic}");
            assert!(found == expected, "{topic}: other values");
        }
    }
}

#[test]
fn a_full_disk_is_an_error_to_who_writes_and_to_nobody_else() {
    let mut broker = BrokerProcess::prepared(&["--set", "log.segment.bytes=1048576"]);
    let Some(disk) = Disk::mount(&broker.data_dir(), "12m") else {
        eprintln!("SKIPPED: a file system cannot be mounted here, so that nothing was shown of a full one");
        return;
    };
    broker.start_again();
    let pid = broker.pid();
    let mut client = LogClient::connect(&broker.bootstrap());
    TOPICS
        .iter()
        .for_each(|topic| client.create(topic, 1, &[("message.timestamp.after.max.ms", "9223372036854775807")]));
    let mut written = Written::default();

    disk.take(4 << 20);
    // One writer fills it, by large batches; what it leaves somebody else takes.
    written.write(&mut client, "small", 100).unwrap();
    while written.write(&mut client, "large", 100_000).is_ok() {}
    disk.fill();
    let mut refused = 0;
    for _ in 0..200 {
        refused += usize::from(written.write(&mut client, "large", 20_000).is_err());
        refused += usize::from(written.write(&mut client, "small", 1000).is_err());
    }
    assert!(refused > 200, "only {refused} of 400 were refused");
    eprintln!("{} acknowledged and {} refused on a full disk", written.acknowledged.len(), written.refused);
    assert_eq!(broker.pid(), pid);
    written.check(&mut client);

    // By itself, without a start.
    disk.free();
    for topic in TOPICS {
        let what = format!("{topic} goes on when there is room");
        wait_until(&what, PATIENCE, || written.write(&mut client, topic, 10_000).is_ok());
    }
    written.check(&mut client);

    disk.take(2 << 20);
    // Full again, killed, and started while it is full.
    while written.write(&mut client, "large", 100_000).is_ok() {}
    disk.fill();
    let _ = written.write(&mut client, "small", 1000);
    broker.kill();
    broker.start_again();
    let mut client = LogClient::connect(&broker.bootstrap());
    written.check(&mut client);
    let _ = written.write(&mut client, "large", 20_000);
    disk.free();
    for topic in TOPICS {
        let what = format!("{topic} goes on when there is room");
        wait_until(&what, PATIENCE, || written.write(&mut client, topic, 10_000).is_ok());
    }
    written.check(&mut client);
    broker.stop();
    broker.start_again();
    written.check(&mut LogClient::connect(&broker.bootstrap()));
    drop(broker);
}
