//! Checks peer URLs, and derives the id of a new member from them (`membership/member.go`,
//! `pkg/types/urls.go`). In the simulator the id is the number in the URL; etcd's way, a hash of URLs and
//! time, can be chosen by a setting.

use api::Error;

use crate::config::Ids;
use sha1::{Digest as _, Sha1};

/// The peer URLs of a request as etcd stores them: trimmed and sorted.
///
/// # Errors
/// `MemberBadUrls` if there are none, for a scheme other than `http`, `https`, `unix` and `unixs`, and for an
/// address that is not `host:port` or has a path.
pub(super) fn peer_urls(urls: &[String]) -> Result<Vec<String>, Error> {
    let mut urls: Vec<String> = urls.iter().map(|url| url.trim().to_string()).collect();
    if urls.is_empty() || !urls.iter().all(|url| is_peer_url(url)) {
        return Err(Error::MemberBadUrls);
    }
    urls.sort_unstable();
    Ok(urls)
}

/// Refuses URLs that cannot be the peer URLs of a member.
///
/// # Errors
/// `MemberBadUrls`.
pub fn check_urls(urls: &[String]) -> Result<(), Error> {
    peer_urls(urls).map(|_| ())
}

/// Whether etcd accepts this as a peer URL.
fn is_peer_url(url: &str) -> bool {
    match url.split_once("://") {
        Some(("http" | "https", address)) => is_address(address),
        Some(("unix" | "unixs", path)) => !path.is_empty(),
        _ => false,
    }
}

/// Whether this is a host, a colon and a port. A host that contains colons must be in brackets.
fn is_address(address: &str) -> bool {
    let Some((host, port)) = address.rsplit_once(':') else { return false };
    let host_is_whole = match host.strip_prefix('[') {
        Some(inside) => inside.strip_suffix(']').is_some_and(|inside| !inside.contains(['[', ']'])),
        None => !host.contains([':', '[', ']']),
    };
    let plain = !host.contains(|byte: char| byte.is_whitespace() || "/?#@\\".contains(byte));
    host_is_whole && plain && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// The id of a new member with `urls`. `second` is the wall clock in seconds since 1970; only a hashed id
/// depends on it.
///
/// # Errors
/// `MemberBadUrls` if ids come from numbers in URLs and the first one has no number, or 0.
pub(super) fn id_of_new(ids: Ids, urls: &[String], second: u64) -> Result<u64, Error> {
    match ids {
        Ids::Numbered => urls.first().and_then(|url| number_in(url)).ok_or(Error::MemberBadUrls),
        // Only the ids of a cluster's initial members depend on the cluster token.
        Ids::Hashed => Ok(member_id(urls, "", Some(second))),
    }
}

/// The last number in the host of a URL: 4 in `http://m4:2380`.
fn number_in(url: &str) -> Option<u64> {
    let (_, address) = url.split_once("://")?;
    let (host, _) = address.rsplit_once(':')?;
    let digits = host.split(|byte: char| !byte.is_ascii_digit()).rfind(|digits| !digits.is_empty())?;
    digits.parse().ok().filter(|id| *id != 0)
}

/// etcd's member id: the first eight bytes, big endian, of a SHA-1 over the sorted peer URLs, the cluster
/// token and, for a member added later, the wall clock in seconds since 1970, in decimal.
pub fn member_id(peer_urls: &[String], token: &str, second: Option<u64>) -> u64 {
    let mut urls: Vec<&str> = peer_urls.iter().map(|url| url.trim()).collect();
    urls.sort_unstable();
    let mut text = urls.concat() + token;
    if let Some(second) = second {
        text += &second.to_string();
    }
    let digest = Sha1::digest(text.as_bytes());
    u64::from_be_bytes(digest[..8].try_into().expect("a SHA-1 has twenty bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(urls: &[&str]) -> Vec<String> {
        urls.iter().map(|url| url.to_string()).collect()
    }

    #[test]
    fn which_urls_are_taken() {
        for good in ["http://m4:2380", "https://10.0.0.1:1", "http://[::1]:2380", " unix://a:1 ", "http://:1"]
        {
            assert_eq!(peer_urls(&strings(&[good])), Ok(strings(&[good.trim()])), "{good:?}");
        }
        for bad in
            ["", "m4:2380", "ftp://m4:2380", "http://m4", "http://m4:2380/", "http://::1:2380", "http://m:x"]
        {
            assert_eq!(peer_urls(&strings(&["http://a:1", bad])), Err(Error::MemberBadUrls), "{bad:?}");
        }
        assert_eq!(peer_urls(&[]), Err(Error::MemberBadUrls));
        let sorted = strings(&["http://a:1", "http://b:1"]);
        assert_eq!(peer_urls(&strings(&["http://b:1", "http://a:1"])), Ok(sorted));
    }

    #[test]
    fn numbered_ids_are_in_the_host() {
        let id = |url: &str| id_of_new(Ids::Numbered, &strings(&[url, "http://m9:1"]), 0);
        assert_eq!(id("http://m4:2380"), Ok(4));
        assert_eq!(id("http://10.0.0.12:2380"), Ok(12));
        for none in ["http://localhost:2380", "http://m0:2380", "http://m99999999999999999999:1"] {
            assert_eq!(id(none), Err(Error::MemberBadUrls), "{none:?}");
        }
    }

    #[test]
    fn hashed_ids_are_those_of_etcd() {
        // From a real etcd 3.4.23.
        let urls = strings(&["http://127.0.0.1:23801"]);
        assert_eq!(member_id(&urls, "etcd-cluster", None), 0xbdae_9bbc_11dd_390d);
        let added = |second| id_of_new(Ids::Hashed, &urls, second);
        assert_ne!(added(1), added(2));
        // URLs, token and seconds are hashed as one text, so the token `1` has the same effect as the second 1.
        assert_eq!(added(1), Ok(member_id(&urls, "1", None)));
    }
}
