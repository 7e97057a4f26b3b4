//! What a part of the member wants from the others. A part does not know who does it: it appends a [`Want`] to a list,
//! and the member (`serve`) carries out the list in order, depth first: what follows from one want is done before the
//! next.

use api::etcdserverpb::WatchRequest;
use api::{Error, Request, Response};
use record::MemberId;

use crate::auth::{AuthInfo, Credential};
use crate::envelope::Command;
use crate::reads::Read;

/// The operation number of a request that the member makes itself and whose answer nobody waits for, such as the
/// revocation of an expired lease. (The operation numbers of clients' requests come from the driver, the caller of
/// [`contract::Node::step`].)
pub(crate) const NOBODY: u64 = u64::MAX;

/// One thing to do. Operations and streams are those of clients, of other members, or of the part itself.
#[derive(Debug, PartialEq)]
pub(crate) enum Want {
    /// An operation ended: its result goes to whoever waits for it.
    Reply(u64, Result<Response, Error>),
    /// The same for a response made by this member, which fills in the header.
    Answer(u64, Result<Response, Error>),
    /// A linearizable read, or another request that needs a confirmed leader first.
    Read(Read),
    /// A command for the log, which is checked already.
    Propose {
        /// The number of the operation that is answered when the command is applied.
        operation: u64,
        /// The command.
        command: Command,
        /// The user who requested it.
        who: Option<AuthInfo>,
    },
    /// The checkpoint of a lease must be undone before the lease is renewed.
    Undo {
        /// The number of the operation that renews the lease when that is applied.
        operation: u64,
        /// The lease.
        lease: i64,
        /// What undoes the checkpoint.
        command: Command,
    },
    /// A request that only the leader can serve.
    AskLeader(u64, Request),
    /// A request that only this other member can serve.
    AskMember(MemberId, u64, Request),
    /// A request that only this member can serve, with the checks done by the member at which it arrived.
    Serve(u64, Request),
    /// A request with all checks, as if a client had sent it.
    Request {
        /// The number of the operation that is answered.
        operation: u64,
        /// The request.
        request: Request,
        /// The client's credential.
        credential: Option<Credential>,
    },
    /// A message on a watch stream, with all checks; the first one opens the stream.
    Watch {
        /// The number of the stream.
        stream: u64,
        /// The message.
        request: WatchRequest,
        /// The client's credential.
        credential: Option<Credential>,
    },
    /// Closes a watch stream.
    CloseWatch(u64),
}

impl Want {
    /// The proposal of a command that no client requested.
    pub(crate) fn propose(command: Command) -> Want {
        Want::Propose { operation: NOBODY, command, who: None }
    }
}

/// What a part wants, in order.
pub(crate) type Wants = Vec<Want>;
