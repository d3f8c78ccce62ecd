//! Fetch sessions (KIP-227): the broker remembers which partitions a consumer fetches, so that each fetch names only
//! what changed and each answer holds only what is new.

use std::collections::HashMap;

use brooklet_protocol::ErrorCode;
use uuid::Uuid;

/// `session_epoch` of a fetch without a session, which also ends the session it names.
pub(crate) const FINAL_EPOCH: i32 = -1;
/// `session_epoch` of a fetch that wants a new session.
pub(crate) const INITIAL_EPOCH: i32 = 0;
/// The id of no session.
pub(crate) const NO_SESSION: i32 = 0;
/// `min.incremental.fetch.session.eviction.ms`: a session unused for so long makes room for another.
const EVICTION_MS: u64 = 120_000;

/// A topic as a fetch names it: by name up to version 12, by id from version 13.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum TopicKey {
    Name(String),
    Id(Uuid),
}

/// A partition as a fetch asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WantedPartition {
    pub(crate) topic: TopicKey,
    pub(crate) partition: i32,
    pub(crate) current_leader_epoch: i32,
    pub(crate) fetch_offset: i64,
    pub(crate) max_bytes: i32,
}

/// What an answer said of a partition, as far as it decides whether the next one has anything new to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) high_watermark: i64,
    pub(crate) log_start_offset: i64,
}

/// A fetch, as far as sessions are concerned.
#[derive(Debug)]
pub(crate) struct FetchContext {
    pub(crate) session_id: i32,
    /// Whether partitions with nothing new are left out of the answer.
    pub(crate) incremental: bool,
    /// In the order in which they are to be read.
    pub(crate) partitions: Vec<WantedPartition>,
}

#[derive(Debug)]
struct Session {
    next_epoch: i32,
    uses_topic_ids: bool,
    last_used_ms: u64,
    /// Those that had records last time stand behind those that had none, so that each gets its turn.
    partitions: Vec<(WantedPartition, Option<Told>)>,
}

/// All sessions, at most as many as `max.incremental.fetch.session.cache.slots`.
#[derive(Debug)]
pub(crate) struct FetchSessions {
    slots: usize,
    sessions: HashMap<i32, Session>,
    next_id: i32,
}

/// A fetch request's session fields.
#[derive(Debug)]
pub(crate) struct SessionRequest {
    pub(crate) session_id: i32,
    pub(crate) session_epoch: i32,
    pub(crate) uses_topic_ids: bool,
    pub(crate) partitions: Vec<WantedPartition>,
    pub(crate) forgotten: Vec<(TopicKey, i32)>,
}

impl FetchSessions {
    pub(crate) fn new(slots: usize) -> Self {
        Self { slots, sessions: HashMap::new(), next_id: 1 }
    }

    /// What a fetch is to read. The error is that of the whole fetch.
    pub(crate) fn begin(&mut self, request: SessionRequest, now_ms: u64) -> Result<FetchContext, ErrorCode> {
        match request.session_epoch {
            FINAL_EPOCH | INITIAL_EPOCH => {
                self.sessions.remove(&request.session_id);
                let wants_session = request.session_epoch == INITIAL_EPOCH && !request.partitions.is_empty();
                let session_id = if wants_session { self.create(&request, now_ms) } else { NO_SESSION };
                Ok(FetchContext { session_id, incremental: false, partitions: request.partitions })
            }
            _ => self.resume(request, now_ms),
        }
    }

