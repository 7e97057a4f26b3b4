//! JSON values whose line breaks can be anywhere.

use std::io::Read;

use histories::Error;
use histories::scan::Values;

/// A reader that gives one byte at a time.
struct Drip<'a>(&'a [u8]);

impl Read for Drip<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
        self.0 = rest;
        buffer[0] = *first;
        Ok(1)
    }
}

fn read_all(values: &mut Values<'_, impl Read>) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    while !values.are_over()? {
        found.push(values.value(|cursor| {
            let from = cursor.offset();
            cursor.skip_value()?;
            Ok(format!("{:?} {}", cursor.place(from), cursor.offset() - from))
        })?);
    }
    Ok(found)
}

#[test]
fn values_end_where_they_end() {
    let text = br#"{"a": "}\"]", "b":
 [1, {"c": 2}]}  7 "x y"
null[]"#;
    let expected = ["(1, 1) 34", "(2, 18) 1", "(2, 20) 5", "(3, 1) 4", "(3, 5) 2"];
    assert_eq!(read_all(&mut Values::new("f", &text[..])).expect("values"), expected);
    assert_eq!(read_all(&mut Values::new("f", Drip(text))).expect("values"), expected);
}

#[test]
fn mistakes_have_the_place_in_the_file() {
    let error = |text: &[u8]| read_all(&mut Values::new("f", text)).expect_err("a mistake").to_string();
    assert!(error(b"{}\n {\n \"a\" 1}").starts_with("f:3:6: expected `:`, found `1`"));
    // The first value is cut off; that the second begins is not the mistake.
    assert!(error(b"{\"a\": 1\n{\"a\": 2}\n").starts_with("f:1:8: expected `,` or `}`"));
    assert!(error(b"{\"a\": 1").starts_with("f:1:8: expected `,` or `}`"));
    assert!(error(b"{}\n\xff").starts_with("f:2:1: expected UTF-8"));
    assert!(error(b"{} ,").starts_with("f:1:4: expected a value"));
}

#[test]
fn a_mark_at_the_beginning_has_no_meaning() {
    let text = b"\xef\xbb\xbf {}";
    assert_eq!(read_all(&mut Values::new("f", &text[..])).expect("a value"), ["(1, 5) 2"]);
    assert_eq!(read_all(&mut Values::new("f", Drip(text))).expect("a value"), ["(1, 5) 2"]);
    assert!(read_all(&mut Values::new("f", &b"{}\n\xef\xbb\xbf{}"[..])).is_err());
}

#[test]
fn a_file_that_was_cut_off_says_so() {
    let operation = "{\n  \"ClientId\": 1,\n  \"Input\": {\"Type\": \"range\", \"Range\": {\"Start\": \"a\"}},\n  \"Call\": 1,\n  \"Output\": {\"Range\": {\"Count\": 0}, \"Revision\": 1},\n  \"Return\": 2\n}";
    histories::robustness::read("f", operation.as_bytes()).expect("nothing is missing");
    for end in 1..operation.len() {
        let cut = histories::robustness::read("f", &operation.as_bytes()[..end]).expect_err("it was cut off");
        assert!(cut.to_string().contains("cut off"), "{end}: {cut}");
    }
    let watch = "{\"Request\": {\"Key\": \"a\"}, \"Responses\": [{\"Revision\": 1}, {\"Revision\": 2}]}";
    histories::robustness::read_watches("f", watch.as_bytes()).expect("nothing is missing");
    for end in 1..watch.len() {
        let cut =
            histories::robustness::read_watches("f", &watch.as_bytes()[..end]).expect_err("it was cut off");
        assert!(cut.to_string().contains("cut off"), "{end}: {cut}");
    }
}
