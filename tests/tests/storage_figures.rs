//! What stored data costs: memory, open files, disk, and time to be ready. Each figure has a limit, and all are of the
//! release build (`just figures`): a debug build would be measured for nothing.
#![allow(clippy::unwrap_used)]

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use brooklet_protocol::records::BatchBuilder;
use brooklet_tests::broker::BrokerProcess;
use brooklet_tests::log_client::LogClient;
use bytes::Bytes;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// What the large tests store, in bytes; `FIGURES_GIB` sets another number of GiB.
fn stored() -> u64 {
    std::env::var("FIGURES_GIB").map_or(10, |text| text.parse().unwrap()) * GIB
}

/// A batch of so many bytes or a little more.
fn batch(bytes: usize) -> Bytes {
    batch_at(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap(), bytes)
}

fn batch_at(timestamp: i64, bytes: usize) -> Bytes {
    let mut builder = BatchBuilder::new();
    builder.push(timestamp, Some(b"key"), Some(&vec![b'x'; bytes]), &[]);
    builder.build().unwrap()
}

/// Writes to one partition after the other until `total` bytes are there. Returns the greatest resident set, anonymous
/// and of files, that was seen meanwhile.
fn write(broker: &BrokerProcess, topics: &[String], total: u64) -> u64 {
    let mut client = LogClient::connect(&broker.bootstrap());
    let batch = batch(1_000_000);
    let mut peak = 0;
    for number in 0..total.div_ceil(batch.len() as u64) {
        client.produce(&topics[usize::try_from(number).unwrap() % topics.len()], 0, &batch);
        if number % 16 == 0 {
            peak = peak.max(resident(broker));
        }
    }
    peak.max(resident(broker))
}

/// Reads a partition from its beginning to its end. Returns how many bytes that were, and the greatest resident set.
fn read(broker: &BrokerProcess, topic: &str, max_bytes: i32) -> (u64, u64) {
    let mut client = LogClient::connect(&broker.bootstrap());
    let (mut offset, mut bytes, mut peak) = (0, 0, 0);
    for round in 0.. {
        let fetched = client.fetch(topic, 0, offset, max_bytes, false);
        assert_eq!(fetched.error, 0);
        bytes += fetched.records.len() as u64;
        let last = brooklet_protocol::records::batches(fetched.records).map_while(Result::ok).last();
        offset = last.map_or(offset, |batch| batch.header().next_offset());
        if round % 8 == 0 {
            peak = peak.max(resident(broker));
        }
        if offset >= fetched.high_watermark {
            break;
        }
    }
    (bytes, peak.max(resident(broker)))
}

fn resident(broker: &BrokerProcess) -> u64 {
    let (anonymous, file) = broker.resident();
    anonymous + file
}

fn show(broker: &BrokerProcess, when: &str) -> u64 {
    let (anonymous, file) = broker.resident();
    println!(
        "  {when}: {:.1} MiB resident, {:.1} anonymous and {:.1} of files; {} files open, {} maps",
        mib(anonymous + file),
        mib(anonymous),
        mib(file),
        open_files(broker),
        maps(broker)
    );
    anonymous + file
}

fn open_files(broker: &BrokerProcess) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", broker.pid())).unwrap().count()
}

fn maps(broker: &BrokerProcess) -> usize {
    std::fs::read_to_string(format!("/proc/{}/maps", broker.pid())).unwrap().lines().count()
}

