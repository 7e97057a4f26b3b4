//! The command line: etcdctl's commands and flags.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// A command for etcd servers, with etcdctl's flags, variables and output.
#[derive(Debug, Parser)]
#[command(name = "etcdsim-ctl", version, arg_required_else_help = true)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Flags of all commands.
    #[command(flatten)]
    pub global: Global,
}

/// Flags of all commands.
#[derive(Clone, Debug, clap::Args)]
pub struct Global {
    /// The servers, separated by commas.
    #[arg(
        long,
        global = true,
        env = "ETCDCTL_ENDPOINTS",
        default_value = "127.0.0.1:2379",
        value_delimiter = ','
    )]
    pub endpoints: Vec<String>,
    /// The CA certificates that the servers' certificates are checked against.
    #[arg(long, global = true, env = "ETCDCTL_CACERT")]
    pub cacert: Option<PathBuf>,
    /// The client's certificate.
    #[arg(long, global = true, env = "ETCDCTL_CERT")]
    pub cert: Option<PathBuf>,
    /// The key of that certificate.
    #[arg(id = "key_file", long = "key", value_name = "KEY", global = true, env = "ETCDCTL_KEY")]
    pub key: Option<PathBuf>,
    /// The user: name, or name:password.
    #[arg(long, global = true, env = "ETCDCTL_USER")]
    pub user: Option<String>,
    /// The user's password.
    #[arg(long, global = true, env = "ETCDCTL_PASSWORD")]
    pub password: Option<String>,
    /// How long a command may take, streams aside.
    #[arg(long, global = true, env = "ETCDCTL_COMMAND_TIMEOUT", default_value = "5s", value_parser = seconds)]
    pub command_timeout: std::time::Duration,
    /// How answers are written.
    #[arg(short = 'w', long, global = true, env = "ETCDCTL_WRITE_OUT", default_value = "simple")]
    pub write_out: Form,
    /// Keys and values as hexadecimal numbers.
    #[arg(long, global = true, env = "ETCDCTL_HEX")]
    pub hex: bool,
}

/// How answers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people.
    Simple,
    /// JSON.
    Json,
    /// One field a line.
    Fields,
}

fn seconds(text: &str) -> Result<std::time::Duration, String> {
    text.parse().map(|etcdsim_server::duration::GoDuration(time)| time)
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Puts a value at a key; reads the value from the standard input if none is given.
    Put(Put),
    /// Gets a key, or a range of keys.
    Get(Get),
    /// Removes a key, or a range of keys.
    Del(Del),
    /// Compacts the history up to a revision.
    Compaction(Compaction),
    /// Watches a key, or a range of keys.
    Watch(Watch),
    /// Runs a transaction, read from the standard input.
    Txn(Txn),
    /// Leases.
    #[command(subcommand)]
    Lease(Lease),
    /// Members of the cluster.
    #[command(subcommand)]
    Member(Member),
    /// The servers themselves.
    #[command(subcommand)]
    Endpoint(Endpoint),
    /// Snapshots.
    #[command(subcommand)]
    Snapshot(Snapshot),
    /// Says the version.
    Version,
}

/// Puts.
#[derive(Debug, clap::Args)]
pub struct Put {
    /// The key.
    pub key: String,
    /// The value.
    pub value: Option<String>,
    /// The lease, in hexadecimal.
    #[arg(long, default_value = "0", value_parser = hexadecimal)]
    pub lease: i64,
    /// Also write what was there before.
    #[arg(long)]
    pub prev_kv: bool,
    /// Keep the value.
    #[arg(long)]
    pub ignore_value: bool,
    /// Keep the lease.
    #[arg(long)]
    pub ignore_lease: bool,
}

/// A range of keys.
#[derive(Debug, clap::Args)]
pub struct Range {
    /// The key.
    #[arg(default_value = "")]
    pub key: String,
    /// The end of the range.
    pub range_end: Option<String>,
    /// All keys that begin with this one.
    #[arg(long, conflicts_with = "from_key")]
    pub prefix: bool,
    /// All keys from this one on.
    #[arg(long)]
    pub from_key: bool,
}

/// Gets.
#[derive(Debug, clap::Args)]
pub struct Get {
    /// Which keys.
    #[command(flatten)]
    pub range: Range,
    /// l for a linearizable read, s for a serializable one.
    #[arg(long, default_value = "l", value_parser = ["l", "s"])]
    pub consistency: String,
    /// ASCEND or DESCEND.
    #[arg(long)]
    pub order: Option<String>,
    /// CREATE, KEY, MODIFY, VALUE or VERSION.
    #[arg(long)]
    pub sort_by: Option<String>,
    /// How many results at most.
    #[arg(long, default_value_t = 0)]
    pub limit: i64,
    /// At which revision.
    #[arg(long, default_value_t = 0)]
    pub rev: i64,
    /// Only the keys.
    #[arg(long)]
    pub keys_only: bool,
    /// Only the number of keys.
    #[arg(long)]
    pub count_only: bool,
    /// Only the values.
    #[arg(long)]
    pub print_value_only: bool,
    /// Let the server send the keys in chunks.
    #[arg(long)]
    pub stream: bool,
    /// Only keys made at this revision or later.
    #[arg(long, default_value_t = 0)]
    pub min_create_rev: i64,
    /// Only keys made at this revision or earlier.
    #[arg(long, default_value_t = 0)]
    pub max_create_rev: i64,
    /// Only keys changed at this revision or later.
    #[arg(long, default_value_t = 0)]
    pub min_mod_rev: i64,
    /// Only keys changed at this revision or earlier.
    #[arg(long, default_value_t = 0)]
    pub max_mod_rev: i64,
}

