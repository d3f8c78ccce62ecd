//! Messages of the plugin `pgoutput`, protocol version 1 (PostgreSQL's "Logical Replication Message Formats").
//!
//! Version 1 sends a transaction once it is committed; one that is large waits on the server's disk, not in memory here.
//! Decoding copies nothing: a tuple is a slice of the message, walked once to be checked and again to be read.

use bytes::{Buf, Bytes};

use super::Lsn;

/// What keeps a message from being read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The message ends within a field.
    #[error("a message of the logical replication stream ends too early")]
    Truncated,
    /// A name is not UTF-8.
    #[error("a name in the logical replication stream is not UTF-8")]
    NotUtf8,
    /// The message is of a kind that protocol version 1 does not have.
    #[error("a message of the logical replication stream is of the unknown kind {0:#04x}")]
    UnknownMessage(u8),
    /// A tuple is of a kind that the message does not have, or one of its columns is.
    #[error("a tuple in the logical replication stream is of the unknown kind {0:#04x}")]
    UnknownTuple(u8),
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A transaction begins.
    Begin(Begin),
    /// The transaction that began ends; all of it has been sent.
    Commit(Commit),
    /// Where the transaction comes from, if it was replicated to this server.
    Origin {
        /// The place of the commit on the server of origin.
        lsn: Lsn,
        /// The origin's name.
        name: String,
    },
    /// What a table looks like, sent before its first change and after it was altered.
    Relation(Relation),
    /// The name of a type that is not built in. Types are looked up in the catalog instead.
    Type,
    /// A row is new.
    Insert {
        /// The table.
        relation: u32,
        /// The row.
        new: Tuple,
    },
    /// A row has changed.
    Update {
        /// The table.
        relation: u32,
        /// What it was, as the replica identity has it.
        old: Option<Tuple>,
        /// The row.
        new: Tuple,
    },
    /// A row is gone.
    Delete {
        /// The table.
        relation: u32,
        /// What it was, as the replica identity has it.
        old: Tuple,
    },
    /// Tables are empty now.
    Truncate {
        /// The tables.
        relations: Vec<u32>,
    },
    /// What `pg_logical_emit_message` wrote.
    Logical(LogicalMessage),
}

/// How a transaction begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begin {
    /// Where its commit stands.
    pub final_lsn: Lsn,
    /// When it was committed, in microseconds since 1970.
    pub commit_time: i64,
    /// Its id, without the epoch.
    pub xid: u32,
}

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commit {
    /// Where its commit stands.
    pub commit_lsn: Lsn,
    /// What follows its commit.
    pub end_lsn: Lsn,
    /// When it was committed, in microseconds since 1970.
    pub commit_time: i64,
}

/// A table as the stream describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// Its object id.
    pub id: u32,
    /// Its schema; empty is `pg_catalog`.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its replica identity, as `pg_class.relreplident`.
    pub replica_identity: u8,
    /// Its columns, without those that are generated.
    pub columns: Vec<RelationColumn>,
}

/// A column of a relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationColumn {
    /// Whether it is part of the replica identity.
    pub key: bool,
    /// Its name.
    pub name: String,
    /// Its type's object id.
    pub type_oid: u32,
    /// Its type's modifier; -1 is none.
    pub type_modifier: i32,
}

/// A message that an application put into the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogicalMessage {
    /// Whether it belongs to the transaction around it.
    pub transactional: bool,
    /// Its place in the log.
    pub lsn: Lsn,
    /// What tells kinds of messages apart.
    pub prefix: String,
    /// What it says.
    pub content: Bytes,
}

/// The columns of a row: checked, and still as they were sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tuple {
    columns: u16,
    body: Bytes,
}

/// A column's value as it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TupleColumn<'a> {
    /// Null.
    Null,
    /// A value too large to stand in the row, which the change left as it was: it is not sent.
    UnchangedToast,
    /// The value's text.
    Text(&'a [u8]),
}

/// Seconds between 1970 and 2000, where PostgreSQL's times begin, in microseconds.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

