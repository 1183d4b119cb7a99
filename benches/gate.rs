//! How fast the claim gate reads: packet JSON, SQL, text with escapes, and what an attacker would send.

use divan::Bencher;
use divan::counter::BytesCount;
use fix7_ledger::digest::Digest;
use fix7_ledger::judge::gate::{Channel, Gate};
use fix7_ledger::policy::Policy;

fn main() {
    divan::main();
}

const SIZE: usize = 32 << 10;

/// Evidence as packets hold it: digests, names, the product's own words.
fn packet_json() -> Vec<u8> {
    let mut text = String::from("{\"boundary\":\"Default remains HOLD_PRODUCTION.\",\"entries\":[");
    let mut number = 0u32;
    while text.len() < SIZE - 600 {
        let digest = Digest::of(&number.to_be_bytes());
        text += &format!(
            "{{\"after_apply_hash\":{{\"bytes\":\"{digest}\",\"rows\":\"{}\"}},\"exit\":0,\"hold\":\"HOLD_PRODUCTION\",\
             \"kind\":\"rollback\",\"leg\":\"snapshot\",\"object\":\"table customers_orders_{number}\",\"outcome\":\"restored\",\
             \"reason\":\"the clone was restored from its snapshot and read again by a new process\",\"rows_changed\":{}}},",
            Digest::of(digest.as_bytes()),
            number * 37,
        );
        number += 1;
    }
    text.pop();
    text += "],\"production\":\"HOLD\"}";
    text.into_bytes()
}

fn sql() -> Vec<u8> {
    let mut text = String::new();
    let mut number = 0;
    while text.len() < SIZE {
        text += &format!(
            "CREATE TABLE products_{number} (id INTEGER PRIMARY KEY, product_name TEXT NOT NULL DEFAULT '', price REAL);\n\
             INSERT INTO products_{number} (product_name, price) VALUES ('Chai', 18.0), ('Chang', 19.5);\n"
        );
        number += 1;
    }
    text.into_bytes()
}

fn escaped() -> Vec<u8> {
    "{\"text\":\"line one\\nline \\u00e9 two\\t\\\"quoted\\\"\"},\n".repeat(SIZE / 48).into_bytes()
}

fn foreign() -> Vec<u8> {
    "Ein Rückweg für jede Änderung, geprüft auf einer Kopie: Обратный путь 生産.\n"
        .repeat(SIZE / 88)
        .into_bytes()
}

/// Every subject begins and nothing ends.
fn subjects() -> Vec<u8> {
    "prod production cut over is now fully ".repeat(SIZE / 38).into_bytes()
}

fn base64_lines() -> Vec<u8> {
    let line = "eyJhIjoiYiIsImMiOlsxLDIsMywib25lIHR3byB0aHJlZSBmb3VyIGZpdmUgc2l4Il19aGVsbG8=\n";
    line.repeat(SIZE / line.len()).into_bytes()
}

fn run(bencher: Bencher<'_, '_>, channel: Channel<'_>, bytes: Vec<u8>) {
    let gate = Gate::new(&Policy::default_policy());
    let verdict = gate.scan("bench", channel, &bytes);
    assert!(verdict.accepted(), "{:?}", verdict.reasons());
    bencher
        .counter(BytesCount::new(bytes.len()))
        .bench(|| gate.scan("bench", channel, divan::black_box(&bytes)));
}

const PACKET: Channel<'static> = Channel::PacketFile { path: "clone-rollback-evidence.json" };

#[divan::bench]
fn packet_file_json(bencher: Bencher<'_, '_>) {
    run(bencher, PACKET, packet_json());
}

#[divan::bench]
fn packet_file_sql(bencher: Bencher<'_, '_>) {
    run(bencher, Channel::PacketFile { path: "plan/up.sql" }, sql());
}

#[divan::bench]
fn packet_file_escaped(bencher: Bencher<'_, '_>) {
    run(bencher, PACKET, escaped());
}

#[divan::bench]
fn packet_file_foreign(bencher: Bencher<'_, '_>) {
    run(bencher, PACKET, foreign());
}

#[divan::bench]
fn packet_file_of_subjects(bencher: Bencher<'_, '_>) {
    run(bencher, PACKET, subjects());
}

#[divan::bench]
fn packet_file_of_base64(bencher: Bencher<'_, '_>) {
    run(bencher, PACKET, base64_lines());
}

#[divan::bench]
fn ordinary_file_sql(bencher: Bencher<'_, '_>) {
    run(bencher, Channel::File { path: "up.sql" }, sql());
}

#[divan::bench]
fn ordinary_binary(bencher: Bencher<'_, '_>) {
    let bytes: Vec<u8> =
        (0..(4u32 << 20) / 32).flat_map(|n| *Digest::of(&n.to_be_bytes()).as_bytes()).collect();
    run(bencher, Channel::File { path: "x.png" }, bytes);
}

#[divan::bench]
fn compile(bencher: Bencher<'_, '_>) {
    let policy = Policy::default_policy();
    bencher.bench(|| Gate::new(divan::black_box(&policy)));
}
