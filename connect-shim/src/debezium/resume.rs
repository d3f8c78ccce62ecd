//! What has been read already when a stream begins anew: the server sends whole transactions again, of which the offset may
//! know a part.

use super::offset::{MessageType, Offset};
use crate::postgres::Lsn;

/// Tells what to leave out of the first transactions of a stream.
#[derive(Debug, Default)]
pub(crate) struct Resume {
    /// Transactions that end here or before have been read.
    committed: Option<Lsn>,
    /// The transaction of which a part has been read, the place up to which, and how many of that place's events.
    partial: Option<(u32, Lsn, i64)>,
    /// Messages outside of transactions have been read up to here.
    messages: Option<Lsn>,
    /// Whether the transaction under way is the one of which a part has been read.
    within: bool,
}

impl Resume {
    /// From an offset of Debezium's or ours.
    pub(crate) fn new(offset: &Offset) -> Self {
        let whole = matches!(offset.message_type, None | Some(MessageType::Begin | MessageType::Commit));
        let beyond = offset.lsn.filter(|lsn| !whole && offset.lsn_commit.is_none_or(|commit| *lsn > commit));
        let partial = beyond.zip(offset.tx_id).map(|(lsn, tx_id)| {
            // The stream has transactions' ids without their epoch.
            let xid = (tx_id & 0xFFFF_FFFF) as u32;
            (xid, lsn, offset.lsn_events_processed.max(1))
        });
        let message = offset.message_type == Some(MessageType::Message);
        Self {
            committed: offset.lsn_commit,
            partial: partial.filter(|_| offset.snapshot.is_none()),
            messages: offset.lsn.filter(|_| message),
            within: false,
        }
    }

    /// A transaction begins. False if it has been read.
    pub(crate) fn begin(&mut self, xid: u32, final_lsn: Lsn) -> bool {
        self.within = self.partial.is_some_and(|(partial, ..)| partial == xid);
        self.committed.is_none_or(|committed| final_lsn >= committed) || self.within
    }

    /// A change within the transaction under way. False if it has been read.
    pub(crate) fn change(&mut self, lsn: Lsn) -> bool {
        let Some((_, place, count)) = self.partial.as_mut().filter(|_| self.within) else { return true };
        match lsn.cmp(place) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        }
    }

    /// A message outside of transactions. False if it has been read.
    pub(crate) fn message(&self, lsn: Lsn) -> bool {
        self.messages.is_none_or(|read| lsn > read)
    }

    /// The transaction under way ends.
    pub(crate) fn commit(&mut self) {
        if std::mem::take(&mut self.within) {
            self.partial = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offset(message_type: MessageType, lsn: u64, commit: u64, count: i64) -> Offset {
        Offset {
            tx_id: Some(0x1_0000_0007),
            lsn: Some(Lsn(lsn)),
            lsn_proc: Some(Lsn(lsn)),
            lsn_commit: Some(Lsn(commit)),
            message_type: Some(message_type),
            lsn_events_processed: count,
            ..Offset::default()
        }
    }

    #[test]
    fn of_a_transaction_only_the_rest_is_read() {
        let mut resume = Resume::new(&offset(MessageType::Insert, 120, 100, 2));
        assert!(!resume.begin(3, Lsn(90)));
        // Another one that was under way beside it is read whole.
        assert!(resume.begin(5, Lsn(125)));
        assert!(resume.change(Lsn(110)));
        resume.commit();
        assert!(resume.begin(7, Lsn(130)));
        let read: Vec<bool> = [110, 120, 120, 120, 125].map(|lsn| resume.change(Lsn(lsn))).to_vec();
        assert_eq!(read, [false, false, false, true, true]);
        resume.commit();
        assert!(resume.begin(7, Lsn(140)) && resume.change(Lsn(135)));
    }

    #[test]
    fn after_a_commit_all_is_new() {
        let mut resume = Resume::new(&offset(MessageType::Commit, 100, 100, 0));
        assert!(resume.begin(7, Lsn(130)) && resume.change(Lsn(50)));
    }

    #[test]
    fn messages_are_not_read_twice() {
        let resume = Resume::new(&offset(MessageType::Message, 100, 100, 0));
        assert!(!resume.message(Lsn(100)));
        assert!(resume.message(Lsn(101)));
    }
}
