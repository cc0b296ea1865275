//! Every transcript, played against the core.

use hexmq_sim::transcript::{play_core, read_all};

#[test]
fn all_transcripts_play_against_the_core() {
    let transcripts =
        read_all().unwrap_or_else(|errors| panic!("transcripts that cannot be read:\n{errors}"));
    let wanted = std::env::var("TRANSCRIPT").unwrap_or_default();
    let mut played = 0;
    let mut failures = Vec::new();
    for transcript in &transcripts {
        for case in &transcript.cases {
            if !format!("{}: {}", transcript.file, case.name).contains(&wanted) {
                continue;
            }
            played += 1;
            if let Err(failure) = play_core(&transcript.file, case) {
                failures.push(failure.to_string());
            }
        }
    }
    println!("{played} cases in {} files", transcripts.len());
    assert!(
        failures.is_empty(),
        "{} of {played} cases failed:\n\n{}\n",
        failures.len(),
        failures.join("\n\n")
    );
    assert!(played > 0, "no case is named like `{wanted}`");
}
