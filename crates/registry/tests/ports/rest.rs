//! Documents, keys, blobs and commands.

use hexmq_device::port::{PageAsk, PortErrorKind, TimeQuery};
use hexmq_device::{ApiKey, Command, CommandState, DeviceRef, Document, Scope};
use hexmq_registry::Database;
use serde_json::json;

use crate::make::{NOW, command, of, prune_all, query, refused, register};

pub(crate) fn documents(database: &Database) {
    let registry = &database.registry;
    register(database, &["d", "e"]);
    let server = DeviceRef::new("", "");
    let product = DeviceRef::new("p", "");
    assert_eq!(registry.document(&server, "webhooks").unwrap(), None);
    for owner in [&server, &product, &of("d"), &of("e")] {
        assert_eq!(registry.put_document(owner, "k", Some("{}"), None, NOW).unwrap(), 1);
        assert_eq!(registry.put_document(owner, "k", Some("{\"a\":1}"), Some(1), NOW + 1).unwrap(), 2);
        let found = registry.document(owner, "k").unwrap();
        assert_eq!(found, Some(Document { text: "{\"a\":1}".to_owned(), version: 2, at_ms: NOW + 1 }));
    }
    registry.put_document(&of("d"), "other", Some("[]"), Some(0), NOW).unwrap();
    let mut owners: Vec<DeviceRef> =
        registry.documents("k").unwrap().into_iter().map(|(owner, _)| owner).collect();
    owners.sort();
    assert_eq!(owners, vec![server.clone(), product, of("d"), of("e")]);

    refused(
        registry.put_document(&of("d"), "k", Some("{}"), Some(1), NOW),
        PortErrorKind::Conflict,
        "document_changed",
    );
    refused(
        registry.put_document(&of("d"), "k", Some("{}"), Some(0), NOW),
        PortErrorKind::Conflict,
        "document_changed",
    );
    assert_eq!(registry.document(&of("d"), "k").unwrap().unwrap().version, 2);
    assert_eq!(registry.put_document(&of("d"), "k", None, Some(2), NOW).unwrap(), 0);
    assert_eq!(registry.document(&of("d"), "k").unwrap(), None);
    assert_eq!(registry.put_document(&of("d"), "k", Some("{}"), Some(0), NOW).unwrap(), 1);
    refused(registry.document(&of("none"), "k"), PortErrorKind::NotFound, "unknown_device");
    refused(registry.document(&DeviceRef::new("none", ""), "k"), PortErrorKind::NotFound, "unknown_product");
    refused(registry.document(&DeviceRef::new("", "d"), "k"), PortErrorKind::Invalid, "bad_owner");
}

pub(crate) fn keys(database: &Database) {
    let registry = &database.registry;
    let key = |id: &str, created_at_ms| ApiKey {
        id: id.to_owned(),
        name: "for the app".to_owned(),
        sha256: format!("{id:0>64}"),
        scopes: vec![Scope::Read, Scope::Manage],
        product: Some("p".to_owned()),
        device: None,
        created_at_ms,
        expires_at_ms: Some(NOW + 5),
    };
    let (second, first) = (key("a", NOW), key("b", NOW - 1));
    registry.create_key(&second).unwrap();
    registry.create_key(&first).unwrap();
    assert_eq!(registry.keys().unwrap(), vec![first, second.clone()]);
    refused(registry.create_key(&second), PortErrorKind::Conflict, "key_exists");
    registry.delete_key("b").unwrap();
    refused(registry.delete_key("b"), PortErrorKind::NotFound, "unknown_key");
    assert_eq!(registry.keys().unwrap(), vec![second]);
}

pub(crate) fn blobs(database: &Database) {
    let registry = &database.registry;
    assert_eq!(registry.blob("firmware", "f", 0, 10).unwrap(), None);
    let bytes: Vec<u8> = (0..600_000_u32).map(|index| (index * 7 % 251) as u8).collect();
    registry.put_blob("firmware", "f", &bytes, NOW).unwrap();
    for (offset, limit) in [(0, 10), (262_140, 10), (262_144, 1), (100, 599_900), (599_999, 10), (0, 600_000)]
    {
        let (part, size) = registry.blob("firmware", "f", offset, limit).unwrap().unwrap();
        let from = offset as usize;
        assert_eq!(part, &bytes[from..(from + limit).min(bytes.len())], "from {offset}, {limit} bytes");
        assert_eq!(size, 600_000);
    }
    assert_eq!(registry.blob("firmware", "f", 600_000, 10).unwrap(), Some((vec![], 600_000)));
    assert_eq!(registry.blob("firmware", "f", u64::MAX, 10).unwrap(), Some((vec![], 600_000)));
    assert_eq!(registry.blob("config", "f", 0, 10).unwrap(), None);

    registry.put_blob("firmware", "f", b"new", NOW).unwrap();
    registry.put_blob("firmware", "empty", b"", NOW).unwrap();
    prune_all(database, NOW, 0, 1_000);
    assert_eq!(registry.blob("firmware", "f", 0, 10).unwrap(), Some((b"new".to_vec(), 3)));
    assert_eq!(registry.blob("firmware", "empty", 0, 10).unwrap(), Some((vec![], 0)));
    registry.delete_blob("firmware", "f").unwrap();
    registry.delete_blob("firmware", "f").unwrap();
    assert_eq!(registry.blob("firmware", "f", 0, 10).unwrap(), None);
    prune_all(database, NOW, 0, 1_000);
}

