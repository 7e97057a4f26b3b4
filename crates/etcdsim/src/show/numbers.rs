//! Formats numbers for people.

use std::time::Duration;

/// `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `12 seeds`, `1 seed`.
pub fn counted(number: usize, noun: &str) -> String {
    format!("{} {noun}{}", count(number as u64), if number == 1 { "" } else { "s" })
}

/// `0.42 s`, `12.3 s`, `4 m 12 s`, `12 h 40 m`.
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.2} s", time.as_secs_f64()),
        10..60 => format!("{:.1} s", time.as_secs_f64()),
        60..3600 => format!("{} m {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} m", count(seconds / 3600), seconds / 60 % 60),
    }
}

/// How many times faster than real time; a dash if nothing ran.
pub fn speed(virtual_ns: u64, wall: Duration) -> String {
    let wall_ns = wall.as_nanos() as u64;
    virtual_ns.checked_div(wall_ns).map_or("-".to_string(), count)
}

/// Lists seeds compactly: `3, 7, 12 to 19`, cut after `most` parts.
pub fn seeds(seeds: &[u64], most: usize) -> String {
    let runs: Vec<&[u64]> = seeds.chunk_by(|one, next| one + 1 == *next).collect();
    let part = |run: &&[u64]| match run {
        [first, _, .., last] if run.len() > 2 => format!("{first} to {last}"),
        run => run.iter().map(u64::to_string).collect::<Vec<_>>().join(", "),
    };
    let mut parts: Vec<String> = runs.iter().take(most).map(part).collect();
    if let Some(left) = runs.get(most..).filter(|left| !left.is_empty()) {
        parts.push(format!("and {} more", left.iter().map(|run| run.len()).sum::<usize>()));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!([count(7), count(1234), count(1_234_567)], ["7", "1,234", "1,234,567"]);
        assert_eq!([counted(1, "seed"), counted(3300, "seed")], ["1 seed", "3,300 seeds"]);
        let spans = [420, 12_300, 252_000, 45_600_000].map(|ms| span(Duration::from_millis(ms)));
        assert_eq!(spans, ["0.42 s", "12.3 s", "4 m 12 s", "12 h 40 m"]);
        assert_eq!(speed(3_000_000_000, Duration::from_millis(2)), "1,500");
        assert_eq!(speed(1, Duration::ZERO), "-");
    }

    #[test]
    fn seeds_are_listed_in_runs() {
        assert_eq!(seeds(&[3, 7, 8, 12, 13, 14, 20], 9), "3, 7, 8, 12 to 14, 20");
        assert_eq!(seeds(&[1, 3, 5, 7, 8], 2), "1, 3, and 3 more");
    }
}
