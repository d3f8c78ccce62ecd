//! Bytes to and from a server, encrypted or not.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::settings::TlsSettings;

/// Where systems keep the certificates of those whom they trust.
const SYSTEM_TRUSTS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
];

/// A connection, of whichever kind.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// Connects to a server.
pub(crate) async fn connect(host: &str, port: u16, tls: Option<&TlsSettings>) -> anyhow::Result<Box<dyn Transport>> {
    let stream = TcpStream::connect((host, port)).await.with_context(|| format!("{host}:{port}"))?;
    stream.set_nodelay(true)?;
    let Some(tls) = tls else {
        return Ok(Box::new(stream));
    };
    let name = ServerName::try_from(host.to_owned()).with_context(|| format!("{host} is no server's name"))?;
    let connector = TlsConnector::from(Arc::new(client_config(tls)?));
    let stream = connector.connect(name, stream).await.with_context(|| format!("{host}:{port}, encrypted"))?;
    Ok(Box::new(stream))
}

fn client_config(tls: &TlsSettings) -> anyhow::Result<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(tls)?);
    let Some(identity) = &tls.identity else {
        return Ok(builder.with_no_client_auth());
    };
    let key = PrivateKeyDer::from_pem_file(identity).with_context(|| format!("the key in {}", identity.display()))?;
    Ok(builder.with_client_auth_cert(certificates(identity)?, key)?)
}

fn roots(tls: &TlsSettings) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    if let Some(trusted) = &tls.trusted {
        for certificate in certificates(trusted)? {
            roots.add(certificate).with_context(|| trusted.display().to_string())?;
        }
        return Ok(roots);
    }
    let Some(system) = SYSTEM_TRUSTS.iter().map(Path::new).find(|path| path.is_file()) else {
        bail!("whom the system trusts is not known; ssl.truststore.location names a PEM file of those who are");
    };
    // Of so many, some may be of a kind that is not known here.
    roots.add_parsable_certificates(certificates(system)?);
    Ok(roots)
}

fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let named = || format!("the certificates in {}", path.display());
    let certificates = CertificateDer::pem_file_iter(path).with_context(named)?;
    let certificates = certificates.collect::<Result<Vec<_>, _>>().with_context(named)?;
    if certificates.is_empty() {
        bail!("there is no certificate in {}", path.display());
    }
    Ok(certificates)
}
