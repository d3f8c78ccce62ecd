//! Which of the quotas that are set holds for a client: the most specific, in Kafka's order of precedence.

use std::collections::HashMap;

use super::entity::EntityName;
use super::{ClientIdentity, SetQuotas};

/// All quotas of one kind.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Limits {
    users: ByName<UserLimits>,
    clients: ByName<f64>,
}

/// What is set for one user, or for every user without quotas of its own.
#[derive(Debug, Default, Clone, PartialEq)]
struct UserLimits {
    /// For all of its clients together.
    own: Option<f64>,
    clients: ByName<f64>,
}

#[derive(Debug, Clone, PartialEq)]
struct ByName<T> {
    named: HashMap<String, T>,
    default: Option<T>,
}

impl<T> Default for ByName<T> {
    fn default() -> Self {
        Self { named: HashMap::new(), default: None }
    }
}

impl<T> ByName<T> {
    fn get(&self, name: &str) -> Option<&T> {
        self.named.get(name).or(self.default.as_ref())
    }

    fn entry(&mut self, name: &EntityName) -> &mut T
    where
        T: Default,
    {
        match name {
            EntityName::Named(name) => self.named.entry(name.clone()).or_default(),
            EntityName::Default => self.default.get_or_insert_default(),
        }
    }
}

/// Whose use is counted together against a limit. An empty part stands for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sharers<'a> {
    pub(crate) user: &'a str,
    pub(crate) client_id: &'a str,
}

impl Limits {
    /// The quotas of this name.
    pub(crate) fn of(set: &SetQuotas, name: &str) -> Self {
        let mut limits = Self::default();
        for (entity, quotas) in set {
            let Some(bound) = quotas.get(name).copied() else { continue };
            match (entity.user(), entity.client_id()) {
                (Some(user), Some(client)) => *limits.users.entry(user).clients.entry(client) = bound,
                (Some(user), None) => limits.users.entry(user).own = Some(bound),
                (None, Some(client)) => *limits.clients.entry(client) = bound,
                (None, None) => {}
            }
        }
        limits
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The limit of a client, and with whom it shares it.
    pub(crate) fn find<'a>(&self, client: ClientIdentity<'a>) -> Option<(Sharers<'a>, f64)> {
        let ClientIdentity { user, client_id } = client;
        let named = !client_id.is_empty();
        for limits in [self.users.named.get(user), self.users.default.as_ref()].into_iter().flatten() {
            if named && let Some(bound) = limits.clients.get(client_id) {
                return Some((Sharers { user, client_id }, *bound));
            }
            if let Some(bound) = limits.own {
                return Some((Sharers { user, client_id: "" }, bound));
            }
        }
        let bound = self.clients.get(client_id).filter(|_| named)?;
        Some((Sharers { user: "", client_id }, *bound))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quotas::entity::QuotaEntity;
    use std::collections::BTreeMap;

    #[test]
    fn the_most_specific_quota_counts_in_kafkas_order() {
        // The order of precedence in KIP-546, from the most specific on.
        let order: [&[(&str, Option<&str>)]; 8] = [
            &[("user", Some("u")), ("client-id", Some("c"))],
            &[("user", Some("u")), ("client-id", None)],
            &[("user", Some("u"))],
            &[("user", None), ("client-id", Some("c"))],
            &[("user", None), ("client-id", None)],
            &[("user", None)],
            &[("client-id", Some("c"))],
            &[("client-id", None)],
        ];
        let mut set = SetQuotas::new();
        for (rank, entity) in order.iter().enumerate().rev() {
            let pairs = entity.iter().map(|(kind, name)| ((*kind).to_owned(), name.map(str::to_owned)));
            let entity = QuotaEntity::parse(pairs).unwrap();
            set.insert(entity, BTreeMap::from([("q".to_owned(), rank as f64)]));
            let client = ClientIdentity { user: "u", client_id: "c" };
            let found = Limits::of(&set, "q").find(client);
            let shared = match rank {
                0 | 1 | 3 | 4 => Sharers { user: "u", client_id: "c" },
                2 | 5 => Sharers { user: "u", client_id: "" },
                _ => Sharers { user: "", client_id: "c" },
            };
            assert_eq!(found, Some((shared, rank as f64)));
            assert_eq!(Limits::of(&set, "other").find(client), None);
        }
        let nameless = Limits::of(&set, "q").find(ClientIdentity { user: "v", client_id: "" });
        assert_eq!(nameless, Some((Sharers { user: "v", client_id: "" }, 5.0)));
    }
}
