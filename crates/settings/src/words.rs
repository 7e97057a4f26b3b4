//! Settings whose values are words: an enum each, with a word for each value.

use crate::row::Value;

macro_rules! words {
    (
        $(#[doc = $about:literal])+
        $kind:ident { $($(#[doc = $meaning:literal])+ $value:ident = $word:literal,)+ }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $kind {
            $($(#[doc = $meaning])+ $value,)+
        }

        impl $kind {
            /// The words, in the order of the values.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word for this value.
            pub const fn word(self) -> &'static str {
                Self::WORDS[self as usize]
            }
        }

        impl Value for $kind {
            fn to_number(self) -> u64 {
                self as u64
            }

            fn of_number(number: u64) -> $kind {
                [$($kind::$value),+][number as usize]
            }
        }
    };
}

words! {
    /// How a member that is added gets its id.
    Ids {
        /// The number in its first peer URL: `http://m4:2380` is member 4. The simulator's way, where a
        /// machine is one member and never another one.
        Numbered = "numbered",
        /// etcd's: the first eight bytes of a SHA-1 over the sorted peer URLs and the wall clock's second.
        Hashed = "hashed",
    }
}
