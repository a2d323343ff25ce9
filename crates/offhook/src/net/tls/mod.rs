//! TLS: our own certificate, whom we believe, and words for what goes wrong.

mod certificate;
mod explain;
mod named;
mod verify;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use proto::sip::Flow;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};

use super::{FlowError, FlowErrorKind};

pub use certificate::{server_for_phones, server_from_files, server_self_made, subject};
pub(super) use explain::{explain_accept, explain_connect, explain_https};
use named::Named;
pub(super) use verify::Identity;

/// Whose certificates are believed when we connect (RFC 5922).
#[derive(Clone, Debug)]
pub struct Trust {
    /// The certificate authorities of the operating system.
    pub system: bool,
    /// Files of further ones, and of servers' own certificates, PEM (`--ca FILE`).
    pub ca_files: Vec<PathBuf>,
}

impl Default for Trust {
    fn default() -> Self {
        Self { system: true, ca_files: Vec::new() }
    }
}

impl Trust {
    /// What a client needs to check servers; it offers TLS 1.2 and 1.3.
    ///
    /// # Errors
    /// A CA file that cannot be read or holds no certificate, by its name.
    pub fn client(&self) -> io::Result<Arc<ClientConfig>> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?;
        let builder = match self.verifier()? {
            Some(verifier) => builder.dangerous().with_custom_certificate_verifier(verifier),
            None => builder.with_root_certificates(RootCertStore::empty()),
        };
        Ok(Arc::new(builder.with_no_client_auth()))
    }

    /// Who checks the certificates of servers; none where nobody is believed at all.
    fn verifier(&self) -> io::Result<Option<Arc<Named>>> {
        let named = certificate::named(self)?;
        let roots = certificate::roots(self, &named);
        if roots.is_empty() {
            return Ok(None);
        }
        let usual = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build();
        Ok(Some(Arc::new(Named { usual: usual.map_err(io::Error::other)?, named })))
    }
}

/// The one provider of cryptography in the whole program.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Makes the client's side when the first connection needs it: the system's authorities are many.
pub(super) struct Connector {
    trust: Trust,
    config: Option<Arc<ClientConfig>>,
}

/// What one handshake needs.
pub(super) struct Client {
    pub(super) config: Arc<ClientConfig>,
    /// The name that the certificate must bear.
    pub(super) name: ServerName<'static>,
}

impl Connector {
    /// A file that was named is read at once, so that its faults show at start.
    pub(super) fn new(trust: Trust) -> io::Result<Self> {
        let config = if trust.ca_files.is_empty() { None } else { Some(trust.client()?) };
        Ok(Self { trust, config })
    }

    /// Without a domain the certificate must bear the address.
    pub(super) fn client(&mut self, flow: Flow, domain: Option<&str>) -> Result<Client, FlowError> {
        let name = match domain {
            None => ServerName::IpAddress(flow.remote.ip().into()),
            Some(domain) => {
                ServerName::try_from(domain.trim_matches(['[', ']']).to_owned()).map_err(|_| {
                    let text = format!(
                        "{domain:?} is no name that a certificate can bear; check the server's address"
                    );
                    FlowError::new(flow, FlowErrorKind::NameMismatch, text)
                })?
            }
        };
        let config = match &self.config {
            Some(config) => config.clone(),
            None => {
                let made = self.trust.client();
                let made =
                    made.map_err(|error| FlowError::new(flow, FlowErrorKind::UnknownCa, error.to_string()))?;
                self.config.insert(made).clone()
            }
        };
        Ok(Client { config, name })
    }
}
