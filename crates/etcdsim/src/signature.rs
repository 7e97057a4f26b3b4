//! What makes two failures the same. Shrinking keeps it: a smaller plan that fails for another reason is another finding.

use std::fmt;
use std::str::FromStr;

use api::Request;
use verify::Oracle;

use crate::report::{Failure, ViolationReport};

/// What makes two failures the same: which oracle, which rule of it, which kind of operation.
///
/// Its text has the three parts with slashes between them: `K1 / a stale read / get`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signature {
    /// The oracle of the failure's first violation.
    pub oracle: Oracle,
    /// Which of its rules is violated: the violation's title with numbers and quoted names masked. If a process ended,
    /// what it said comes after the title, because each panic is a failure of its own.
    pub rule: String,
    /// The kind of the operation in which it became visible; `None` if no operation shows it.
    pub operation: Option<String>,
}

/// The separator between the parts of a signature's text.
const BETWEEN: &str = " / ";

impl Signature {
    /// The signature of a failure: that of the violation which is shown first.
    pub fn of(failure: &Failure) -> Signature {
        Signature::of_violation(failure.first())
    }

    /// The signature of a failure whose first violation is this one.
    pub fn of_violation(first: &ViolationReport) -> Signature {
        let mut rule = masked(&first.title);
        if first.oracle == Oracle::V2
            && let Some(said) = first.sentences.get(1)
        {
            rule = format!("{rule}: {}", masked(said.lines().next().unwrap_or("")));
        }
        // The parts of the text must remain apart.
        let rule = rule.replace(BETWEEN, "/");
        Signature { oracle: first.oracle, rule, operation: first.operation.map(String::from) }
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{BETWEEN}{}", self.oracle, self.rule)?;
        match &self.operation {
            Some(operation) => write!(f, "{BETWEEN}{operation}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Signature {
    type Err = String;

    fn from_str(text: &str) -> Result<Signature, String> {
        let mut parts = text.trim().split(BETWEEN);
        let id = parts.next().unwrap_or_default();
        let oracle = Oracle::ALL.iter().copied().find(|oracle| oracle.id() == id);
        let oracle = oracle.ok_or_else(|| format!("there is no oracle {id:?}"))?;
        let rule = parts.next().filter(|rule| !rule.is_empty());
        let rule =
            rule.ok_or_else(|| format!("{text:?} names no rule; write `ORACLE / RULE / OPERATION`"))?;
        let operation = parts.next().map(String::from);
        match parts.next() {
            None => Ok(Signature { oracle, rule: rule.to_string(), operation }),
            Some(more) => Err(format!("{more:?} comes after the kind of operation")),
        }
    }
}

/// The kind of a request, as the text of a signature names it.
pub(crate) fn kind(request: &Request) -> &'static str {
    match request {
        Request::Range(_) => "get",
        Request::Put(_) => "put",
        Request::DeleteRange(_) => "delete",
        Request::Txn(_) => "txn",
        Request::Compact(_) => "compact",
        other => other.rpc_name(),
    }
}

/// A text in which every word with a digit is `N` and every quoted text is `…`.
fn masked(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let quoted = match first {
            '"' | '`' => rest[1..].find(first).map(|end| end + 2),
            _ => None,
        };
        let in_word = |c: char| c.is_alphanumeric() || c == '_';
        let word = rest.find(|c| !in_word(c)).unwrap_or(rest.len());
        let taken = if let Some(length) = quoted {
            out.push('…');
            length
        } else if word > 0 {
            let word = &rest[..word];
            out.push_str(if word.contains(|c: char| c.is_ascii_digit()) { "N" } else { word });
            word.len()
        } else {
            out.push(first);
            first.len_utf8()
        };
        rest = &rest[taken..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::History;
    use verify::{Verdict, Violation};

    fn signature(violation: Violation) -> Signature {
        let verdict = Verdict { violations: vec![violation], ..Verdict::default() };
        Signature::of(&Failure::of(&verdict, &History::default()).expect("there is a violation"))
    }

    #[test]
    fn numbers_and_names_make_no_difference() {
        let one = signature(Violation::new(Oracle::K1, 5, "revision 163 was made by two writes"));
        let other = signature(Violation::new(Oracle::K1, 9, "revision 7 was made by two writes"));
        assert_eq!(one, other);
        assert_eq!(one.to_string(), "K1 / revision N was made by two writes");
        assert_eq!(masked("index 0x1f of \"k3\" at `a b`, m1"), "index N of … at …, N");
        assert_eq!(masked("an open \"quote"), "an open \"quote");
    }

    #[test]
    fn panics_differ_by_what_they_say() {
        let panic = |said: &str| {
            signature(Violation::new(Oracle::V2, 1, "a member panicked").say("Member 1 did.").say(said))
        };
        assert_eq!(panic("to_commit 5 is out of range"), panic("to_commit 6 is out of range"));
        assert_ne!(panic("to_commit 5 is out of range"), panic("index 5 is out of range"));
    }

    #[test]
    fn the_text_is_read_back() {
        for text in ["K1 / a stale read / get", "S / member N broke the rule quorum-vote"] {
            assert_eq!(
                text.parse::<Signature>().map(|signature| signature.to_string()),
                Ok(text.to_string())
            );
        }
        for bad in ["", "K1", "XX / a / b", "K1 / a / b / c"] {
            assert!(bad.parse::<Signature>().is_err(), "{bad:?}");
        }
    }
}
