//! Bytes that anybody may have written: no reader of this module may panic, or take one for another.

use proptest::prelude::*;

use super::objects::{Kind, name_of, parse_oid};
use super::push::Push;
use super::{commit, pack, tree};

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let id = parse_oid(&[b'1'; 40]).expect("an id");
        let _ = tree::parse(&id, &bytes);
        let _ = commit::links(&id, &bytes);
        let _ = commit::committer_seconds(&bytes);
        let _ = commit::message(&bytes);
        let _ = pack::inflate_entry(&bytes, 1 << 16);
        let _ = pack::check(&bytes, &[(id, 12)], &id, 1 << 16);
        let _ = Push::from_pre_receive(&bytes);
        let _ = Push::from_pre_push("origin", &bytes);
    }

    #[test]
    fn a_tree_that_parses_is_the_one_way_to_write_it(
        names in prop::collection::btree_map("[a-c.-]{1,3}", any::<bool>(), 0..6),
    ) {
        let id = name_of(Kind::Blob, b"").expect("an id");
        let mut lines: Vec<_> = names
            .iter()
            .map(|(name, directory)| {
                let (mode, end) = if *directory { ("40000", "/") } else { ("100644", "") };
                (format!("{name}{end}"), [mode.as_bytes(), b" ", name.as_bytes(), b"\0", id.as_slice()].concat())
            })
            .collect();
        lines.sort();
        let bytes: Vec<u8> = lines.iter().flat_map(|(_, line)| line.clone()).collect();
        let read = tree::parse(&id, &bytes).expect("git's own order");
        prop_assert_eq!(read.len(), names.len());
        for swap in 1..lines.len() {
            let mut other = lines.clone();
            other.swap(swap - 1, swap);
            let bytes: Vec<u8> = other.iter().flat_map(|(_, line)| line.clone()).collect();
            prop_assert!(tree::parse(&id, &bytes).is_err());
        }
    }

    #[test]
    fn every_content_packs_and_reads_back(contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..5000), 1..5)) {
        let mut builder = pack::Builder::new();
        for content in &contents {
            builder.add(Kind::Blob, name_of(Kind::Blob, content).expect("an id"), content).expect("fits");
        }
        let packed = builder.finish().expect("a pack");
        prop_assert!(pack::check(&packed.pack, &packed.offsets, &packed.checksum, 1 << 16).is_ok());
    }
}
