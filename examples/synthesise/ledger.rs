//! The ledger itself: a genesis, then blocks of grants and the rehearsals that consume them.
//!
//! ```text
//! #0 genesis │ grant × BLOCK │ rehearsal × BLOCK │ grant × BLOCK │ …
//! ```
//!
//! Everything is made by the product's own code from the number of the entry: the same arguments give the same ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fix7_ledger::digest::Digest;
use fix7_ledger::dsse;
use fix7_ledger::entry::{Leaf, Unsigned, content_digest, file_digests};
use fix7_ledger::evidence::isolation::Level;
use fix7_ledger::evidence::{Facts, Hashes, Plan};
use fix7_ledger::judge::{derive, specimen};
use fix7_ledger::keys::{SecretKey, Signer};
use fix7_ledger::ledger::{Bulk, HostLock, LedgerRef, Oid, Repository};
use fix7_ledger::merkle::Frontier;
use fix7_ledger::policy::Policy;
use fix7_ledger::statement::{
    Genesis, Grant, KeyEntry, Nonce, Outcome, PACKET_DIR, POLICY_FILE, Rehearsal, Role, Run, SIGNATURE_FILE,
    STATEMENT_FILE, Scope, Statement,
};
use fix7_ledger::time::Timestamp;
use rayon::prelude::*;

/// Grants before the rehearsals that consume them.
const BLOCK: u64 = 512;
/// The second of the first entry: 2024-01-01, so that a million entries end in the past and others can follow them.
const BEGAN: i64 = 1_704_067_200;

pub type Failure = Box<dyn std::error::Error + Send + Sync>;
type FileMap = BTreeMap<String, Vec<u8>>;

/// What is asked for.
#[derive(Clone, Copy)]
pub struct Shape {
    /// Entries, the genesis included.
    pub entries: u64,
    /// Packets that differ in plan and facts; rehearsals take them in turn. 0: no rehearsals, grants alone.
    pub packets: u64,
}

/// The key of whoever owns, or operates: made from text that anybody can read, for measurements alone.
pub fn key(role: &str) -> SecretKey {
    SecretKey::from_seed(Digest::of(format!("synthesised: {role}").as_bytes()).as_bytes())
}

/// Writes the ledger `main` into the repository, which must not have one. Gives its tip and its identity.
pub fn write(repository: &Repository, lock: &HostLock, shape: Shape) -> Result<(Oid, Digest), Failure> {
    let ledger = LedgerRef::named("main")?;
    let mut book = Book::begin(repository.bulk(lock, &ledger, None)?)?;
    let packets = Packets::new(shape.packets)?;
    while book.next < shape.entries {
        let left = shape.entries - book.next;
        let rehearsals = if shape.packets == 0 { 0 } else { BLOCK.min(left / 2) };
        let grants = if shape.packets == 0 { BLOCK.min(left) } else { rehearsals.max(1) };
        let leaves = book.grants(grants)?;
        book.rehearsals(&leaves[..rehearsals as usize], &packets)?;
    }
    let id = book.id;
    Ok((book.bulk.finish()?.ok_or("nothing was written")?, id))
}

/// Packets by number; where there are few, each is made once.
struct Packets {
    count: u64,
    kept: Vec<Arc<FileMap>>,
}

impl Packets {
    /// Packets that are kept in memory, each of about 60 kB.
    const KEPT: u64 = 64;

    fn new(count: u64) -> Result<Packets, Failure> {
        let kept = if count <= Packets::KEPT { count } else { 0 };
        let kept =
            (0..kept).into_par_iter().map(|n| Ok(Arc::new(packet(n)?))).collect::<Result<_, Failure>>()?;
        Ok(Packets { count, kept })
    }

    fn get(&self, run: u64) -> Result<Arc<FileMap>, Failure> {
        let n = run % self.count;
        self.kept.get(n as usize).map_or_else(|| Ok(Arc::new(packet(n)?)), |packet| Ok(packet.clone()))
    }
}

