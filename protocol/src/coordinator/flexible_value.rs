//! Values of version 0 in the flexible encoding (KIP-482), which is how all kinds of groups but the classic one are kept.

use bytes::{BufMut, Bytes, BytesMut};

use crate::cursor::{Cursor, Malformed, put_tagged_field};

const VERSION: i16 = 0;

/// A cursor behind the version, which must be 0. `what` names it in the error.
pub(super) fn flexible_value(bytes: Bytes, what: &'static str) -> Result<Cursor, Malformed> {
    let mut cursor = Cursor::new(bytes);
    if cursor.i16(what)? == VERSION { Ok(cursor) } else { Err(Malformed(what)) }
}

/// A value's bytes up to behind its version.
pub(super) fn new_value() -> BytesMut {
    let mut out = BytesMut::new();
    out.put_i16(VERSION);
    out
}

/// Tagged fields of which only the first may be there, and is where it is not 0.
pub(super) fn put_tagged_i64(out: &mut BytesMut, value: i64) {
    out.put_u8(u8::from(value != 0));
    if value != 0 {
        put_tagged_field(out, 0, &value.to_be_bytes());
    }
}
