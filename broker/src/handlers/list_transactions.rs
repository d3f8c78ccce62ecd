//! ListTransactions: v0-2
//!
//! The transactional ids that the coordinator knows (KIP-664): by state, by producer, v1 by how long their transaction has
//! taken, v2 by a pattern that the whole id must match (KIP-1152).
//!
//! Differs from Kafka: patterns are of RE2's kind, without backreferences and look-around.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::transaction_log::TransactionState as State;
use brooklet_protocol::messages::list_transactions_response::TransactionState;
use brooklet_protocol::messages::{ListTransactionsRequest, ListTransactionsResponse, ProducerId, TransactionalId};
use regex::{Regex, RegexBuilder};

use super::text;
use crate::apis::{Api, RequestContext};
use crate::txn::requests::TransactionListing;

pub(crate) const API: Api = Api::new::<ListTransactionsRequest>("ListTransactions", 0..=2);

/// What a compiled pattern may take, in bytes.
const MAX_PATTERN_BYTES: usize = 1 << 20;

pub(crate) async fn handle(cx: &RequestContext, request: ListTransactionsRequest) -> ListTransactionsResponse {
    let pattern = match request.transactional_id_pattern.as_deref().filter(|pattern| !pattern.is_empty()) {
        None => None,
        Some(pattern) => match compile(pattern) {
            Ok(pattern) => Some(pattern),
            Err(_) => {
                return ListTransactionsResponse::default().with_error_code(ErrorCode::InvalidRegularExpression.code());
            }
        },
    };
    let listed = match cx.node.transactions.list().await {
        Ok(listed) => listed,
        Err(error) => return ListTransactionsResponse::default().with_error_code(error.code()),
    };
    let (known, unknown): (Vec<_>, Vec<_>) =
        request.state_filters.iter().cloned().partition(|name| State::from_name(name).is_some());
    let now_ms = cx.node.clock.wall_ms();
    let wanted = |found: &TransactionListing| {
        let of_state = request.state_filters.is_empty() || known.iter().any(|name| **name == *found.state.name());
        let of_producer = request.producer_id_filters.is_empty()
            || request.producer_id_filters.contains(&ProducerId(found.producer_id));
        let long_enough = request.duration_filter < 0 || now_ms - found.start_timestamp > request.duration_filter;
        let matches = pattern.as_ref().is_none_or(|pattern| pattern.is_match(&found.transactional_id));
        of_state && of_producer && long_enough && matches
    };
    let states = listed.into_iter().filter(wanted).map(|found| {
        TransactionState::default()
            .with_transactional_id(TransactionalId(text(&*found.transactional_id)))
            .with_producer_id(ProducerId(found.producer_id))
            .with_transaction_state(text(found.state.name()))
    });
    ListTransactionsResponse::default().with_unknown_state_filters(unknown).with_transaction_states(states.collect())
}

/// A pattern for whole ids.
fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    // By itself first: what is no pattern must not become one by what is put around it.
    Regex::new(pattern)?;
    RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(MAX_PATTERN_BYTES).build()
}
