//! Every transcript, played against the core: as it is written, with packets cut into single bytes, and on several
//! shards. The dialogue must be the same.

use hexmq_notation::{Action, Case, Setting};
use hexmq_sim::transcript::{play_core, read_all};

/// Packets above this are not cut into single bytes: that shows nothing more and takes long.
const CUT_MAX: usize = 2_000;

/// Plays all cases, changed by `vary`, which leaves some out.
fn play_all(vary: impl Fn(Case) -> Option<Case>) {
    let transcripts =
        read_all().unwrap_or_else(|errors| panic!("transcripts that cannot be read:\n{errors}"));
    let wanted = std::env::var("TRANSCRIPT").unwrap_or_default();
    let mut played = 0;
    let mut failures = Vec::new();
    for transcript in transcripts {
        let named = |case: &Case| format!("{}: {}", transcript.file, case.name).contains(&wanted);
        for case in transcript.cases.into_iter().filter(named).filter_map(&vary) {
            played += 1;
            failures.extend(play_core(&transcript.file, &case).err().map(|failure| failure.to_string()));
        }
    }
    println!("{played} cases");
    assert!(
        failures.is_empty(),
        "{} of {played} cases failed:\n\n{}\n",
        failures.len(),
        failures.join("\n\n")
    );
    assert!(played > 0 || !wanted.is_empty(), "there are no cases");
}

/// The case with a setting of the run it does not have; `None` if it has it.
fn with(mut case: Case, name: &str, value: &str) -> Option<Case> {
    if case.head.setting(name).is_some() {
        return None;
    }
    case.head.settings.push(Setting { name: name.to_owned(), value: value.to_owned(), line: case.line });
    Some(case)
}

#[test]
fn all_transcripts_play_against_the_core() {
    play_all(Some);
}

#[test]
fn all_transcripts_play_byte_by_byte() {
    let large = |case: &Case| {
        case.steps
            .iter()
            .any(|step| matches!(&step.action, Action::Send { bytes, .. } if bytes.len() > CUT_MAX))
    };
    play_all(|case| if large(&case) { None } else { with(case, "segment", "1") });
}

#[test]
fn all_transcripts_play_on_several_shards() {
    play_all(|case| with(case, "shards", "3"));
}
