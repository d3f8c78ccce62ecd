//! AlterClientQuotas: v0-1 (KIP-546)
//!
//! Users and client ids, alone or together, and addresses (KIP-612); no name is the default of a type. Each entity is
//! changed on its own: what is wrong with one leaves the others as asked for. Errors are INVALID_REQUEST.

use std::collections::BTreeMap;
use std::sync::Arc;

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::alter_client_quotas_request::EntryData as Asked;
use brooklet_protocol::messages::alter_client_quotas_response::{EntityData, EntryData};
use brooklet_protocol::messages::{AlterClientQuotasRequest, AlterClientQuotasResponse};

use super::{refusal, text};
use crate::apis::{Api, RequestContext};
use crate::node::Node;
use crate::quotas::alteration::{QuotaChange, QuotaError};
use crate::quotas::entity::QuotaEntity;

pub(crate) const API: Api = Api::new::<AlterClientQuotasRequest>("AlterClientQuotas", 0..=1);

pub(crate) async fn handle(cx: &RequestContext, request: AlterClientQuotasRequest) -> AlterClientQuotasResponse {
    let node = Arc::clone(&cx.node);
    // Names of hosts may have to be looked up.
    let altered = tokio::task::spawn_blocking(move || alter_all(&node, request.entries, request.validate_only)).await;
    let entries = altered.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
    AlterClientQuotasResponse::default().with_entries(entries)
}

fn alter_all(node: &Node, entries: Vec<Asked>, validate_only: bool) -> Vec<EntryData> {
    let mut seen: BTreeMap<BTreeMap<String, Option<String>>, usize> = BTreeMap::new();
    let mut answers: Vec<EntryData> = Vec::with_capacity(entries.len());
    for entry in entries {
        let name = |name: &brooklet_protocol::StrBytes| name.to_string();
        let pairs: BTreeMap<_, _> =
            entry.entity.iter().map(|part| (name(&part.entity_type), part.entity_name.as_ref().map(name))).collect();
        if let Some(first) = seen.get(&pairs) {
            let message = text("the request names this entity twice; the second is ignored");
            answers[*first] = answers[*first]
                .clone()
                .with_error_code(ErrorCode::InvalidRequest.code())
                .with_error_message(Some(message));
            continue;
        }
        seen.insert(pairs.clone(), answers.len());
        let outcome = alter_one(node, pairs, &entry, validate_only);
        let (error, message) = outcome.map_or_else(|error| refusal(&error), |()| (ErrorCode::None, None));
        let entity = entry
            .entity
            .into_iter()
            .map(|part| EntityData::default().with_entity_type(part.entity_type).with_entity_name(part.entity_name));
        let answer = EntryData::default().with_error_code(error.code()).with_error_message(message);
        answers.push(answer.with_entity(entity.collect()));
    }
    answers
}

fn alter_one(
    node: &Node,
    pairs: BTreeMap<String, Option<String>>,
    entry: &Asked,
    validate_only: bool,
) -> Result<(), QuotaError> {
    let entity = QuotaEntity::parse(pairs).map_err(QuotaError::Invalid)?;
    let changes = entry.ops.iter().map(|op| {
        let value = (!op.remove).then_some(op.value);
        QuotaChange { name: op.key.to_string(), value }
    });
    node.alter_quotas(&entity, &changes.collect::<Vec<_>>(), validate_only)
}
