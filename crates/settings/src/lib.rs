//! The settings of the members of a simulated etcd cluster, such as the heartbeat interval.
//!
//! Each setting has one row in `table`. Everything else follows from the row:
//!
//! * the field of [`Settings`], which plans contain and members read;
//! * the field of the section `[cluster]` in a scenario file, with its range and its error messages;
//! * the JSON schema, and the table in `docs/scenarios.md`.
//!
//! To add a setting, add its row and use `config.settings.NAME` in the member. To let the swarm vary it, add a
//! line to `plan/src/swarm.toml`. (The swarm: the settings that a scenario leaves open, with the ranges
//! from which the seed chooses their values.)
//!
//! The files: `table` has the rows, `row` says what a row contains, and `derived` has values that are
//! calculated from settings.
//!
//! Generic code sees every value as a `u64`: a duration in nanoseconds, a size in bytes, a switch as 0 or 1, a named
//! value as its index in the list of names.
//!
//! Not here: how many members there are (`plan::Cluster`), a member's identity and initial state
//! (`member::Config`), how values are written in files (`plan`).
//!
//! Architecture invariant: it depends on no other crate.

mod derived;
mod row;
mod table;

pub use derived::AutoCompaction;
pub use row::{Form, Row, Unit};
pub use table::*;

/// The row of the setting with this name.
pub fn row(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_written_with_dashes() {
        for row in ROWS {
            assert_eq!(ROWS.iter().filter(|other| other.name == row.name).count(), 1, "{}", row.name);
            assert_eq!(row.name, row.field.replace('_', "-"));
            assert!(row.about.ends_with('.') && !row.about.contains("  "), "{}: {:?}", row.name, row.about);
        }
    }

    #[test]
    fn defaults_lie_in_their_ranges() {
        for row in ROWS {
            for settings in [Settings::default(), Settings::etcd()] {
                let value = row.get(&settings);
                assert!(row.form.allows(value), "{}: {value} is outside of {:?}", row.name, row.form);
            }
        }
    }

    #[test]
    fn fields_hold_the_ends_of_their_ranges() {
        for row in ROWS {
            let (low, high) = row.form.bounds();
            for value in [low, high] {
                let mut settings = Settings::default();
                row.set(&mut settings, value);
                assert_eq!(row.get(&settings), value, "{}", row.name);
                // No other field changes.
                row.set(&mut settings, row.get(&Settings::default()));
                assert_eq!(settings, Settings::default(), "{}", row.name);
            }
        }
    }

    #[test]
    fn named_values_are_numbered_by_their_place_in_the_list() {
        let ids = row("ids").unwrap();
        assert!(matches!(ids.form, Form::Word(&["numbered", "hashed"])));
        let mut settings = Settings::default();
        ids.set(&mut settings, 1);
        assert_eq!((settings.ids, settings.ids.word()), (Ids::Hashed, "hashed"));
    }
}