    fn resume(&mut self, request: SessionRequest, now_ms: u64) -> Result<FetchContext, ErrorCode> {
        let session = self.sessions.get_mut(&request.session_id).ok_or(ErrorCode::FetchSessionIdNotFound)?;
        if session.next_epoch != request.session_epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        if session.uses_topic_ids != request.uses_topic_ids {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        session.last_used_ms = now_ms;
        session.next_epoch = following(session.next_epoch);
        session.change(request.partitions, &request.forgotten);
        let partitions: Vec<_> = session.partitions.iter().map(|(wanted, _)| wanted.clone()).collect();
        if partitions.is_empty() {
            self.sessions.remove(&request.session_id);
            return Ok(FetchContext { session_id: NO_SESSION, incremental: false, partitions });
        }
        Ok(FetchContext { session_id: request.session_id, incremental: true, partitions })
    }

    /// Takes note of an answer and tells which of its partitions, by index, have anything new. `answers` stand in the
    /// order of the context's partitions: what each says, whether it has records, and whether it has an error.
    pub(crate) fn finish(&mut self, context: &FetchContext, answers: &[(Told, bool, bool)]) -> Vec<bool> {
        let Some(session) = self.sessions.get_mut(&context.session_id) else {
            return vec![true; answers.len()];
        };
        let mut news = Vec::with_capacity(answers.len());
        for (index, (told, has_records, has_error)) in answers.iter().enumerate() {
            let known = session.partitions.get_mut(index);
            let Some((_, last)) = known else {
                news.push(true);
                continue;
            };
            news.push(!context.incremental || *has_records || *has_error || *last != Some(*told));
            // What came with an error is told again once the error has gone.
            *last = (!has_error).then_some(*told);
        }
        let read: Vec<bool> = answers.iter().map(|(_, has_records, _)| *has_records).collect();
        session.move_behind(&read);
        news
    }

    fn create(&mut self, request: &SessionRequest, now_ms: u64) -> i32 {
        if self.sessions.len() >= self.slots && !self.evict(now_ms) {
            return NO_SESSION;
        }
        let session_id = self.next_id;
        self.next_id = following(self.next_id);
        let partitions = request.partitions.iter().map(|wanted| (wanted.clone(), None)).collect();
        let session = Session {
            next_epoch: following(INITIAL_EPOCH),
            uses_topic_ids: request.uses_topic_ids,
            last_used_ms: now_ms,
            partitions,
        };
        self.sessions.insert(session_id, session);
        session_id
    }

    /// Makes room, if some session has been left alone for long enough.
    fn evict(&mut self, now_ms: u64) -> bool {
        let oldest = self.sessions.iter().min_by_key(|(_, session)| session.last_used_ms);
        match oldest.map(|(id, session)| (*id, session.last_used_ms)) {
            Some((id, last_used_ms)) if now_ms.saturating_sub(last_used_ms) > EVICTION_MS => {
                self.sessions.remove(&id);
                true
            }
            _ => false,
        }
    }
}

impl Session {
    fn change(&mut self, wanted: Vec<WantedPartition>, forgotten: &[(TopicKey, i32)]) {
        if !forgotten.is_empty() {
            let forgotten: std::collections::HashSet<_> =
                forgotten.iter().map(|(topic, partition)| (topic, *partition)).collect();
            self.partitions.retain(|(known, _)| !forgotten.contains(&(&known.topic, known.partition)));
        }
        if wanted.is_empty() {
            return;
        }
        let places: HashMap<(TopicKey, i32), usize> = self
            .partitions
            .iter()
            .enumerate()
            .map(|(index, (known, _))| ((known.topic.clone(), known.partition), index))
            .collect();
        for wanted in wanted {
            match places.get(&(wanted.topic.clone(), wanted.partition)) {
                Some(index) => self.partitions[*index].0 = wanted,
                None => self.partitions.push((wanted, None)),
            }
        }
    }

