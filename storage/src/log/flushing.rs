//! How what was appended gets to the disk, and up to where it has (the recovery point).
//!
//! A flush takes long, and nobody should wait for it who does not ask for it. So it has three steps, as a compaction has:
//! under the log's lock a [`FlushPlan`] is drawn, without the lock it is carried out, and under the lock again the log
//! takes note of the outcome. Whoever wants to hold the lock all the while calls [`PartitionLog::flush`].
//!
//! What is flushed is what cannot be made again: batches, the entries of aborted transactions, and the names of files that
//! are new. A sealed segment's indexes follow when it is passed. The newest segment's are not: after the machine has
//! stopped, entries that are missing are made again, and none can be there that says something wrong.

use std::path::Path;
use std::sync::Arc;

use super::PartitionLog;
use crate::clock::Deadline;
use crate::disk::Dir;
use crate::error::Error;
use crate::leader_epochs;
use crate::partition_dir;
use crate::producer_snapshot;
use crate::segment::Segment;

/// The newest names in the log's directory: base offset of the last segment, and whether it has a file of aborted
/// transactions.
type Names = (i64, bool);

/// Which names are on disk for certain; `None` before the first flush.
#[derive(Debug, Default)]
pub(super) struct NamesOnDisk(Option<Names>);

/// What is to be handed to the disk.
#[derive(Debug)]
pub struct FlushPlan {
    dir: Dir,
    /// In order, with where each ends, and whether its indexes go too.
    segments: Vec<(Arc<Segment>, i64, bool)>,
    from: i64,
    upto: i64,
    /// Names that are not on disk yet.
    names: Option<Names>,
    /// Nor is the name of the directory itself.
    is_new: bool,
    /// Where the newest snapshot of producers is to be flushed too.
    snapshot: bool,
}

impl PartitionLog {
    /// Up to where all is on disk (Kafka's recovery point).
    pub fn recovery_point(&self) -> i64 {
        self.view.recovery_point()
    }

    /// What was appended since the last flush; `None` if nothing was. `at_stop` is for a log that was closed: then what
    /// makes the next start quick is flushed too.
    pub fn flush_plan(&self, at_stop: bool) -> Option<FlushPlan> {
        let (recovery_point, next_offset) = (self.view.recovery_point(), self.view.next_offset());
        if !self.condition.is_sound() || recovery_point >= next_offset {
            return None;
        }
        let segments = self.view.segments();
        // One that ends there was perhaps not sealed yet when it was flushed, and its indexes were not.
        let first = segments.partition_point(|segment| segment.base_offset() < recovery_point).saturating_sub(1);
        let active = self.active.as_ref().map(|active| active.shared().base_offset());
        let names = segments.last().map(|last| (last.base_offset(), last.has_aborted_file()));
        let ends = segments.iter().skip(1).map(|next| next.base_offset()).chain([next_offset]);
        let dirty = segments.iter().zip(ends).skip(first).map(|(segment, end)| {
            let sealed = Some(segment.base_offset()) != active;
            (Arc::clone(segment), end, sealed || at_stop)
        });
        Some(FlushPlan {
            dir: self.dir.clone(),
            segments: dirty.collect(),
            from: recovery_point,
            upto: next_offset,
            names: names.filter(|names| self.names_on_disk.0 != Some(*names)),
            is_new: self.names_on_disk.0.is_none(),
            snapshot: at_stop,
        })
    }

    /// Takes note of how a plan went. Where it failed, the log takes no more records: what the system could not write it
    /// may have forgotten. Returns up to where the log is on disk now.
    pub fn flushed(&mut self, plan: &FlushPlan, outcome: Result<i64, Error>) -> Result<i64, Error> {
        match outcome {
            Ok(upto) => {
                if let Some(names) = plan.names.filter(|_| upto > plan.from) {
                    self.names_on_disk.0 = Some(names);
                }
                let recovery_point = self.view.recovery_point().max(upto);
                self.view.publish_recovery_point(recovery_point);
                Ok(recovery_point)
            }
            Err(error) if error.is_passing() => Err(error),
            Err(error) => Err(self.poison(error)),
        }
    }

    /// Hands what was appended since the last flush to the disk, and waits for it, until `deadline` has passed. Returns
    /// up to where the log is on disk now.
    pub fn flush(&mut self, deadline: &Deadline) -> Result<i64, Error> {
        match self.flush_plan(true) {
            Some(plan) => {
                let outcome = plan.carry_out(deadline);
                self.flushed(&plan, outcome)
            }
            None => Ok(self.view.recovery_point()),
        }
    }
}

impl FlushPlan {
    /// Carries the plan out, until `deadline` has passed. Returns up to where the log is on disk then.
    pub fn carry_out(&self, deadline: &Deadline) -> Result<i64, Error> {
        // Where retention has left nothing, nothing is missing on disk.
        let mut upto = if self.segments.is_empty() { self.upto } else { self.from };
        for (segment, end, indexes) in &self.segments {
            match segment.flush(self.from, *indexes, deadline) {
                Ok(true) => upto = *end,
                Ok(false) => break,
                // Retention has removed it meanwhile.
                Err(error) if error.is_not_found() => upto = *end,
                Err(error) => return Err(error),
            }
        }
        if upto == self.from {
            return Ok(upto);
        }
        if self.snapshot {
            producer_snapshot::flush(&self.dir)?;
        }
        if self.names.is_some() {
            self.flush_names()?;
        }
        Ok(upto)
    }

    fn flush_names(&self) -> Result<(), Error> {
        let disk = &*self.dir.disk;
        let synced = disk.sync_file(&self.dir).and_then(|()| match self.dir.parent().filter(|_| self.is_new) {
            // From now on it is a log that must be found again, and be known for whose it is and for who led it.
            Some(parent) => partition_dir::sync_claim(&self.dir)
                .and_then(|()| leader_epochs::sync(&self.dir))
                .and_then(|()| disk.sync_file(parent)),
            None => Ok(()),
        });
        match synced {
            // The topic has been deleted meanwhile.
            Err(error) if error.is_not_found() && !disk.exists(Path::new(&*self.dir)) => Ok(()),
            synced => synced,
        }
    }
}
