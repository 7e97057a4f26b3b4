//! Evidence written by hand: the entries that a cluster applied, a second apart unless said otherwise.

use api::Request;
use api::etcdserverpb::*;
use record::{Applied, Nanos};

use super::build::Story;

pub const SECOND: Nanos = 1_000_000_000;

pub fn header(revision: i64) -> Option<ResponseHeader> {
    Some(ResponseHeader { revision, ..ResponseHeader::default() })
}

pub fn grant(id: i64, ttl: i64) -> Request {
    LeaseGrantRequest { ttl, id }.into()
}

pub fn granted(id: i64, ttl: i64) -> api::Response {
    LeaseGrantResponse { header: header(1), id, ttl, error: String::new() }.into()
}

pub fn revoke(id: i64) -> Request {
    LeaseRevokeRequest { id }.into()
}

impl Story {
    fn entry(
        mut self,
        operation: Option<u64>,
        internal: Option<Request>,
        (revision, mutated): (u64, bool),
    ) -> Story {
        let index = self.record.applied.len() as u64 + 1;
        let time = index * SECOND;
        let internal = internal.map(Box::new);
        self.record.applied.push(Applied { index, operation, internal, revision, mutated, time });
        self
    }

    /// The cluster applied an operation, which made no revision.
    pub fn passed(self, operation: u64, revision: u64) -> Story {
        self.entry(Some(operation), None, (revision, false))
    }

    /// The cluster applied what a member proposed itself.
    pub fn own(self, request: Request, revision: u64, mutated: bool) -> Story {
        self.entry(None, Some(request), (revision, mutated))
    }

    /// The last entry was applied at this second.
    pub fn at(mut self, second: u64) -> Story {
        self.record.applied.last_mut().expect("an entry").time = second * SECOND;
        self
    }

    /// The last operation was one of this user.
    pub fn user(mut self, name: &str) -> Story {
        self.record.history.operations.last_mut().expect("an operation").user = Some(name.into());
        self
    }

    /// All faults were healed at the second `healed`; the run ended at the second `end`.
    pub fn healed(mut self, healed: u64, end: u64) -> Story {
        self.record.healed = healed * SECOND;
        self.record.stats.virtual_ns = end * SECOND;
        self
    }
}
