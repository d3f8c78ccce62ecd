//! How the messages in this folder are written and read: by the types of their fields. Every type that Kafka's
//! message definitions know is a [`Value`], and [`structs!`] makes a struct of a table of such fields, as
//! `kafka-protocol` would have made it.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

pub(super) use anyhow::Result;
use anyhow::{bail, ensure};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{BrokerId, GroupId, ProducerId, TopicName};
use kafka_protocol::protocol::StrBytes;
pub(super) use kafka_protocol::protocol::buf::{ByteBuf, ByteBufMut};
pub(super) use kafka_protocol::protocol::{Decodable, Encodable, Message, VersionRange};
use uuid::Uuid;

use crate::cursor::put_unsigned_varint;

/// Tagged fields (KIP-482) that the message does not know, by tag.
pub(super) type TaggedFields = BTreeMap<i32, Bytes>;

/// A value of a field.
pub(super) trait Value: Sized {
    fn write(&self, out: &mut Writer<impl Sink>) -> Result<()>;
    fn read(from: &mut Reader<'_, impl ByteBuf>) -> Result<Self>;

    fn is_null(&self) -> bool {
        false
    }
}

/// A value that some fields may leave out.
pub(super) trait Nullable: Value {
    fn write_null(out: &mut Writer<impl Sink>);
    fn read_or_null(from: &mut Reader<'_, impl ByteBuf>) -> Result<Option<Self>>;

    /// What stands before a value that could have been null, if it does not tell that itself.
    fn write_presence(_out: &mut Writer<impl Sink>) {}
}

/// Where bytes go.
pub(super) trait Sink {
    fn put(&mut self, bytes: &[u8]);
}

/// A buffer that grows.
pub(super) struct Buffer<'a, B>(pub(super) &'a mut B);

impl<B: ByteBufMut> Sink for Buffer<'_, B> {
    fn put(&mut self, bytes: &[u8]) {
        self.0.put_slice(bytes);
    }
}

/// Counts the bytes and drops them.
pub(super) struct Counter(pub(super) usize);

impl Sink for Counter {
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

/// A message on its way out, at one version.
pub(super) struct Writer<S> {
    pub(super) sink: S,
    pub(super) version: i16,
    pub(super) flexible: bool,
}

impl<S: Sink> Writer<S> {
    /// Writes the field if the version has it. A value that would get lost is an error, unless the definition calls
    /// the field ignorable.
    pub(super) fn field<T: Value + PartialEq>(
        &mut self,
        value: &T,
        default: &T,
        versions: RangeInclusive<i16>,
        null_versions: Option<RangeInclusive<i16>>,
        ignorable: bool,
    ) -> Result<()> {
        if !versions.contains(&self.version) {
            ensure!(ignorable || value == default, "a field is set that version {} does not have", self.version);
            return Ok(());
        }
        let may_be_null = null_versions.is_some_and(|versions| versions.contains(&self.version));
        ensure!(may_be_null || !value.is_null(), "a field is null that must not be at version {}", self.version);
        value.write(self)
    }

    /// The tagged fields that end a struct of a flexible version.
    pub(super) fn tagged_fields(&mut self, fields: &TaggedFields) -> Result<()> {
        if !self.flexible {
            return Ok(());
        }
        self.varint(fields.len())?;
        for (tag, value) in fields {
            self.varint(usize::try_from(*tag)?)?;
            self.varint(value.len())?;
            self.sink.put(value);
        }
        Ok(())
    }

    fn varint(&mut self, value: usize) -> Result<()> {
        let value = u32::try_from(value)?;
        let mut bytes = BytesMut::with_capacity(5);
        put_unsigned_varint(&mut bytes, value.into());
        self.sink.put(&bytes);
        Ok(())
    }

    /// The length of a string.
    fn string_length(&mut self, length: usize) -> Result<()> {
        let short = i16::try_from(length)?;
        if self.flexible {
            return self.varint(length + 1);
        }
        self.sink.put(&short.to_be_bytes());
        Ok(())
    }

    /// The length of bytes or the count of an array.
    fn length(&mut self, length: usize) -> Result<()> {
        let wide = i32::try_from(length)?;
        if self.flexible {
            return self.varint(length + 1);
        }
        self.sink.put(&wide.to_be_bytes());
        Ok(())
    }

    fn null_string(&mut self) {
        self.sink.put(if self.flexible { &[0] } else { &[0xff; 2] });
    }

    fn null(&mut self) {
        self.sink.put(if self.flexible { &[0] } else { &[0xff; 4] });
    }
}

/// What is left of a message that is read at one version.
pub(super) struct Reader<'a, B> {
    pub(super) buf: &'a mut B,
    pub(super) version: i16,
    pub(super) flexible: bool,
}

