//! Reads the fields of a file: turns TOML values, with their positions in the text, into [`Choice`]s. There is
//! one reader for all fields; a field's [`Form`] says what it may contain.
//!
//! The reader reports what it cannot understand and leaves it out, so that one mistake does not hide others.

use std::ops::Range;

use serde_spanned::Spanned;
use toml::de::{DeTable, DeValue};
use trace::MemberId;

use crate::choice::{Choice, Value, Who};
use crate::field::{Form, Key, Names, Section, Set};
use crate::mistakes::{Mistake, suggest};
use crate::units::Unit;
use crate::words::{BadWords, bad};
use crate::{FlawAt, Spread, Target, words};

/// A TOML value with its position.
pub(crate) type Node<'a> = Spanned<DeValue<'a>>;

/// Reads fields and collects mistakes.
pub(crate) struct Reader {
    pub names: Names,
    pub mistakes: Vec<Mistake>,
    /// Whether the file is a plan, in which nothing may be left open.
    pub plan: bool,
    /// The members and clients that the file names. They are checked when it is known how many there are.
    pub named: Vec<Named>,
}

/// Numbers of members, or of clients, that a file names at one position.
pub(crate) struct Named {
    pub span: Range<usize>,
    pub numbers: Vec<u64>,
    /// Whether they are numbers of clients.
    pub clients: bool,
}

impl Reader {
    /// A reader of a plan or a scenario of nodes with these names.
    pub fn new(names: Names, plan: bool) -> Reader {
        Reader { names, mistakes: Vec::new(), plan, named: Vec::new() }
    }

    /// Adds a mistake.
    pub fn report(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.mistakes.push(Mistake::at(span, message, label).help(help));
    }

    /// Reports a text that is not what it should be.
    fn bad(&mut self, span: Range<usize>, bad: BadWords) {
        self.report(span, bad.message, "here", bad.help);
    }

    /// The table in a node. If the node is not a table, that is reported.
    pub fn table<'a, 'b>(&mut self, node: &'b Node<'a>, what: &str) -> Option<&'b DeTable<'a>> {
        let table = node.get_ref().as_table();
        if table.is_none() {
            let message = format!("{what} is a section, not {}", article(node.get_ref()));
            self.report(
                node.span(),
                message,
                "expected a table",
                format!("write it as `{what}` on a line of its own, with its fields below"),
            );
        }
        table
    }

