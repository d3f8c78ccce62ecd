//! Which tasks members have and are to have.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{BufMut, Bytes, BytesMut};

use crate::coordinator::flexible_value::{flexible_value, new_value};
use crate::cursor::{Cursor, Malformed, put_compact_count, put_compact_string, put_tagged_field};

/// Tasks: partitions by subtopology.
pub type Tasks = BTreeMap<String, BTreeSet<i32>>;
/// Tasks, each with the epoch in which it was assigned.
pub type TaskEpochs = BTreeMap<String, BTreeMap<i32, i32>>;

/// What a member is to have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TargetAssignmentMemberValue {
    /// Tasks that it processes.
    pub active: Tasks,
    /// Tasks whose state it keeps, to take over.
    pub standby: Tasks,
    /// Tasks whose state it fetches, to take over soon.
    pub warmup: Tasks,
}

impl TargetAssignmentMemberValue {
    /// Reads a value.
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut cursor = flexible_value(bytes, "target assignment version")?;
        let value = Self { active: tasks(&mut cursor)?, standby: tasks(&mut cursor)?, warmup: tasks(&mut cursor)? };
        cursor.no_tagged_fields()?;
        Ok(value)
    }

    /// The value's bytes.
    pub fn encode(&self) -> Bytes {
        let mut out = new_value();
        for tasks in [&self.active, &self.standby, &self.warmup] {
            put_tasks(&mut out, tasks);
        }
        out.put_u8(0);
        out.freeze()
    }
}

/// What a member has, and how far it is on the way to what it is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentMemberAssignmentValue {
    /// The member's epoch.
    pub member_epoch: i32,
    /// The one before.
    pub previous_member_epoch: i32,
    /// Kafka's code of its state.
    pub state: i8,
    /// Tasks that it processes.
    pub active: TaskEpochs,
    /// Tasks whose state it keeps.
    pub standby: Tasks,
    /// Tasks whose state it fetches.
    pub warmup: Tasks,
    /// Active tasks that it is to give up.
    pub active_pending_revocation: TaskEpochs,
    /// Standby tasks that it is to give up.
    pub standby_pending_revocation: Tasks,
    /// Warm-up tasks that it is to give up.
    pub warmup_pending_revocation: Tasks,
}

impl CurrentMemberAssignmentValue {
    /// Reads a value. Tasks without an epoch of their own, as Kafka before 4.3 kept them, have the member's.
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut cursor = flexible_value(bytes, "current assignment version")?;
        let member_epoch = cursor.i32("member epoch")?;
        let value = Self {
            member_epoch,
            previous_member_epoch: cursor.i32("previous member epoch")?,
            state: cursor.i8("state")?,
            active: task_epochs(&mut cursor, member_epoch)?,
            standby: tasks(&mut cursor)?,
            warmup: tasks(&mut cursor)?,
            active_pending_revocation: task_epochs(&mut cursor, member_epoch)?,
            standby_pending_revocation: tasks(&mut cursor)?,
            warmup_pending_revocation: tasks(&mut cursor)?,
        };
        cursor.no_tagged_fields()?;
        Ok(value)
    }

    /// The value's bytes.
    pub fn encode(&self) -> Bytes {
        let mut out = new_value();
        out.put_i32(self.member_epoch);
        out.put_i32(self.previous_member_epoch);
        out.put_i8(self.state);
        put_task_epochs(&mut out, &self.active);
        put_tasks(&mut out, &self.standby);
        put_tasks(&mut out, &self.warmup);
        put_task_epochs(&mut out, &self.active_pending_revocation);
        put_tasks(&mut out, &self.standby_pending_revocation);
        put_tasks(&mut out, &self.warmup_pending_revocation);
        out.put_u8(0);
        out.freeze()
    }
}

fn partitions(cursor: &mut Cursor) -> Result<Vec<i32>, Malformed> {
    cursor.compact_array(4, "partitions", |cursor| cursor.i32("partition"))
}

fn tasks(cursor: &mut Cursor) -> Result<Tasks, Malformed> {
    let tasks = cursor.compact_array(3, "tasks", |cursor| {
        let tasks = (cursor.compact_string("subtopology")?, partitions(cursor)?.into_iter().collect());
        cursor.no_tagged_fields()?;
        Ok(tasks)
    })?;
    Ok(tasks.into_iter().collect())
}

fn put_tasks(out: &mut BytesMut, tasks: &Tasks) {
    put_compact_count(out, tasks.len());
    for (subtopology, partitions) in tasks {
        put_compact_string(out, subtopology);
        put_compact_count(out, partitions.len());
        partitions.iter().for_each(|partition| out.put_i32(*partition));
        out.put_u8(0);
    }
}

fn task_epochs(cursor: &mut Cursor, default: i32) -> Result<TaskEpochs, Malformed> {
    let tasks = cursor.compact_array(3, "tasks", |cursor| {
        let subtopology = cursor.compact_string("subtopology")?;
        let partitions = partitions(cursor)?;
        let mut epochs = Vec::new();
        cursor.tagged_fields(|tag, mut field| {
            if tag == 0 {
                epochs = field.compact_array(4, "assignment epochs", |cursor| cursor.i32("assignment epoch"))?;
            }
            Ok(())
        })?;
        let epochs = epochs.into_iter().chain(std::iter::repeat(default));
        Ok((subtopology, partitions.into_iter().zip(epochs).collect()))
    })?;
    Ok(tasks.into_iter().collect())
}

fn put_task_epochs(out: &mut BytesMut, tasks: &TaskEpochs) {
    put_compact_count(out, tasks.len());
    for (subtopology, partitions) in tasks {
        put_compact_string(out, subtopology);
        put_compact_count(out, partitions.len());
        partitions.keys().for_each(|partition| out.put_i32(*partition));
        let mut epochs = BytesMut::new();
        put_compact_count(&mut epochs, partitions.len());
        partitions.values().for_each(|epoch| epochs.put_i32(*epoch));
        out.put_u8(1);
        put_tagged_field(out, 0, &epochs);
    }
}
