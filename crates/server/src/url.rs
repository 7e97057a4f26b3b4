//! Addresses as etcd writes them: `http://host:port`, `https://host:port`, `unix://path`, `unixs://path`.

use std::fmt;
use std::str::FromStr;

/// An address at which something listens, or that others reach.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Url {
    /// Whether TLS is spoken there.
    pub tls: bool,
    /// Where it is.
    pub place: Place,
}

/// Where an address is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A host, without the brackets of an IPv6 address, and a port.
    Tcp(String, u16),
    /// The path of a socket.
    Unix(String),
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It has no scheme, or one that is not known.
    #[error("URL scheme must be http, https, unix, or unixs: {0}")]
    Scheme(String),
    /// It has no port, or the port is no number.
    #[error("URL address does not have the form \"host:port\": {0}")]
    Port(String),
    /// It has a path.
    #[error("URL must not contain a path: {0}")]
    Path(String),
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Url, UrlError> {
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").ok_or_else(|| UrlError::Scheme(text.into()))?;
        let tls = match scheme {
            "http" | "unix" => false,
            "https" | "unixs" => true,
            _ => return Err(UrlError::Scheme(text.into())),
        };
        if scheme.starts_with("unix") {
            return match rest {
                "" => Err(UrlError::Port(text.into())),
                path => Ok(Url { tls, place: Place::Unix(path.into()) }),
            };
        }
        if rest.trim_end_matches('/').contains(['/', '?', '#']) || rest.ends_with('/') {
            return Err(UrlError::Path(text.into()));
        }
        let bad_port = || UrlError::Port(text.into());
        let (host, port) = rest.rsplit_once(':').ok_or_else(bad_port)?;
        let port = port.parse().map_err(|_| bad_port())?;
        let host = match host.strip_prefix('[') {
            Some(inside) => inside.strip_suffix(']').ok_or_else(bad_port)?,
            None if host.contains(':') => return Err(bad_port()),
            None => host,
        };
        Ok(Url { tls, place: Place::Tcp(host.into(), port) })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = if self.tls { "s" } else { "" };
        match &self.place {
            Place::Tcp(..) => write!(f, "http{s}://{}", self.place),
            Place::Unix(_) => write!(f, "unix{s}://{}", self.place),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Place::Tcp(host, port) => write!(f, "{host}:{port}"),
            Place::Unix(path) => f.write_str(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for text in [
            "http://localhost:2379",
            "https://10.0.0.1:1",
            "http://[::1]:2380",
            "unix://a/b.sock",
            "unixs://x",
        ] {
            let url: Url = text.parse().unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(url.to_string(), text);
        }
        for text in [
            "",
            "localhost:2379",
            "ftp://a:1",
            "http://a",
            "http://a:b",
            "http://a:1/x",
            "http://::1:1",
            "unix://",
        ] {
            assert!(text.parse::<Url>().is_err(), "{text}");
        }
    }
}
