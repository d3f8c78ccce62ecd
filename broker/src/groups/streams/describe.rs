//! A streams group as administrators see it.

use brooklet_protocol::coordinator::streams_group::TopologyValue;

use super::requests::{StreamsGroupDescription, StreamsMemberDescription};
use super::{StreamsGroup, not_found};
use crate::groups::consumer::requests::GroupError;

impl StreamsGroup {
    pub(crate) fn describe(&self) -> Result<StreamsGroupDescription, GroupError> {
        let topology = self.topology.as_ref().ok_or_else(|| not_found(&self.id))?;
        let configured = self.configured.as_ref().filter(|configured| configured.is_ready());
        let topology = match configured.and_then(|configured| configured.subtopologies.as_ref()) {
            Some(parts) => TopologyValue {
                epoch: topology.epoch,
                subtopologies: parts.values().map(|part| part.subtopology.clone()).collect(),
            },
            None => topology.clone(),
        };
        let members = self.members.values().map(|member| StreamsMemberDescription {
            member: member.clone(),
            target: self.target.get(&member.id).cloned().unwrap_or_default(),
        });
        Ok(StreamsGroupDescription {
            state: self.state(),
            epoch: self.epoch,
            assignment_epoch: self.target_metadata.assignment_epoch,
            topology,
            members: members.collect(),
        })
    }
}
