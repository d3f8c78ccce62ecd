//! Pages of memory that the machine has at hand.

use brooklet_tests::process::available_memory;
use memmap2::{Advice, MmapMut};

/// More than a client and a broker take in one turn.
const ENOUGH: u64 = 2 << 30;
const PAGE: usize = 4096;

/// Takes much memory from the system, writes to each page of it, and gives it back.
///
/// Where a virtual machine's free pages go back to its host, the first touch of each that comes again costs up to ten times what is then
/// written to it. Whoever fills the page cache pays that, and it is neither broker's. So it is paid here, before each turn.
pub(crate) fn have_at_hand() {
    let len = usize::try_from(ENOUGH.min(available_memory() / 4)).unwrap();
    let mut pages = MmapMut::map_anon(len).unwrap();
    // Large ones, since the page cache takes such. Without them it only takes longer.
    let _ = pages.advise(Advice::HugePage);
    pages.iter_mut().step_by(PAGE).for_each(|byte| *byte = 1);
}
