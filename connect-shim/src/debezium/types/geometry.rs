//! Points, lines and what is made of them: PostgreSQL's own shapes as WKB, and PostGIS' EWKB.

use bytes::Bytes;

const WKB_POINT: u32 = 1;
const WKB_LINE_STRING: u32 = 2;
const WKB_POLYGON: u32 = 3;

/// A place in the plane.
pub(crate) type Place = (f64, f64);

/// All numbers of a text such as `((1,2),(3,4))`, in order.
pub(crate) fn numbers(text: &str) -> Option<Vec<f64>> {
    text.split([',', '(', ')', '[', ']', '<', '>', '{', '}']).filter(|part| !part.is_empty()).map(number).collect()
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}

/// All places of a text such as `((1,2),(3,4))`, in order.
pub(crate) fn places(text: &str) -> Option<Vec<Place>> {
    let numbers = numbers(text)?;
    if numbers.is_empty() || !numbers.len().is_multiple_of(2) {
        return None;
    }
    Some(numbers.chunks(2).map(|pair| (pair[0], pair[1])).collect())
}

fn header(kind: u32) -> Vec<u8> {
    let mut out = vec![1];
    out.extend(kind.to_le_bytes());
    out
}

fn put(places: &[Place], out: &mut Vec<u8>) {
    out.extend(u32::try_from(places.len()).unwrap_or(u32::MAX).to_le_bytes());
    for (x, y) in places {
        out.extend(x.to_le_bytes());
        out.extend(y.to_le_bytes());
    }
}

/// A point as WKB.
pub(crate) fn point((x, y): Place) -> Bytes {
    let mut out = header(WKB_POINT);
    out.extend(x.to_le_bytes());
    out.extend(y.to_le_bytes());
    out.into()
}

/// A line from place to place as WKB.
pub(crate) fn line_string(places: &[Place]) -> Bytes {
    let mut out = header(WKB_LINE_STRING);
    put(places, &mut out);
    out.into()
}

/// What lies within a ring as WKB.
pub(crate) fn polygon(ring: &[Place]) -> Bytes {
    let mut out = header(WKB_POLYGON);
    out.extend(1u32.to_le_bytes());
    put(ring, &mut out);
    out.into()
}

/// The ring that ends where it begins.
pub(crate) fn closed(mut ring: Vec<Place>) -> Vec<Place> {
    if let [first, .., last] = ring[..]
        && first != last
    {
        ring.push(first);
    }
    ring
}

/// PostGIS' hexadecimal text as bytes, with the number of its spatial reference system if it names one.
pub(crate) fn ewkb(text: &str) -> Option<(Bytes, Option<i32>)> {
    const HAS_SRID: u32 = 0x2000_0000;
    let bytes = super::binary::from_hex(text)?;
    if bytes.len() < 9 {
        return None;
    }
    let little = bytes[0] != 0;
    let read = |at: usize| -> Option<u32> {
        let four: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(if little { u32::from_le_bytes(four) } else { u32::from_be_bytes(four) })
    };
    let srid = if read(1)? & HAS_SRID != 0 { Some(read(5)?.cast_signed()) } else { None };
    Some((bytes.into(), srid))
}
