//! What Java's library decides in Kafka Connect: the language of its regular expressions, how it writes numbers, how it
//! formats times, its time zones, and how it hashes texts. Configs are written in it, and events carry it.

pub(crate) mod base64;
pub(crate) mod calendar;
pub mod date_format;
pub mod decimal;
mod floating_decimal;
pub mod number;
pub(crate) mod offset_time;
pub mod regex;
pub(crate) mod string_hash;
pub(crate) mod time_zone;
