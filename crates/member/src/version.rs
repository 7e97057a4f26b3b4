//! The versions that a member names in its answers, by the setting `etcd-version`.

use crate::config::EtcdVersion;

/// The version of the server. It is a late patch version of its minor version, because the member has none of the
/// defects that earlier ones have; Kubernetes, for example, trusts progress notifications of late versions only.
pub(crate) const fn server(version: EtcdVersion) -> &'static str {
    match version {
        EtcdVersion::V3_4 => "3.4.44",
        EtcdVersion::V3_5 => "3.5.33",
        EtcdVersion::V3_6 => "3.6.14",
        EtcdVersion::V3_7 => "3.7.3",
    }
}

/// The version of the server, unless the settings say otherwise.
pub const VERSION: &str = server(EtcdVersion::V3_7);

/// The version that a cluster of such servers speaks.
pub(crate) const fn cluster(version: EtcdVersion) -> &'static str {
    match version {
        EtcdVersion::V3_4 => "3.4.0",
        EtcdVersion::V3_5 => "3.5.0",
        EtcdVersion::V3_6 => "3.6.0",
        EtcdVersion::V3_7 => "3.7.0",
    }
}

/// The version of the storage. Answers have it from 3.6 on; it is empty before.
pub(crate) const fn storage(version: EtcdVersion) -> &'static str {
    match version {
        EtcdVersion::V3_4 | EtcdVersion::V3_5 => "",
        EtcdVersion::V3_6 | EtcdVersion::V3_7 => cluster(version),
    }
}
