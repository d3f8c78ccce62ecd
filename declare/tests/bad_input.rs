//! Whatever is wrong is named with its file and line, and holds up nothing else.
#![allow(clippy::unwrap_used)]

mod world;

use std::path::Path;

use brooklet_declare::{Loaded, Remembered, load};
use proptest::prelude::*;
use world::{World, failing, reconcile};

fn topic(name: &str, spec: &str) -> String {
    format!("apiVersion: kafka.strimzi.io/v1\nkind: KafkaTopic\nmetadata:\n  name: {name}\nspec: {spec}\n")
}

#[tokio::test]
async fn each_mistake_is_named_and_all_else_is_applied() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("a-good.yaml", &topic("good", "{partitions: 2}"));
    write("b-kind.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n");
    write("c-type.yaml", &topic("typed", "\n  partitions: \"three\""));
    write("d-value.yaml", &topic("valued", "\n  config:\n    retention.ms: soon"));
    write("e-field.yaml", &topic("typo", "\n  partition: 3"));
    write("f-broken.yaml", "apiVersion: v1\nkind: [\n---\n");
    write("g-broken.json", "{\"name\": \"c\",\n \"config\": {\"connector.class\": \"x\",}}");
    write("h-secret.json", "{\"name\": \"c\", \"config\": {\"connector.class\": \"x.Y\",\n\"pw\": \"${env:GONE}\"}}");
    write("i-large.json", &format!("{{\"topic\": [{}]}}", " ".repeat(10 << 20)));
    write("j-twice.yaml", &topic("good", "{partitions: 3}"));
    write("k-version.yaml", "apiVersion: kafka.strimzi.io/v1alpha1\nkind: KafkaTopic\nmetadata: {name: old}\n");
    write("l-zero.json", "{\"topic\": [\n{\"name\": \"zero\", \"partitions\": 0}]}");
    write("m-nothing.yaml", "just: something\n");
    write("n-user.yaml", "apiVersion: kafka.strimzi.io/v1\nkind: KafkaUser\nmetadata: {name: me}\n");
    write("o-also-good.yaml", &topic("also-good", "{}"));
    write(
        "p-map.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata:\n  t.json: |\n    {\"topic\": [\n      {\"name\": 5, \"partitions\": []}]}\n",
    );
    std::fs::write(dir.path().join("q-bytes.yaml"), b"a: 1\nb: \xff\xfe\n").unwrap();
    write(".hidden.yaml", "kind: Nothing\n");
    write("readme.md", "not read");

    let (world, mut remembered) = (World::default(), Remembered::default());
    let report = reconcile(&world, &load(&[dir.path().to_owned()]), &mut remembered, false).await;
    let prefix = format!("{}/", dir.path().display());
    let mut told: Vec<String> = failing(&report).iter().map(|line| line.replace(&prefix, "")).collect();
    told.sort();
    let expected = [
        "b-kind.yaml:2: NotReady UnknownKind: nothing is known of Deployment of apps/v1",
        "c-type.yaml:6: KafkaTopic typed NotReady InvalidManifest: partitions must be a whole number, not a text",
        "d-value.yaml:7: KafkaTopic valued NotReady Refused: Invalid value soon",
        "e-field.yaml:6: KafkaTopic typo NotReady InvalidManifest: the spec of a KafkaTopic has no field partition, only",
        "f-broken.yaml:",
        "g-broken.json:2: NotReady InvalidFile: a name in quotes is expected here",
        "h-secret.json:2: KafkaConnector c NotReady MissingSecret: pw: ${env:GONE} stands for nothing",
        "i-large.json: NotReady InvalidFile: it is larger than 4 MiB",
        "j-twice.yaml:1: KafkaTopic good NotReady DeclaredTwice: declared at a-good.yaml:1 already, which counts",
        "k-version.yaml:1: KafkaTopic old NotReady InvalidManifest: KafkaTopic is known in",
        "l-zero.json:2: KafkaTopic zero NotReady InvalidManifest: partitions cannot be 0",
        "m-nothing.yaml:1: NotReady UnknownKind: expected a KafkaTopic",
        "p-map.yaml:7: KafkaTopic 5 NotReady InvalidManifest: partitions must be a whole number, not a list",
        "q-bytes.yaml: NotReady InvalidFile: line 2 is not UTF-8",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told}\n{expected}");
    }
    assert_eq!(world.names(), ["also-good", "good"]);
    assert_eq!(world.topic("good").unwrap().partitions, 2);
}

#[test]
fn production_directories_have_other_things_too() {
    let text = "apiVersion: kafka.strimzi.io/v1\nkind: Kafka\nmetadata: {name: production}\nspec: {}\n---\napiVersion: v1\nkind: \
                List\nitems:\n- apiVersion: kafka.strimzi.io/v1beta2\n  kind: KafkaTopic\n  metadata: {name: a}\n";
    let loaded = Loaded::of_text(Path::new("x.yaml"), text);
    assert_eq!(loaded.declared.len(), 1);
    assert_eq!(loaded.declared[0].place.line, 9);
    assert!(loaded.complete);
    let environments =
        r#"[{"name": "e", "kafka": [{"name": "c", "topic": [{"name": "a"}, {"name": "b"}], "acl": []}]}]"#;
    assert_eq!(Loaded::of_text(Path::new("environments"), environments).declared.len(), 2);
}

#[test]
fn a_connector_without_a_name_has_that_of_its_file() {
    let loaded = Loaded::of_text(Path::new("dir/inventory.json"), r#"{"connector.class": "x.Y", "tasks.max": 1}"#);
    assert_eq!(loaded.declared[0].resource.name(), "inventory");
    let two = r#"{"name": "a", "config": {"connector.class": "x.Y", "name": "b"}}"#;
    let loaded = Loaded::of_text(Path::new("x.json"), two);
    assert!(loaded.conditions[0].message.contains("the name b in the config is not the connector's, a"));
}

proptest! {
    #[test]
    fn whatever_a_file_holds_it_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("any");
        std::fs::write(&path, &bytes).unwrap();
        let loaded = load(&[path]);
        prop_assert!(loaded.declared.is_empty() || std::str::from_utf8(&bytes).is_ok());
    }

    #[test]
    fn manifests_with_anything_anywhere_are_read_or_refused(
        parts in proptest::collection::vec(
            prop_oneof![
                Just("apiVersion: kafka.strimzi.io/v1\n".to_owned()), Just("kind: KafkaTopic\n".to_owned()),
                Just("kind: KafkaConnector\n".to_owned()), Just("kind: ConfigMap\n".to_owned()),
                Just("metadata:\n  name: a\n".to_owned()), Just("spec:\n".to_owned()), Just("  config:\n".to_owned()),
                Just("  partitions: 3\n".to_owned()), Just("data:\n  k: |\n    kind: ConfigMap\n".to_owned()),
                Just("---\n".to_owned()), Just("topic: [{name: a, config: 'a=b,c'}]\n".to_owned()), "[ -~]{0,12}\n",
            ],
            0..12,
        )
    ) {
        let _ = Loaded::of_text(Path::new("x.yaml"), &parts.concat());
    }
}
