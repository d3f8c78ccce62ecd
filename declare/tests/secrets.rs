//! A secret that changes reaches the connector that refers to it, once.
#![allow(clippy::unwrap_used)]

mod world;

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use brooklet_declare::{Loaded, Reason, Reconciler, Remembered, Report, Secrets};
use world::{World, failing, yaml};

/// What `${dir:/mnt:pw}` stands for.
#[derive(Debug)]
struct Mounted<'a>(&'a Mutex<Option<&'static str>>);

impl Secrets for Mounted<'_> {
    fn look_up(&self, reference: &str) -> Result<Option<String>, String> {
        assert_eq!(reference, "dir:/mnt:pw");
        Ok(self.0.lock().unwrap().map(str::to_owned))
    }
}

fn connector(more: &str) -> Loaded {
    yaml(&format!(
        "apiVersion: kafka.strimzi.io/v1\nkind: KafkaConnector\nmetadata: {{name: inventory}}\nspec: {{class: x.Y{more}, \
         config: {{database.password: \"${{dir:/mnt:pw}}\", topic.prefix: a}}}}"
    ))
}

/// A cluster, what is mounted, and what is remembered from one time to the next.
#[derive(Default)]
struct Story {
    world: World,
    mounted: Mutex<Option<&'static str>>,
    remembered: Remembered,
}

impl Story {
    /// What is asked of the cluster while this is mounted.
    async fn asked(&mut self, mounted: Option<&'static str>, loaded: &Loaded) -> (Vec<String>, Report) {
        *self.mounted.lock().unwrap() = mounted;
        let secrets = Mounted(&self.mounted);
        let reconciler = Reconciler { admin: &self.world, connect: Some(&self.world), secrets, prune: false };
        let report = reconciler.reconcile(loaded, &mut self.remembered).await;
        (self.world.take_altering(), report)
    }

    async fn steps(&mut self, mounted: &'static str, loaded: &Loaded) -> Vec<String> {
        self.asked(Some(mounted), loaded).await.0
    }

    /// The broker is started again: what is in its data directory is all it knows.
    fn start_again(&mut self) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("declared.json");
        self.remembered.write(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("given") && !text.contains("first"), "{text}");
        self.remembered = Remembered::read(&path).unwrap();
    }
}

#[tokio::test]
async fn a_connector_is_restarted_once_for_each_change() {
    let (mut story, loaded) = (Story::default(), connector(""));
    assert_eq!(loaded.files_of_secrets(), [PathBuf::from("/mnt/pw")]);
    assert_eq!(story.steps("first", &loaded).await, ["put inventory"]);
    assert!(story.steps("first", &loaded).await.is_empty());
    let (steps, report) = story.asked(Some("second"), &loaded).await;
    assert_eq!(steps, ["restart inventory"]);
    assert_eq!((report.changes, report.conditions[0].reason), (1, Reason::Altered));
    assert!(story.steps("second", &loaded).await.is_empty());

    // With another config it is restarted anyway.
    assert_eq!(story.steps("third", &connector(", tasksMax: 1")).await, ["put inventory"]);
    assert!(story.steps("third", &connector(", tasksMax: 1")).await.is_empty());
    // Whoever is started looks everything up.
    story.start_again();
    assert!(story.steps("fourth", &connector(", tasksMax: 1")).await.is_empty());
    assert_eq!(story.steps("fifth", &connector(", tasksMax: 1")).await, ["restart inventory"]);
}

#[tokio::test]
async fn one_that_does_not_run_is_not_restarted() {
    let mut story = Story::default();
    story.steps("first", &connector("")).await;
    let paused = connector(", state: paused");
    assert_eq!(story.steps("first", &paused).await, ["state inventory paused"]);
    assert!(story.steps("second", &paused).await.is_empty());
    // It looks up what is there when it goes on.
    assert_eq!(story.steps("third", &connector(", state: running")).await, ["state inventory running"]);
    assert!(story.steps("third", &connector("")).await.is_empty());
}

#[tokio::test]
async fn what_could_not_be_restarted_is_tried_again() {
    let (mut story, loaded) = (Story::default(), connector(""));
    story.steps("first", &loaded).await;
    *story.world.is_refusing.lock().unwrap() = true;
    let (steps, report) = story.asked(Some("second"), &loaded).await;
    assert_eq!(steps, ["restart inventory"]);
    assert_eq!(failing(&report), ["topics.yaml:1: KafkaConnector inventory NotReady Unavailable: not now"]);
    assert!(report.may_be_tried_again());
    *story.world.is_refusing.lock().unwrap() = false;
    assert_eq!(story.steps("second", &loaded).await, ["restart inventory"]);
    assert!(story.steps("second", &loaded).await.is_empty());
}

#[tokio::test]
async fn a_secret_that_comes_late_reaches_a_connector_that_was_kept() {
    let (mut story, loaded) = (Story::default(), connector(""));
    story.steps("first", &loaded).await;
    story.start_again();
    let (steps, report) = story.asked(None, &loaded).await;
    assert_eq!((steps.len(), report.conditions[0].reason), (0, Reason::MissingSecret));
    assert_eq!(story.steps("first", &loaded).await, ["restart inventory"]);
    // One that is gone for a moment changes nothing.
    story.asked(None, &loaded).await;
    assert!(story.steps("first", &loaded).await.is_empty());
}

#[test]
fn what_is_not_in_files_has_no_files() {
    let loaded =
        Loaded::of_text(Path::new("x.json"), "{\"topic\": [{\"name\": \"a\", \"config\": \"retention.ms=${env:A}\"}]}");
    assert!(loaded.files_of_secrets().is_empty());
}
