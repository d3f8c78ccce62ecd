//! What happens when a mapped page is not there: the file was cut short by somebody else, its disk cannot be read, or a
//! file system broke its promise of room.
//!
//! The system says so by a signal, SIGBUS, whose default is the end of the process. Here the page is replaced by one of
//! zeros, the mapping takes note of where, and whoever touched it goes on and asks the mapping afterwards. What is not in
//! a mapping of ours is left to whoever handled the signal before.
//!
//! The handler may interrupt anything, so that it only looks at atomics that never go away, and calls `mmap`.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, Once, OnceLock, PoisonError};

use super::PAGE;

/// No page was missing.
const NONE: usize = usize::MAX;
const SLOTS: usize = 64;

/// A mapping that is watched.
struct Slot {
    start: AtomicUsize,
    /// 0 while the slot is free.
    len: AtomicUsize,
    /// Where in the mapping the first page lies that was missing.
    missing_from: AtomicUsize,
    reported: AtomicBool,
}

/// Slots are never freed, only used again: the handler may look at them at any time.
struct Slots {
    slots: [Slot; SLOTS],
    more: OnceLock<Box<Slots>>,
}

impl Slots {
    const fn new() -> Self {
        const {
            Self {
                slots: [const {
                    Slot {
                        start: AtomicUsize::new(0),
                        len: AtomicUsize::new(0),
                        missing_from: AtomicUsize::new(NONE),
                        reported: AtomicBool::new(false),
                    }
                }; SLOTS],
                more: OnceLock::new(),
            }
        }
    }
}

static WATCHED: Slots = Slots::new();
/// Slots that may be used; `None` before the first is.
static FREE: Mutex<Option<Vec<&'static Slot>>> = Mutex::new(None);
static INSTALL: Once = Once::new();
static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();

/// Watches a range of memory for as long as it lives.
pub(super) struct Watch(&'static Slot);

impl Watch {
    pub(super) fn over(start: *const u8, len: usize) -> Self {
        INSTALL.call_once(install);
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        let free = free.get_or_insert_with(|| WATCHED.slots.iter().collect());
        let slot = match free.pop() {
            Some(slot) => slot,
            None => {
                let mut last = &WATCHED;
                while let Some(more) = last.more.get() {
                    last = more;
                }
                let more = last.more.get_or_init(|| Box::new(Slots::new()));
                free.extend(&more.slots[1..]);
                &more.slots[0]
            }
        };
        slot.missing_from.store(NONE, Ordering::Relaxed);
        slot.reported.store(false, Ordering::Relaxed);
        slot.start.store(start as usize, Ordering::Relaxed);
        slot.len.store(len, Ordering::Release);
        Self(slot)
    }

    /// Where the first page lies that was missing when it was touched.
    pub(super) fn missing_from(&self) -> Option<usize> {
        Some(self.0.missing_from.load(Ordering::Relaxed)).filter(|at| *at != NONE)
    }

    /// Takes note that what lies from there on is not what was written.
    pub(super) fn note_missing(&self, from: usize) {
        self.0.missing_from.fetch_min(from, Ordering::Relaxed);
    }

    /// Whether nobody has asked this before.
    pub(super) fn first_report(&self) -> bool {
        !self.0.reported.swap(true, Ordering::Relaxed)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.len.store(0, Ordering::Release);
        if let Some(free) = &mut *FREE.lock().unwrap_or_else(PoisonError::into_inner) {
            free.push(self.0);
        }
    }
}

fn install() {
    // SAFETY: an all-zero `sigaction` is a valid value of that plain C struct.
    let (mut action, mut previous): (libc::sigaction, libc::sigaction) = unsafe { std::mem::zeroed() };
    action.sa_sigaction = on_bus_error as *const () as libc::sighandler_t;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: both point to valid structs, and the handler has the signature that SA_SIGINFO asks for.
    if unsafe { libc::sigaction(libc::SIGBUS, &raw const action, &raw mut previous) } == 0 {
        let _ = PREVIOUS.set(previous);
    }
}

extern "C" fn on_bus_error(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the system hands a valid `siginfo_t` to a handler with SA_SIGINFO, and for SIGBUS it has an address.
    let address = unsafe { (*info).si_addr() } as usize;
    if !replace_page(address) {
        hand_on(signal, info, context);
    }
}

/// Puts a page of zeros where one is missing in a mapping of ours.
fn replace_page(address: usize) -> bool {
    let page = address - address % PAGE;
    let mut ours = false;
    let mut slots = Some(&WATCHED);
    while let Some(these) = slots {
        for slot in &these.slots {
            let (len, start) = (slot.len.load(Ordering::Acquire), slot.start.load(Ordering::Relaxed));
            // All that match: one that is being given to another mapping right now may match by accident.
            if address >= start && address - start < len {
                slot.missing_from.fetch_min(page.saturating_sub(start), Ordering::Relaxed);
                ours = true;
            }
        }
        slots = these.more.get().map(|more| &**more);
    }
    if !ours {
        return false;
    }
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: the page belongs to a mapping of ours, which lives for as long as somebody can touch it, so that nothing
    // else is replaced. What it held could not be read any more.
    let replaced = unsafe { libc::mmap(page as *mut libc::c_void, PAGE, protection, flags, -1, 0) };
    replaced != libc::MAP_FAILED
}

/// Leaves the signal to whoever handled it before, which by default ends the process when the access is tried again.
fn hand_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let previous = PREVIOUS.get();
    let handler = previous.map_or(libc::SIG_DFL, |previous| previous.sa_sigaction);
    if handler == libc::SIG_DFL || handler == libc::SIG_IGN {
        // SAFETY: as in `install`; the default action needs nothing of us.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
        return;
    }
    if previous.is_some_and(|previous| previous.sa_flags & libc::SA_SIGINFO != 0) {
        // SAFETY: the handler was installed with SA_SIGINFO, so that this is its signature.
        let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
            unsafe { std::mem::transmute::<libc::sighandler_t, _>(handler) };
        handler(signal, info, context);
    } else {
        // SAFETY: the handler was installed without SA_SIGINFO, so that this is its signature.
        let handler: extern "C" fn(libc::c_int) = unsafe { std::mem::transmute::<libc::sighandler_t, _>(handler) };
        handler(signal);
    }
}

/// Reads a byte that the compiler must not leave out, so that a page that is missing is noticed now.
pub(super) fn touch(byte: &u8) {
    // SAFETY: a reference is valid to be read.
    let _ = unsafe { ptr::read_volatile(byte) };
}
