//! What a log's directory holds when it is opened: its segments, made whole, and the epochs they were written in.

use std::sync::Arc;

use super::{LogConfig, LogOrigin};
use crate::compaction::settle;
use crate::disk::Dir;
use crate::error::Error;
use crate::files::LOG;
use crate::leader_epochs::LeaderEpochs;
use crate::producer_snapshot;
use crate::recovery::{RecoveredSegment, Trust, recover};
use crate::segment::{ActiveSegment, Segment};

/// What a partition's directory holds.
pub(super) struct OpenedSegments {
    /// The sealed ones.
    pub(super) segments: Vec<Arc<Segment>>,
    /// The last one, unless it is empty.
    pub(super) active: Option<ActiveSegment>,
    pub(super) next_offset: i64,
    /// Base offset of the first segment whose indexes were made anew, if any were.
    pub(super) rebuilt_from: Option<i64>,
    /// A batch that was not whole was taken away from its end. Should the machine stop, it must not come back in the place of
    /// another, with that one's bytes for those that it lacked.
    pub(super) torn: bool,
}

impl OpenedSegments {
    /// A log that has lost its end, to before where it begins, begins anew there: all that is left of it was deleted, and
    /// what is appended must not be.
    pub(super) fn at_or_behind(self, dir: &Dir, log_start_offset: i64) -> Result<Self, Error> {
        if self.next_offset >= log_start_offset {
            return Ok(self);
        }
        tracing::warn!(dir = %dir.display(), next_offset = self.next_offset, log_start_offset, "it begins anew");
        for base_offset in dir.disk.offsets_of(dir, LOG)?.into_iter().rev() {
            Segment::sealed(dir.clone(), base_offset).remove()?;
        }
        Ok(Self { segments: Vec::new(), active: None, next_offset: log_start_offset, rebuilt_from: None, torn: false })
    }
}

pub(super) fn open_segments(dir: &Dir, config: &LogConfig, origin: LogOrigin) -> Result<OpenedSegments, Error> {
    settle(dir)?;
    let mut offsets = dir.disk.offsets_of(dir, LOG)?;
    let Some(last) = offsets.pop() else {
        let next_offset = origin.log_start_offset;
        return Ok(OpenedSegments { segments: Vec::new(), active: None, next_offset, rebuilt_from: None, torn: false });
    };
    let in_doubt = |end: i64| origin.machine_stopped && end > origin.recovery_point;
    let check = |base_offset, trust| recover(dir, base_offset, trust, config.index_interval_bytes);
    let mut segments = Vec::with_capacity(offsets.len() + 1);
    let mut rebuilt_from = None;
    for (index, &base_offset) in offsets.iter().enumerate() {
        let end = offsets.get(index + 1).copied().unwrap_or(last);
        if in_doubt(end) {
            let recovered = check(base_offset, Trust::Nothing)?;
            rebuilt_from.get_or_insert(base_offset);
            // One that ends too early has lost its end where a batch did; one that ends too late is followed by what was
            // removed before. (What compaction leaves is on disk for certain, and not in doubt.)
            if recovered.torn || recovered.next_offset != end {
                let (active, next_offset) = cut_at(dir, config, base_offset, &recovered)?;
                return Ok(OpenedSegments { segments, active: Some(active), next_offset, rebuilt_from, torn: true });
            }
        }
        let segment = Segment::sealed(dir.clone(), base_offset);
        segment.note_len();
        segments.push(Arc::new(segment));
    }
    let trust = if origin.machine_stopped { Trust::Below(origin.recovery_point) } else { Trust::Indexes };
    let recovered = check(last, trust)?;
    if recovered.torn {
        tracing::info!(dir = %dir.display(), next_offset = recovered.next_offset, "an unfinished batch is dropped");
    }
    if recovered.valid_bytes == 0 {
        // It is created anew with the first batch, with the room that the topic's configs then say.
        return Ok(OpenedSegments { segments, active: None, next_offset: last, rebuilt_from, torn: recovered.torn });
    }
    if recovered.rebuilt {
        rebuilt_from.get_or_insert(last);
    }
    if let Some(from) = rebuilt_from {
        producer_snapshot::remove_behind(dir, from)?;
    }
    let active = Some(ActiveSegment::open(dir, last, config, &recovered)?);
    Ok(OpenedSegments { segments, active, next_offset: recovered.next_offset, rebuilt_from, torn: recovered.torn })
}

/// The epochs that a log was written in: as its checkpoint says, unless the batches know more. Then it is made anew, and so
/// is one that is missing, or was not on disk when the machine stopped.
pub(super) fn epochs_of(
    dir: &Dir,
    segments: &[Arc<Segment>],
    log_start_offset: i64,
    next_offset: i64,
) -> Result<LeaderEpochs, Error> {
    let kept = LeaderEpochs::read(dir)?;
    let first = LeaderEpochs::first(log_start_offset);
    let Some(segment) = segments.last() else {
        return Ok(kept.unwrap_or(first));
    };
    let files = segment.files()?;
    let found = files.batch_at_or_after(segment, next_offset - 1).map(|(_, header)| header);
    let last = found.or_else(|| files.header_at(0)).map_or(0, |header| header.partition_leader_epoch);
    let epochs = match kept {
        Some(kept) if last <= kept.latest() => return Ok(kept),
        // Epochs ascend: there was no other.
        None if last <= 0 => first,
        _ => epochs_of_batches(segments)?.unwrap_or(first),
    };
    // What is in the log can be read without it.
    if let Err(error) = epochs.write(dir) {
        tracing::warn!(%error, "leader epochs not kept; they are found again when the log is next opened");
    }
    Ok(epochs)
}

fn epochs_of_batches(segments: &[Arc<Segment>]) -> Result<Option<LeaderEpochs>, Error> {
    let mut found = Vec::new();
    for segment in segments {
        let files = segment.files()?;
        let mut position = 0;
        while let Some(header) = files.header_at(position) {
            found.push((header.partition_leader_epoch, header.base_offset));
            position += header.size();
            found.dedup_by_key(|(epoch, _)| *epoch);
        }
        files.intact()?;
    }
    Ok(LeaderEpochs::of_batches(found))
}

/// Ends the log inside a segment that was damaged when the machine went down: what follows could not be told apart
/// from records that were never acknowledged, and a log has no holes.
fn cut_at(
    dir: &Dir,
    config: &LogConfig,
    base_offset: i64,
    recovered: &RecoveredSegment,
) -> Result<(ActiveSegment, i64), Error> {
    tracing::error!(
        dir = %dir.display(), next_offset = recovered.next_offset,
        "a segment is damaged; the log ends before the damage and later segments are removed"
    );
    // From the end: what a second crash leaves has no hole either.
    for later in dir.disk.offsets_of(dir, LOG)?.into_iter().rev().filter(|offset| *offset > base_offset) {
        Segment::sealed(dir.clone(), later).remove()?;
    }
    producer_snapshot::remove_behind(dir, base_offset)?;
    let active = ActiveSegment::open(dir, base_offset, config, recovered)?;
    Ok((active, recovered.next_offset))
}