pub(crate) fn commands(database: &Database) {
    let history = &database.history;
    register(database, &["d", "e"]);
    let first = command("d", "1", NOW);
    history.put_command(&first).unwrap();
    assert_eq!(history.command("1").unwrap(), Some(first.clone()));
    assert_eq!(history.command("2").unwrap(), None);
    let answered = Command {
        state: CommandState::Answered,
        reason: Some("late".to_owned()),
        correlation: Some("7".to_owned()),
        reply: Some(vec![0, 255]),
        reply_code: Some(200),
        reply_data: Some(json!({"ok": true})),
        sent_at_ms: Some(NOW + 1),
        answered_at_ms: Some(NOW + 2),
        ..first
    };
    history.put_command(&answered).unwrap();
    assert_eq!(history.command("1").unwrap(), Some(answered.clone()));

    // The newest sent one, of this device.
    let again = Command { id: "2".to_owned(), sent_at_ms: Some(NOW + 5), ..answered.clone() };
    let unsent = Command { id: "3".to_owned(), sent_at_ms: None, ..answered.clone() };
    let other =
        Command { sent_at_ms: Some(NOW + 9), correlation: Some("7".to_owned()), ..command("e", "4", NOW) };
    for command in [&again, &unsent, &other] {
        history.put_command(command).unwrap();
    }
    assert_eq!(history.command_for(&of("d"), "7").unwrap(), Some(again));
    assert_eq!(history.command_for(&of("d"), "8").unwrap(), None);
    refused(history.put_command(&command("none", "5", NOW)), PortErrorKind::NotFound, "unknown_device");

    let ids = |query: &TimeQuery| -> Vec<String> {
        history.commands(query).unwrap().items.into_iter().map(|command| command.id).collect()
    };
    assert_eq!(ids(&query(Some("d"))), ["1", "2", "3"]);
    assert_eq!(ids(&query(None)), ["1", "2", "3", "4"]);
    let newest = TimeQuery { newest_first: true, ..query(None) };
    assert_eq!(ids(&newest), ["4", "3", "2", "1"]);
    let created = TimeQuery { ids: Some(vec!["created".to_owned()]), ..query(None) };
    assert_eq!(ids(&created), ["4"]);
}

pub(crate) fn open_commands(database: &Database) {
    let history = &database.history;
    register(database, &["d", "e"]);
    for (index, state) in
        [CommandState::Created, CommandState::Sent, CommandState::Acked, CommandState::TimedOut]
            .into_iter()
            .enumerate()
    {
        // The later ones were created earlier.
        let created_at_ms = NOW - index as i64;
        history.put_command(&Command { state, ..command("d", &index.to_string(), created_at_ms) }).unwrap();
    }
    history.put_command(&command("e", "9", NOW + 100_000)).unwrap();
    let ids = |device: Option<&DeviceRef>, now_ms, limit| -> Vec<String> {
        let commands = history.open_commands(device, now_ms, limit).unwrap();
        commands.into_iter().map(|command| command.id).collect()
    };
    assert_eq!(ids(Some(&of("d")), NOW, 10), ["2", "1", "0"]);
    assert_eq!(ids(Some(&of("d")), NOW, 2), ["2", "1"]);
    assert_eq!(ids(Some(&of("e")), NOW, 10), ["9"]);
    // A minute after its creation a command is at its deadline, and not yet past it.
    assert_eq!(ids(None, NOW + 60_000, 10), ["2", "1"]);
    assert_eq!(ids(None, NOW + 60_001, 10), ["2", "1", "0"]);
    assert_eq!(ids(None, i64::MAX, 10), ["2", "1", "0", "9"]);
    let page = TimeQuery { page: PageAsk { limit: 2, cursor: None }, ..query(Some("d")) };
    assert!(history.commands(&page).unwrap().next.is_some());
}
