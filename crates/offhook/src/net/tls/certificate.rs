//! Certificates in files: those we are given, and those we make.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proto::Time;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};

use super::{Trust, provider};
use crate::store::save;

/// Phones whose clock starts in the past must still reach their server.
const VALID_FROM_YEAR: i32 = 2000;
/// How long what we make is valid.
const VALID_YEARS: i32 = 10;

/// TLS with a certificate (chain) and key that someone else made, both PEM.
///
/// # Errors
/// A file that cannot be read or holds no such thing, or a key that does not belong to the certificate.
pub fn server_from_files(certificate: &Path, key: &Path) -> io::Result<Arc<ServerConfig>> {
    server_asking(certificate, key, &[])
}

/// As [`server_from_files`]; where there are authorities, clients are asked for a certificate of one of them.
/// One that shows none is let in, one whose certificate is not good is not.
fn server_asking(certificate: &Path, key: &Path, client_cas: &[PathBuf]) -> io::Result<Arc<ServerConfig>> {
    let (chain, private) = pair(certificate, key)?;
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let builder = match clients(client_cas)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let config = builder.with_single_cert(chain, private).map_err(|error| {
        fault(key, &format!("does not fit the certificate {}: {error}", certificate.display()))
    })?;
    Ok(Arc::new(config))
}

/// Checks clients' certificates; none where nobody is asked for one.
fn clients(files: &[PathBuf]) -> io::Result<Option<Arc<dyn ClientCertVerifier>>> {
    if files.is_empty() {
        return Ok(None);
    }
    let mut roots = RootCertStore::empty();
    for file in files {
        for certificate in read_certificates(file)? {
            let added = roots.add(certificate);
            added
                .map_err(|error| fault(file, &format!("holds a certificate that cannot be used: {error}")))?;
        }
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    let verifier = verifier.allow_unauthenticated().build().map_err(io::Error::other)?;
    Ok(Some(verifier))
}

/// The common name of a certificate's subject.
pub fn subject(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let name = certificate.subject().iter_common_name().next()?.as_str().ok()?;
    Some(name.to_owned())
}

/// A certificate (chain) and its key.
pub(super) fn pair(
    certificate: &Path,
    key: &Path,
) -> io::Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let chain = read_certificates(certificate)?;
    let private = PrivateKeyDer::from_pem_slice(&read(key)?)
        .map_err(|error| fault(key, &format!("holds no private key in PEM form ({error})")))?;
    Ok((chain, private))
}

/// TLS with a certificate of our own for `names` (domains and addresses), kept in `dir`.
///
/// At the first start an authority is made (`ca.pem`, for the phones; `ca-key.pem`) and a certificate
/// signed by it (`cert.pem`, `key.pem`), keys readable by the owner alone. Later starts use them; when
/// names have changed or ten years are over a new certificate is made under the same authority, so
/// phones need nothing new. A folder with `cert.pem` and `key.pem` but no `ca-key.pem` belongs to
/// someone else's authority and is used as it is.
///
/// # Errors
/// A folder that cannot be read or written, or a file in it that is not what its name says.
pub fn server_self_made(dir: &Path, names: &[String], now: Time) -> io::Result<Arc<ServerConfig>> {
    server_for_phones(dir, names, now, &[])
}

/// As [`server_self_made`]; clients are asked for a certificate of one of the authorities, where there are any.
///
/// # Errors
/// As there, or a file of an authority that cannot be read.
pub fn server_for_phones(
    dir: &Path,
    names: &[String],
    now: Time,
    client_cas: &[PathBuf],
) -> io::Result<Arc<ServerConfig>> {
    let [ca, ca_key, certificate, key] =
        ["ca.pem", "ca-key.pem", "cert.pem", "key.pem"].map(|file| dir.join(file));
    let is_foreign = certificate.exists() && key.exists() && !ca_key.exists();
    if is_foreign {
        return server_asking(&certificate, &key, client_cas);
    }
    let authority = Authority::load_or_make(&ca, &ca_key, now)?;
    if !(key.exists() && is_good(&ca, &certificate, names, now)) {
        let (certificate_pem, key_pem) = authority.issue(names, now).map_err(io::Error::other)?;
        save(&key, key_pem.as_bytes())?;
        save(&certificate, certificate_pem.as_bytes())?;
    }
    server_asking(&certificate, &key, client_cas)
}