impl Message {
    /// Reads a message.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(mut body: Bytes) -> Result<Self, DecodeError> {
        let kind = take_u8(&mut body)?;
        Ok(match kind {
            b'B' => Self::Begin(Begin {
                final_lsn: take_lsn(&mut body)?,
                commit_time: take_time(&mut body)?,
                xid: take_u32(&mut body)?,
            }),
            b'C' => {
                let _flags = take_u8(&mut body)?;
                Self::Commit(Commit {
                    commit_lsn: take_lsn(&mut body)?,
                    end_lsn: take_lsn(&mut body)?,
                    commit_time: take_time(&mut body)?,
                })
            }
            b'O' => Self::Origin { lsn: take_lsn(&mut body)?, name: take_string(&mut body)? },
            b'R' => Self::Relation(Relation::decode(&mut body)?),
            b'Y' => Self::Type,
            b'I' => {
                let relation = take_u32(&mut body)?;
                match take_u8(&mut body)? {
                    b'N' => Self::Insert { relation, new: Tuple::decode(&mut body)? },
                    other => return Err(DecodeError::UnknownTuple(other)),
                }
            }
            b'U' => Self::decode_update(&mut body)?,
            b'D' => {
                let relation = take_u32(&mut body)?;
                match take_u8(&mut body)? {
                    b'K' | b'O' => Self::Delete { relation, old: Tuple::decode(&mut body)? },
                    other => return Err(DecodeError::UnknownTuple(other)),
                }
            }
            b'T' => {
                let count = take_u32(&mut body)?;
                let _options = take_u8(&mut body)?;
                // A count that the message cannot hold must not be allocated for.
                let relations = (0..count).map(|_| take_u32(&mut body)).collect::<Result<_, _>>()?;
                Self::Truncate { relations }
            }
            b'M' => {
                let flags = take_u8(&mut body)?;
                let lsn = take_lsn(&mut body)?;
                let prefix = take_string(&mut body)?;
                let length = take_u32(&mut body)? as usize;
                let content = take_slice(&mut body, length)?;
                Self::Logical(LogicalMessage { transactional: flags & 1 != 0, lsn, prefix, content })
            }
            other => return Err(DecodeError::UnknownMessage(other)),
        })
    }

    fn decode_update(body: &mut Bytes) -> Result<Self, DecodeError> {
        let relation = take_u32(body)?;
        let mut kind = take_u8(body)?;
        let mut old = None;
        if matches!(kind, b'K' | b'O') {
            old = Some(Tuple::decode(body)?);
            kind = take_u8(body)?;
        }
        if kind != b'N' {
            return Err(DecodeError::UnknownTuple(kind));
        }
        Ok(Self::Update { relation, old, new: Tuple::decode(body)? })
    }
}

impl Relation {
    fn decode(body: &mut Bytes) -> Result<Self, DecodeError> {
        let id = take_u32(body)?;
        let schema = take_string(body)?;
        let name = take_string(body)?;
        let replica_identity = take_u8(body)?;
        let count = take_u16(body)?;
        let columns = (0..count)
            .map(|_| {
                let flags = take_u8(body)?;
                let name = take_string(body)?;
                let type_oid = take_u32(body)?;
                let type_modifier = take_u32(body)?.cast_signed();
                Ok(RelationColumn { key: flags & 1 != 0, name, type_oid, type_modifier })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { id, schema, name, replica_identity, columns })
    }
}

impl Tuple {
    fn decode(body: &mut Bytes) -> Result<Self, DecodeError> {
        let columns = take_u16(body)?;
        let mut rest = &body[..];
        for _ in 0..columns {
            step(&mut rest)?;
        }
        let length = body.len() - rest.len();
        Ok(Self { columns, body: body.split_to(length) })
    }

    /// How many columns it has.
    pub fn len(&self) -> usize {
        usize::from(self.columns)
    }

    /// Whether it has no columns.
    pub fn is_empty(&self) -> bool {
        self.columns == 0
    }

    /// The part of the message that it is.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Its columns, in the relation's order.
    pub fn columns(&self) -> impl Iterator<Item = TupleColumn<'_>> {
        let mut rest = &self.body[..];
        (0..self.columns).map_while(move |_| step(&mut rest).ok())
    }
}

/// Reads one column of a tuple.
fn step<'a>(rest: &mut &'a [u8]) -> Result<TupleColumn<'a>, DecodeError> {
    let (kind, after) = rest.split_first().ok_or(DecodeError::Truncated)?;
    *rest = after;
    match kind {
        b'n' => Ok(TupleColumn::Null),
        b'u' => Ok(TupleColumn::UnchangedToast),
        b't' => {
            let (length, after) = rest.split_first_chunk::<4>().ok_or(DecodeError::Truncated)?;
            let length = u32::from_be_bytes(*length) as usize;
            let (value, after) = after.split_at_checked(length).ok_or(DecodeError::Truncated)?;
            *rest = after;
            Ok(TupleColumn::Text(value))
        }
        other => Err(DecodeError::UnknownTuple(*other)),
    }
}

