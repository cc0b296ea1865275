//! `hexmq user hash`: a password on stdin becomes a hash for the configuration.

use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;

use argon2::Argon2;
use argon2::password_hash::PasswordHasher;
use argon2::password_hash::phc::PasswordHash;

/// Users of the server
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Read a password from stdin and print its argon2id hash, for `password_hash` in [[user]]
    Hash,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> ExitCode {
    match args.action {
        Action::Hash => match hash_stdin() {
            Ok(hash) => {
                println!("{hash}");
                ExitCode::SUCCESS
            }
            Err(message) => {
                eprintln!("hexmq user hash: {message}");
                ExitCode::FAILURE
            }
        },
    }
}

fn hash_stdin() -> Result<String, String> {
    let mut stdin = io::stdin();
    if stdin.is_terminal() {
        eprint!("Password, then Enter and Ctrl-D (it is shown while you type): ");
        let _ = io::stderr().flush();
    }
    let mut password = Vec::new();
    stdin.read_to_end(&mut password).map_err(|error| format!("cannot read the password: {error}"))?;
    // `echo` and Enter end the line; the end of the line is not part of the password.
    if password.last() == Some(&b'\n') {
        password.pop();
        if password.last() == Some(&b'\r') {
            password.pop();
        }
    }
    hash(&password)
}

fn hash(password: &[u8]) -> Result<String, String> {
    if password.is_empty() {
        return Err(
            "the password is empty; write it to stdin: printf %s 'secret' | hexmq user hash".to_owned()
        );
    }
    if password.len() > usize::from(u16::MAX) {
        return Err("a password in MQTT has at most 65535 bytes".to_owned());
    }
    let hash: PasswordHash = Argon2::default()
        .hash_password(password)
        .map_err(|error| format!("the password cannot be hashed: {error}"))?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::PasswordVerifier;

    use super::*;

    #[test]
    fn a_hash_is_argon2id_and_verifies_its_password_only() {
        let text = hash(b"s3cret").expect("a hash");
        assert!(text.starts_with("$argon2id$v=19$"), "{text}");
        let parsed = PasswordHash::new(&text).expect("a PHC string");
        assert!(Argon2::default().verify_password(b"s3cret", &parsed).is_ok());
        assert!(Argon2::default().verify_password(b"s3cret ", &parsed).is_err());
        assert_ne!(text, hash(b"s3cret").expect("a hash"), "each hash has a salt of its own");
    }

    #[test]
    fn no_password_is_refused() {
        assert!(hash(b"").is_err());
    }
}