    /// The fields of a section. `what` is its name in messages. `read_elsewhere` are names in the table that
    /// are not fields, such as those of subsections.
    pub fn section<'k>(
        &mut self,
        table: &DeTable<'_>,
        keys: impl Iterator<Item = &'k Key> + Clone,
        what: &str,
        read_elsewhere: &[&str],
    ) -> Section {
        let mut section = Section::default();
        for (name, node) in table {
            if read_elsewhere.contains(&name.get_ref().as_ref()) {
                continue;
            }
            match keys.clone().find(|key| key.name == name.get_ref()) {
                Some(key) => match self.choice(key, node) {
                    Some(choice) => section.sets.push(Set { name: key.name, choice, span: node.span() }),
                    // Its value is invalid, which has been reported.
                    None => section.unread.push(key.name),
                },
                None => {
                    let names: Vec<&str> =
                        keys.clone().map(|key| key.name).chain(read_elsewhere.iter().copied()).collect();
                    let message = format!("{what} has no `{}`", name.get_ref());
                    self.report(name.span(), message, "unknown", suggest(name.get_ref(), names));
                }
            }
        }
        section
    }

    /// The value of a field, or how the seed chooses it.
    pub fn choice(&mut self, key: &Key, node: &Node<'_>) -> Option<Choice> {
        let choice = match alternatives(node.get_ref()) {
            Some(list) => self.any(key, list, node.span())?,
            None => self.form(key, node)?,
        };
        if self.plan && !choice.is_decided() {
            let help = "a plan has one value; a range or a choice belongs to a scenario, which has no `seed`";
            self.report(node.span(), format!("`{}` is left open in a plan", key.name), "not decided", help);
            return None;
        }
        Some(choice)
    }

    /// Reads `{ any = [...] }`: a choice of values.
    fn any(&mut self, key: &Key, list: &Node<'_>, span: Range<usize>) -> Option<Choice> {
        let Some(items) = list.get_ref().as_array().filter(|items| !items.is_empty()) else {
            self.report(
                span,
                "a choice needs a list of values",
                "nothing to choose from",
                "write `{ any = [3, 5] }`",
            );
            return None;
        };
        let choices: Vec<_> = items.iter().filter_map(|item| self.choice(key, item)).collect();
        (choices.len() == items.len()).then_some(Choice::Any(choices))
    }

    /// Reads a value of the field's form.
    fn form(&mut self, key: &Key, node: &Node<'_>) -> Option<Choice> {
        match key.form {
            Form::Number { .. } => self.number(key, node),
            Form::Word(_) | Form::Message | Form::Point => self.word(key, node),
            Form::Switch => match node.get_ref().as_bool() {
                Some(on) => Some(Choice::number(on.into())),
                None => self.expected(key, node, "`true` or `false`"),
            },
            Form::Text => {
                let text = self.text(key, node, "a text")?;
                Some(Choice::Fixed(Value::Text(text)))
            }
            Form::Spread { unit, high } => self.spread(key, unit, high, node),
            Form::Who => self.who(key, node),
            Form::Members => self.members(key, node),
            Form::Condition => self.condition(key, node),
            Form::Operations { check, .. } => {
                let line = |text: &str| check(text).map(|()| text.to_string());
                self.lines(key, node, line).map(Value::Lines).map(Choice::Fixed)
            }
            Form::Flaws => self.lines(key, node, parse_flaw).map(Value::Flaws).map(Choice::Fixed),
        }
    }

    /// Reports that a value is not of the expected type.
    fn expected<T>(&mut self, key: &Key, node: &Node<'_>, expected: &str) -> Option<T> {
        let message = format!("`{}` is {expected}, not {}", key.name, article(node.get_ref()));
        self.report(node.span(), message, format!("expected {expected}"), "");
        None
    }

    /// Reads a text.
    fn text(&mut self, key: &Key, node: &Node<'_>, expected: &str) -> Option<String> {
        match node.get_ref().as_str() {
            Some(text) => Some(text.to_string()),
            None => self.expected(key, node, expected),
        }
    }

    /// Reads a number, or a range of numbers.
    fn number(&mut self, key: &Key, node: &Node<'_>) -> Option<Choice> {
        let Form::Number { unit, .. } = key.form else { return None };
        let text = match node.get_ref() {
            // Also accepted for a field with a unit: the reader of amounts then reports which units there are.
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str().to_string(),
            DeValue::String(text) => text.to_string(),
            _ => return self.expected(key, node, unit.describe()),
        };
        match number(key, &text) {
            Ok(choice) => Some(choice),
            Err(bad) => {
                self.bad(node.span(), bad);
                None
            }
        }
    }

    /// Reads one of several words.
    fn word(&mut self, key: &Key, node: &Node<'_>) -> Option<Choice> {
        let text = self.text(key, node, "a word")?;
        let words = self.names.words(key.form);
        if let Some((number, _)) = words.clone().find(|(_, word)| *word == text) {
            return Some(Choice::number(number as i128));
        }
        let message = format!("`{}` cannot be {text:?}", key.name);
        self.report(node.span(), message, "unknown word", suggest(&text, words.map(|(_, word)| word)));
        None
    }

    /// Reads a distribution of amounts.
    fn spread(&mut self, key: &Key, unit: Unit, high: i128, node: &Node<'_>) -> Option<Choice> {
        let part = |name: &'static str| Key {
            name,
            form: Form::Number { unit, low: 0, high, zero: None },
            about: "",
        };
        let DeValue::Table(table) = node.get_ref() else {
            let parts = vec![self.number(&Key { name: key.name, ..part("") }, node)?];
            return Some(spread_of(|n| Value::Spread(Spread::Constant(n[0] as u64)), parts));
        };
        let keys =
            [part("from"), part("to"), part("floor"), part("mean"), part("usual"), part("worst"), TAIL];
        let what = format!("the distribution `{}`", key.name);
        let before = self.mistakes.len();
        let section = self.section(table, keys.iter(), &what, &[]);
        if self.mistakes.len() > before {
            return None;
        }
        // The values of these fields, if exactly these are set.
        let find = |names: &[&str]| -> Option<Vec<Choice>> {
            let all: Option<Vec<_>> = names.iter().map(|name| section.choice(name).cloned()).collect();
            all.filter(|_| section.sets.len() == names.len())
        };
        if let Some(parts) = find(&["from", "to"]) {
            self.ascending(&parts, node, "from", "to")?;
            Some(spread_of(|n| Value::Spread(Spread::Uniform { low: n[0] as u64, high: n[1] as u64 }), parts))
        } else if let Some(parts) = find(&["floor", "mean"]) {
            Some(spread_of(
                |n| Value::Spread(Spread::Exponential { floor: n[0] as u64, mean: n[1] as u64 }),
                parts,
            ))
        } else if let Some(parts) = find(&["usual", "worst", "tail"]) {
            self.ascending(&parts, node, "usual", "worst")?;
            Some(spread_of(heavy_tail, parts))
        } else {
            let message = format!("`{}` is not a distribution", key.name);
            self.report(node.span(), message, "these fields do not go together", SPREAD_HELP);
            None
        }
    }

    /// Reports if one part of a distribution can be greater than the next.
    fn ascending(&mut self, parts: &[Choice], node: &Node<'_>, low: &str, high: &str) -> Option<()> {
        if parts[0].bounds().1 <= parts[1].bounds().0 {
            return Some(());
        }
        let message = format!("`{low}` can be above `{high}`");
        self.report(
            node.span(),
            message,
            "the wrong way round",
            format!("let `{high}` be at least the largest `{low}`"),
        );
        None
    }

    /// Reads a target.
    fn who(&mut self, key: &Key, node: &Node<'_>) -> Option<Choice> {
        let text = self.text(key, node, "a target")?;
        match words::parse_who(&text) {
            Ok(who) => {
                match &who {
                    Who::Target(Target::Members(members)) => self.name_members(node, members),
                    Who::Target(Target::Clients(clients)) => {
                        let numbers = clients.iter().map(|client| u64::from(*client)).collect();
                        self.named.push(Named { span: node.span(), numbers, clients: true });
                    }
                    _ => {}
                }
                Some(Choice::Fixed(Value::Who(who)))
            }
            Err(bad) => {
                self.bad(node.span(), bad);
                None
            }
        }
    }

    /// Remembers that the file names these members.
    fn name_members(&mut self, node: &Node<'_>, members: &[MemberId]) {
        let numbers = members.iter().map(|member| member.raft_id()).collect();
        self.named.push(Named { span: node.span(), numbers, clients: false });
    }

    /// Reads a list of members.
    fn members(&mut self, key: &Key, node: &Node<'_>) -> Option<Choice> {
        let items = node.get_ref().as_array();
        let members: Option<Vec<MemberId>> = items.and_then(|items| {
            items.iter().map(|item| item.get_ref().as_integer()?.as_str().parse().ok()).collect()
        });
        let Some(members) = members else {
            return self.expected(key, node, "a list of members such as `[1, 2, 3]`");
        };
        self.name_members(node, &members);
        Some(Choice::Fixed(Value::Members(members)))
    }

    /// Reads a condition.
    fn condition(&mut self, key: &Key, node: &Node<'_>) -> Option<Choice> {
        let text = self.text(key, node, "a condition")?;
        let count = Key {
            name: key.name,
            form: Form::Number { unit: Unit::Count, low: 0, high: u32::MAX.into(), zero: None },
            about: "",
        };
        match words::parse_condition(&text, |text| number(&count, text)) {
            Ok(choice) => {
                if let Some(member) = words::member_of(&choice) {
                    self.name_members(node, &[member]);
                }
                Some(choice)
            }
            Err(bad) => {
                self.bad(node.span(), bad);
                None
            }
        }
    }

    /// A list of texts, each read by `parse` and with its own position.
    fn lines<T>(
        &mut self,
        key: &Key,
        node: &Node<'_>,
        parse: impl Fn(&str) -> Result<T, BadWords>,
    ) -> Option<Vec<T>> {
        let Some(items) = node.get_ref().as_array() else {
            return self.expected(key, node, "a list of texts");
        };
        let mut read = Vec::with_capacity(items.len());
        for item in items {
            let Some(text) = item.get_ref().as_str() else {
                self.report(item.span(), format!("`{}` is a list of texts", key.name), "expected a text", "");
                continue;
            };
            match parse(text) {
                Ok(value) => read.push(value),
                Err(bad) => self.bad(item.span(), bad),
            }
        }
        (read.len() == items.len()).then_some(read)
    }
}

