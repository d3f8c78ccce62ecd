//! How a connection begins: the startup message, and the proof of who asks (SCRAM-SHA-256, MD5, or the password itself).

use bytes::Buf;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::{backend, frontend};

use super::connection::{broken, server_error};
use super::{Connection, ConnectionConfig, PostgresError};

impl Connection {
    /// Begins, up to where statements may be sent.
    pub(super) async fn start(
        &mut self,
        config: &ConnectionConfig,
        application: &str,
        replication: bool,
    ) -> Result<(), PostgresError> {
        let mut parameters = vec![
            ("user", config.user.as_str()),
            ("database", config.database.as_str()),
            ("client_encoding", "UTF8"),
            ("DateStyle", "ISO"),
            ("TimeZone", "UTC"),
            ("extra_float_digits", "3"),
            ("application_name", application),
        ];
        if replication {
            parameters.push(("replication", "database"));
        }
        frontend::startup_message(parameters, &mut self.outbound)?;
        self.flush().await?;
        self.authenticate(config).await?;
        loop {
            let frame = self.frame().await?;
            match frame.tag {
                backend::READY_FOR_QUERY_TAG => return Ok(()),
                backend::PARAMETER_STATUS_TAG => self.note_parameter(&frame.body),
                backend::ERROR_RESPONSE_TAG => return Err(server_error(&frame.body)),
                _ => {}
            }
        }
    }

    async fn authenticate(&mut self, config: &ConnectionConfig) -> Result<(), PostgresError> {
        let mut scram: Option<ScramSha256> = None;
        loop {
            let mut frame = self.frame().await?;
            match frame.tag {
                backend::ERROR_RESPONSE_TAG => return Err(server_error(&frame.body)),
                backend::AUTHENTICATION_TAG => {}
                _ => continue,
            }
            let kind = frame.body.try_get_i32().map_err(|_| broken("a short authentication request"))?;
            let password = || {
                config.password.as_deref().ok_or_else(|| {
                    PostgresError::Authentication(
                        "The server requested password-based authentication, but no password was provided".into(),
                    )
                })
            };
            match kind {
                0 => return Ok(()),
                3 => frontend::password_message(password()?.as_bytes(), &mut self.outbound)?,
                5 => {
                    let salt = frame.body.get(..4).and_then(|salt| salt.try_into().ok());
                    let salt: [u8; 4] = salt.ok_or_else(|| broken("an md5 request without salt"))?;
                    let hash = md5_hash(config.user.as_bytes(), password()?.as_bytes(), salt);
                    frontend::password_message(hash.as_bytes(), &mut self.outbound)?;
                }
                10 => {
                    let known = frame.body.split(|byte| *byte == 0).any(|name| name == SCRAM_SHA_256.as_bytes());
                    if !known {
                        return Err(unknown_authentication());
                    }
                    let first = ScramSha256::new(password()?.as_bytes(), ChannelBinding::unsupported());
                    frontend::sasl_initial_response(SCRAM_SHA_256, first.message(), &mut self.outbound)?;
                    scram = Some(first);
                }
                11 => {
                    let state = scram.as_mut().ok_or_else(|| broken("a SASL challenge without a beginning"))?;
                    state.update(&frame.body).map_err(|error| PostgresError::Authentication(error.to_string()))?;
                    frontend::sasl_response(state.message(), &mut self.outbound)?;
                }
                12 => {
                    let state = scram.as_mut().ok_or_else(|| broken("a SASL outcome without a beginning"))?;
                    state.finish(&frame.body).map_err(|error| PostgresError::Authentication(error.to_string()))?;
                }
                _ => return Err(unknown_authentication()),
            }
            self.flush().await?;
        }
    }

    fn note_parameter(&mut self, body: &[u8]) {
        let mut parts = body.split(|byte| *byte == 0).map(|part| std::str::from_utf8(part).unwrap_or_default());
        if parts.next() == Some("server_version") {
            self.server_version = parse_version(parts.next().unwrap_or_default());
        }
    }
}

fn unknown_authentication() -> PostgresError {
    PostgresError::Authentication(
        "The authentication type is not supported. Check that pg_hba.conf uses scram-sha-256, md5 or password for this \
         client."
            .into(),
    )
}

/// `15.4 (Debian …)` is 150004; `9.6.24` is 90624.
fn parse_version(text: &str) -> u32 {
    let mut parts =
        text.split(|character: char| !character.is_ascii_digit()).map(|part| part.parse::<u32>().unwrap_or(0));
    let major = parts.next().unwrap_or(0);
    let minor = parts.next().unwrap_or(0);
    if major >= 10 { major * 10_000 + minor } else { major * 10_000 + minor * 100 + parts.next().unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers() {
        assert_eq!(parse_version("15.14 (Debian 15.14-0+deb12u1)"), 150_014);
        assert_eq!(parse_version("18beta1"), 180_000);
        assert_eq!(parse_version("9.6.24"), 90_624);
    }
}
