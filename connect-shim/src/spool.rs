//! Bytes that are too many to be held in memory beside what they are made of: they wait in a file, and are read back once what
//! they were made of is gone.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};

use bytes::{BufMut as _, Bytes, BytesMut};

/// How much is handed on to the file at once.
const BLOCK: usize = 256 * 1024;

/// Bytes in a file that nobody else sees.
#[derive(Debug)]
pub struct Spool {
    file: File,
    /// What the file does not have yet.
    block: Vec<u8>,
    len: usize,
    failed: Option<io::Error>,
}

impl Spool {
    /// An empty one in an empty file.
    pub fn new(file: File) -> Self {
        Self { file, block: Vec::with_capacity(BLOCK), len: 0, failed: None }
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds bytes. That they cannot be kept is told when all have come.
    pub fn put(&mut self, bytes: &[u8]) {
        self.len += bytes.len();
        if self.block.len() + bytes.len() > BLOCK {
            self.hand_on();
        }
        if bytes.len() < BLOCK {
            self.block.extend_from_slice(bytes);
        } else if self.failed.is_none() {
            self.failed = self.file.write_all(bytes).err();
        }
    }

    fn hand_on(&mut self) {
        if self.failed.is_none() {
            self.failed = self.file.write_all(&self.block).err();
        }
        self.block.clear();
    }

    /// All have come: they can be read from the first on.
    ///
    /// # Errors
    /// That they could not be kept.
    pub fn finish(&mut self) -> io::Result<()> {
        self.hand_on();
        self.block = Vec::new();
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.file.rewind(),
        }
    }

    /// Appends them to `out`, which has room for them.
    ///
    /// # Errors
    /// That they cannot be read, or not all of them.
    pub fn copy_to(&mut self, out: &mut BytesMut) -> io::Result<()> {
        let copied = io::copy(&mut (&self.file).take(self.len as u64), &mut out.writer())?;
        if copied < self.len as u64 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// The bytes, in memory.
    ///
    /// # Errors
    /// As for [`copy_to`](Self::copy_to).
    pub fn to_bytes(&mut self) -> io::Result<Bytes> {
        let mut out = BytesMut::with_capacity(self.len);
        self.copy_to(&mut out)?;
        Ok(out.freeze())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_is_put_comes_back() {
        let mut spool = Spool::new(tempfile::tempfile().unwrap());
        let mut expected = Vec::new();
        for size in [1, 100, BLOCK - 1, 7, BLOCK, BLOCK + 1, 3] {
            let part = vec![u8::try_from(size % 251).unwrap(); size];
            spool.put(&part);
            expected.extend(part);
        }
        spool.finish().unwrap();
        assert_eq!(spool.len(), expected.len());
        assert!(spool.to_bytes().unwrap() == expected);
    }

    #[test]
    fn what_the_disk_refuses_is_told() {
        let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else { return };
        let mut spool = Spool::new(full);
        spool.put(&[0; BLOCK]);
        assert!(spool.finish().is_err());
    }
}
