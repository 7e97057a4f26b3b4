//! Reads JSON numbers: whole numbers are read, all others only skipped.

use super::Cursor;
use crate::error::Scan;

impl<'a> Cursor<'a> {
    /// Reads a whole number from 0 to 2^64 - 1.
    ///
    /// # Errors
    ///
    /// If the next value is not such a number.
    #[inline]
    pub fn unsigned(&mut self) -> Scan<u64> {
        self.next_byte();
        let start = self.at;
        let value = self.digits(start)?;
        self.whole(start)?;
        Ok(value)
    }

    /// Reads a whole number from -2^63 to 2^63 - 1.
    ///
    /// # Errors
    ///
    /// If the next value is not such a number.
    #[inline]
    pub fn integer(&mut self) -> Scan<i64> {
        let negative = self.next_byte() == b'-';
        let start = self.at;
        let value = self.digits(start + usize::from(negative))?;
        self.whole(start)?;
        let signed = if negative { 0i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() };
        match signed {
            Some(signed) => Ok(signed),
            None => Err(self.too_large(start)),
        }
    }

    /// Reads a whole number from 0 to 2^32 - 1.
    ///
    /// # Errors
    ///
    /// If the next value is not such a number.
    #[inline]
    pub fn small(&mut self) -> Scan<u32> {
        self.next_byte();
        let start = self.at;
        let value = self.unsigned()?;
        match u32::try_from(value) {
            Ok(value) => Ok(value),
            Err(_) => Err(self.mistake(start, "a number below 4294967296", "number from 0 upwards")),
        }
    }

    /// Reads a whole number from 0 to 2^64 - 1 in quotes, as JSON made from protocol buffers writes 64-bit numbers.
    ///
    /// # Errors
    ///
    /// If the next value is not such a number in quotes.
    #[inline]
    pub fn quoted_unsigned(&mut self) -> Scan<u64> {
        self.quoted(Cursor::unsigned)
    }

    /// As [`Cursor::quoted_unsigned`], from -2^63 to 2^63 - 1.
    ///
    /// # Errors
    ///
    /// If the next value is not such a number in quotes.
    #[inline]
    pub fn quoted_integer(&mut self) -> Scan<i64> {
        self.quoted(Cursor::integer)
    }

    /// Reads a number in quotes; `number` reads what is between them.
    #[inline]
    fn quoted<T>(&mut self, number: impl FnOnce(&mut Self) -> Scan<T>) -> Scan<T> {
        const HINT: &str = "numbers of 64 bits are written in quotes here, as \"12\"";
        if self.next_byte() != b'"' {
            return Err(self.expected("a number in quotes", HINT));
        }
        self.at += 1;
        if !matches!(self.byte(), b'0'..=b'9' | b'-') {
            return Err(self.expected("a digit", HINT));
        }
        let value = number(self)?;
        if self.byte() != b'"' {
            return Err(self.expected("a closing quote", HINT));
        }
        self.at += 1;
        Ok(value)
    }

    /// Reads digits, from this place on.
    #[inline]
    fn digits(&mut self, from: usize) -> Scan<u64> {
        let bytes = self.text.as_bytes();
        let mut at = from;
        let mut value = 0u64;
        while let Some(digit) = bytes.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|&digit| digit < 10)
        {
            // 19 digits always fit, so only longer numbers pay for the check.
            value = if at - from < 19 {
                value * 10 + u64::from(digit)
            } else {
                let next = value.checked_mul(10).and_then(|tens| tens.checked_add(u64::from(digit)));
                next.ok_or_else(|| self.too_large(from))?
            };
            at += 1;
        }
        if at == from {
            return Err(self.mistake(from, "a whole number", "write numbers without quotes, as 12"));
        }
        if bytes[from] == b'0' && at > from + 1 {
            return Err(self.mistake(from, "a number without leading zeros", "remove the zeros"));
        }
        self.at = at;
        Ok(value)
    }

    /// Makes sure that a number that began at `start` has ended.
    #[inline]
    fn whole(&mut self, start: usize) -> Scan<()> {
        if matches!(self.byte(), b'.' | b'e' | b'E') {
            let hint = "write it without a fraction and without an exponent";
            return Err(self.mistake(start, "a whole number", hint));
        }
        Ok(())
    }

    /// The mistake to report if a number is too large.
    #[cold]
    fn too_large(&self, start: usize) -> Box<crate::Mistake> {
        self.mistake(start, "a number of 64 bits", "use smaller numbers, such as nanoseconds or counters")
    }

    /// Skips any number that JSON allows.
    pub(super) fn skip_number(&mut self) -> Scan<()> {
        let bytes = self.text.as_bytes();
        // Where the digits from a place on end.
        let run = |mut at: usize| {
            while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            at
        };
        let start = self.at;
        let whole = start + usize::from(self.byte() == b'-');
        let mut at = run(whole);
        if at == whole || (bytes[whole] == b'0' && at > whole + 1) {
            return Err(self.mistake(
                start,
                "a number",
                "a number has digits, and no leading zero if it has several",
            ));
        }
        if bytes.get(at) == Some(&b'.') {
            let fraction = at + 1;
            at = run(fraction);
            if at == fraction {
                return Err(self.mistake(at, "a digit after the point", "write 1.0, not 1."));
            }
        }
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            let exponent = at + 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
            at = run(exponent);
            if at == exponent {
                return Err(self.mistake(at.min(bytes.len()), "a digit of the exponent", "write 1e9"));
            }
        }
        self.at = at;
        Ok(())
    }
}
