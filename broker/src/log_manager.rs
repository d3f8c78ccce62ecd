//! The work on logs that nobody asks for: old segments go, and compacted topics are compacted (Kafka's `LogManager` and
//! `LogCleaner`). One task drives it; what touches files runs on the blocking pool, one log at a time.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use brooklet_storage::{CleanerConfig, CompactionPlan, DataDir, Error, PreviousStop};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::BrokerConfig;
use crate::partition::{Partition, Upkeep};
use crate::topics::{Topic, Topics};

/// See the module.
#[derive(Debug)]
pub(crate) struct LogManager {
    topics: Arc<Topics>,
    data_dir: Arc<DataDir>,
    clock: Clock,
    settings: LogManagerSettings,
    /// What was last kept of recovery points.
    recovery_points: BTreeMap<(String, i32), i64>,
    /// Files that are no part of a log any more, and when they go (`file.delete.delay.ms`).
    remains: Vec<(Instant, PathBuf)>,
}

/// The configs that the manager follows.
#[derive(Debug, Clone)]
struct LogManagerSettings {
    /// `log.initial.task.delay.ms`.
    initial_delay: Duration,
    /// `log.retention.check.interval.ms`.
    retention_interval: Duration,
    /// `log.flush.offset.checkpoint.interval.ms`.
    checkpoint_interval: Duration,
    /// `log.cleaner.backoff.ms`; `None` where `log.cleaner.enable` is false.
    cleaner_backoff: Option<Duration>,
    cleaner: CleanerConfig,
}

impl LogManagerSettings {
    fn of(config: &BrokerConfig) -> Self {
        Self {
            initial_delay: config.log_initial_task_delay,
            retention_interval: config.log_retention_check_interval,
            checkpoint_interval: config.log_flush_offset_checkpoint_interval,
            cleaner_backoff: config.log_cleaner_enable.then_some(config.log_cleaner_backoff),
            cleaner: CleanerConfig {
                dedupe_buffer_bytes: usize::try_from(config.log_cleaner_dedupe_buffer_size).unwrap_or(usize::MAX),
                load_factor: config.log_cleaner_io_buffer_load_factor,
            },
        }
    }
}

impl LogManager {
    pub(crate) fn new(topics: Arc<Topics>, data_dir: Arc<DataDir>, clock: Clock, config: &BrokerConfig) -> Self {
        Self {
            topics,
            data_dir,
            clock,
            settings: LogManagerSettings::of(config),
            recovery_points: BTreeMap::new(),
            remains: Vec::new(),
        }
    }