/// Removes.
#[derive(Debug, clap::Args)]
pub struct Del {
    /// Which keys.
    #[command(flatten)]
    pub range: Range,
    /// Also write what was there before.
    #[arg(long)]
    pub prev_kv: bool,
    /// Remove a range at once, without the pause for second thoughts.
    #[arg(long = "range")]
    pub is_range: bool,
}

/// Compacts.
#[derive(Debug, clap::Args)]
pub struct Compaction {
    /// The revision.
    pub revision: i64,
    /// Wait until the history is gone from the disk.
    #[arg(long)]
    pub physical: bool,
}

/// Watches.
#[derive(Debug, clap::Args)]
pub struct Watch {
    /// Which keys.
    #[command(flatten)]
    pub range: Range,
    /// From which revision on.
    #[arg(long, default_value_t = 0)]
    pub rev: i64,
    /// Also write what was there before.
    #[arg(long)]
    pub prev_kv: bool,
    /// Let the server report its progress.
    #[arg(long)]
    pub progress_notify: bool,
}

/// A transaction.
#[derive(Debug, clap::Args)]
pub struct Txn {
    /// Prompt for each part.
    #[arg(short, long)]
    pub interactive: bool,
}

/// Leases.
#[derive(Debug, Subcommand)]
pub enum Lease {
    /// Makes a lease of this many seconds.
    #[command(allow_negative_numbers = true)]
    Grant {
        /// Seconds.
        ttl: i64,
    },
    /// Ends a lease.
    Revoke {
        /// Its id, in hexadecimal.
        #[arg(value_parser = hexadecimal)]
        id: i64,
    },
    /// Shows how long a lease still lives.
    Timetolive {
        /// Its id, in hexadecimal.
        #[arg(value_parser = hexadecimal)]
        id: i64,
        /// Also its keys.
        #[arg(long)]
        keys: bool,
    },
    /// All leases.
    List,
    /// Keeps a lease alive until interrupted.
    KeepAlive {
        /// Its id, in hexadecimal.
        #[arg(value_parser = hexadecimal)]
        id: i64,
        /// Only once.
        #[arg(long)]
        once: bool,
    },
}

/// Members of the cluster.
#[derive(Debug, Subcommand)]
pub enum Member {
    /// Adds a member.
    Add {
        /// Its name.
        name: String,
        /// Its addresses for the other members, separated by commas.
        #[arg(long, required = true, value_delimiter = ',')]
        peer_urls: Vec<String>,
        /// It joins as a learner, without a vote.
        #[arg(long)]
        learner: bool,
    },
    /// Removes a member.
    Remove {
        /// Its id, in hexadecimal.
        #[arg(value_parser = hexadecimal)]
        id: i64,
    },
    /// Changes a member's addresses.
    Update {
        /// Its id, in hexadecimal.
        #[arg(value_parser = hexadecimal)]
        id: i64,
        /// Its addresses for the other members, separated by commas.
        #[arg(long, required = true, value_delimiter = ',')]
        peer_urls: Vec<String>,
    },
    /// All members.
    List,
    /// Promotes a learner to a voter.
    Promote {
        /// Its id, in hexadecimal.
        #[arg(value_parser = hexadecimal)]
        id: i64,
    },
}

/// The servers themselves.
#[derive(Debug, Subcommand)]
pub enum Endpoint {
    /// Whether they serve.
    Health {
        /// All members of the cluster.
        #[arg(long)]
        cluster: bool,
    },
    /// Their state.
    Status {
        /// All members of the cluster.
        #[arg(long)]
        cluster: bool,
    },
    /// The hashes of their data.
    Hashkv {
        /// All members of the cluster.
        #[arg(long)]
        cluster: bool,
        /// Up to which revision.
        #[arg(long, default_value_t = 0)]
        rev: i64,
    },
}

/// Snapshots.
#[derive(Debug, Subcommand)]
pub enum Snapshot {
    /// Saves a snapshot of a server.
    Save {
        /// The file to make.
        file: PathBuf,
    },
}

/// A 64-bit number in hexadecimal.
fn hexadecimal(text: &str) -> Result<i64, String> {
    u64::from_str_radix(text, 16)
        .map(u64::cast_signed)
        .map_err(|_| format!("{text:?} is not a hexadecimal number"))
}

/// Reads the words of a line of a transaction, as if they came after a command's name.
pub fn of_line<T: clap::Args>(name: &'static str, words: &[String]) -> Result<T, clap::Error> {
    let command = T::augment_args(clap::Command::new(name).no_binary_name(true));
    let matches = command.try_get_matches_from(words)?;
    T::from_arg_matches(&matches)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_of_all_commands_may_stand_anywhere() {
        let words = ["x", "--key", "client.key", "put", "--lease", "1f", "key", "value", "-w", "json"];
        let args = Args::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"));
        let Command::Put(put) = args.command else { panic!("it is a put") };
        assert_eq!((&*put.key, put.value.as_deref(), put.lease), ("key", Some("value"), 0x1f));
        assert_eq!((args.global.key, args.global.write_out), (Some("client.key".into()), Form::Json));
        for line in [
            "get --prefix k",
            "del a b --range",
            "watch k --rev 3",
            "lease grant -5",
            "member remove 8e9e05c52164694d",
        ] {
            let words = ["x"].into_iter().chain(line.split(' '));
            assert!(Args::try_parse_from(words).is_ok(), "{line}");
        }
    }
}
