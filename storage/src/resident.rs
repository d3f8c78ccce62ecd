//! How much of the mapped files this process holds in its own memory, and how it is given back.
//!
//! A page that was touched through a mapping counts as resident until it is unmapped, though the kernel could take it at
//! any time. So that a broker's size does not follow what is stored, mappings are told of what is touched, and when that
//! has come to a limit, all that was touched is dropped from this process at once. The pages stay in the kernel's cache:
//! whoever touches one again has it mapped again, for the cost of a fault.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

/// Bytes that may be touched, in all mappings together, before they are dropped.
const LIMIT: usize = 8 << 20;
const PAGE: usize = 4096;
/// A page that is read for the first time comes with those around it which the kernel has in its cache: so many bytes
/// (`fault_around_bytes`).
const AROUND: usize = 64 << 10;

/// Something mapped, of which pages can be dropped from the process.
pub(crate) trait Resident: Send + Sync {
    /// Counts what is touched between two drops.
    fn touched(&self) -> &AtomicUsize;

    /// Drops all pages from the process, not from the file.
    fn drop_pages(&self);
}

/// What has been touched in all mappings since pages were last dropped.
static TOUCHED: AtomicUsize = AtomicUsize::new(0);
/// The mappings that have been touched since.
static MAPPINGS: Mutex<Vec<Weak<dyn Resident>>> = Mutex::new(Vec::new());
/// Those of which large slices are being read.
static BEING_READ: Mutex<Vec<Weak<BeingRead>>> = Mutex::new(Vec::new());

/// Whoever holds this reads a large slice of a mapping.
pub(crate) struct BeingRead(Arc<dyn Resident>);

/// Takes note that a large slice of a mapping will be read. Until that is done its pages are dropped with all others.
pub(crate) fn begin_reading<R: Resident + 'static>(mapping: &Arc<R>) -> Arc<BeingRead> {
    let begun = Arc::new(BeingRead(Arc::clone(mapping) as Arc<dyn Resident>));
    if let Ok(mut all) = BEING_READ.lock() {
        all.retain(|known| known.strong_count() > 0);
        all.push(Arc::downgrade(&begun));
    }
    begun
}

/// Takes note that so many bytes of a large slice of a log have been read (sent to a client, say) and that more will be, so
/// that the pages behind can be given back meanwhile. What is read of a slice in one go need not be told.
pub fn note_progress(bytes: usize) {
    if TOUCHED.fetch_add(bytes, Ordering::Relaxed) + bytes >= LIMIT {
        drop_all();
    }
}

/// Takes note that a part of a mapping was read, of which `len` bytes hold anything.
pub(crate) fn touch_reading<R: Resident + 'static>(mapping: &Arc<R>, range: Range<usize>, len: usize) {
    let from = range.start - range.start % AROUND;
    touch(mapping, range.end.next_multiple_of(AROUND).min(len.next_multiple_of(PAGE)).saturating_sub(from));
}

/// Takes note that `bytes` of a mapping were touched, or are at once: a page of it at least.
pub(crate) fn touch<R: Resident + 'static>(mapping: &Arc<R>, bytes: usize) {
    let bytes = bytes.max(PAGE);
    if mapping.touched().fetch_add(bytes, Ordering::Relaxed) == 0 {
        let mapping: Weak<dyn Resident> = Arc::downgrade(&(Arc::clone(mapping) as Arc<dyn Resident>));
        if let Ok(mut mappings) = MAPPINGS.lock() {
            mappings.push(mapping);
        }
    }
    if TOUCHED.fetch_add(bytes, Ordering::Relaxed) + bytes >= LIMIT {
        drop_all();
    }
}

/// Drops what has been touched, unless another thread is at it.
fn drop_all() {
    let Ok(mut mappings) = MAPPINGS.try_lock() else {
        return;
    };
    TOUCHED.store(0, Ordering::Relaxed);
    for mapping in mappings.drain(..).filter_map(|mapping| mapping.upgrade()) {
        mapping.touched().store(0, Ordering::Relaxed);
        mapping.drop_pages();
    }
    let being_read: Vec<_> = match BEING_READ.lock() {
        Ok(all) => all.iter().filter_map(Weak::upgrade).collect(),
        Err(_) => return,
    };
    being_read.iter().for_each(|reading| reading.0.drop_pages());
}