    /// Works until `stop`. What was to be removed later is removed then.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        if self.data_dir.previous_stop() == PreviousStop::MachineStopped {
            self.check_all(&stop).await;
        }
        let begin = Instant::now() + self.settings.initial_delay;
        let mut next_retention = begin;
        let mut next_checkpoint = begin + self.settings.checkpoint_interval;
        let mut next_cleaning = self.settings.cleaner_backoff.map(|_| begin);
        loop {
            let removal = self.remains.iter().map(|(at, _)| *at).min();
            let next = [Some(next_retention), Some(next_checkpoint), next_cleaning, removal]
                .into_iter()
                .flatten()
                .min()
                .unwrap_or(next_retention);
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep_until(next) => {}
            }
            let now = Instant::now();
            let (retain, clean) = (now >= next_retention, next_cleaning.is_some_and(|at| now >= at));
            let checkpoint = now >= next_checkpoint;
            let stop = stop.clone();
            let work = tokio::task::spawn_blocking(move || {
                self.remove_due(now);
                if retain {
                    self.retain_all(&stop);
                }
                if clean {
                    self.clean_open();
                }
                if retain && self.settings.cleaner_backoff.is_some() {
                    self.clean_unopened(&stop);
                }
                if checkpoint {
                    self.keep_recovery_points();
                }
                self
            });
            self = match work.await {
                Ok(manager) => manager,
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            };
            if retain {
                next_retention = Instant::now() + self.settings.retention_interval;
            }
            if checkpoint {
                next_checkpoint = Instant::now() + self.settings.checkpoint_interval;
            }
            if clean {
                next_cleaning = self.settings.cleaner_backoff.map(|backoff| Instant::now() + backoff);
            }
        }
        self.remains.iter().for_each(|(_, path)| remove(path));
    }

    /// Checks every log after the machine has stopped. Whoever asks for one meanwhile has it checked at once; the others
    /// must be before the directory can be trusted again.
    async fn check_all(&self, stop: &CancellationToken) {
        let (topics, data_dir, stop) = (Arc::clone(&self.topics), Arc::clone(&self.data_dir), stop.clone());
        let check = move || {
            let mut all = true;
            for topic in topics.all() {
                for partition in topic.partitions().iter() {
                    if stop.is_cancelled() {
                        return;
                    }
                    if let Err(error) = partition.check() {
                        failed(&error, &topic, partition, "not checked after the machine stopped");
                        all = false;
                    }
                }
            }
            if all && let Err(error) = data_dir.all_checked() {
                tracing::warn!(%error, "all logs were checked, and the next start will check them again");
            }
        };
        if let Err(panic) = tokio::task::spawn_blocking(check).await {
            std::panic::resume_unwind(panic.into_panic());
        }
    }

    fn remove_due(&mut self, now: Instant) {
        self.remains.retain(|(at, path)| {
            if *at <= now {
                remove(path);
            }
            *at > now
        });
    }

    fn retain_all(&mut self, stop: &CancellationToken) {
        for topic in self.topics.all() {
            for partition in topic.partitions().iter().take_while(|_| !stop.is_cancelled()) {
                match partition.retain(self.clock.wall_ms()) {
                    Ok(remains) => self.remove_later(&topic, remains),
                    Err(error) => failed(&error, &topic, partition, "old segments not removed"),
                }
            }
        }
    }

    /// Keeps up to where logs have been flushed, so that a start after the machine has stopped need not check it.
    fn keep_recovery_points(&mut self) {
        let mut found = BTreeMap::new();
        for topic in self.topics.all() {
            for partition in topic.partitions().iter() {
                if let Some(offset) = partition.recovery_point().filter(|offset| *offset > 0) {
                    found.insert((topic.name().to_owned(), partition.index()), offset);
                }
            }
        }
        if found == self.recovery_points {
            return;
        }
        match self.data_dir.set_recovery_points(found.clone()) {
            Ok(()) => self.recovery_points = found,
            Err(error) => tracing::warn!(%error, "recovery points not kept; it is tried again later"),
        }
    }

    /// Compacts what is due of the logs that are open, the dirtiest first.
    fn clean_open(&mut self) {
        let mut due = Vec::new();
        for topic in self.compacted() {
            for partition in topic.partitions().iter().filter(|partition| partition.is_open()) {
                match self.plan_if_due(&topic, partition) {
                    Ok(Some((plan, _))) => due.push((plan, Arc::clone(&topic), Arc::clone(partition))),
                    Ok(None) => {}
                    Err(error) => failed(&error, &topic, partition, "not looked at for compaction"),
                }
            }
        }
        due.sort_by(|(a, ..), (b, ..)| b.cleanable_ratio().total_cmp(&a.cleanable_ratio()));
        for (plan, topic, partition) in due {
            let cleaned = partition.upkeep().and_then(|upkeep| self.clean(&plan, &topic, &partition, &upkeep));
            if let Err(error) = cleaned {
                failed(&error, &topic, &partition, "not compacted");
            }
        }
    }

    /// Compacts what is due of the logs that nobody has opened, one at a time. Nothing is appended to them, so that time and
    /// configs alone make them due: they are looked at as rarely as retention looks.
    fn clean_unopened(&mut self, stop: &CancellationToken) {
        for topic in self.compacted() {
            let partitions = topic.partitions();
            let unopened = partitions.iter().filter(|partition| !partition.is_open());
            for partition in unopened.take_while(|_| !stop.is_cancelled()) {
                if let Err(error) = self.clean_unopened_log(&topic, partition) {
                    failed(&error, &topic, partition, "not compacted");
                }
            }
        }
    }

    fn clean_unopened_log(&mut self, topic: &Arc<Topic>, partition: &Partition) -> Result<(), Error> {
        if !partition.may_be_due(self.clock.wall_ms())? {
            return Ok(());
        }
        match self.plan_if_due(topic, partition)? {
            Some((plan, upkeep)) => self.clean(&plan, topic, partition, &upkeep),
            None => Ok(()),
        }
    }

    fn compacted(&self) -> impl Iterator<Item = Arc<Topic>> + use<> {
        self.topics.all().into_iter().filter(|topic| topic.settings().log.cleanup_compact)
    }

    fn plan_if_due<'a>(
        &self,
        topic: &Topic,
        partition: &'a Partition,
    ) -> Result<Option<(CompactionPlan, Upkeep<'a>)>, Error> {
        let upkeep = partition.upkeep()?;
        let upto = self.data_dir.compacted_upto(topic.name(), partition.index());
        let plan = upkeep.compaction_plan(upto, self.clock.wall_ms())?;
        Ok(plan.filter(CompactionPlan::is_due).map(|plan| (plan, upkeep)))
    }

    fn clean(
        &mut self,
        plan: &CompactionPlan,
        topic: &Arc<Topic>,
        partition: &Partition,
        upkeep: &Upkeep<'_>,
    ) -> Result<(), Error> {
        let cleaner = self.settings.cleaner;
        let mut remains = Vec::new();
        // Compaction leaves gaps between segments, which a start after the machine has stopped takes for damage, unless it
        // knows that all was on disk.
        let offset = upkeep.flush()?;
        self.data_dir.set_recovery_points([((topic.name().to_owned(), partition.index()), offset)])?;
        let end = plan.carry_out(&cleaner, self.clock.wall_ms(), |cleaned| {
            let replaced = upkeep.replace_segments(&cleaned)?;
            let stands = replaced.is_some();
            remains.extend(replaced.into_iter().flatten());
            Ok(stands)
        });
        self.remove_later(topic, remains);
        self.data_dir.set_compacted_upto(topic.name(), partition.index(), end?)?;
        tracing::debug!(topic = topic.name(), partition = partition.index(), "compacted");
        Ok(())
    }

    fn remove_later(&mut self, topic: &Topic, remains: Vec<PathBuf>) {
        let delay = u64::try_from(topic.settings().config.file_delete_delay_ms).unwrap_or(0);
        let at = Instant::now() + Duration::from_millis(delay);
        self.remains.extend(remains.into_iter().map(|path| (at, path)));
    }
}

fn failed(error: &Error, topic: &Topic, partition: &Partition, what: &str) {
    tracing::error!(%error, topic = topic.name(), partition = partition.index(), "{what}");
}

fn remove(path: &PathBuf) {
    match std::fs::remove_file(path) {
        // Its topic was deleted meanwhile.
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(%error, path = %path.display(), "a file remains until the log is opened again");
        }
        _ => {}
    }
}
