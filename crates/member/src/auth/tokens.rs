//! Simple tokens (`server/auth/simple_token.go`). A token consists of random letters, a dot, and the index of
//! the log entry that issued it.
//!
//! Every member learns of a token when it applies that entry. But each member expires tokens by its own
//! clock, and only a use on this member extends a token here. So tokens are not replicated state.

use std::collections::BTreeMap;

use keyed::Draw;

/// The letters that the random part of a token consists of.
const LETTERS: &[u8; 52] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// Length of the random part, in letters (`defaultSimpleTokenLength`).
const LENGTH: u64 = 16;

/// The interval at which etcd checks for expired tokens, in nanoseconds (`simpleTokenTTLResolution`).
const RESOLUTION: u64 = 1_000_000_000;

/// Lifetime of a token if the setting is 0, in nanoseconds (`simpleTokenTTLDefault`).
const TTL_DEFAULT: u64 = 300_000_000_000;

/// What is known of a token.
#[derive(Clone, Debug)]
struct Token {
    user: String,
    /// When it expires, on the member's clock.
    ends: u64,
}

/// The tokens this member knows.
#[derive(Clone, Debug)]
pub(super) struct Tokens {
    all: BTreeMap<String, Token>,
    ttl: u64,
    /// When they were last checked.
    checked: u64,
}

/// The random part of a token.
pub(super) fn random_part(random: u64) -> String {
    (0..LENGTH).map(|nth| char::from(*Draw(random).then(nth).pick(LETTERS))).collect()
}

/// The index of the log entry that issued the token; `None` if this is not a token.
pub fn token_index(token: &[u8]) -> Option<u64> {
    let (_, index) = str::from_utf8(token).ok()?.split_once('.')?;
    // `parse` alone would accept a sign.
    index.bytes().all(|byte| byte.is_ascii_digit()).then(|| index.parse().ok()).flatten()
}

impl Tokens {
    pub(super) fn new(ttl: u64) -> Tokens {
        Tokens { all: BTreeMap::new(), ttl: if ttl == 0 { TTL_DEFAULT } else { ttl }, checked: 0 }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Records that a token was issued to a user.
    pub(super) fn assign(&mut self, token: &str, user: &str, now: u64) {
        let token_of_user = Token { user: user.to_string(), ends: now.saturating_add(self.ttl) };
        self.all.insert(token.to_string(), token_of_user);
    }

    /// Extends a token's life and returns its user; `None` if this member does not know the token.
    pub(super) fn renew(&mut self, token: &[u8], now: u64) -> Option<String> {
        let token = self.all.get_mut(str::from_utf8(token).ok()?)?;
        token.ends = now.saturating_add(self.ttl);
        Some(token.user.clone())
    }

    /// Removes the tokens that had expired at the last full second of the member's clock, which is when etcd
    /// would have checked last. Until such a check, an expired token is still valid and may be renewed.
    /// Returns whether any were removed.
    pub(super) fn sweep(&mut self, now: u64) -> bool {
        let last_check = now / RESOLUTION * RESOLUTION;
        // Since the check at that time, the expiry of a token can only have moved later.
        if last_check == std::mem::replace(&mut self.checked, last_check) {
            return false;
        }
        let before = self.all.len();
        self.all.retain(|_, token| token.ends >= last_check);
        self.all.len() != before
    }

    /// Removes a user's tokens.
    pub(super) fn forget(&mut self, user: &str) {
        self.retain(|other| other != user);
    }

    /// Removes the tokens of the users for whom `keep` returns false.
    pub(super) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.all.retain(|_, token| keep(&token.user));
    }

    /// Forgets all tokens.
    pub(super) fn clear(&mut self) {
        self.all.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_a_token() {
        let random = random_part(1);
        assert!(random.len() == 16 && random.bytes().all(|letter| letter.is_ascii_alphabetic()), "{random}");
        assert_ne!(random, random_part(2));
        for (token, index) in [
            ("abc.17", Some(17)),
            ("abc", None),
            ("abc.x", None),
            ("a.b.1", None),
            ("abc.", None),
            ("abc.+1", None),
        ] {
            assert_eq!(token_index(token.as_bytes()), index, "{token:?}");
        }
    }

    #[test]
    fn use_extends_a_token_and_it_expires_at_a_full_second() {
        const MS: u64 = 1_000_000;
        let mut tokens = Tokens::new(10_000 * MS);
        tokens.assign("t.1", "u", 500 * MS);
        let mut at = |ms: u64| {
            let swept = tokens.sweep(ms * MS);
            (swept, tokens.renew(b"t.1", ms * MS))
        };
        let user = || Some("u".to_string());
        assert_eq!(at(10_400), (false, user()));
        assert_eq!(at(20_999), (false, user()), "expired at 20.4 s, but not yet checked");
        assert_eq!(at(31_000), (true, None));
    }

    #[test]
    fn no_time_is_the_default_time() {
        let mut tokens = Tokens::new(0);
        tokens.assign("t.1", "u", 0);
        assert!(!tokens.sweep(TTL_DEFAULT) && tokens.sweep(TTL_DEFAULT + RESOLUTION));
    }
}