/// The ledger under way.
struct Book<'a> {
    bulk: Bulk<'a>,
    owner: Signer<'static>,
    operator: Signer<'static>,
    policy: Policy,
    id: Digest,
    next: u64,
    runs: u64,
    prev: Digest,
    frontier: Frontier,
}

/// An entry that only lacks its place.
struct Ready {
    statement: Statement,
    files: FileMap,
}

impl<'a> Book<'a> {
    fn begin(bulk: Bulk<'a>) -> Result<Book<'a>, Failure> {
        let (owner, operator, policy) = (key("owner"), key("operator"), specimen::policy());
        let entry = |name: &str, key: &SecretKey, role| -> Result<KeyEntry, Failure> {
            Ok(KeyEntry {
                name: name.parse()?,
                person: None,
                public: key.public().clone(),
                roles: BTreeSet::from([role]),
            })
        };
        let keys = vec![entry("olga", &owner, Role::Owner)?, entry("otto", &operator, Role::Operator)?];
        let genesis = Genesis { demo: false, keys, name: "synthesised".parse()?, owner_threshold: 1 };
        let statement = Statement::genesis(nonce(0), genesis, policy.digest())?;
        let mut book = Book {
            bulk,
            owner: owner.into(),
            operator: operator.into(),
            id: statement.digest(),
            next: 0,
            runs: 0,
            prev: Digest::ZERO,
            frontier: Frontier::default(),
            policy,
        };
        let files = FileMap::from([(POLICY_FILE.to_owned(), book.policy.bytes().to_vec())]);
        let ready = signed(statement, &book.owner, files)?;
        book.append(ready, false)?;
        Ok(book)
    }

    /// Appends grants for the operator; gives their leaves.
    fn grants(&mut self, count: u64) -> Result<Vec<Digest>, Failure> {
        let (id, operator) = (self.id, self.operator.public().fingerprint());
        let made: Vec<Ready> = (self.next..self.next + count)
            .into_par_iter()
            .map_init(
                || Signer::from(key("owner")),
                |owner, seq| {
                    let grant = Grant {
                        id: format!("grant-{seq}").parse()?,
                        operator,
                        scope: Scope { source: None, plan: None },
                        expires_after_seq: None,
                    };
                    signed(Statement::grant(id, nonce(seq), grant)?, owner, FileMap::new())
                },
            )
            .collect::<Result<_, Failure>>()?;
        made.into_iter().map(|ready| self.append(ready, false)).collect()
    }

    /// Appends one rehearsal for each grant.
    fn rehearsals(&mut self, grants: &[Digest], packets: &Packets) -> Result<(), Failure> {
        let (id, first, runs) = (self.id, self.next, self.runs);
        let made: Vec<Ready> = grants
            .par_iter()
            .enumerate()
            .map_init(
                || Signer::from(key("operator")),
                |operator, (n, grant)| {
                    let (seq, packet) = (first + n as u64, packets.get(runs + n as u64)?);
                    let subjects =
                        packet.iter().map(|(path, bytes)| (path.clone(), Digest::of(bytes))).collect();
                    let rehearsal = Rehearsal {
                        number: None,
                        begin: None,
                        date: time(seq)?.date(),
                        grant: *grant,
                        mentions: Vec::new(),
                        of: None,
                        packet_tree: Digest::of(&packet[&format!("{PACKET_DIR}HASH_MANIFEST.txt")]),
                        result: Outcome::RollbackExact,
                        run: Run::default(),
                        run_id: format!("run-{seq}").parse()?,
                    };
                    let statement = Statement::rehearsal(id, nonce(seq), rehearsal, subjects)?;
                    signed(statement, operator, packet.as_ref().clone())
                },
            )
            .collect::<Result<_, Failure>>()?;
        self.runs += grants.len() as u64;
        made.into_iter().try_for_each(|ready| self.append(ready, true).map(drop))
    }

    /// Places an entry behind the last, signs its commit and adds it.
    fn append(&mut self, ready: Ready, by_operator: bool) -> Result<Digest, Failure> {
        let Ready { statement, files } = ready;
        let (signer, author) = if by_operator { (&self.operator, "otto") } else { (&self.owner, "olga") };
        let leaf = Leaf {
            ledger: self.id,
            seq: self.next,
            prev: self.prev,
            root: self.frontier.root(),
            kind: statement.kind(),
            statement: statement.digest(),
            content: content_digest(&file_digests(&files)),
            packet_tree: statement.claim().packet_tree().copied(),
            policy: if self.next == 0 { Digest::ZERO } else { self.policy.digest() },
            key: signer.public().fingerprint(),
            time: time(self.next)?,
        };
        let hash = leaf.hash();
        let (author, label) = (author.parse::<fix7_ledger::statement::Label>()?, statement.claim().label());
        self.bulk.add(&files, &mut |tree, parent| {
            let parent = parent.map(str::parse).transpose()?;
            let unsigned = Unsigned::new(tree.parse()?, parent, author.clone(), label.clone(), leaf.clone())?;
            Ok(unsigned.sign(signer)?.to_bytes())
        })?;
        (self.next, self.prev) = (self.next + 1, hash);
        self.frontier.push(hash);
        Ok(hash)
    }
}

fn signed(statement: Statement, signer: &Signer<'_>, mut files: FileMap) -> Result<Ready, Failure> {
    let bytes = statement.bytes().to_vec();
    files.insert(SIGNATURE_FILE.to_owned(), dsse::sign(&bytes, &[signer])?.to_bytes());
    files.insert(STATEMENT_FILE.to_owned(), bytes);
    Ok(Ready { statement, files })
}

fn nonce(seq: u64) -> Nonce {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Digest::of(&seq.to_be_bytes()).as_bytes()[..16]);
    Nonce::from_bytes(bytes)
}

