//! What is declared to this broker: read at start and whenever a file changes, and brought about in this process.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use brooklet::{Broker, Exposition};
use brooklet_declare::watch::{Fingerprint, Retries};
use brooklet_declare::{Admin, Condition, Connect, Reconciler, Remembered, Report, Secrets, Status, load};
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

/// Where in the data directory stands what was declared once.
const REMEMBERED: &str = "declared.json";

/// What is to be brought about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeclaredSettings {
    /// Files and directories.
    pub(crate) paths: Vec<PathBuf>,
    /// Whether what is declared no more is deleted.
    pub(crate) prune: bool,
}

/// How it stands with what is declared, as `/declared` tells.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Declared {
    /// How often all was looked at, or 0: it has not been yet.
    pub(crate) passes: u64,
    /// How many changes were made since the start.
    pub(crate) changes: u64,
    /// How it stands with each thing.
    pub(crate) conditions: Vec<Condition>,
}

impl Declared {
    /// How many things are as they are declared.
    pub(crate) fn ready(&self) -> usize {
        self.conditions.iter().filter(|condition| condition.status == Status::Ready).count()
    }

    /// As `/metrics` has it; nothing if nothing is declared.
    pub(crate) fn write_metrics(&self, out: &mut Exposition) {
        if self.passes == 0 {
            return;
        }
        let name = "brooklet_declared_resources";
        out.begin(name, "Declared resources by whether they are as declared", "gauge");
        out.sample(name, &[("status", "ready")], self.ready() as f64);
        out.sample(name, &[("status", "notready")], self.failing().count() as f64);
        out.counter("brooklet_declared_changes_total", "Changes made to what is declared", self.changes);
    }

    /// What is not.
    pub(crate) fn failing(&self) -> impl Iterator<Item = &Condition> {
        self.conditions.iter().filter(|condition| condition.status == Status::NotReady)
    }
}

/// Who looks secrets up, as Connect's worker does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Providers;

impl Secrets for Providers {
    #[cfg(feature = "connect")]
    fn look_up(&self, reference: &str) -> Result<Option<String>, String> {
        brooklet_connect_shim::connector_config::config_providers::look_up(reference)
    }

    #[cfg(not(feature = "connect"))]
    fn look_up(&self, reference: &str) -> Result<Option<String>, String> {
        brooklet_declare::secrets::Environment.look_up(reference)
    }
}

/// Brings about what is declared until `stop`, and tells of it. Returns once all was applied, as far as it could be.
pub(crate) async fn start<C: Connect + 'static>(
    settings: DeclaredSettings,
    broker: &Broker,
    connect: Option<C>,
    told: watch::Sender<Arc<Declared>>,
    stop: CancellationToken,
) {
    let mut telling = told.subscribe();
    let DeclaredSettings { paths, prune } = settings;
    let reconciler = Reconciler { admin: broker.admin(), connect, secrets: Providers, prune };
    let remembered = broker.data_dir().join(REMEMBERED);
    tokio::spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = follow(paths, reconciler, remembered, told) => {}
        }
    });
    // The sender is gone only if the task is, which has told why.
    let _ = telling.wait_for(|declared| declared.passes > 0).await;
}

async fn follow<A: Admin, C: Connect>(
    paths: Vec<PathBuf>,
    reconciler: Reconciler<A, C, Providers>,
    file: PathBuf,
    told: watch::Sender<Arc<Declared>>,
) {
    let mut remembered = recall(&file).await;
    let mut retries = Retries::default();
    loop {
        // Before files are read, so that no change after that is missed.
        let declaring = Fingerprint::look(&paths).await;
        let read = paths.clone();
        let loaded = spawn_blocking(move || load(&read)).await.unwrap_or_default();
        let secrets = loaded.files_of_secrets();
        let fingerprint = declaring.and(Fingerprint::look(&secrets).await);
        let before = remembered.clone();
        let report = reconciler.reconcile(&loaded, &mut remembered).await;
        if remembered != before {
            keep(&file, &remembered).await;
        }
        let may_be_tried_again = report.may_be_tried_again();
        tell(&told, report);
        let pause = retries.pause();
        let watched = [paths.as_slice(), &secrets].concat();
        tokio::select! {
            () = fingerprint.changed(&watched) => retries = Retries::default(),
            () = tokio::time::sleep(pause), if may_be_tried_again => {}
        }
    }
}

/// Tells how it stands; in the log, what was not so before.
fn tell(told: &watch::Sender<Arc<Declared>>, report: Report) {
    let before = Arc::clone(&told.borrow());
    for condition in report.conditions.iter().filter(|condition| !before.conditions.contains(condition)) {
        match condition.status {
            Status::Ready => tracing::debug!("declared: {condition}"),
            Status::NotReady => tracing::warn!("declared: {condition}"),
            Status::Skipped => tracing::info!("declared: {condition}"),
        }
    }
    let changes = before.changes + report.changes as u64;
    let declared = Declared { passes: before.passes + 1, changes, conditions: report.conditions };
    if before.passes == 0 || report.changes > 0 {
        let (ready, failing) = (declared.ready(), declared.failing().count());
        tracing::info!(ready, failing, changes = report.changes, "declared resources applied");
    }
    told.send_replace(Arc::new(declared));
}

async fn recall(file: &Path) -> Remembered {
    let path = file.to_owned();
    match spawn_blocking(move || Remembered::read(&path)).await {
        Ok(Ok(remembered)) => remembered,
        Ok(Err(error)) => {
            tracing::error!(%error, file = %file.display(), "what was declared before is not known, so none of it is pruned");
            Remembered::default()
        }
        Err(_) => Remembered::default(),
    }
}

async fn keep(file: &Path, remembered: &Remembered) {
    let (path, remembered) = (file.to_owned(), remembered.clone());
    if let Ok(Err(error)) = spawn_blocking(move || remembered.write(&path)).await {
        tracing::error!(%error, file = %file.display(), "what is declared is not kept, and may not be pruned later");
    }
}