/// The field `tail` of a distribution.
const TAIL: Key = Key { name: "tail", form: crate::field::SHARE, about: "" };

pub(crate) const SPREAD_HELP: &str = "a distribution is one value, or `{ from = …, to = … }` (uniform), or `{ floor = …, mean = … }` (exponential above the floor), or `{ usual = …, worst = …, tail = \"1%\" }` (mostly the usual value, sometimes log-uniform up to the worst)";

/// A distribution with a tail, from its three numbers.
fn heavy_tail(n: &[i128]) -> Value {
    let ratio = keyed::Ratio::per_million(n[2] as u32);
    Value::Spread(Spread::HeavyTail { usual: n[0] as u64, worst: n[1] as u64, ratio })
}

/// The distribution that `make` makes from these numbers. If they are all decided, so is the distribution.
fn spread_of(make: fn(&[i128]) -> Value, parts: Vec<Choice>) -> Choice {
    if parts.iter().all(Choice::is_decided) {
        let numbers: Vec<i128> = parts.iter().map(|part| part.bounds().0).collect();
        return Choice::Fixed(make(&numbers));
    }
    Choice::Made(make, parts)
}

/// The list of `{ any = [...] }`.
fn alternatives<'a, 'b>(value: &'b DeValue<'a>) -> Option<&'b Node<'a>> {
    let table = value.as_table()?;
    if table.len() == 1 { table.get("any") } else { None }
}

