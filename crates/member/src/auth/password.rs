//! Hashes passwords. The member that receives a password hashes it before it proposes the request, so the log
//! has only hashes and applying needs no randomness.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A way to hash passwords.
pub trait PasswordHash: fmt::Debug + Send + Sync {
    /// The hash to store for `password`. `random` is the salt and must differ for each call.
    fn hash(&self, password: &str, random: u64) -> String;

    /// Whether `stored` is a hash of `password`.
    fn matches(&self, password: &str, stored: &[u8]) -> bool;
}

/// A password that is to be hashed. A good hash takes longer than a step may take.
#[derive(Debug)]
pub struct ToHash {
    pub(super) hashing: Arc<dyn PasswordHash>,
    pub(super) password: String,
    /// The salt.
    pub(super) random: u64,
}

impl ToHash {
    /// The hash.
    pub fn perform(&self) -> String {
        self.hashing.hash(&self.password, self.random)
    }
}

/// A password that is to be checked.
#[derive(Debug)]
pub struct ToCheck {
    pub(super) hashing: Arc<dyn PasswordHash>,
    pub(super) password: String,
    /// The stored hash, to compare with.
    pub(super) stored: Bytes,
}

impl ToCheck {
    /// Whether the password is right.
    pub fn perform(&self) -> bool {
        self.hashing.matches(&self.password, &self.stored)
    }
}

/// The password hash of the simulator: a salted XXH3 in hexadecimal. It is fast and gives the same result on
/// every computer, but it is **no protection at all**: a production server needs another one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Simulated;

impl PasswordHash for Simulated {
    fn hash(&self, password: &str, random: u64) -> String {
        format!("{random:016x}{:016x}", xxh3_64_with_seed(password.as_bytes(), random))
    }

    fn matches(&self, password: &str, stored: &[u8]) -> bool {
        let salt = stored.get(..16).and_then(|salt| str::from_utf8(salt).ok());
        let salt = salt.and_then(|salt| u64::from_str_radix(salt, 16).ok());
        salt.is_some_and(|salt| self.hash(password, salt).as_bytes() == stored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_password_matches() {
        let stored = Simulated.hash("secret", 7);
        assert!(Simulated.matches("secret", stored.as_bytes()));
        for (password, stored) in [("Secret", stored.as_bytes()), ("", stored.as_bytes()), ("secret", b"")] {
            assert!(!Simulated.matches(password, stored), "{password:?}");
        }
        assert!(!Simulated.matches("secret", "ä".repeat(16).as_bytes()));
        assert_ne!(stored, Simulated.hash("secret", 8), "equal passwords must not look equal");
        assert!(Simulated.matches("", Simulated.hash("", 1).as_bytes()));
    }
}
