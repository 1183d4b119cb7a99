//! How fast a database is digested and compared: 20 MB of rows, by pages, by SQLite's cursor, side by side.

use std::path::PathBuf;

use divan::Bencher;
use divan::counter::BytesCount;
use fix7_ledger::rehearse::{bytes, difference, rows};
use rusqlite::Connection;

fn main() {
    divan::main();
}

/// A table with rowids, one without, and one with blobs.
fn database() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("bench.db");
    let c = Connection::open(&path).expect("a file");
    c.execute_batch(
        "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;
         CREATE TABLE lines(id INTEGER PRIMARY KEY, sku TEXT, qty INTEGER, price REAL, note TEXT);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
           INSERT INTO lines SELECT i, 'SKU-' || (i * 7919 % 99999), i % 9, i / 7.0, CASE WHEN i % 3 THEN 'note ' || i END FROM n;
         CREATE TABLE metrics(series TEXT, at INTEGER, value REAL, PRIMARY KEY(series, at)) WITHOUT ROWID;
         INSERT INTO metrics SELECT 'series/' || (id % 500), id, price FROM lines WHERE id % 2;
         CREATE TABLE documents(id INTEGER PRIMARY KEY, body BLOB);
         INSERT INTO documents SELECT id, zeroblob(id % 5000) FROM lines WHERE id % 50 = 0;",
    )
    .expect("rows");
    (dir, path)
}

fn size(path: &PathBuf) -> BytesCount {
    BytesCount::new(std::fs::metadata(path).map_or(0, |m| m.len()))
}

#[divan::bench(args = [1, 2])]
fn rows_of_a_file(bencher: Bencher<'_, '_>, threads: usize) {
    let (_dir, path) = database();
    bencher.counter(size(&path)).bench(|| rows::of_file(&path, threads, &|_| {}));
}

#[divan::bench]
fn rows_of_a_connection(bencher: Bencher<'_, '_>) {
    let (_dir, path) = database();
    let c = Connection::open(&path).expect("opened");
    bencher.counter(size(&path)).bench_local(|| rows::of_connection(&c));
}

#[divan::bench]
fn bytes_of_a_file(bencher: Bencher<'_, '_>) {
    let (_dir, path) = database();
    bencher.counter(size(&path)).bench(|| bytes::quiet(&path));
}

#[divan::bench]
fn a_copy_with_its_digest(bencher: Bencher<'_, '_>) {
    let (dir, path) = database();
    let to = dir.path().join("copy.db");
    bencher.counter(size(&path)).bench(|| bytes::copy_and_digest(&path, &to));
}

#[divan::bench]
fn differences_of_equal_files(bencher: Bencher<'_, '_>) {
    let (_dir, path) = database();
    bencher.counter(size(&path)).bench(|| difference::between(&path, &path, 10));
}
