// The verification, in the order and with the numbers of `fix7-ledger verify`. A step is "held", "broken" or "not
// established"; "held in part" where its note says what is not checked here, which is never counted as held.

const STEPS = [
  ["object", "every commit is the one byte string of its fields"],
  ["chain", "every entry continues the one before and signs the Merkle root over all before"],
  ["content", "the files are those that the leaf and the statement name"],
  ["signatures", "commit and statement signatures hold, strictly"],
  ["authority", "by replay from the genesis, these keys may say this"],
  ["packet", "digests, manifest and packet tree; the validator and the claim gate are not run here"],
  ["grants", "one unspent grant for one rehearsal, reruns reach the same packet; scopes and blockers are not compared here"],
  ["completeness", "the ledger is the one that you named, and the head that you noted is in it"],
];
const [OBJECT, CHAIN, CONTENT, SIGNATURES, AUTHORITY, PACKET, GRANTS, COMPLETENESS] = STEPS.keys();

const PREDICATE = { rehearsal: "rollback-rehearsal" };
const FRAME = ["statement.json", "statement.sig"];

/** Verifies entries against `pins`: `{id?, key?, head?}`, none of which comes from the file. */
class Verification {
  constructor(entries, pins) {
    this.entries = entries;
    this.pins = pins;
    this.faults = STEPS.map(() => []);
    this.gaps = STEPS.map(() => []);
    this.tree = new Tree();
    this.leaves = [];
    this.replay = new Replay();
    this.signers = new Set();
    this.stopped = null;
  }

  /** Runs a part of a step; what does not hold is noted with its entry. */
  async step(number, seq, check) {
    try {
      return (await check()) ?? true;
    } catch (error) {
      if (error instanceof NotEstablished) this.gaps[number].push({ seq, what: error.message });
      else this.faults[number].push({ seq, what: error instanceof Broken ? error.message : `unreadable: ${error.message}` });
      return null;
    }
  }

  async run(progress) {
    for (const [seq, stored] of this.entries.entries()) {
      await this.entry(seq, stored);
      if (seq % 8 === 0) await progress(seq);
    }
    for (const { seq, what } of this.replay.suspects.values()) if (this.replay.isSuspect(seq)) this.gaps[AUTHORITY].push({ seq, what });
    for (const { seq } of this.replay.begins.values()) this.gaps[GRANTS].push({ seq, what: "what was begun here was never recorded" });
    await this.step(COMPLETENESS, null, () => this.pinned());
    return this.report();
  }

  async entry(seq, stored) {
    const entry = await this.step(OBJECT, seq, async () => {
      const parsed = parseCommit(stored.commit);
      require(LABEL.test(parsed.author) && LABEL.test(parsed.label), "a name in the commit is no label");
      require(sameBytes(render(parsed).bytes, stored.commit), "written again from its fields, the commit is another one");
      require((await fingerprint(parsed.signature.key)) === parsed.leaf.key, "Fix7-Key is not the key that signed");
      return parsed;
    });
    if (!entry) {
      for (const n of [CONTENT, SIGNATURES, PACKET]) this.gaps[n].push({ seq, what: "its commit does not say what to check" });
      this.stopped ??= seq;
      return;
    }
    const leafHash = await sha256(join(Uint8Array.of(0), toBytes(entry.trailers)));
    const claim = await this.step(CONTENT, seq, () => this.content(entry, stored));
    const signed = await this.step(SIGNATURES, seq, () => this.signed(entry, stored));
    if (entry.leaf.packetTree) await this.step(PACKET, seq, () => this.packet(entry, stored));
    // What needs the entries before stops at the first entry that does not hold.
    const chained = this.stopped === null && (await this.step(CHAIN, seq, () => this.chain(seq, entry)));
    const authorised = this.stopped === null && claim && signed && (await this.step(AUTHORITY, seq, () => this.replay.authority(entry, claim, signed, stored)));
    const granted = this.stopped === null && claim && (await this.step(GRANTS, seq, () => this.replay.granted(entry, claim)));
    if (!chained || !claim || !authorised || !granted) this.stopped ??= seq;
    else await this.replay.fold(entry, claim, signed, stored, toHex(leafHash));
    if (signed) this.signers.add(entry.leaf.key);
    await this.tree.push(leafHash);
    this.leaves.push(toHex(leafHash));
    this.last = { entry, commit: stored.commit };
  }

