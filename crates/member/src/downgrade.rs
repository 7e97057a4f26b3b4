//! Downgrades of the cluster by one minor version (`Maintenance.Downgrade`, since etcd 3.5): whether one is possible;
//! its beginning and its end, which go through the log; and the cluster version, which the leader adapts.
//!
//! In etcd, an operator then replaces the members' programs one by one, and the downgrade ends by itself when all are
//! of the target version. Here the version of all members is fixed by the setting `etcd-version`, so it ends only when
//! it is cancelled; then the cluster version goes back to that of the members.

use api::etcdserverpb::DowngradeResponse;
use api::membershippb::DowngradeInfoSetRequest;
use api::{Error, Response};

use crate::config::EtcdVersion;
use crate::replica::Replica;
use crate::version;

/// Time between the leader's checks of the cluster version, in nanoseconds (`server.go`, `monitorVersionInterval`, 5 s,
/// less the jitter).
pub(crate) const LOOK_INTERVAL: u64 = 4_000_000_000;

/// The cluster version that a target such as `3.6` or `3.6.1` means.
pub(crate) fn target(text: &str) -> Result<String, Error> {
    let mut parts = text.split('.');
    let mut number = || parts.next().and_then(|part| part.parse::<u32>().ok());
    match (number(), number()) {
        (Some(major), Some(minor)) if parts.all(|part| part.parse::<u32>().is_ok()) => {
            Ok(format!("{major}.{minor}.0"))
        }
        _ => Err(Error::WrongDowngradeVersionFormat),
    }
}

/// The cluster version one minor version below.
fn one_below(version: &str) -> Option<String> {
    let (major, rest) = version.split_once('.')?;
    let minor: u32 = rest.split('.').next()?.parse().ok()?;
    Some(format!("{major}.{}.0", minor.checked_sub(1)?))
}

impl Replica {
    /// The version that the whole cluster speaks.
    pub(crate) fn cluster_version(&self) -> &str {
        match self.cluster.version() {
            "" => version::cluster(self.store.version()),
            set => set,
        }
    }

    /// The version that the whole cluster is to speak, if it does not speak it yet.
    pub(crate) fn wanted_version(&self) -> Option<String> {
        let wanted = self.cluster.downgrade().unwrap_or(version::cluster(self.store.version()));
        (wanted != self.cluster_version()).then(|| wanted.to_string())
    }

    /// Whether a downgrade to this version can begin.
    pub(crate) fn may_downgrade(&self, target: &str) -> Result<(), Error> {
        if one_below(self.cluster_version()).as_deref() != Some(target) {
            return Err(Error::InvalidDowngradeTargetVersion);
        }
        if self.cluster.downgrade().is_some() { Err(Error::DowngradeInProcess) } else { Ok(()) }
    }

    /// A downgrade began or ended.
    pub(crate) fn downgraded(&mut self, request: &DowngradeInfoSetRequest) -> Response {
        self.cluster.set_downgrade(if request.enabled { &request.ver } else { "" });
        self.downgrade_answer()
    }

    pub(crate) fn downgrade_answer(&self) -> Response {
        let version = self.cluster_version();
        // Up to 3.5 the answer has the whole version, later the version without the patch.
        let version = match self.store.version() >= EtcdVersion::V3_6 {
            true => version.rsplit_once('.').map_or(version, |(minor, _)| minor),
            false => version,
        };
        DowngradeResponse { header: self.header(), version: version.to_string() }.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_versions() {
        for (text, version) in [("3.6", "3.6.0"), ("3.6.7", "3.6.0"), ("4.10.1", "4.10.0")] {
            assert_eq!(target(text).as_deref(), Ok(version));
        }
        for text in ["", "3", "v3.6", "3.x", "3.6.x", "three"] {
            assert_eq!(target(text), Err(Error::WrongDowngradeVersionFormat), "{text}");
        }
        assert_eq!(one_below("3.7.0").as_deref(), Some("3.6.0"));
        assert_eq!(one_below("3.0.0"), None);
    }
}