impl<B: ByteBuf> Reader<'_, B> {
    /// Reads the field if the version has it.
    pub(super) fn field<T: Value>(&mut self, default: T, versions: RangeInclusive<i16>) -> Result<T> {
        if versions.contains(&self.version) { T::read(self) } else { Ok(default) }
    }

    /// The tagged fields that end a struct of a flexible version.
    pub(super) fn tagged_fields(&mut self) -> Result<TaggedFields> {
        let mut fields = TaggedFields::new();
        if self.flexible {
            for _ in 0..self.varint()? {
                let tag = self.varint()?;
                let size = self.varint()?;
                fields.insert(i32::try_from(tag)?, self.buf.try_get_bytes(size as usize)?);
            }
        }
        Ok(fields)
    }

    /// An unsigned varint of five bytes at most.
    fn varint(&mut self) -> Result<u32> {
        let mut value = 0;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.buf.try_get_u8()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        Ok(value)
    }

    /// The length of a string; `None` for null.
    fn string_length(&mut self) -> Result<Option<usize>> {
        if self.flexible { self.length() } else { length(self.buf.try_get_i16()?.into()) }
    }

    /// The length of bytes or the count of an array; `None` for null.
    fn length(&mut self) -> Result<Option<usize>> {
        if self.flexible {
            return Ok(self.varint()?.checked_sub(1).map(|length| length as usize));
        }
        length(self.buf.try_get_i32()?)
    }
}

fn length(length: i32) -> Result<Option<usize>> {
    match length {
        -1 => Ok(None),
        _ => Ok(Some(usize::try_from(length)?)),
    }
}

fn present<T>(value: Option<T>) -> Result<T> {
    match value {
        Some(value) => Ok(value),
        None => bail!("null where a value must be"),
    }
}

macro_rules! numbers {
    ($($number:ident $read:ident,)*) => {
        $(impl Value for $number {
            fn write(&self, out: &mut Writer<impl Sink>) -> Result<()> {
                out.sink.put(&self.to_be_bytes());
                Ok(())
            }

            fn read(from: &mut Reader<'_, impl ByteBuf>) -> Result<Self> {
                Ok(from.buf.$read()?)
            }
        })*
    };
}

numbers! {
    i8 try_get_i8,
    i16 try_get_i16,
    u16 try_get_u16,
    i32 try_get_i32,
    i64 try_get_i64,
}

impl Value for bool {
    fn write(&self, out: &mut Writer<impl Sink>) -> Result<()> {
        out.sink.put(&[u8::from(*self)]);
        Ok(())
    }

    fn read(from: &mut Reader<'_, impl ByteBuf>) -> Result<Self> {
        Ok(from.buf.try_get_u8()? != 0)
    }
}

impl Value for Uuid {
    fn write(&self, out: &mut Writer<impl Sink>) -> Result<()> {
        out.sink.put(self.as_bytes());
        Ok(())
    }

    fn read(from: &mut Reader<'_, impl ByteBuf>) -> Result<Self> {
        let mut bytes = [0; 16];
        from.buf.try_copy_to_slice(&mut bytes)?;
        Ok(Self::from_bytes(bytes))
    }
}

impl Value for StrBytes {
    fn write(&self, out: &mut Writer<impl Sink>) -> Result<()> {
        out.string_length(self.len())?;
        out.sink.put(self.as_bytes());
        Ok(())
    }

    fn read(from: &mut Reader<'_, impl ByteBuf>) -> Result<Self> {
        present(Self::read_or_null(from)?)
    }
}

impl Nullable for StrBytes {
    fn write_null(out: &mut Writer<impl Sink>) {
        out.null_string();
    }

    fn read_or_null(from: &mut Reader<'_, impl ByteBuf>) -> Result<Option<Self>> {
        let Some(length) = from.string_length()? else {
            return Ok(None);
        };
        Ok(Some(Self::from_utf8(from.buf.try_get_bytes(length)?)?))
    }
}

macro_rules! names {
    ($($name:ident is $inner:ident,)*) => {
        $(impl Value for $name {
            fn write(&self, out: &mut Writer<impl Sink>) -> Result<()> {
                self.0.write(out)
            }

            fn read(from: &mut Reader<'_, impl ByteBuf>) -> Result<Self> {
                Ok(Self($inner::read(from)?))
            }
        })*
    };
}

names! {
    BrokerId is i32,
    GroupId is StrBytes,
    ProducerId is i64,
    TopicName is StrBytes,
}

