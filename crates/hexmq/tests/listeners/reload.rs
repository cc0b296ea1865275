//! Certificates that change while the server runs, and files that cannot be used.

use std::process::{Command, Output};

use rustix::process::Signal;

use crate::certificates::{House, Pair};
use crate::dial::{Tls, address, start, tls};
use crate::plainly::speaks;
use crate::serving::{PINGREQ, PINGRESP};

/// Whether the server shows this certificate.
fn shows(server: &crate::serving::Server, house: &House, pair: &Pair) -> bool {
    let mut client = tls(server, house, "mqtts");
    speaks(&mut client, "looks");
    client.stream.conn.peer_certificates().and_then(<[_]>::first) == Some(&pair.certificate)
}

#[test]
fn sighup_shows_another_certificate_and_who_is_connected_stays() {
    let house = House::new();
    let (old, new) = (house.signed("old", 2020, 2090), house.signed("new", 2020, 2090));
    house.write("server", &old);
    let server = start(&house, &["mqtts"], &[]);
    assert!(shows(&server, &house, &old));
    let mut connected = tls(&server, &house, "mqtts");
    speaks(&mut connected, "stays");
    house.write("server", &new);
    server.signal(Signal::HUP);
    server.logged("reloaded: users, certificates");
    assert!(shows(&server, &house, &new));
    connected.send(PINGREQ).expect(PINGRESP);
    // A file that cannot be used changes nothing, whatever else has changed.
    house.file("server.key", "nothing\n");
    server.signal(Signal::HUP);
    let line = server.logged("not reloaded");
    assert!(line.contains("server.key: no private key in it"), "{line}");
    assert!(shows(&server, &house, &new));
    connected.send(PINGREQ).expect(PINGRESP);
}

#[test]
fn sighup_asks_for_clients_of_another_authority() {
    let house = House::new();
    let other = House::new();
    house.file("clients.pem", &std::fs::read_to_string(house.path("ca.pem")).expect("read"));
    let server = start(&house, &["mqtts"], &["--tls-client-ca", &house.path("clients.pem")]);
    let (ours, theirs) = (house.signed("ours", 2020, 2090), other.signed("theirs", 2020, 2090));
    let dial = |shows| Tls { shows: Some(shows), ..Tls::default() }.to(&house, &address(&server, "mqtts"));
    speaks(&mut dial(&ours), "ours");
    house.file("clients.pem", &std::fs::read_to_string(other.path("ca.pem")).expect("read"));
    server.signal(Signal::HUP);
    server.logged("reloaded: users, certificates");
    speaks(&mut dial(&theirs), "theirs");
    let mut refused = dial(&ours);
    let _ = std::io::Write::write_all(&mut refused.stream, PINGREQ);
    assert!(std::io::Read::read(&mut refused.stream, &mut [0]).is_err(), "it is of the old authority");
}

fn check(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = Command::new(env!("CARGO_BIN_EXE_hexmq"))
        .args(["serve", "--check", "--listen", "mqtts://127.0.0.1:0"])
        .args(arguments)
        .output()
        .expect("it runs");
    (status.code(), String::from_utf8(stderr).expect("text"))
}

#[test]
fn check_says_which_file_which_line_and_what_to_do() {
    let house = House::new();
    let (cert, key, authority) = (house.path("server.pem"), house.path("server.key"), house.path("ca.pem"));
    let good = ["--tls-cert", &cert, "--tls-key", &key, "--tls-client-ca", &authority];
    assert_eq!(check(&good), (Some(0), "hexmq serve: the configuration is good\n".to_owned()));
    let read = |path: &str| std::fs::read_to_string(path).expect("read");
    house.write("other", &house.signed("other", 2020, 2090));
    let other = house.path("other.key");
    let swapped_chain = house.file("chain.pem", &(read(&authority) + &read(&cert)));
    let cut =
        house.file("cut.pem", &format!("words\n{}", read(&cert).replace("-----END CERTIFICATE-----", "")));
    let locked = house.file(
        "locked.key",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    let wrong = house.file("wrong.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    for (arguments, parts) in [
        (vec!["--tls-cert", &cert], vec!["the private key of", "--tls-key FILE"]),
        (vec!["--tls-cert", "missing.pem", "--tls-key", &key], vec!["missing.pem: cannot be read"]),
        (
            vec!["--tls-cert", &cert, "--tls-key", &other],
            vec!["other.key: line 1: this key does not fit", "server.pem"],
        ),
        (vec!["--tls-cert", &swapped_chain, "--tls-key", &key], vec!["chain.pem", "must be the first"]),
        (
            vec!["--tls-cert", &cut, "--tls-key", &key],
            vec!["cut.pem: line 2: -----BEGIN CERTIFICATE----- has no END"],
        ),
        (vec!["--tls-cert", &key, "--tls-key", &cert], vec!["server.key: no certificate in it", "swapped"]),
        (vec!["--tls-cert", &cert, "--tls-key", &locked], vec!["locked.key: line 1:", "openssl pkey"]),
        (vec!["--tls-cert", &wrong, "--tls-key", &key], vec!["wrong.pem: line 1"]),
        (vec!["--tls-cert", &cert, "--tls-key", &key, "--tls-client-ca", &wrong], vec!["wrong.pem: line 1"]),
    ] {
        let (code, stderr) = check(&arguments);
        assert_eq!(code, Some(64), "{arguments:?}: {stderr}");
        assert!(parts.iter().all(|part| stderr.contains(part)), "{parts:?}: {stderr}");
    }
}

#[test]
fn a_certificate_that_has_expired_is_served_with_a_warning() {
    let house = House::new();
    house.write("server", &house.signed("old one", 2020, 2024));
    let flags = house.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let (code, stderr) = check(&flags);
    assert_eq!(code, Some(0));
    let words = "server.pem: line 1: the certificate (old one) expired on 2024-01-01 00:00:00 UTC";
    assert!(stderr.contains(words), "{stderr}");
    let server = start(&house, &["mqtts"], &[]);
    server.logged(words);
    house.write("server", &house.signed("not yet", 2080, 2090));
    server.signal(Signal::HUP);
    server.logged("is valid only from 2080-01-01");
}
