//! Frames: a 32-bit big-endian length, then that many bytes. Sans-IO: the caller reads into a buffer.

use bytes::{Buf, Bytes, BytesMut};

/// Bytes of the length that precedes each frame.
pub const LENGTH_LEN: usize = 4;

/// Why a connection cannot go on: after a bad length nothing that follows can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The length is zero or negative.
    #[error("frame length {0} is not positive; the peer does not speak Kafka's protocol")]
    NotPositive(i32),
    /// The length is above the limit.
    #[error("frame length {length} is above socket.request.max.bytes ({max})")]
    TooLarge {
        /// What the peer announced.
        length: i32,
        /// The limit in force.
        max: usize,
    },
}

/// What the front of the buffer holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// A whole frame, without its length.
    Complete(Bytes),
    /// At least this many more bytes are needed to complete the frame.
    Missing(usize),
}

/// Takes the first frame off `buffer`, if it is whole. `max` is `socket.request.max.bytes`.
///
/// The length is judged as soon as its four bytes are there, so that a peer that announces too much is
/// refused before anything is reserved for it.
pub fn take_frame(buffer: &mut BytesMut, max: usize) -> Result<Frame, FrameError> {
    let Some(prefix) = buffer.first_chunk::<LENGTH_LEN>() else {
        return Ok(Frame::Missing(LENGTH_LEN - buffer.len()));
    };
    let length = i32::from_be_bytes(*prefix);
    if length <= 0 {
        return Err(FrameError::NotPositive(length));
    }
    let len = length as usize;
    if len > max {
        return Err(FrameError::TooLarge { length, max });
    }
    let have = buffer.len() - LENGTH_LEN;
    if have < len {
        return Ok(Frame::Missing(len - have));
    }
    buffer.advance(LENGTH_LEN);
    Ok(Frame::Complete(buffer.split_to(len).freeze()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_that_are_not_frames_are_refused_before_any_byte_of_them() {
        for (length, expected) in [
            (0, FrameError::NotPositive(0)),
            (-1, FrameError::NotPositive(-1)),
            (i32::MIN, FrameError::NotPositive(i32::MIN)),
            (101, FrameError::TooLarge { length: 101, max: 100 }),
            (i32::MAX, FrameError::TooLarge { length: i32::MAX, max: 100 }),
        ] {
            let mut buffer = BytesMut::from(&length.to_be_bytes()[..]);
            assert_eq!(take_frame(&mut buffer, 100), Err(expected));
        }
    }

    proptest! {
        #[test]
        fn frames_come_out_as_they_went_in(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 0..10),
            cuts in prop::collection::vec(1usize..20, 1..50),
        ) {
            let mut wire = Vec::new();
            for frame in &frames {
                wire.extend_from_slice(&(frame.len() as i32).to_be_bytes());
                wire.extend_from_slice(frame);
            }
            let mut buffer = BytesMut::new();
            let mut seen = Vec::new();
            let mut rest = &wire[..];
            for cut in cuts.iter().cycle() {
                loop {
                    match take_frame(&mut buffer, 100).unwrap() {
                        Frame::Complete(frame) => seen.push(frame.to_vec()),
                        Frame::Missing(more) => {
                            prop_assert!(more > 0);
                            break;
                        }
                    }
                }
                if rest.is_empty() {
                    break;
                }
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                buffer.extend_from_slice(now);
                rest = later;
            }
            prop_assert_eq!(seen, frames);
        }
    }
}
