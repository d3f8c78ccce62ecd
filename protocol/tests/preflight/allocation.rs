//! Counts the bytes a thread asks the allocator for.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static REQUESTED: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs `work` and returns with it the bytes it asked for in all, freed or not.
pub(crate) fn counted<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = REQUESTED.get();
    let value = work();
    (value, REQUESTED.get() - before)
}

fn add(bytes: usize) {
    REQUESTED.set(REQUESTED.get() + bytes);
}

// SAFETY: every call goes to the system allocator as it came; the counter is a plain thread-local number
// without a destructor, so that counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller keeps `alloc`'s contract, which is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: as in `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        add(new_size);
        // SAFETY: as in `alloc`; `pointer` came from the system allocator, as all memory here does.
        unsafe { System.realloc(pointer, layout, new_size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as in `realloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}
