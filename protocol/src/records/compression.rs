//! The five compressions of record payloads, each framed as Kafka's clients frame it.
//!
//! Snappy comes in two shapes: Java's `SnappyOutputStream` writes a 16-byte header and blocks with 32-bit
//! lengths, librdkafka writes one bare block. Both are read; the first is written, since every client reads it.

use std::io::{self, Read, Write};

/// A codec, by the id that batch attributes carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CompressionType {
    /// Records as they are.
    #[default]
    None,
    /// RFC 1952.
    Gzip,
    /// Snappy blocks.
    Snappy,
    /// LZ4 frames.
    Lz4,
    /// Zstandard (KIP-110).
    Zstd,
}

impl CompressionType {
    /// All codecs, in the order of their ids.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The codec with this id, 0 to 4.
    pub fn from_id(id: u8) -> Option<Self> {
        Self::ALL.get(usize::from(id)).copied()
    }

    /// The codec that configs call `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name() == name)
    }

    /// The id in batch attributes.
    pub fn id(self) -> u8 {
        self as u8
    }

    /// The name in configs.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// A reader of what `payload` decompresses to. It holds one block of the codec, not the whole.
    pub fn reader<'a>(self, payload: &'a [u8]) -> Result<Box<dyn Read + 'a>, CompressionError> {
        Ok(match self {
            Self::None => Box::new(payload),
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(payload)),
            Self::Snappy => Box::new(SnappyReader::new(payload)),
            Self::Lz4 => Box::new(lz4_flex::frame::FrameDecoder::new(payload)),
            Self::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(payload).map_err(|e| self.broken(&e))?),
        })
    }

    /// Decompresses the whole of `payload`, which may not come to more than `limit` bytes.
    pub fn decompress(self, payload: &[u8], limit: usize) -> Result<Vec<u8>, CompressionError> {
        let mut out = Vec::new();
        // One byte more than the limit tells "exactly the limit" from "beyond it".
        let read = self.reader(payload)?.take(limit as u64 + 1).read_to_end(&mut out);
        read.map_err(|error| self.broken(&error))?;
        if out.len() > limit {
            return Err(CompressionError::TooLarge { limit });
        }
        Ok(out)
    }

    pub(super) fn broken(self, error: &io::Error) -> CompressionError {
        CompressionError::Broken { codec: self.name(), reason: error.to_string() }
    }
}

/// A codec with its level, to compress with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compression {
    /// Which codec.
    pub kind: CompressionType,
    /// `compression.gzip.level` (1 to 9, or -1 for the default) or `compression.zstd.level` (negative to 22);
    /// the other codecs have one level.
    pub level: Option<i32>,
}

impl From<CompressionType> for Compression {
    fn from(kind: CompressionType) -> Self {
        Self { kind, level: None }
    }
}

impl Compression {
    /// Compresses `payload`.
    pub fn compress(self, payload: &[u8]) -> Result<Vec<u8>, CompressionError> {
        self.try_compress(payload).map_err(|error| self.kind.broken(&error))
    }

    fn try_compress(self, payload: &[u8]) -> io::Result<Vec<u8>> {
        match self.kind {
            CompressionType::None => Ok(payload.to_vec()),
            CompressionType::Gzip => {
                let level = match self.level {
                    Some(level @ 0..=9) => flate2::Compression::new(level as u32),
                    _ => flate2::Compression::default(),
                };
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
                encoder.write_all(payload)?;
                encoder.finish()
            }
            CompressionType::Snappy => compress_snappy(payload),
            CompressionType::Lz4 => {
                let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
                encoder.write_all(payload)?;
                encoder.finish().map_err(io::Error::from)
            }
            CompressionType::Zstd => {
                zstd::bulk::compress(payload, self.level.unwrap_or(zstd::DEFAULT_COMPRESSION_LEVEL))
            }
        }
    }
}

/// Why a payload does not decompress.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompressionError {
    /// The codec refuses the bytes.
    #[error("{codec} payload is broken: {reason}")]
    Broken {
        /// The codec's name.
        codec: &'static str,
        /// What it said.
        reason: String,
    },
    /// More comes out than the reader is ready to hold.
    #[error("payload decompresses to more than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
}

const XERIAL_MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const XERIAL_HEADER_LEN: usize = 16;
const XERIAL_BLOCK_LEN: usize = 32 * 1024;
/// A snappy copy element of three bytes yields at most 64, so no honest block expands more than this.
const SNAPPY_MAX_RATIO: usize = 64;

fn compress_snappy(payload: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = XERIAL_MAGIC.to_vec();
    out.extend_from_slice(&1i32.to_be_bytes());
    out.extend_from_slice(&1i32.to_be_bytes());
    let mut encoder = snap::raw::Encoder::new();
    for block in payload.chunks(XERIAL_BLOCK_LEN) {
        let compressed = encoder.compress_vec(block).map_err(io::Error::other)?;
        out.extend_from_slice(&(compressed.len() as i32).to_be_bytes());
        out.extend_from_slice(&compressed);
    }
    Ok(out)
}

