//! The program's own code and constants, which the system maps in chunks around whatever was touched: a start touches a
//! little of everything, and most of it is not needed again while a broker waits for work.

use std::io;
use std::ops::Range;

/// Gives back the memory of code and constants that this process has touched so far, and says how many bytes the ranges
/// have. The pages stay in the system's cache of the program's file, so that the next touch of one costs a minor fault;
/// until then they do not count as this process's memory, and the system may use it for others.
///
/// What a debugger wrote there, such as a breakpoint, is lost.
///
/// # Errors
/// Whatever `madvise` answers.
pub fn release_program_pages() -> io::Result<usize> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    // SAFETY: `note_read_only` keeps to the signature and is called before this returns; `ranges` outlives the call and
    // is used by nobody else meanwhile.
    unsafe { libc::dl_iterate_phdr(Some(note_read_only), (&raw mut ranges).cast()) };
    for range in &ranges {
        // SAFETY: the range lies in a segment that is mapped from the program's file without the right to write, so
        // that no page of it differs from the file (what is relocated at start lies in writable segments), and a page
        // that is given back is read from the file again. Nobody unmaps the program while it runs.
        let answer = unsafe { libc::madvise(range.start as *mut _, range.len(), libc::MADV_DONTNEED) };
        if answer != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(ranges.iter().map(Range::len).sum())
}

/// Adds the segments of the first object, the program itself, that were never writable.
unsafe extern "C" fn note_read_only(
    object: *mut libc::dl_phdr_info,
    _size: libc::size_t,
    ranges: *mut libc::c_void,
) -> libc::c_int {
    // SAFETY: the caller gives a valid object, and `ranges` is what `release_program_pages` handed it.
    let (object, ranges) = unsafe { (&*object, &mut *ranges.cast::<Vec<Range<usize>>>()) };
    // SAFETY: the object says itself where its program headers lie and how many they are.
    let headers = unsafe { std::slice::from_raw_parts(object.dlpi_phdr, usize::from(object.dlpi_phnum)) };
    // SAFETY: asks for a constant of the system.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
    ranges.extend(
        headers
            .iter()
            .filter(|header| header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_W == 0)
            .map(|header| {
                let start = object.dlpi_addr as usize + header.p_vaddr as usize;
                // Whole pages only: a neighbour may begin in the same page.
                start.next_multiple_of(page)..(start + header.p_memsz as usize) / page * page
            })
            .filter(|range| !range.is_empty()),
    );
    // The program comes first; what is not zero ends the walk.
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    static CONSTANTS: [u8; 64 << 10] = [7; 64 << 10];

    #[test]
    fn the_program_goes_on_with_its_code_and_constants() {
        assert!(CONSTANTS.iter().all(|byte| *byte == 7));
        let released = release_program_pages().unwrap();
        assert!(released > CONSTANTS.len(), "{released} bytes are less than the constants alone");
        assert!(CONSTANTS.iter().all(|byte| *byte == 7));
    }
}