  async chain(seq, { leaf, parent }) {
    const { last } = this;
    require(leaf.seq === seq, `it says that it is #${leaf.seq} and stands at #${seq}: an entry is missing or out of order`);
    require((leaf.kind === "genesis") === (seq === 0), "a ledger begins with its genesis, and has no other");
    require(leaf.prev === (this.leaves.at(-1) ?? ZERO), "Fix7-Prev is not the entry before");
    require(leaf.root === toHex(await this.tree.root()), "Fix7-Root is not the Merkle root over the entries before");
    require(leaf.ledger === (this.replay.ledger ?? leaf.statement), "Fix7-Ledger is another ledger");
    require(!last || leaf.time >= last.entry.leaf.time, "its time is before that of the entry before");
    const commit = last && join(toBytes(`commit ${last.commit.length}\0`), last.commit);
    require(parent === (commit ? toHex(await digest("SHA-1", commit)) : undefined), "its parent is not the commit before");
  }

  /** The files, the leaf and the statement name each other. Gives the claim. */
  async content({ leaf, label }, { files }) {
    const digests = new Map();
    for (const [path, bytes] of files) digests.set(path, await sha256Hex(bytes));
    const paths = [...digests.keys()].sort();
    for (const path of paths) require(plainPath(path, leaf.kind), `${path}: it may not stand in this entry`);
    const lines = paths.map((path) => `${digests.get(path)}  ${path}\n`).join("");
    require(digests.get("statement.json") === leaf.statement, "statement.json is not the one that Fix7-Statement names");
    const statement = parseCanonical(files.get("statement.json"), "statement.json");
    const { predicate } = statement;
    const expected = `https://fix7-ledger.example/${PREDICATE[leaf.kind] ?? leaf.kind}/v1`;
    require(statement._type === "https://in-toto.io/Statement/v1" && statement.predicateType === expected, "statement.json is of another type");
    require(predicate.kind === leaf.kind && predicate.policy === "HOLD_PRODUCTION", "statement.json is of another kind");
    require(leaf.ledger === (predicate.ledger ?? leaf.statement), "statement.json is for another ledger");
    const claim = claimOf(predicate);
    require(claimLabel(claim) === label, "the subject line has another name than statement.json");
    require(claim.packet_tree === leaf.packetTree, "Fix7-Packet-Tree is not what statement.json names");
    const named = new Map(statement.subject.map(({ name, digest }) => [name, digest.sha256]));
    require(named.size === statement.subject.length, "statement.json names a file twice");
    if (named.has("ledger")) require(named.size === 1 && named.get("ledger") === leaf.ledger, "statement.json names another ledger");
    named.delete("ledger");
    for (const path of paths.filter((path) => !FRAME.includes(path))) {
      require(named.get(path) === digests.get(path), `${path}: it is not the file that statement.json names`);
      named.delete(path);
    }
    require(named.size === 0, `${[...named.keys()][0]}: statement.json names it, and it is not there`);
    require((await sha256Hex(toBytes(lines))) === leaf.content, "the files are not those that Fix7-Content names");
    if (leaf.packetTree) require(digests.get("packet/HASH_MANIFEST.txt") === leaf.packetTree, "packet/HASH_MANIFEST.txt is not what Fix7-Packet-Tree names");
    return { ...claim, nonce: predicate.nonce };
  }

  /** The commit's signature (SSHSIG) and the committer's over the statement (DSSE). Gives all DSSE signatures. */
  async signed(entry, { files }) {
    const { key, bytes } = entry.signature;
    const named = (what) => (error) => {
      if (error instanceof Broken) error.message = `${what}: ${error.message}`;
      throw error;
    };
    const string = (part) => join(Uint8Array.of(0, 0, 0, part.length), part);
    const parts = [toBytes("git"), new Uint8Array(), toBytes("sha512"), await digest("SHA-512", render(entry).payload)];
    await verifySignature(key, join(toBytes("SSHSIG"), ...parts.map(string)), bytes).catch(named("the commit's signature"));
    require(files.has("statement.sig"), "statement.sig is missing");
    const { payloadType, signatures } = parseCanonical(files.get("statement.sig"), "statement.sig");
    require(payloadType === "application/vnd.in-toto+json", "statement.sig is over another kind of document");
    const ids = signatures.map(({ keyid }) => keyid);
    require(ids.length >= 1 && ids.length <= 16 && ids.every((id, i) => i === 0 || ids[i - 1] < id), "statement.sig is not sorted by distinct keys");
    const own = signatures.find(({ keyid }) => keyid === entry.leaf.key);
    require(own, "statement.sig lacks the signature of the committer");
    await verifySignature(key, pae(files.get("statement.json")), fromBase64(own.sig)).catch(named("the statement's signature"));
    return signatures;
  }

