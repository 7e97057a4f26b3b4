//! Makes a page: one HTML file that shows a run, or a history from elsewhere, as a picture with time running across.
//!
//! [`page`] takes plain values ([`Input`]) and returns the text of the file. A browser opens it from disk. It has its
//! program, its styles and its data inside, and loads nothing.
//!
//! * `input`: what is shown.
//! * `rows`: makes rows of it. Everything with a time is a row: an operation, a message, a step of a member.
//! * `block`: writes rows as text: columns of small numbers. `assets/data.js` reads them.
//! * `fit`: leaves rows out until the page is small enough, those farthest from the violation first.
//! * `document`: the HTML around the data, in which the story is text, so that it can be read without the picture.
//!
//! A page never has more than [`BYTES_MAX`] bytes, and says what it leaves out.
//!
//! Architecture invariant: it judges nothing and reads no file. The caller decides what a text says: operations,
//! answers and sentences come as text. Text that people wrote is data, never code: the HTML is written by a template
//! that escapes, the data cannot end its element, and the program puts text nowhere but into text nodes and onto the
//! canvas.

mod block;
mod document;
mod fit;
mod input;
mod rows;

pub use input::{
    ClockChange, Ending, Fault, Input, Lease, Operation, Outcome, Paragraph, Sentence, Violation, Watch,
};

/// The most bytes that a page may have.
pub const BYTES_MAX: usize = 2_000_000;

/// The page, as the text of an HTML file.
pub fn page(input: Input<'_>) -> String {
    let input = &input.bounded();
    let rows = rows::Rows::of(input);
    let frame = document::document(input, &fit::Data::default()).len();
    let data = fit::fit(input, rows, BYTES_MAX.saturating_sub(frame));
    let page = document::document(input, &data);
    assert!(
        page.len() <= BYTES_MAX,
        "a page of {} bytes: what is around the data was measured wrong",
        page.len()
    );
    page
}

#[cfg(test)]
mod tests {
    use record::{Event, Fact, MemberId, MessageHead, MessageKind};

    use super::*;

    fn input<'a>(events: &'a [Event], operations: Vec<Operation>) -> Input<'a> {
        Input {
            title: "A run".to_string(),
            about: Vec::new(),
            replay: String::new(),
            members: 3,
            end: 10_000_000_000,
            violations: Vec::new(),
            undecided: Vec::new(),
            story: Vec::new(),
            faults: Vec::new(),
            operations,
            watches: Vec::new(),
            leases: Vec::new(),
            clocks: Vec::new(),
            events,
            describe: &|_| String::new(),
        }
    }

    fn operation(request: &str) -> Operation {
        let outcome = Outcome::Answered { at: 9, answer: request.to_string() };
        Operation { client: 1, member: MemberId::new(2), request: request.to_string(), call: 7, outcome }
    }

    /// A message every 20 µs, with unpredictable numbers.
    fn messages(count: u64) -> Vec<Event> {
        let mut events = Vec::new();
        for packet in 1..=count {
            let draw = packet.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
            let (from, to) = (MemberId::new(1 + (packet % 3) as u32), MemberId::new(1 + (packet % 2) as u32));
            let (index, term) = (draw & 0xfff_ffff, draw & 0xff);
            let head = MessageHead { index, term, ..MessageHead::of(MessageKind::Append) };
            let time = packet * 20_000;
            events.push(Event { time, member: from, fact: Fact::Sent { to, packet, head } });
            events.push(Event {
                time: time + draw % 19_999,
                member: to,
                fact: Fact::Delivered { from, packet, head },
            });
        }
        events
    }

    #[test]
    fn hostile_texts_stay_text() {
        let hostile = "</script><script>alert(1)</script><!--";
        let mut input = input(&[], vec![operation(hostile)]);
        input.title = hostile.to_string();
        input.replay = hostile.to_string();
        input.violations.push(Violation {
            title: hostile.to_string(),
            operations: vec![0, 7],
            sentences: vec![hostile.to_string()],
            ..Violation::default()
        });
        let sentence = Sentence { text: format!("`{hostile}`"), operation: Some(0), ..Sentence::default() };
        input.story.push(Paragraph { heading: hostile.to_string(), sentences: vec![sentence] });
        let page = page(input);
        assert!(!page.contains("<script>alert"), "a text became code");
        assert!(!page.contains("<!--"));
        assert_eq!(page.matches("</script>").count(), 2, "the ends of the data and of the program");
        assert!(page.contains("\\u003c/script>"));
    }

    #[test]
    fn a_long_run_fits_and_the_page_says_what_is_left_out() {
        let events = messages(200_000);
        let operations = (0..60_000).map(|nth| Operation { call: nth * 100_000, ..operation("put") });
        let mut input = input(&events, operations.collect());
        input.violations.push(Violation {
            operations: vec![3],
            time: Some(3_000_000_000),
            ..Violation::default()
        });
        let page = page(input);
        assert!(page.len() <= BYTES_MAX && page.len() > BYTES_MAX * 9 / 10, "{} bytes", page.len());
        assert!(page.contains("<h2>Left out</h2>"));
        assert!(page.contains("of 200,000 messages"));
    }

    #[test]
    fn a_short_run_is_complete() {
        let events = messages(2_000);
        let page = page(input(&events, vec![operation("put")]));
        assert!(!page.contains("Left out"));
        assert!(page.len() < 200_000, "{} bytes", page.len());
    }

    #[test]
    fn any_text_may_be_as_long_as_it_likes() {
        let long = "x<".repeat(20_000);
        let mut input = input(&[], vec![operation(&long)]);
        input.title.clone_from(&long);
        input.undecided = vec![long.clone(); 150];
        let sentences = vec![Sentence { text: long, ..Sentence::default() }; 150];
        input.story = vec![Paragraph { heading: String::new(), sentences }; 3];
        assert!(page(input).len() <= BYTES_MAX);
    }
}