/// Blocks of a directory and all in it, in bytes.
fn blocks(path: &Path) -> u64 {
    let meta = std::fs::symlink_metadata(path).unwrap();
    let below = match meta.is_dir() {
        true => std::fs::read_dir(path).unwrap().map(|entry| blocks(&entry.unwrap().path())).sum(),
        false => 0,
    };
    meta.blocks() * 512 + below
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / MIB as f64
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Makes topics of one partition, and returns their names.
fn topics(client: &mut LogClient, count: usize) -> Vec<String> {
    let names: Vec<String> = (0..count).map(|index| format!("topic-{index:05}")).collect();
    names.iter().for_each(|name| client.create(name, 1, &[]));
    names
}

#[test]
#[ignore = "figures are taken on demand"]
fn memory_after_10_gib_through_one_broker() {
    let broker = BrokerProcess::start(&[]);
    show(&broker, "idle");
    let topics = topics(&mut LogClient::connect(&broker.bootstrap()), 1);
    let begun = Instant::now();
    let peak = write(&broker, &topics, stored());
    println!("  written in {:.1} s, at most {:.1} MiB meanwhile", begun.elapsed().as_secs_f64(), mib(peak));
    show(&broker, "after writing");
    let begun = Instant::now();
    let (bytes, peak) = read(&broker, &topics[0], 1 << 20);
    assert!(bytes >= stored());
    println!("  read by 1 MiB in {:.1} s, at most {:.1} MiB meanwhile", begun.elapsed().as_secs_f64(), mib(peak));
    let after = show(&broker, "after writing and reading");
    let (_, peak) = read(&broker, &topics[0], 50 << 20);
    println!("  read by 50 MiB: at most {:.1} MiB meanwhile", mib(peak));
    assert!(peak < 48 * MIB, "{:.1} MiB while 50 MiB were fetched", mib(peak));
    let again = show(&broker, "after reading again");
    assert!(after < 48 * MIB && again < 48 * MIB, "{:.1} and {:.1} MiB", mib(after), mib(again));
}

#[test]
#[ignore = "figures are taken on demand"]
fn memory_with_1_000_topics_each_written() {
    let broker = BrokerProcess::start(&[]);
    let mut client = LogClient::connect(&broker.bootstrap());
    let topics = topics(&mut client, 1000);
    show(&broker, "with 1,000 topics that nothing was written to");
    let empty = blocks(&broker.data_dir()) / 1000;
    println!("  an empty topic costs {empty} bytes of blocks, all of the directory counted");
    let small = batch(1000);
    for topic in &topics {
        client.produce(topic, 0, &small);
    }
    let after = show(&broker, "each written once");
    let one = blocks(&broker.data_dir().join("topic-00000-0"));
    println!("  a topic with one record costs {one} bytes of blocks");
    let mut last = after;
    for load in 1..=5 {
        for _ in 0..20 {
            for topic in &topics {
                client.produce(topic, 0, &small);
            }
        }
        for topic in &topics {
            let fetched = client.fetch(topic, 0, 0, 1 << 20, true);
            assert!(!fetched.records.is_empty());
        }
        last = show(&broker, &format!("after load {load} of 20 records to each topic, each topic read"));
    }
    assert!(after < 40 * MIB && last < 40 * MIB, "{:.1} and then {:.1} MiB", mib(after), mib(last));
    assert!(empty < 16 << 10);
}

/// A low, steady load on 1,000 topics for `SOAK_MINUTES`: nothing may grow with time.
#[test]
#[ignore = "it takes an hour"]
fn memory_with_1_000_topics_does_not_grow_in_an_hour() {
    const ROUND: Duration = Duration::from_secs(5);
    let minutes: u64 = std::env::var("SOAK_MINUTES").map_or(60, |text| text.parse().unwrap());
    // What is old goes while more comes, as in a broker that has run for long.
    let configs = [("segment.bytes", "1048576"), ("retention.bytes", "2097152")];
    let broker = BrokerProcess::start(&["--set", "log.retention.check.interval.ms=10000"]);
    let mut client = LogClient::connect(&broker.bootstrap());
    let names: Vec<String> = (0..1000).map(|index| format!("topic-{index:05}")).collect();
    names.iter().for_each(|name| client.create(name, 1, &configs));
    let small = batch(4000);
    let round = |client: &mut LogClient, number: usize| {
        let begun = Instant::now();
        for (index, topic) in names.iter().enumerate() {
            client.produce(topic, 0, &small);
            if index % 10 == number % 10 {
                let fetched = client.fetch(topic, 0, i64::try_from(number).unwrap(), 1 << 20, true);
                assert!(fetched.error == 0 && !fetched.records.is_empty(), "error {}", fetched.error);
            }
        }
        std::thread::sleep(ROUND.saturating_sub(begun.elapsed()));
    };
    // Until every segment and every buffer has been there once.
    (0..12).for_each(|number| round(&mut client, number));
    let before = broker.resident();
    show(&broker, "at the beginning");
    let begun = Instant::now();
    let mut most = (0, 0);
    for number in 12.. {
        round(&mut client, number);
        let (anonymous, file) = broker.resident();
        most = (most.0.max(anonymous), most.1.max(file));
        if number % 72 == 0 {
            show(&broker, &format!("after {} minutes", begun.elapsed().as_secs() / 60));
        }
        if begun.elapsed() >= Duration::from_secs(minutes * 60) {
            break;
        }
    }
    let after = broker.resident();
    show(&broker, "at the end");
    println!("  at most {:.1} MiB anonymous and {:.1} of files", mib(most.0), mib(most.1));
    assert!(after.0 < before.0 + 2 * MIB, "anonymous memory grew from {:.1} to {:.1} MiB", mib(before.0), mib(after.0));
    assert!(after.0 + after.1 < 40 * MIB, "{:.1} MiB", mib(after.0 + after.1));
}

#[test]
#[ignore = "figures are taken on demand"]
fn open_files_and_maps_with_10_000_partitions() {
    let mut broker = BrokerProcess::limited(1024, &["--set", "log.retention.ms=-1"]);
    let mut client = LogClient::connect(&broker.bootstrap());
    let names: Vec<String> = (0..10).map(|index| format!("wide-{index}")).collect();
    names.iter().for_each(|name| client.create(name, 1000, &[]));
    let day = 24 * 3_600_000;
    let at = |days: i64| batch_at(1_700_000_000_000 + days * day, 1000);
    let all = || names.iter().flat_map(|name| (0..1000).map(move |partition| (name, partition)));
    for (name, partition) in all() {
        client.produce(name, partition, &at(0));
    }
    show(&broker, "10,000 partitions each written once");
    // Enough for an entry in each index.
    for (name, partition) in all() {
        for _ in 0..8 {
            client.produce(name, partition, &at(0));
        }
    }
    show(&broker, "each with entries in its indexes");
    for (name, partition) in all() {
        assert!(client.fetch(name, partition, 0, 1 << 20, true).records.len() > 9000);
    }
    show(&broker, "each read");
    // More segments than a process may have maps: a batch that is eight days later begins another.
    for (name, partition) in all() {
        for segment in 1..=6 {
            client.produce(name, partition, &at(8 * segment));
        }
    }
    show(&broker, "each with seven segments");
    for (name, partition) in all() {
        assert_eq!(client.read_from(name, partition, 0).len(), 15);
    }
    show(&broker, "all segments read");
    assert!(open_files(&broker) < 1024 && maps(&broker) < 60_000);
    broker.kill();
    broker.start_again();
    let mut client = LogClient::connect(&broker.bootstrap());
    for (name, partition) in all() {
        assert_eq!(client.read_from(name, partition, 0).len(), 15);
        client.produce(name, partition, &at(48));
    }
    show(&broker, "killed, started again, each read and written");
    assert!(open_files(&broker) < 1024 && maps(&broker) < 60_000);
}

#[test]
#[ignore = "figures are taken on demand"]
fn disk_of_a_fresh_directory() {
    let mut broker = BrokerProcess::start(&[]);
    let fresh = blocks(&broker.data_dir());
    println!("  a fresh data directory: {fresh} bytes of blocks");
    broker.stop();
    println!("  after a clean stop: {} bytes of blocks", blocks(&broker.data_dir()));
    assert!(fresh < MIB);
}

#[test]
#[ignore = "figures are taken on demand"]
fn time_to_be_ready_with_1_000_partitions_and_10_gib() {
    let mut broker = BrokerProcess::start(&[]);
    let topics = topics(&mut LogClient::connect(&broker.bootstrap()), 1000);
    write(&broker, &topics, stored());
    let all = |broker: &mut BrokerProcess, what: &str| {
        let listening = broker.start_again();
        let begun = Instant::now();
        let mut client = LogClient::connect(&broker.bootstrap());
        client.produce(&topics[0], 0, &batch(1000));
        println!("  {what}: listens after {:.0} ms, writes {:.0} ms later", ms(listening), ms(begun.elapsed()));
        let begun = Instant::now();
        for topic in &topics {
            client.produce(topic, 0, &batch(1000));
        }
        println!("    all 1,000 written to after {:.0} ms more", ms(begun.elapsed()));
        listening
    };
    let stopped = broker.stop();
    println!("  a clean stop took {:.0} ms", ms(stopped));
    let clean = (0..3).map(|_| {
        let ready = all(&mut broker, "after a clean stop");
        broker.stop();
        ready
    });
    let clean = clean.max().unwrap();
    broker.start_again();
    let killed = (0..3).map(|_| {
        broker.kill();
        all(&mut broker, "after kill -9")
    });
    let killed = killed.max().unwrap();
    assert!(clean < Duration::from_millis(200), "{clean:?} after a clean stop");
    assert!(killed < Duration::from_secs(2), "{killed:?} after kill -9");
}