fn take_u8(body: &mut Bytes) -> Result<u8, DecodeError> {
    body.try_get_u8().map_err(|_| DecodeError::Truncated)
}

fn take_u16(body: &mut Bytes) -> Result<u16, DecodeError> {
    body.try_get_u16().map_err(|_| DecodeError::Truncated)
}

fn take_u32(body: &mut Bytes) -> Result<u32, DecodeError> {
    body.try_get_u32().map_err(|_| DecodeError::Truncated)
}

fn take_lsn(body: &mut Bytes) -> Result<Lsn, DecodeError> {
    body.try_get_u64().map(Lsn).map_err(|_| DecodeError::Truncated)
}

fn take_time(body: &mut Bytes) -> Result<i64, DecodeError> {
    let time = body.try_get_i64().map_err(|_| DecodeError::Truncated)?;
    Ok(time.saturating_add(POSTGRES_EPOCH))
}

fn take_slice(body: &mut Bytes, length: usize) -> Result<Bytes, DecodeError> {
    if body.len() < length {
        return Err(DecodeError::Truncated);
    }
    Ok(body.split_to(length))
}

fn take_string(body: &mut Bytes) -> Result<String, DecodeError> {
    let end = body.iter().position(|byte| *byte == 0).ok_or(DecodeError::Truncated)?;
    let text = body.split_to(end);
    body.advance(1);
    String::from_utf8(text.to_vec()).map_err(|_| DecodeError::NotUtf8)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use bytes::{BufMut, BytesMut};
    use proptest::prelude::*;

    use super::*;

    fn encode(columns: &[Option<Option<Vec<u8>>>]) -> BytesMut {
        let mut out = BytesMut::new();
        out.put_u16(u16::try_from(columns.len()).unwrap());
        for column in columns {
            match column {
                None => out.put_u8(b'u'),
                Some(None) => out.put_u8(b'n'),
                Some(Some(text)) => {
                    out.put_u8(b't');
                    out.put_u32(u32::try_from(text.len()).unwrap());
                    out.put_slice(text);
                }
            }
        }
        out
    }

    #[test]
    fn a_relation_is_read_with_its_columns() {
        let mut body = BytesMut::from(&b"R"[..]);
        body.put_u32(16_385);
        body.put_slice(b"public\0orders\0d");
        body.put_u16(1);
        body.put_u8(1);
        body.put_slice(b"id\0");
        body.put_u32(23);
        body.put_i32(-1);
        let Message::Relation(relation) = Message::decode(body.freeze()).unwrap() else { panic!("not a relation") };
        assert_eq!((relation.schema.as_str(), relation.name.as_str()), ("public", "orders"));
        let column = RelationColumn { key: true, name: "id".into(), type_oid: 23, type_modifier: -1 };
        assert_eq!(relation.columns, [column]);
    }

    #[test]
    fn times_count_from_1970() {
        let mut body = BytesMut::from(&b"B"[..]);
        body.put_u64(7);
        body.put_i64(0);
        body.put_u32(3);
        let begin = Begin { final_lsn: Lsn(7), commit_time: 946_684_800_000_000, xid: 3 };
        assert_eq!(Message::decode(body.freeze()).unwrap(), Message::Begin(begin));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(kind in prop::sample::select(&b"BCORYIUDTM"[..]), rest: Vec<u8>) {
            let mut body = vec![kind];
            body.extend(rest);
            if let Ok(Message::Update { new, .. }) = Message::decode(Bytes::from(body)) {
                prop_assert_eq!(new.columns().count(), new.len());
            }
        }

        #[test]
        fn a_tuple_is_what_was_sent(columns: Vec<Option<Option<Vec<u8>>>>, cut: u8) {
            let mut body = BytesMut::from(&b"U\0\0\0\x01O"[..]);
            body.unsplit(encode(&columns));
            body.put_u8(b'N');
            body.unsplit(encode(&columns));
            let whole = body.freeze();
            let Message::Update { old, new, .. } = Message::decode(whole.clone()).unwrap() else { panic!() };
            let read: Vec<_> = new.columns().map(|column| match column {
                TupleColumn::UnchangedToast => None,
                TupleColumn::Null => Some(None),
                TupleColumn::Text(text) => Some(Some(text.to_vec())),
            }).collect();
            prop_assert_eq!(&read, &columns);
            prop_assert_eq!(old.unwrap(), new);
            let shorter = whole.slice(..whole.len() - 1 - usize::from(cut) % (whole.len() - 1));
            prop_assert!(Message::decode(shorter).is_err());
        }
    }
}
