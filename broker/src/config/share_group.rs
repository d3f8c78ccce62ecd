//! What delivery to a share group follows (KIP-932), made of the group's configs.

use std::time::Duration;

use super::group::GroupConfig;

/// Where a share group begins in a partition of which it has read nothing (`share.auto.offset.reset`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShareAutoOffsetReset {
    /// At what comes next.
    Latest,
    /// At the log's beginning.
    Earliest,
    /// At what is this old.
    ByDuration(Duration),
}

/// The configs that delivery to a share group follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareGroupConfig {
    /// `share.auto.offset.reset`.
    pub auto_offset_reset: ShareAutoOffsetReset,
    /// Whether only committed records are delivered: `share.isolation.level`.
    pub committed_only: bool,
    /// `share.delivery.count.limit`.
    pub delivery_count_limit: i16,
    /// `share.partition.max.record.locks`.
    pub partition_max_record_locks: u32,
    /// `share.record.lock.duration.ms`.
    pub record_lock_duration: Duration,
    /// Whether members may renew locks: `share.renew.acknowledge.enable`.
    pub renew_acknowledge_enable: bool,
}

impl ShareGroupConfig {
    /// What a group's configs make.
    pub fn of(config: &GroupConfig) -> Self {
        Self {
            auto_offset_reset: ShareAutoOffsetReset::of(&config.share_auto_offset_reset),
            committed_only: config.share_isolation_level == "read_committed",
            delivery_count_limit: i16::try_from(config.share_delivery_count_limit).unwrap_or(i16::MAX),
            partition_max_record_locks: u32::try_from(config.share_partition_max_record_locks).unwrap_or_default(),
            record_lock_duration: Duration::from_millis(
                u64::try_from(config.share_record_lock_duration_ms).unwrap_or_default(),
            ),
            renew_acknowledge_enable: config.share_renew_acknowledge_enable,
        }
    }
}

impl ShareAutoOffsetReset {
    /// Reads a value that its config allows.
    fn of(text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        match text.strip_prefix("by_duration:") {
            Some(duration) => Self::ByDuration(iso_8601(duration)),
            None if text == "earliest" => Self::Earliest,
            None => Self::Latest,
        }
    }
}

/// The length of `pnDtnHnMn.nS`, in small letters.
fn iso_8601(text: &str) -> Duration {
    let mut length = Duration::ZERO;
    let mut number = String::new();
    for c in text.chars() {
        let seconds = match c {
            'd' => 24 * 60 * 60,
            'h' => 60 * 60,
            'm' => 60,
            's' => 1,
            c => {
                if c.is_ascii_digit() || c == '.' {
                    number.push(c);
                }
                continue;
            }
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
        let whole = whole.parse::<u64>().unwrap_or_default().saturating_mul(seconds);
        let nanos = format!("{fraction:0<9}").parse().unwrap_or_default();
        length = length.saturating_add(Duration::from_secs(whole)).saturating_add(Duration::from_nanos(nanos));
        number.clear();
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offset_resets_are_read() {
        let by = |seconds, millis: u32| ShareAutoOffsetReset::ByDuration(Duration::new(seconds, millis * 1_000_000));
        for (text, expected) in [
            ("latest", ShareAutoOffsetReset::Latest),
            ("EARLIEST", ShareAutoOffsetReset::Earliest),
            ("by_duration:PT1H", by(3600, 0)),
            ("by_duration:P1DT2H3M4.5S", by(93784, 500)),
            ("by_duration:p2d", by(172_800, 0)),
        ] {
            assert_eq!(ShareAutoOffsetReset::of(text), expected, "{text}");
        }
    }
}