    fn move_behind(&mut self, read: &[bool]) {
        if !read.contains(&true) {
            return;
        }
        let all = std::mem::take(&mut self.partitions);
        let mut behind = Vec::new();
        for (index, partition) in all.into_iter().enumerate() {
            match read.get(index) {
                Some(true) => behind.push(partition),
                _ => self.partitions.push(partition),
            }
        }
        self.partitions.append(&mut behind);
    }
}

/// The next epoch or id: 0 and below have meanings of their own.
fn following(number: i32) -> i32 {
    number.checked_add(1).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(partition: i32, fetch_offset: i64) -> WantedPartition {
        WantedPartition {
            topic: TopicKey::Name("t".into()),
            partition,
            current_leader_epoch: -1,
            fetch_offset,
            max_bytes: 1000,
        }
    }

    fn request(session_id: i32, session_epoch: i32, partitions: Vec<WantedPartition>) -> SessionRequest {
        SessionRequest { session_id, session_epoch, uses_topic_ids: false, partitions, forgotten: Vec::new() }
    }

    fn told(high_watermark: i64) -> (Told, bool, bool) {
        (Told { high_watermark, log_start_offset: 0 }, false, false)
    }

    #[test]
    fn an_incremental_fetch_reads_what_the_session_knows_and_answers_what_is_new() {
        let mut sessions = FetchSessions::new(10);
        let first = sessions.begin(request(0, 0, vec![wanted(0, 5), wanted(1, 7)]), 0).unwrap();
        assert_ne!(first.session_id, NO_SESSION);
        assert_eq!(sessions.finish(&first, &[told(5), told(7)]), [true, true]);

        let next = sessions.begin(request(first.session_id, 1, vec![wanted(1, 8)]), 0).unwrap();
        assert_eq!(next.partitions, [wanted(0, 5), wanted(1, 8)]);
        assert_eq!(sessions.finish(&next, &[told(5), told(8)]), [false, true]);

        let mut forgetting = request(first.session_id, 2, Vec::new());
        forgetting.forgotten = vec![(TopicKey::Name("t".into()), 0)];
        let next = sessions.begin(forgetting, 0).unwrap();
        assert_eq!(next.partitions, [wanted(1, 8)]);
    }

    #[test]
    fn a_partition_that_had_records_goes_behind_the_others() {
        let mut sessions = FetchSessions::new(10);
        let first = sessions.begin(request(0, 0, vec![wanted(0, 0), wanted(1, 0)]), 0).unwrap();
        sessions.finish(&first, &[(told(1).0, true, false), told(1)]);
        let next = sessions.begin(request(first.session_id, 1, Vec::new()), 0).unwrap();
        assert_eq!(next.partitions, [wanted(1, 0), wanted(0, 0)]);
    }

    #[test]
    fn an_error_is_told_each_time_and_its_end_too() {
        let mut sessions = FetchSessions::new(10);
        let first = sessions.begin(request(0, 0, vec![wanted(0, 0)]), 0).unwrap();
        sessions.finish(&first, &[told(3)]);
        let failed = (told(3).0, false, true);
        for (epoch, answer, new) in [(1, failed, true), (2, failed, true), (3, told(3), true), (4, told(3), false)] {
            let next = sessions.begin(request(first.session_id, epoch, Vec::new()), 0).unwrap();
            assert_eq!(sessions.finish(&next, &[answer]), [new], "epoch {epoch}");
        }
    }

    #[test]
    fn wrong_ids_and_epochs_have_their_own_errors() {
        let mut sessions = FetchSessions::new(10);
        let first = sessions.begin(request(0, 0, vec![wanted(0, 0)]), 0).unwrap();
        let error = |request| sessions.begin(request, 0).unwrap_err();
        let mut error = error;
        assert_eq!(error(request(99, 1, Vec::new())), ErrorCode::FetchSessionIdNotFound);
        assert_eq!(error(request(first.session_id, 2, Vec::new())), ErrorCode::InvalidFetchSessionEpoch);
        let by_id = SessionRequest { uses_topic_ids: true, ..request(first.session_id, 1, Vec::new()) };
        assert_eq!(error(by_id), ErrorCode::FetchSessionTopicIdError);
        sessions.begin(request(first.session_id, FINAL_EPOCH, Vec::new()), 0).unwrap();
        assert_eq!(
            sessions.begin(request(first.session_id, 1, Vec::new()), 0).unwrap_err(),
            ErrorCode::FetchSessionIdNotFound
        );
    }

    #[test]
    fn with_all_slots_in_use_a_fetch_goes_on_without_a_session_until_one_is_old() {
        let mut sessions = FetchSessions::new(1);
        let first = sessions.begin(request(0, 0, vec![wanted(0, 0)]), 0).unwrap();
        let second = sessions.begin(request(0, 0, vec![wanted(0, 0)]), EVICTION_MS).unwrap();
        assert_eq!(second.session_id, NO_SESSION);
        let third = sessions.begin(request(0, 0, vec![wanted(0, 0)]), EVICTION_MS + 1).unwrap();
        assert!(third.session_id != NO_SESSION && third.session_id != first.session_id);
    }
}