  /** The manifest lists every file of the packet, and packet_tree.sha256 the manifest. */
  async packet({ leaf }, { files }) {
    const manifest = toText(files.get("packet/HASH_MANIFEST.txt") ?? new Uint8Array());
    require(toText(files.get("packet/packet_tree.sha256") ?? new Uint8Array()) === `${leaf.packetTree}  HASH_MANIFEST.txt\n`, "packet_tree.sha256 is not that of the manifest");
    const outside = ["packet/HASH_MANIFEST.txt", "packet/packet_tree.sha256", ...FRAME];
    const paths = [...files.keys()].filter((path) => !outside.includes(path)).sort();
    let expected = "";
    for (const path of paths) expected += `${await sha256Hex(files.get(path))}  ${path.slice("packet/".length)}\n`;
    require(manifest === expected, "HASH_MANIFEST.txt does not list the files that are here");
  }

  /** Is this the ledger that the auditor means? */
  async pinned() {
    const { id, key, head } = this.pins;
    const gaps = this.gaps[COMPLETENESS];
    const genesis = this.entries.length > 0 ? await sha256Hex(this.entries[0].files.get("statement.json") ?? new Uint8Array()) : null;
    require(genesis, "there is no entry");
    if (id) require(id === genesis, `the id that you gave is not this ledger's, which is ${genesis}`);
    if (key) require(this.signers.has(key), "the key that you gave signed no entry here");
    if (!id && !key) throw new NotEstablished("no ledger id and no key was given: this can be anybody's ledger");
    if (head) require(this.leaves.includes(head), "the entry that you noted is not in this ledger: it was cut off or rewritten");
    else gaps.push({ seq: null, what: "that no entry was cut off at the end: you gave no entry that you noted" });
  }

  report() {
    const { stopped } = this;
    const steps = STEPS.map(([name, asks], n) => {
      const gaps = [...this.gaps[n]];
      if (stopped !== null && [CHAIN, AUTHORITY, GRANTS].includes(n)) gaps.push({ seq: stopped, what: "it does not hold, so nothing is established about it or anything after it" });
      // That nobody noted a head leaves completeness open, and does not spoil what was asked.
      const held = [PACKET, GRANTS].includes(n) ? "held in part" : "held";
      const outcome = this.faults[n].length ? "broken" : gaps.length ? "not established" : held;
      return { number: n + 1, name, asks, outcome, faults: this.faults[n], gaps };
    });
    const named = Boolean(this.pins.id || this.pins.key);
    const needed = steps.slice(0, COMPLETENESS);
    const broken = steps.some(({ outcome }) => outcome === "broken");
    const held = !broken && named && needed.every(({ outcome }) => outcome.startsWith("held"));
    return { outcome: broken ? "broken" : held ? "held" : "not established", steps, entries: this.entries.length, head: this.leaves.at(-1) };
  }
}

/** The bytes that are signed for a statement. */
function pae(statement) {
  const type = "application/vnd.in-toto+json";
  return join(toBytes(`DSSEv1 ${type.length} ${type} ${statement.length} `), statement);
}

/** May a file stand in the tree of an entry of this kind? */
function plainPath(path, kind) {
  if (FRAME.includes(path)) return true;
  if (path === "policy.toml") return kind === "genesis" || kind === "policy";
  return PACKET_KINDS.has(kind) && path.length <= 240 && /^packet(\/[A-Za-z0-9][A-Za-z0-9._-]*)+$/.test(path);
}

/** What the auditor pasted: a ledger id, a key, a key's fingerprint; and perhaps a leaf. Throws where it is neither. */
async function readPins(who, leaf) {
  const pins = {};
  const [pin, head] = [who.trim(), leaf.trim().replace(/^sha256:/, "").toLowerCase()];
  if (/^(sha256:)?[0-9a-f]{64}$/i.test(pin)) pins.id = pin.slice(-64).toLowerCase();
  else if (/^SHA256:[A-Za-z0-9+/]{43}$/.test(pin)) pins.key = pin;
  else if (pin) pins.key = await fingerprint(keyOfLine(pin));
  require(head === "" || /^[0-9a-f]{64}$/.test(head), "a noted entry is 64 hexadecimal digits");
  if (head) pins.head = head;
  return pins;
}