/// The certificates of the files that the user named.
pub(super) fn named(trust: &Trust) -> io::Result<Vec<CertificateDer<'static>>> {
    let mut all = Vec::new();
    for file in &trust.ca_files {
        for certificate in read_certificates(file)? {
            let usable = RootCertStore::empty().add(certificate.clone());
            usable
                .map_err(|error| fault(file, &format!("holds a certificate that cannot be used: {error}")))?;
            all.push(certificate);
        }
    }
    Ok(all)
}

/// The system's authorities and those that the user named.
pub(super) fn roots(trust: &Trust, named: &[CertificateDer<'static>]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    if trust.system {
        // A single bad file of the system must not take the good ones away.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    roots.add_parsable_certificates(named.iter().cloned());
    roots
}

/// An authority that exists for one server. Its name follows from its key, so the key is all it needs.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn load_or_make(ca: &Path, ca_key: &Path, now: Time) -> io::Result<Self> {
        if ca_key.exists() && ca.exists() {
            let pem = String::from_utf8_lossy(&read(ca_key)?).into_owned();
            let key =
                KeyPair::from_pem(&pem).map_err(|error| fault(ca_key, &format!("is no key: {error}")))?;
            let params = authority_params(&key, now).map_err(io::Error::other)?;
            return Ok(Self { issuer: Issuer::new(params, key) });
        }
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let params = authority_params(&key, now).map_err(io::Error::other)?;
        let certificate = params.self_signed(&key).map_err(io::Error::other)?;
        save(ca_key, key.serialize_pem().as_bytes())?;
        save(ca, certificate.pem().as_bytes())?;
        Ok(Self { issuer: Issuer::new(params, key) })
    }

    /// Certificate and key, PEM.
    fn issue(&self, names: &[String], now: Time) -> Result<(String, String), rcgen::Error> {
        let mut params = CertificateParams::new(names.to_vec())?;
        params.distinguished_name.push(DnType::CommonName, names.first().map_or("Offhook", String::as_str));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        set_validity(&mut params, now);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }
}

fn authority_params(key: &KeyPair, now: Time) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    let id: String = params.key_identifier(key).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    params.distinguished_name.push(DnType::CommonName, format!("Offhook authority {id}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut params, now);
    Ok(params)
}

fn set_validity(params: &mut CertificateParams, now: Time) {
    let year = i32::try_from(now.utc().year).unwrap_or(VALID_FROM_YEAR);
    params.not_before = date_time_ymd(VALID_FROM_YEAR, 1, 1);
    params.not_after = date_time_ymd(year + VALID_YEARS, 1, 1);
}

/// Whether a certificate on disk is signed by the authority on disk, valid now and for all names.
fn is_good(ca: &Path, certificate: &Path, names: &[String], now: Time) -> bool {
    let verify = || {
        let trust = Trust { system: false, ca_files: vec![ca.to_owned()] };
        let roots = Arc::new(roots(&trust, &named(&trust).ok()?));
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider()).build().ok()?;
        let chain = read_certificates(certificate).ok()?;
        let (end, intermediates) = chain.split_first()?;
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now.as_secs()));
        let is_for = |name: &String| {
            let name = ServerName::try_from(name.as_str()).ok()?;
            verifier.verify_server_cert(end, intermediates, &name, &[], now).ok()
        };
        names.iter().all(|name| is_for(name).is_some()).then_some(())
    };
    verify().is_some()
}

fn read_certificates(file: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let bytes = read(file)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(fault(file, "holds no certificate in PEM form")),
        Err(error) => Err(fault(file, &format!("is damaged ({error})"))),
    }
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    fs::read(file)
        .map_err(|error| io::Error::new(error.kind(), format!("{} cannot be read: {error}", file.display())))
}

fn fault(file: &Path, what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{} {what}", file.display()))
}
