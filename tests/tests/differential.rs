//! The same requests to Apache Kafka and to Brooklet, drawn from a seed: sensible ones, out-of-range ones and broken ones,
//! in any order. What the two answer is the same, field by field, but for what each broker chooses for itself.
//!
//! `DIFFERENTIAL_SEED=n` draws another sequence, `DIFFERENTIAL_STEPS=n` a longer one.
#![allow(clippy::unwrap_used)]

use brooklet_tests::apache_kafka::ApacheKafka;
use brooklet_tests::differential::step::{self, Area, Step};
use brooklet_tests::differential::{Random, Side, Versions, difference, settle};
use brooklet_tests::subject::Subject;

/// A seed for each area, so that a change of one leaves the others' sequences as they are.
const SEED: u64 = 20_260_921;
const STEPS: usize = 100;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[test]
fn both_brokers_answer_the_same() {
    let seed = number("DIFFERENTIAL_SEED").unwrap_or(SEED);
    let count = number("DIFFERENTIAL_STEPS").map_or(STEPS, |steps| usize::try_from(steps).unwrap());
    let properties = [
        "auto.create.topics.enable=false",
        // What is written here is as old as the seed.
        "log.retention.ms=-1",
        // Where all records of a segment are deleted, Kafka does not look for a timestamp in the next.
        "log.roll.ms=9223372036854775807",
    ];
    let kafka = ApacheKafka::start(&properties);
    let subject = Subject::start(&properties);
    let mut sides = [kafka.bootstrap(), subject.bootstrap()].map(|bootstrap| Side::connect(&bootstrap));
    let versions = common(&mut sides);
    step::wait_for_coordinators(&mut sides, &versions);

    let mut differences = String::new();
    for area in Area::ALL {
        let mut random = Random::new(seed);
        eprintln!("{area:?}: DIFFERENTIAL_SEED={seed}");
        for step in step::prepared(area) {
            compare(&mut sides, &step, &mut differences);
        }
        for number in 0..count {
            let Some(step) = step::draw(area, &mut random, &versions) else {
                continue;
            };
            let before = differences.len();
            compare(&mut sides, &step, &mut differences);
            if differences.len() > before {
                differences += &format!("({area:?}, step {number})\n");
            }
        }
    }
    assert!(differences.is_empty(), "the brokers answer differently:\n{differences}");
}

fn compare(sides: &mut [Side; 2], step: &Step, differences: &mut String) {
    // At the same time: what waits for members on one side must not run into a timeout on the other.
    let ask = &step.ask;
    let [one, other] = std::thread::scope(|scope| {
        let asked = sides.each_mut().map(|side| scope.spawn(move || ask(side)));
        asked.map(|side| side.join().unwrap())
    });
    if one != other {
        *differences += &format!("\n{}\n{}", step.name, difference(&one, &other));
    }
    if step.changes_metadata {
        settle(sides);
    }
}

/// The versions that both answer.
fn common(sides: &mut [Side; 2]) -> Versions {
    let [mut one, other] = sides.each_mut().map(Side::versions);
    one.retain(|key, (min, max)| {
        let Some((other_min, other_max)) = other.get(key) else {
            return false;
        };
        *min = (*min).max(*other_min);
        *max = (*max).min(*other_max);
        min <= max
    });
    one
}