/// Reads either shape of snappy, a block at a time.
struct SnappyReader<'a> {
    rest: &'a [u8],
    framed: bool,
    block: Vec<u8>,
    read: usize,
}

impl<'a> SnappyReader<'a> {
    fn new(payload: &'a [u8]) -> Self {
        let framed = payload.len() >= XERIAL_HEADER_LEN && payload.starts_with(&XERIAL_MAGIC);
        let rest = if framed { &payload[XERIAL_HEADER_LEN..] } else { payload };
        Self { rest, framed, block: Vec::new(), read: 0 }
    }

    /// The next compressed block; `None` at the end.
    fn next_block(&mut self) -> io::Result<Option<&'a [u8]>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        if !self.framed {
            return Ok(Some(std::mem::take(&mut self.rest)));
        }
        let cut = || io::Error::new(io::ErrorKind::InvalidData, "snappy block is cut short");
        let (prefix, rest) = self.rest.split_first_chunk::<4>().ok_or_else(cut)?;
        let len = usize::try_from(i32::from_be_bytes(*prefix)).map_err(|_| cut())?;
        let (block, rest) = rest.split_at_checked(len).ok_or_else(cut)?;
        self.rest = rest;
        Ok(Some(block))
    }
}

impl Read for SnappyReader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.read == self.block.len() {
            let Some(compressed) = self.next_block()? else {
                return Ok(0);
            };
            let len = snap::raw::decompress_len(compressed).map_err(io::Error::other)?;
            if len > compressed.len().saturating_mul(SNAPPY_MAX_RATIO) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "snappy block announces too much"));
            }
            self.block.resize(len, 0);
            let written =
                snap::raw::Decoder::new().decompress(compressed, &mut self.block).map_err(io::Error::other)?;
            self.block.truncate(written);
            self.read = 0;
        }
        let len = out.len().min(self.block.len() - self.read);
        out[..len].copy_from_slice(&self.block[self.read..self.read + len]);
        self.read += len;
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn payloads() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..2000),
            (any::<u8>(), 0usize..200_000).prop_map(|(byte, len)| vec![byte; len]),
        ]
    }

    proptest! {
        #[test]
        fn every_codec_gives_back_what_it_took(payload in payloads(), codec in 0u8..5) {
            let codec = CompressionType::from_id(codec).unwrap();
            let compressed = Compression::from(codec).compress(&payload).unwrap();
            prop_assert_eq!(codec.decompress(&compressed, payload.len()).unwrap(), payload);
        }

        #[test]
        fn a_limit_below_the_payload_is_an_error(len in 1usize..100_000, codec in 0u8..5) {
            let codec = CompressionType::from_id(codec).unwrap();
            let compressed = Compression::from(codec).compress(&vec![7; len]).unwrap();
            prop_assert_eq!(
                codec.decompress(&compressed, len - 1),
                Err(CompressionError::TooLarge { limit: len - 1 })
            );
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>, codec in 0u8..5) {
            let _ = CompressionType::from_id(codec).unwrap().decompress(&bytes, 1 << 20);
        }

        #[test]
        fn a_damaged_payload_never_panics(at: prop::sample::Index, bit in 0u8..8, codec in 1u8..5) {
            let codec = CompressionType::from_id(codec).unwrap();
            let mut compressed = Compression::from(codec).compress(&b"some text, ".repeat(500)).unwrap();
            let at = at.index(compressed.len());
            compressed[at] ^= 1 << bit;
            let _ = codec.decompress(&compressed, 1 << 20);
        }
    }

    #[test]
    fn a_bare_snappy_block_as_librdkafka_writes_it_is_read() {
        let payload = b"abcabcabcabc".repeat(100);
        let bare = snap::raw::Encoder::new().compress_vec(&payload).unwrap();
        assert_eq!(CompressionType::Snappy.decompress(&bare, 10_000).unwrap(), payload);
    }

    #[test]
    fn a_snappy_block_that_announces_gigabytes_is_refused() {
        // The varint says 2^31 - 1 bytes; five bytes cannot hold them.
        let bomb = [0xff, 0xff, 0xff, 0xff, 0x07];
        assert!(matches!(
            CompressionType::Snappy.decompress(&bomb, usize::MAX - 1),
            Err(CompressionError::Broken { .. })
        ));
    }

    #[test]
    fn concatenated_gzip_members_are_one_payload() {
        let mut two = Compression::from(CompressionType::Gzip).compress(b"one ").unwrap();
        two.extend(Compression::from(CompressionType::Gzip).compress(b"two").unwrap());
        assert_eq!(CompressionType::Gzip.decompress(&two, 100).unwrap(), b"one two");
    }
}