impl Nullable for GroupId {
    fn write_null(out: &mut Writer<impl Sink>) {
        StrBytes::write_null(out);
    }

    fn read_or_null(from: &mut Reader<'_, impl ByteBuf>) -> Result<Option<Self>> {
        Ok(StrBytes::read_or_null(from)?.map(Self))
    }
}

/// Bytes or records: a slice of the message.
impl Value for Bytes {
    fn write(&self, out: &mut Writer<impl Sink>) -> Result<()> {
        out.length(self.len())?;
        out.sink.put(self);
        Ok(())
    }

    fn read(from: &mut Reader<'_, impl ByteBuf>) -> Result<Self> {
        present(Self::read_or_null(from)?)
    }
}

impl Nullable for Bytes {
    fn write_null(out: &mut Writer<impl Sink>) {
        out.null();
    }

    fn read_or_null(from: &mut Reader<'_, impl ByteBuf>) -> Result<Option<Self>> {
        let Some(length) = from.length()? else {
            return Ok(None);
        };
        Ok(Some(from.buf.try_get_bytes(length)?))
    }
}

impl<T: Value> Value for Vec<T> {
    fn write(&self, out: &mut Writer<impl Sink>) -> Result<()> {
        out.length(self.len())?;
        self.iter().try_for_each(|element| element.write(out))
    }

    fn read(from: &mut Reader<'_, impl ByteBuf>) -> Result<Self> {
        present(Self::read_or_null(from)?)
    }
}

impl<T: Value> Nullable for Vec<T> {
    fn write_null(out: &mut Writer<impl Sink>) {
        out.null();
    }

    fn read_or_null(from: &mut Reader<'_, impl ByteBuf>) -> Result<Option<Self>> {
        let Some(count) = from.length()? else {
            return Ok(None);
        };
        // No element is shorter than a byte.
        ensure!(count <= from.buf.remaining(), "{count} elements in {} bytes", from.buf.remaining());
        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            elements.push(T::read(from)?);
        }
        Ok(Some(elements))
    }
}

impl<T: Nullable> Value for Option<T> {
    fn write(&self, out: &mut Writer<impl Sink>) -> Result<()> {
        let Some(value) = self else {
            T::write_null(out);
            return Ok(());
        };
        T::write_presence(out);
        value.write(out)
    }

    fn read(from: &mut Reader<'_, impl ByteBuf>) -> Result<Self> {
        T::read_or_null(from)
    }

    fn is_null(&self) -> bool {
        self.is_none()
    }
}

/// Writes `message` at `version`, which must be one of `versions`.
pub(super) fn encode<S: Sink>(
    message: &impl Value,
    sink: S,
    version: i16,
    versions: VersionRange,
    flexible_from: i16,
) -> Result<S> {
    check_version(version, versions)?;
    let mut out = Writer { sink, version, flexible: version >= flexible_from };
    message.write(&mut out)?;
    Ok(out.sink)
}

/// Reads a message at `version`, which must be one of `versions`, from the front of `buf`.
pub(super) fn decode<T: Value>(
    buf: &mut impl ByteBuf,
    version: i16,
    versions: VersionRange,
    flexible_from: i16,
) -> Result<T> {
    check_version(version, versions)?;
    T::read(&mut Reader { buf, version, flexible: version >= flexible_from })
}

fn check_version(version: i16, versions: VersionRange) -> Result<()> {
    ensure!((versions.min..=versions.max).contains(&version), "version {version} is none of {versions}");
    Ok(())
}