/// Reads an amount, a range of amounts or a log-uniform range, within the bounds of the field.
pub(crate) fn number(key: &Key, text: &str) -> Result<Choice, BadWords> {
    let Form::Number { unit, low, high, zero } = key.form else {
        return Err(bad(format!("`{}` is not a number", key.name), ""));
    };
    if zero.is_some_and(|word| word == text.trim()) {
        return Ok(Choice::number(0));
    }
    let is_log = text.trim_start().starts_with("log ");
    let amount = |text: &str| -> Result<i128, BadWords> {
        let value = unit.parse(text).map_err(|amount| bad(amount.message, amount.help))?;
        if value == 0
            && low == 0
            && !is_log
            && let Some(word) = zero.filter(|word| lifts_the_limit(word))
        {
            let message = format!("`{}` of 0 would mean {word}", key.name);
            return Err(bad(
                message,
                format!("write `\"{word}\"` if that is meant; otherwise a value above 0"),
            ));
        }
        if (low..=high).contains(&value) {
            return Ok(value);
        }
        let message = format!("`{}` cannot be {}", key.name, text.trim());
        Err(bad(message, format!("it lies between {} and {}", unit.print(low), unit.print(high))))
    };
    let (log, range) = match text.trim().strip_prefix("log ") {
        Some(range) => (true, range),
        None => (false, text),
    };
    let Some((from, to)) = range.split_once("..") else {
        if log {
            return Err(bad(
                format!("{text:?} is not a range"),
                "write a log-uniform range as in `log 1ms..10s`",
            ));
        }
        return Ok(Choice::number(amount(text)?));
    };
    let high_end = amount(to)?;
    // If only the upper end has a unit, it applies to both: `1..5s` is `1s..5s`.
    let unitless = !from.trim().is_empty()
        && from.trim().bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-');
    let suffix = to.trim().trim_start_matches(|c: char| matches!(c, '0'..='9' | '.' | '-' | '+'));
    let low_end = if unitless { amount(&format!("{}{suffix}", from.trim()))? } else { amount(from)? };
    if low_end > high_end {
        let help = format!("write `{}{}..{}`", if log { "log " } else { "" }, to.trim(), from.trim());
        return Err(bad(format!("the range {:?} goes down", range.trim()), help));
    }
    if log && low_end < 1 {
        return Err(bad(format!("the range {text:?} begins at 0"), "a log-uniform range begins above 0"));
    }
    if low_end == high_end {
        return Ok(Choice::number(low_end));
    }
    Ok(Choice::Range { low: low_end, high: high_end, log })
}

/// Whether a field's word for 0 means "no limit". Such a 0 must be written as the word: people expect a limit of 0 to
/// let nothing through.
fn lifts_the_limit(word: &str) -> bool {
    matches!(word, "unlimited" | "unthrottled" | "all")
}

/// Reads `R2` or `R2@3`.
fn parse_flaw(text: &str) -> Result<FlawAt, BadWords> {
    let (flaw, member) = match text.split_once('@') {
        Some((flaw, member)) => (
            flaw,
            Some(
                member
                    .parse()
                    .map_err(|_| bad(format!("{member:?} is not a member's number"), "write `R2@3`"))?,
            ),
        ),
        None => (text, None),
    };
    Ok(FlawAt { flaw: flaw.to_string(), member })
}

/// A value's type, with its article.
fn article(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with decimals",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
