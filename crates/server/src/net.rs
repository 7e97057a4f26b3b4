//! Sockets: listening, dialling, with or without TLS.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::time::timeout;

use crate::tls::{ClientTls, Peer, ServerTls};
use crate::url::{Place, Url};

/// How long the other end may take to connect or to shake hands (`transport.ListenerTLS`: five seconds and more).
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// A connection of any kind.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection of any kind.
pub type Socket = Box<dyn Io>;

/// An address at which this process listens.
pub struct Listener {
    /// The address.
    pub url: Url,
    bound: Bound,
    tls: Option<Arc<ServerTls>>,
}

enum Bound {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

/// A connection that was accepted, before TLS.
pub struct Accepted {
    socket: Socket,
    tls: Option<Arc<ServerTls>>,
}

impl Listener {
    /// Listens at an address. `tls` is needed if the address speaks TLS.
    ///
    /// # Errors
    /// The operating system's, and a missing certificate.
    pub async fn bind(url: &Url, tls: Option<&Arc<ServerTls>>) -> io::Result<Listener> {
        let tls = match (url.tls, tls) {
            (false, _) => None,
            (true, Some(tls)) => Some(Arc::clone(tls)),
            (true, None) => {
                return Err(io::Error::other("an address with TLS needs a certificate and its key"));
            }
        };
        let bound = match &url.place {
            Place::Tcp(host, port) => Bound::Tcp(TcpListener::bind((&**host, *port)).await?),
            Place::Unix(path) => {
                // A process that was killed leaves its socket behind. The data directory's lock shows that the process
                // is gone.
                if path_is_socket(path) {
                    std::fs::remove_file(path)?;
                }
                Bound::Unix(UnixListener::bind(path)?, PathBuf::from(path))
            }
        };
        Ok(Listener { url: url.clone(), bound, tls })
    }

    /// The next connection.
    ///
    /// # Errors
    /// The operating system's; the next call may work.
    pub async fn accept(&self) -> io::Result<Accepted> {
        let socket: Socket = match &self.bound {
            Bound::Tcp(listener) => {
                let (socket, _) = listener.accept().await?;
                socket.set_nodelay(true)?;
                Box::new(socket)
            }
            Bound::Unix(listener, _) => Box::new(listener.accept().await?.0),
        };
        Ok(Accepted { socket, tls: self.tls.clone() })
    }
}

impl Accepted {
    /// Shakes hands, if TLS is spoken here. Returns the connection, and who the other end is.
    ///
    /// # Errors
    /// It failed, or took too long.
    pub async fn shake_hands(self) -> io::Result<(Socket, Peer)> {
        match self.tls {
            None => Ok((self.socket, Peer::default())),
            Some(tls) => timeout(HANDSHAKE_MAX, tls.accept(self.socket)).await?,
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Bound::Unix(_, path) = &self.bound {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn path_is_socket(path: &str) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket())
}

/// Connects to an address.
///
/// # Errors
/// It failed, or took too long.
pub async fn dial(url: &Url, tls: Option<&ClientTls>) -> io::Result<Socket> {
    timeout(HANDSHAKE_MAX, try_dial(url, tls)).await?
}

async fn try_dial(url: &Url, tls: Option<&ClientTls>) -> io::Result<Socket> {
    let (socket, host): (Socket, &str) = match &url.place {
        Place::Tcp(host, port) => {
            let socket = TcpStream::connect((&**host, *port)).await?;
            socket.set_nodelay(true)?;
            (Box::new(socket), host)
        }
        Place::Unix(path) => (Box::new(UnixStream::connect(path).await?), "localhost"),
    };
    match (url.tls, tls) {
        (false, _) => Ok(socket),
        (true, Some(tls)) => tls.connect(host, socket).await,
        (true, None) => Err(io::Error::other("an address with TLS needs a trusted certificate")),
    }
}
