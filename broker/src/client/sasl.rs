//! Who one is, to a broker that asks: PLAIN (RFC 4616), SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802, RFC 7677).

use anyhow::{Context, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256, Sha512};

use super::settings::Credentials;

/// What a server may ask for at the most, as Kafka has it: more would keep this process busy, not make it safer.
const MOST_ITERATIONS: u32 = 1_000_000;

/// A way to say who one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mechanism {
    Plain,
    ScramSha256,
    ScramSha512,
}

impl Mechanism {
    const ALL: [Self; 3] = [Self::Plain, Self::ScramSha256, Self::ScramSha512];

    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name() == name)
    }

    /// Its name in `SaslHandshake`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }

    fn hmac(self, key: &[u8], data: &[u8]) -> Vec<u8> {
        fn of<M: Mac + KeyInit>(key: &[u8], data: &[u8]) -> Vec<u8> {
            let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
            mac.update(data);
            mac.finalize().into_bytes().to_vec()
        }
        match self {
            Self::ScramSha512 => of::<Hmac<Sha512>>(key, data),
            Self::Plain | Self::ScramSha256 => of::<Hmac<Sha256>>(key, data),
        }
    }

    fn hash(self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::ScramSha512 => Sha512::digest(data).to_vec(),
            Self::Plain | Self::ScramSha256 => Sha256::digest(data).to_vec(),
        }
    }

    /// `Hi` of RFC 5802.
    fn salted(self, password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
        let mut last = self.hmac(password, &[salt, &1_u32.to_be_bytes()].concat());
        let mut salted = last.clone();
        for _ in 1..iterations {
            last = self.hmac(password, &last);
            salted.iter_mut().zip(&last).for_each(|(salted, last)| *salted ^= last);
        }
        salted
    }
}

/// What is said for PLAIN, all at once.
pub(crate) fn plain(credentials: &Credentials) -> Vec<u8> {
    [b"\0", credentials.user.as_bytes(), b"\0", credentials.password.as_bytes()].concat()
}

/// A conversation of SCRAM's.
pub(crate) struct Scram<'a> {
    credentials: &'a Credentials,
    nonce: String,
    /// What the server must say in the end, if it knows the password.
    server_signature: Option<Vec<u8>>,
}

impl<'a> Scram<'a> {
    /// Begins one, with something that nobody has said before.
    pub(crate) fn new(credentials: &'a Credentials, nonce: String) -> Self {
        Self { credentials, nonce, server_signature: None }
    }

    pub(crate) fn first(&self) -> String {
        format!("n,,{}", self.first_bare())
    }

    fn first_bare(&self) -> String {
        let user = self.credentials.user.replace('=', "=3D").replace(',', "=2C");
        format!("n={user},r={}", self.nonce)
    }

    /// What is said to the server's first message.
    pub(crate) fn answer(&mut self, server_first: &str) -> anyhow::Result<String> {
        let mechanism = self.credentials.mechanism;
        let field = |name: &str| {
            let found = server_first.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
            found.with_context(|| format!("the server's challenge has no {name}"))
        };
        let nonce = field("r")?;
        ensure!(nonce.starts_with(&self.nonce) && nonce != self.nonce, "the server's nonce does not follow ours");
        let salt = BASE64.decode(field("s")?).context("the server's salt")?;
        let iterations: u32 = field("i")?.parse().context("the server's iterations")?;
        ensure!((1..=MOST_ITERATIONS).contains(&iterations), "the server asks for {iterations} iterations");
        let salted = mechanism.salted(self.credentials.password.as_bytes(), &salt, iterations);
        let without_proof = format!("c=biws,r={nonce}");
        let said = format!("{},{server_first},{without_proof}", self.first_bare());
        let client_key = mechanism.hmac(&salted, b"Client Key");
        let signature = mechanism.hmac(&mechanism.hash(&client_key), said.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(key, signature)| key ^ signature).collect();
        let server_key = mechanism.hmac(&salted, b"Server Key");
        self.server_signature = Some(mechanism.hmac(&server_key, said.as_bytes()));
        Ok(format!("{without_proof},p={}", BASE64.encode(proof)))
    }

    /// Whether the server knows the password, too.
    pub(crate) fn verify(&self, server_final: &str) -> anyhow::Result<()> {
        if let Some(error) = server_final.strip_prefix("e=") {
            bail!("the server refuses: {error}");
        }
        let signature = server_final.strip_prefix("v=").and_then(|text| BASE64.decode(text.split(',').next()?).ok());
        ensure!(signature.is_some() && signature == self.server_signature, "the server does not know the password");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(mechanism: Mechanism) -> Credentials {
        Credentials { mechanism, user: "user".to_owned(), password: "pencil".to_owned() }
    }

    /// The example of RFC 7677.
    #[test]
    fn scram_is_as_its_rfc_has_it() {
        let credentials = credentials(Mechanism::ScramSha256);
        let mut scram = Scram::new(&credentials, "rOprNGfwEbeRWgbNEkqO".to_owned());
        assert_eq!(scram.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let server_first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        assert_eq!(
            scram.answer(server_first).unwrap(),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        scram.verify("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").unwrap();
        assert!(scram.verify("v=AAAA").is_err());
        assert!(scram.verify("e=invalid-proof").is_err());
    }

    #[test]
    fn a_server_that_is_none_is_not_told_a_proof() {
        let credentials = credentials(Mechanism::ScramSha512);
        for server_first in ["", "r=other,s=AAAA,i=1", "r=ours,s=AAAA,i=1", "r=oursX,s=?,i=1", "r=oursX,s=AAAA,i=0"] {
            let mut scram = Scram::new(&credentials, "ours".to_owned());
            assert!(scram.answer(server_first).is_err(), "{server_first}");
        }
        assert!(Scram::new(&credentials, "ours".to_owned()).verify("v=").is_err());
        assert_eq!(plain(&credentials), b"\0user\0pencil");
    }
}
