//! TLS: certificates from files, which are read again when they change, and who the other end is.
#![allow(clippy::disallowed_types, reason = "real files have real times of change")]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::client::ClientConfig;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::{ServerConfig, WebPkiClientVerifier};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::der::asn1::{PrintableStringRef, Utf8StringRef};

use crate::net::Socket;

/// The protocols that a server offers over TLS.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];
/// The object identifier of a common name.
const COMMON_NAME: &str = "2.5.4.3";

/// Who the other end of a connection is.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// The common name in its certificate, if it has shown one that is trusted.
    pub certificate: Option<Arc<str>>,
}

/// The files with certificates for one side of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// This server's certificate, with those that sign it.
    pub cert: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// The CA certificates that the other end's certificate is checked against.
    pub trusted_ca: Option<PathBuf>,
    /// Whether the other end must show a certificate.
    pub client_cert_auth: bool,
}

impl Files {
    /// Whether there is a certificate.
    pub fn is_set(&self) -> bool {
        self.cert.is_some() || self.key.is_some()
    }

    /// When the files were changed last.
    fn changed(&self) -> Vec<Option<std::time::SystemTime>> {
        let paths = [&self.cert, &self.key, &self.trusted_ca];
        let changed = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
        paths.into_iter().flatten().map(|path| changed(path)).collect()
    }

    fn pair(&self) -> io::Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
        let (Some(cert), Some(key)) = (&self.cert, &self.key) else {
            return Err(io::Error::other("a certificate needs its key, and a key its certificate"));
        };
        let certs = read_certs(cert)?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(|error| bad(key, &error))?;
        Ok((certs, key))
    }

    fn roots(&self) -> io::Result<Option<RootCertStore>> {
        let Some(path) = &self.trusted_ca else { return Ok(None) };
        let mut roots = RootCertStore::empty();
        for cert in read_certs(path)? {
            roots.add(cert).map_err(|error| bad(path, &error))?;
        }
        Ok(Some(roots))
    }
}

fn read_certs(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let certs = CertificateDer::pem_file_iter(path).map_err(|error| bad(path, &error))?;
    let certs: Vec<_> = certs.collect::<Result<_, _>>().map_err(|error| bad(path, &error))?;
    match certs.is_empty() {
        true => Err(io::Error::other(format!("{}: it has no certificate", path.display()))),
        false => Ok(certs),
    }
}

fn bad(path: &Path, error: &dyn std::fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {error}", path.display()))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// What a server needs to accept connections. Its files are read again when they have changed.
pub struct ServerTls {
    files: Files,
    current: Mutex<(Vec<Option<std::time::SystemTime>>, Arc<ServerConfig>)>,
}

impl ServerTls {
    /// Reads the files.
    ///
    /// # Errors
    /// They cannot be read, or do not fit together.
    pub fn new(files: Files) -> io::Result<ServerTls> {
        let config = Arc::new(server_config(&files)?);
        Ok(ServerTls { current: Mutex::new((files.changed(), config)), files })
    }

    fn config(&self) -> Arc<ServerConfig> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = self.files.changed();
        if changed != current.0 {
            match server_config(&self.files) {
                Ok(config) => *current = (changed, Arc::new(config)),
                // While files are being replaced they may not fit together for a moment.
                Err(error) => tracing::warn!(%error, "the new certificates are not used"),
            }
        }
        Arc::clone(&current.1)
    }

    /// Shakes hands on a connection. Returns it, and who the other end is.
    ///
    /// # Errors
    /// The other end does not speak TLS, or has no certificate that is trusted.
    pub async fn accept(&self, socket: Socket) -> io::Result<(Socket, Peer)> {
        let stream = TlsAcceptor::from(self.config()).accept(socket).await?;
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let certificate = shown.and_then(common_name).map(Arc::from);
        Ok((Box::new(stream), Peer { certificate }))
    }
}

fn server_config(files: &Files) -> io::Result<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(provider());
    let builder = builder.with_safe_default_protocol_versions().map_err(io::Error::other)?;
    let builder = match files.roots()? {
        Some(roots) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider());
            builder.with_client_cert_verifier(verifier.build().map_err(io::Error::other)?)
        }
        None if files.client_cert_auth => {
            return Err(io::Error::other(
                "certificates of clients are wanted, but no trusted CA file is given",
            ));
        }
        None => builder.with_no_client_auth(),
    };
    let (certs, key) = files.pair()?;
    let mut config = builder.with_single_cert(certs, key).map_err(io::Error::other)?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(config)
}

/// What a member needs to dial others. Its files are read for each connection.
#[derive(Clone, Debug)]
pub struct ClientTls {
    files: Files,
}

impl ClientTls {
    /// Reads the files, to see whether they are good.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn new(files: Files) -> io::Result<ClientTls> {
        client_config(&files)?;
        Ok(ClientTls { files })
    }

    /// Shakes hands on a connection.
    ///
    /// # Errors
    /// The other end does not speak TLS, or its certificate is not trusted.
    pub async fn connect(&self, host: &str, socket: Socket) -> io::Result<Socket> {
        let config = client_config(&self.files)?;
        let name = ServerName::try_from(host.to_string()).map_err(io::Error::other)?;
        Ok(Box::new(TlsConnector::from(Arc::new(config)).connect(name, socket).await?))
    }
}

fn client_config(files: &Files) -> io::Result<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(provider());
    let builder = builder.with_safe_default_protocol_versions().map_err(io::Error::other)?;
    let roots = files.roots()?.ok_or_else(|| io::Error::other("no trusted CA file is given"))?;
    let builder = builder.with_root_certificates(roots);
    match files.is_set() {
        true => {
            let (certs, key) = files.pair()?;
            builder.with_client_auth_cert(certs, key).map_err(io::Error::other)
        }
        false => Ok(builder.with_no_client_auth()),
    }
}

/// The common name in a certificate.
fn common_name(cert: &CertificateDer<'_>) -> Option<String> {
    let cert = Certificate::from_der(cert).ok()?;
    let names = cert.tbs_certificate.subject.0.iter().flat_map(|names| names.0.iter());
    let name = names.into_iter().find(|name| name.oid.to_string() == COMMON_NAME)?;
    let utf8 = name.value.decode_as::<Utf8StringRef<'_>>().map(|text| text.as_str().to_string());
    utf8.or_else(|_| name.value.decode_as::<PrintableStringRef<'_>>().map(|text| text.as_str().to_string()))
        .ok()
}
