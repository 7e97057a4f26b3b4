//! Reads the file that callgrind writes: how many instructions each function spent in which source file, and who
//! called whom.
//!
//! The format is in valgrind's manual, "Callgrind Format Specification". This reads only the part of the format that
//! callgrind itself writes with one kind of event (`Ir`) and lines as positions; it does not keep lines, objects or the
//! number of calls. With the line tables of a build, callgrind names the source file of inlined code, too, so a
//! function can spend instructions in many files.

use std::collections::BTreeMap;

/// What a program did.
#[derive(Debug, Default)]
pub struct Profile {
    /// The paths of source files, as the compiler wrote them; `???` if it did not.
    pub files: Vec<String>,
    /// The functions.
    pub functions: Vec<Function>,
    /// The inclusive instructions of calls, by caller, file of the call, and callee.
    pub calls: BTreeMap<(usize, usize, usize), u64>,
}

/// A function of the program or of a library.
#[derive(Debug, Default)]
pub struct Function {
    /// Its symbol.
    pub name: String,
    /// The file in which it begins.
    pub file: usize,
    /// Its own instructions, without those of what it called, by source file.
    pub own: BTreeMap<usize, u64>,
}

impl Profile {
    /// All instructions.
    pub fn total(&self) -> u64 {
        self.functions.iter().flat_map(|function| function.own.values()).sum()
    }

    /// Reads a file of callgrind's.
    ///
    /// # Errors
    /// If it is not in that format, or if the instructions read are not those that callgrind counted.
    pub fn read(text: &str) -> Result<Profile, String> {
        let mut reader = Reader::default();
        for (nth, line) in text.lines().enumerate() {
            reader.line(line).ok_or_else(|| format!("line {} is not callgrind's: {line}", nth + 1))?;
        }
        let Reader { profile, counted, .. } = reader;
        if profile.total() != counted {
            let read = profile.total();
            return Err(format!("read {read} instructions where callgrind counted {counted}"));
        }
        Ok(profile)
    }
}

/// Where in a file the reader is.
#[derive(Default)]
struct Reader {
    profile: Profile,
    files: Names,
    functions: Names,
    /// The function whose lines follow, the file it begins in, and the file of the lines that follow.
    function: usize,
    begins: usize,
    file: usize,
    /// The function that was called; `true` once its costs follow.
    callee: Option<(usize, bool)>,
    /// The sum that callgrind wrote at the end.
    counted: u64,
}

impl Reader {
    /// Reads a line; `None` if it is malformed.
    fn line(&mut self, line: &str) -> Option<()> {
        if line.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c)) {
            return self.costs(line);
        }
        if let Some(events) = line.strip_prefix("events: ") {
            return (events.trim() == "Ir").then_some(());
        }
        if let Some(totals) = line.strip_prefix("totals: ") {
            self.counted += totals.trim().parse::<u64>().ok()?;
        }
        let (key, name) = line.split_once('=').unwrap_or((line, ""));
        match key {
            "fl" => {
                self.begins = self.files.number(name, &mut self.profile.files)?;
                self.file = self.begins;
            }
            "fi" | "fe" => self.file = self.files.number(name, &mut self.profile.files)?,
            // The file of a callee is not kept, but its name may be written out only here.
            "cfi" | "cfl" => _ = self.files.number(name, &mut self.profile.files)?,
            "fn" => {
                self.function = self.functions.number(name, &mut self.profile.functions)?;
                self.profile.functions[self.function].file = self.begins;
                self.file = self.begins;
            }
            "cfn" => {
                let callee = self.functions.number(name, &mut self.profile.functions)?;
                self.callee = Some((callee, false));
            }
            "calls" => self.callee.as_mut()?.1 = true,
            _ => {}
        }
        Some(())
    }

    /// Reads a position and a cost, which is left out if it is 0.
    fn costs(&mut self, line: &str) -> Option<()> {
        let instructions = line.split(' ').nth(1).filter(|cost| !cost.is_empty());
        let instructions: u64 = instructions.map_or(Some(0), |cost| cost.parse().ok())?;
        match self.callee.take() {
            Some((callee, true)) => {
                *self.profile.calls.entry((self.function, self.file, callee)).or_default() += instructions;
            }
            Some((_, false)) => return None,
            None => {
                let function = self.profile.functions.get_mut(self.function)?;
                *function.own.entry(self.file).or_default() += instructions;
            }
        }
        Some(())
    }
}

/// Names that are written once with a number, `(12) name`, and then as the number only, `(12)`.
#[derive(Default)]
struct Names(BTreeMap<u64, usize>);

impl Names {
    /// The place of a name in the list. A recursive call has a suffix after the name or the number, `(12)'2`; it is the
    /// same function.
    fn number<T: Named>(&mut self, text: &str, list: &mut Vec<T>) -> Option<usize> {
        let (number, name) = text.strip_prefix('(')?.split_once(')')?;
        let place = *self.0.entry(number.parse().ok()?).or_insert_with(|| {
            list.push(T::named(name.trim_start()));
            list.len() - 1
        });
        Some(place)
    }
}

/// What has a name in the file.
trait Named {
    fn named(name: &str) -> Self;
}

impl Named for String {
    fn named(name: &str) -> String {
        name.to_string()
    }
}

impl Named for Function {
    fn named(name: &str) -> Function {
        let name = name.split('\'').next().unwrap_or_default();
        Function { name: name.to_string(), ..Function::default() }
    }
}