/// Makes the structs of one message, the message itself first. A line is a field: its name and its builder's, its
/// type, its default if that is not the type's, the versions that have it, `null` with the versions in which it may be
/// null, and `ignorable` if a version without it just leaves it out.
macro_rules! structs {
    (
        versions $min:literal..=$max:literal, flexible from $flexible:literal;
        $($name:ident {
            $(
                $field:ident, $with:ident: $type:ty $(= $default:expr)?, $first:literal..=$last:literal
                    $((null $first_null:literal..=$last_null:literal))? $(, $ignorable:ident)?;
            )*
        })*
    ) => {
        $(
            #[doc = concat!("`", stringify!($name), "`, in versions ", $min, " to ", $max, ".")]
            #[non_exhaustive]
            #[derive(Debug, Clone, PartialEq)]
            pub struct $name {
                $(
                    #[doc = concat!("In versions ", $first, " to ", $last, ".")]
                    pub $field: $type,
                )*
                /// Tagged fields that this struct does not know, by tag.
                pub unknown_tagged_fields: std::collections::BTreeMap<i32, bytes::Bytes>,
            }

            impl $name {
                $(
                    #[doc = concat!("Sets `", stringify!($field), "`, of versions ", $first, " to ", $last, ".")]
                    pub fn $with(mut self, value: $type) -> Self {
                        self.$field = value;
                        self
                    }
                )*

                /// Sets the tagged fields that this struct does not know.
                pub fn with_unknown_tagged_fields(
                    mut self,
                    value: std::collections::BTreeMap<i32, bytes::Bytes>,
                ) -> Self {
                    self.unknown_tagged_fields = value;
                    self
                }
            }

            impl Default for $name {
                fn default() -> Self {
                    Self {
                        $($field: $crate::messages::codec::structs!(@default $($default)?),)*
                        unknown_tagged_fields: Default::default(),
                    }
                }
            }

            const _: () = {
                use $crate::messages::codec::*;
                #[cfg(test)]
                use $crate::messages::sample::{Sample, Tape};

                impl Value for $name {
                    fn write(&self, out: &mut Writer<impl Sink>) -> Result<()> {
                        $(
                            let default: $type = structs!(@default $($default)?);
                            let null_versions = structs!(@null $($first_null..=$last_null)?);
                            let ignorable = structs!(@ignorable $($ignorable)?);
                            out.field(&self.$field, &default, $first..=$last, null_versions, ignorable)
                                .map_err(|error| error.context(stringify!($field)))?;
                        )*
                        out.tagged_fields(&self.unknown_tagged_fields)
                    }

                    fn read(from: &mut Reader<'_, impl ByteBuf>) -> Result<Self> {
                        $(let $field = from.field(structs!(@default $($default)?), $first..=$last)?;)*
                        Ok(Self { $($field,)* unknown_tagged_fields: from.tagged_fields()? })
                    }
                }

                impl Nullable for $name {
                    fn write_null(out: &mut Writer<impl Sink>) {
                        out.sink.put(&[0xff]);
                    }

                    fn write_presence(out: &mut Writer<impl Sink>) {
                        out.sink.put(&[1]);
                    }

                    fn read_or_null(from: &mut Reader<'_, impl ByteBuf>) -> Result<Option<Self>> {
                        let is_there = from.buf.try_get_i8()? == 1;
                        if is_there { Self::read(from).map(Some) } else { Ok(None) }
                    }
                }

                impl Message for $name {
                    const VERSIONS: VersionRange = VersionRange { min: $min, max: $max };
                    const DEPRECATED_VERSIONS: Option<VersionRange> = None;
                }

                impl Encodable for $name {
                    fn encode<B: ByteBufMut>(&self, buf: &mut B, version: i16) -> Result<()> {
                        encode(self, Buffer(buf), version, Self::VERSIONS, $flexible).map(|_| ())
                    }

                    fn compute_size(&self, version: i16) -> Result<usize> {
                        encode(self, Counter(0), version, Self::VERSIONS, $flexible).map(|Counter(size)| size)
                    }
                }

                impl Decodable for $name {
                    fn decode<B: ByteBuf>(buf: &mut B, version: i16) -> Result<Self> {
                        decode(buf, version, Self::VERSIONS, $flexible)
                    }
                }

                #[cfg(test)]
                impl Sample for $name {
                    fn sample(tape: &mut Tape<'_>) -> Self {
                        Self {
                            $($field: tape.field(
                                structs!(@default $($default)?),
                                $first..=$last,
                                structs!(@null $($first_null..=$last_null)?),
                            ),)*
                            unknown_tagged_fields: tape.tagged_fields(),
                        }
                    }
                }
            };
        )*
    };
    (@default) => { Default::default() };
    (@default $default:expr) => { $default };
    (@null) => { None };
    (@null $versions:expr) => { Some($versions) };
    (@ignorable) => { false };
    (@ignorable ignorable) => { true };
}

/// Says which request has which API key and response, and from which version on their headers have tagged fields.
macro_rules! api {
    ($key:literal: $request:ident => $response:ident, flexible from $flexible:literal) => {
        impl kafka_protocol::protocol::HeaderVersion for $request {
            fn header_version(version: i16) -> i16 {
                if version >= $flexible { 2 } else { 1 }
            }
        }

        impl kafka_protocol::protocol::HeaderVersion for $response {
            fn header_version(version: i16) -> i16 {
                if version >= $flexible { 1 } else { 0 }
            }
        }

        impl kafka_protocol::protocol::Request for $request {
            const KEY: i16 = $key;
            type Response = $response;
        }
    };
}

pub(super) use {api, structs};