/// A minute an entry.
fn time(seq: u64) -> Result<Timestamp, Failure> {
    let seconds = BEGAN + 60 * i64::try_from(seq)?;
    Ok(Timestamp::from_unix_seconds(seconds).ok_or("a time beyond the calendar")?)
}

/// The files of packet `n`, by their path in the entry: plan and facts of the specimen, bent by the number.
fn packet(n: u64) -> Result<FileMap, Failure> {
    let policy = specimen::policy();
    let mut files = specimen::template_plan().files;
    let change = files.get_mut("up.sql").ok_or("the template has no up.sql")?;
    change.extend_from_slice(format!("INSERT INTO rehearsal_note (body) VALUES ('run {n}');\n").as_bytes());
    let plan = Plan::parse(files).map_err(|reasons| format!("{reasons:?}"))?;
    let facts = bent(specimen::facts_of(&policy, plan, Level::Three), n);
    // Without a gate: whether the packet is clean is for whoever verifies the ledger to find out.
    let files = derive::derive(&facts, &policy, None)?.files;
    Ok(files.into_iter().map(|(path, bytes)| (format!("{PACKET_DIR}{path}"), bytes)).collect())
}

/// Every state of the clone has another digest for another number; what was equal stays equal.
fn bent(mut facts: Facts, n: u64) -> Facts {
    let other = |digest: &mut Digest| {
        *digest = Digest::of(&[digest.as_bytes().as_slice(), &n.to_be_bytes()].concat());
    };
    let both = |hashes: &mut Option<Hashes>| {
        if let Some(hashes) = hashes {
            other(&mut hashes.rows);
            hashes.bytes.iter_mut().for_each(other);
        }
    };
    other(&mut facts.lock.clone.base);
    for entry in &mut facts.rollback.entries {
        let states = [
            &mut entry.before_hash,
            &mut entry.after_apply_hash,
            &mut entry.after_rollback_hash,
            &mut entry.exit_hash,
        ];
        states.into_iter().for_each(both);
        if let Some(snapshot) = &mut entry.snapshot {
            other(&mut snapshot.taken);
            other(&mut snapshot.restored_from);
        }
    }
    specimen::quoted(facts)
}
