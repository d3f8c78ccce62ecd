//! Credentials for SCRAM (KIP-554), kept for the users that `AlterUserScramCredentials` sets. The rules are those of
//! Kafka's `ScramControlManager`.
//!
//! Nobody is authenticated by them yet. Kafka keeps two keys that it derives from the salted password; here the salted
//! password itself is kept, from which they can be derived when they are needed.

use std::collections::BTreeMap;

use brooklet_storage::{CatalogRecord, ScramCredential, ScramCredentialRecord};

/// Kafka accepts iterations within these bounds, for either mechanism.
const MIN_ITERATIONS: i32 = 4096;
const MAX_ITERATIONS: i32 = 16384;

/// A mechanism, by Kafka's number for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ScramMechanism {
    Sha256 = 1,
    Sha512 = 2,
}

impl ScramMechanism {
    fn from_code(code: i8) -> Option<Self> {
        [Self::Sha256, Self::Sha512].into_iter().find(|mechanism| mechanism.code() == code)
    }

    pub(crate) fn code(self) -> i8 {
        self as i8
    }
}

/// One user's credential for one mechanism, to be set or, with `None`, to be taken away.
#[derive(Debug, Clone)]
pub(crate) struct ScramAlteration {
    pub(crate) user: String,
    pub(crate) mechanism: i8,
    pub(crate) credential: Option<ScramCredential>,
}

/// Why a user's credentials are not altered or described.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ScramError {
    #[error("a user's credentials cannot be altered twice in one request")]
    AlteredTwice,
    #[error("a user cannot be described twice in one request")]
    DescribedTwice,
    #[error("there is no such credential")]
    Unknown,
    #[error("the user name must not be empty")]
    NoUser,
    #[error("the mechanism must be 1 (SCRAM-SHA-256) or 2 (SCRAM-SHA-512)")]
    UnknownMechanism,
    #[error("there must be {MIN_ITERATIONS} to {MAX_ITERATIONS} iterations")]
    Iterations,
    #[error("the salted password must not be empty")]
    NoPassword,
}

/// What becomes of each user that a request names.
pub(crate) type ScramOutcomes = BTreeMap<String, Result<(), ScramError>>;

/// All credentials, by user.
#[derive(Debug, Clone, Default)]
pub(crate) struct ScramCredentials {
    users: BTreeMap<String, BTreeMap<ScramMechanism, ScramCredential>>,
}

impl ScramCredentials {
    /// Takes in what was recorded. Mechanisms that are not known here are passed over.
    pub(crate) fn replay(&mut self, records: Vec<ScramCredentialRecord>) {
        for ScramCredentialRecord { user, mechanism, credential } in records {
            let Some(mechanism) = ScramMechanism::from_code(mechanism) else { continue };
            let credentials = self.users.entry(user.clone()).or_default();
            match credential {
                Some(credential) => credentials.insert(mechanism, credential),
                None => credentials.remove(&mechanism),
            };
            if credentials.is_empty() {
                self.users.remove(&user);
            }
        }
    }

    /// All of them as the catalog keeps them.
    pub(crate) fn record(&self) -> CatalogRecord {
        let records = self.users.iter().flat_map(|(user, credentials)| {
            credentials.iter().map(|(mechanism, credential)| ScramCredentialRecord {
                user: user.clone(),
                mechanism: mechanism.code(),
                credential: Some(credential.clone()),
            })
        });
        CatalogRecord::ScramCredentials(records.collect())
    }

    /// What is to be recorded for a request's alterations, and how they end. A user that is named more than once is
    /// altered in no way; so is one of whom an alteration is refused.
    pub(crate) fn alter(&self, alterations: Vec<ScramAlteration>) -> (Vec<ScramCredentialRecord>, ScramOutcomes) {
        let mut records = BTreeMap::new();
        let mut outcomes = ScramOutcomes::new();
        for ScramAlteration { user, mechanism, credential } in alterations {
            match outcomes.get(&user) {
                Some(Err(_)) => continue,
                Some(Ok(())) => {
                    records.remove(&user);
                    outcomes.insert(user, Err(ScramError::AlteredTwice));
                    continue;
                }
                None => {}
            }
            let outcome = self.check(&user, mechanism, credential.as_ref());
            if outcome.is_ok() {
                records.insert(user.clone(), ScramCredentialRecord { user: user.clone(), mechanism, credential });
            }
            outcomes.insert(user, outcome);
        }
        (records.into_values().collect(), outcomes)
    }

    fn check(&self, user: &str, mechanism: i8, credential: Option<&ScramCredential>) -> Result<(), ScramError> {
        if user.is_empty() {
            return Err(ScramError::NoUser);
        }
        let mechanism = ScramMechanism::from_code(mechanism).ok_or(ScramError::UnknownMechanism)?;
        let Some(credential) = credential else {
            let known = self.users.get(user).is_some_and(|credentials| credentials.contains_key(&mechanism));
            return if known { Ok(()) } else { Err(ScramError::Unknown) };
        };
        if !(MIN_ITERATIONS..=MAX_ITERATIONS).contains(&credential.iterations) {
            return Err(ScramError::Iterations);
        }
        if credential.salted_password.is_empty() { Err(ScramError::NoPassword) } else { Ok(()) }
    }

    /// Everyone who has a credential.
    pub(crate) fn users(&self) -> impl Iterator<Item = &str> {
        self.users.keys().map(String::as_str)
    }

    /// A user's mechanisms, each with its iterations.
    pub(crate) fn of(&self, user: &str) -> Result<Vec<(ScramMechanism, i32)>, ScramError> {
        let credentials = self.users.get(user).ok_or(ScramError::Unknown)?;
        Ok(credentials.iter().map(|(mechanism, credential)| (*mechanism, credential.iterations)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn alterations() -> impl Strategy<Value = Vec<ScramAlteration>> {
        let credential = prop::option::of((4000i32..4200, "p?").prop_map(|(iterations, password)| ScramCredential {
            salt: vec![1],
            salted_password: password.into_bytes(),
            iterations,
        }));
        let alteration = ("[ab]?", 0i8..4, credential).prop_map(|(user, mechanism, credential)| ScramAlteration {
            user,
            mechanism,
            credential,
        });
        prop::collection::vec(alteration, 0..4)
    }

    proptest! {
        #[test]
        fn a_request_alters_each_user_once_or_not_at_all(requests in prop::collection::vec(alterations(), 0..20)) {
            let mut present = ScramCredentials::default();
            for request in requests {
                let (records, outcomes) = present.alter(request.clone());
                for (user, outcome) in &outcomes {
                    let named = request.iter().filter(|alteration| alteration.user == *user).count();
                    let changed = records.iter().filter(|record| record.user == *user).count();
                    prop_assert_eq!(changed, usize::from(outcome.is_ok()));
                    prop_assert!(outcome.is_err() || named == 1);
                }
                present.replay(records.clone());
                for ScramCredentialRecord { user, mechanism, credential } in records {
                    let kept = present.users.get(&user).and_then(|of| of.get(&ScramMechanism::from_code(mechanism)?));
                    prop_assert_eq!(kept, credential.as_ref());
                }
                let CatalogRecord::ScramCredentials(all) = present.record() else { unreachable!() };
                let mut restored = ScramCredentials::default();
                restored.replay(all);
                prop_assert_eq!(&restored.users, &present.users);
            }
        }
    }
}
