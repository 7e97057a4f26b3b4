//! Passwords are hashed with bcrypt, as in etcd, so that a snapshot of one can be used by the other.

use member::auth::password::PasswordHash;

/// bcrypt with a cost.
#[derive(Clone, Copy, Debug)]
pub struct Bcrypt {
    /// The cost.
    pub cost: u32,
}

impl PasswordHash for Bcrypt {
    fn hash(&self, password: &str, _: u64) -> String {
        // It can only fail for a cost that the flags do not allow. Then nobody can log in with what is stored.
        bcrypt::hash(password, self.cost).unwrap_or_default()
    }

    fn matches(&self, password: &str, stored: &[u8]) -> bool {
        std::str::from_utf8(stored).is_ok_and(|stored| bcrypt::verify(password, stored).unwrap_or(false))
    }
}
