//! `oracle note VKEY FILE`   opens a note, prints its text
//! `oracle sign SKEY FILE`   signs a text, prints the note
//! `oracle tree SIZE`        root, proofs and tiles of the log of leaves `leaf 0`, `leaf 1`, …
//! `oracle check FILE`       checks lines of proofs: `record|tree <size> <root> <n> <hash> <proof>…`, all in base64

use std::error::Error;
use std::process::ExitCode;

use signed_note::{Note, StandardSigner, StandardVerifier, VerifierList};
use tlog_tiles::tlog::{self, Hash, HashReader};

#[derive(Default)]
struct Stored(Vec<Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog::Error> {
        Ok(indexes.iter().map(|at| self.0[*at as usize]).collect())
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["note", key, file] => note(key, file),
        ["sign", key, file] => sign(key, file),
        ["tree", size] => tree(size),
        ["check", file] => check(file),
        _ => Err("see the source".into()),
    };
    match done {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn note(key: &str, file: &str) -> Result<String, Box<dyn Error>> {
    let note = Note::from_bytes(&std::fs::read(file)?)?;
    let known = VerifierList::new(vec![Box::new(StandardVerifier::new(key)?)]);
    note.verify(&known)?;
    let checkpoint =
        tlog_tiles::checkpoint::Checkpoint::from_bytes(note.text()).map_err(|_| "no checkpoint")?;
    Ok(format!("{} {} {}\n", checkpoint.origin(), checkpoint.size(), checkpoint.hash()))
}

fn sign(key: &str, file: &str) -> Result<String, Box<dyn Error>> {
    let mut note = Note::new(&std::fs::read(file)?, &[])?;
    note.add_sigs(&[&StandardSigner::new(key)?])?;
    Ok(String::from_utf8(note.to_bytes())?)
}

fn line(name: &str, n: u64, hashes: &[Hash]) -> String {
    let hashes: Vec<String> = hashes.iter().map(Hash::to_string).collect();
    format!("{name} {n} {}\n", hashes.join(" "))
}

fn tree(size: &str) -> Result<String, Box<dyn Error>> {
    let size: u64 = size.parse()?;
    let mut stored = Stored::default();
    for n in 0..size {
        let more = tlog::stored_hashes(n, format!("leaf {n}").as_bytes(), &stored)?;
        stored.0.extend(more);
    }
    let mut text = line("root", size, &[tlog::tree_hash(size, &stored)?]);
    for n in 0..size {
        text += &line("record", n, &tlog::prove_record(size, n, &stored)?);
        text += &line("tree", n + 1, &tlog::prove_tree(size, n + 1, &stored)?);
    }
    for tile in tlog_tiles::tile::Tile::new_tiles(8, 0, size) {
        let bytes = tile.read_data(&stored)?;
        let hashes: Vec<Hash> = bytes.chunks(32).map(|c| Hash(c.try_into().expect("32 bytes"))).collect();
        text += &line(&format!("tile/{}/{}", tile.level(), tile.width()), tile.level_index(), &hashes);
    }
    Ok(text)
}

fn check(file: &str) -> Result<String, Box<dyn Error>> {
    let mut count = 0;
    for line in std::fs::read_to_string(file)?.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [kind, size, root, n, hash, proof @ ..] = &words[..] else { return Err("a short line".into()) };
        let proof = proof.iter().map(|h| Hash::parse_hash(h)).collect::<Result<Vec<_>, _>>()?;
        let (size, n) = (size.parse()?, n.parse()?);
        let (root, hash) = (Hash::parse_hash(root)?, Hash::parse_hash(hash)?);
        match *kind {
            "record" => tlog::check_record(&proof, size, root, n, hash)?,
            _ => tlog::check_tree(&proof, size, root, n, hash)?,
        }
        count += 1;
    }
    Ok(format!("{count}\n"))
}
