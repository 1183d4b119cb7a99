// The replay: what the entries so far amount to, and whether the next one may say what it says. As ledger/SPEC.md,
// section 6; authority for an entry comes from those before it, and the first keys from the genesis, which its id pins.

/** Which roles may sign a kind. A kind that is not listed is not established, never held. */
const ROLES = {
  genesis: ["owner"],
  grant: ["owner"],
  key: ["owner"],
  policy: ["owner"],
  rehearsal: ["operator"],
  rerun: ["operator"],
  begin: ["operator"],
  void: ["owner", "operator"],
  blockers: ["owner", "operator"],
  note: ["auditor"],
};

class Replay {
  constructor() {
    this.keys = new Map();
    this.grants = new Map();
    this.runs = new Map();
    this.begins = new Map();
    this.seqs = new Map();
    this.used = new Set();
    this.signed = [];
    this.suspects = new Map();
    this.decisions = new Map();
    this.threshold = 1;
  }

  /** May these keys say this here? */
  async authority({ leaf, author }, claim, signatures, { files }) {
    const roles = ROLES[leaf.kind];
    if (!roles) throw new NotEstablished(`entries of kind ${leaf.kind} are not replayed here`);
    const keys = leaf.kind === "genesis" ? await registered(claim.keys, leaf.seq) : this.keys;
    require(leaf.policy === (this.policy ?? ZERO), "Fix7-Policy is not the policy in force");
    if (files.has("policy.toml")) this.asked = thresholdOf(toText(files.get("policy.toml")));
    for (const { keyid, sig } of signatures) {
      const record = keys.get(keyid);
      require(record, `the key ${keyid} is not registered`);
      if (this.isSuspect(record.from - 1)) throw new NotEstablished(`the key of ${record.name} was registered by a key that was revoked`);
      require(record.from <= leaf.seq && leaf.seq <= record.last, `the key of ${record.name} does not count here`);
      require(record.roles.some((role) => roles.includes(role)), `${record.name} has not the role ${roles.join(" or ")}`);
      if (keyid === leaf.key) require(record.name === author, `the author is ${author}, the key's holder ${record.name}`);
      else await verifySignature(record.key, pae(files.get("statement.json")), fromBase64(sig));
    }
    for (const once of usedBy(leaf.kind, claim)) require(!this.used.has(once), `its ${once.split(" ")[0]} was used before`);
    const signers = signatures.map(({ keyid }) => keyid);
    const owns = (key) => keys.get(key).roles.includes("owner");
    // People are counted, not keys.
    const owners = new Set(signers.filter(owns).map((key) => keys.get(key).person)).size;
    const decided = ["grant", "key", "policy", "blockers"].includes(leaf.kind) || (leaf.kind === "void" && (this.grants.has(claim.of) || this.decisions.has(claim.of)));
    if (decided) require(owners >= this.threshold, `${owners} owners signed, ${this.threshold} are needed`);
    if (leaf.kind === "grant") {
      const operator = this.keys.get(claim.operator);
      require(operator?.roles.includes("operator"), "it is for somebody who is no operator");
      require(signers.some((key) => keys.get(key).person !== operator.person), "the operator alone granted it");
    }
    if (leaf.kind === "key") await this.keyChanges(leaf.seq, claim);
    if (leaf.kind === "void") this.voids(claim, signers, signers.every(owns));
    if (leaf.kind === "blockers") {
      const last = [...this.decisions].reverse().find(([, { blocker, void: taken }]) => blocker === claim.blocker && !taken)?.[0];
      require(claim.after === last, "it was decided in view of another state of the blocker");
    }
    if (leaf.kind === "note") {
      require(this.seqs.has(claim.of), "it is about no entry of this ledger");
      require(!claim.confirms || this.isSuspect(this.seqs.get(claim.of)), "it confirms an entry that is not suspect");
    }
  }

  async keyChanges(seq, change) {
    if (change.action === "add") {
      require(!this.keys.has(await fingerprint(keyOfLine(change.public))), "the key was registered before");
      const known = [...this.keys.values()];
      require(!known.some(({ name }) => name === change.name), "the name was registered before");
      require(!change.person || known.some(({ person }) => person === change.person), "it is a further key of somebody who has none");
      return;
    }
    const record = this.keys.get(change.key);
    const last = change.action === "revoke" ? change.last_valid_seq : seq;
    require(record && record.name === change.name, "it ends a key that is not registered under this name");
    require(last < record.last && (change.action !== "revoke" || last < seq), "it ends the key at an impossible position");
    const others = [...this.keys].filter(([key, { roles, last }]) => key !== change.key && roles.includes("owner") && last > seq);
    const left = new Set(others.map(([, { person }]) => person)).size;
    require(left >= this.threshold, `${left} owners would be left, ${this.threshold} are needed`);
  }

  voids({ of, numbers }, signers, byOwners) {
    const by = (operator) => byOwners || signers.every((key) => key === operator || this.keys.get(key).roles.includes("owner"));
    if (numbers) {
      require(this.keys.has(numbers.key), "it voids the numbers of a key that is not registered");
      return require(by(numbers.key), "it is signed by neither the operator nor owners");
    }
    const decision = this.decisions.get(of);
    if (decision) return require(!decision.void, "the decision was taken back already");
    const grant = this.grants.get(of);
    if (grant) return require(grant.spentBy === undefined && !grant.void, "the grant was used or is void already");
    const record = this.runs.get(of) ?? this.begins.get(of);
    require(record && !record.void, "it voids an entry that counts for nothing else, or is void already");
    require(by(record.operator), "it is signed by neither the operator nor owners");
  }

  /** Grants are spent once, begins end with their rehearsal, reruns reach the same packet. */
  granted({ leaf }, claim) {
    if (leaf.kind === "rehearsal" || leaf.kind === "begin") {
      const grant = this.grants.get(claim.grant);
      require(grant, "it names no grant of this ledger");
      require(grant.spentBy === undefined, `its grant was spent by #${grant.spentBy}`);
      require(!grant.void && !this.isSuspect(grant.seq), "its grant is void or suspect");
      require(grant.operator === leaf.key, "its grant is for another operator");
      require(grant.last === undefined || leaf.seq <= grant.last, `its grant ended at #${grant.last}`);
      const begun = [...this.begins].find(([, { grant }]) => grant === claim.grant)?.[0];
      if (leaf.kind === "begin") require(!begun, "something was begun with its grant already");
      else require(claim.begin === begun, "it is not the rehearsal that was begun with its grant");
    }
    if (leaf.kind === "rerun") {
      const run = this.runs.get(claim.of);
      require(run?.kind === "rehearsal" && !run.void, "it repeats no rehearsal of this ledger that counts");
      require(run.packetTree === claim.packet_tree && run.grant === claim.grant && run.result === claim.result, "it reached another packet than the rehearsal that it repeats");
    }
  }

  /** Takes in an entry that may stand. */
  async fold({ leaf }, claim, signatures, { files }, leafHash) {
    const { seq, kind, key } = leaf;
    this.ledger ??= leaf.ledger;
    for (const once of usedBy(kind, claim)) this.used.add(once);
    this.seqs.set(leafHash, seq);
    this.signed.push(...signatures.map(({ keyid }) => ({ keyid, seq })));
    if (kind === "genesis") {
      this.keys = await registered(claim.keys, seq);
      this.first = claim.owner_threshold;
    }
    if (files.has("policy.toml")) {
      this.policy = await sha256Hex(files.get("policy.toml"));
      this.threshold = Math.max(this.first, this.asked);
    }
    if (kind === "blockers") this.decisions.set(leafHash, { blocker: claim.blocker });
    if (kind === "grant") this.grants.set(leafHash, { seq, operator: claim.operator, last: claim.expires_after_seq });
    if (kind === "begin") this.begins.set(leafHash, { seq, operator: key, grant: claim.grant });
    if (PACKET_KINDS.has(kind)) this.runs.set(leafHash, { kind, operator: key, packetTree: claim.packet_tree, grant: claim.grant, result: claim.result });
    if (kind === "rehearsal") {
      this.grants.get(claim.grant).spentBy = seq;
      this.begins.delete(claim.begin);
    }
    if (kind === "void") {
      for (const records of [this.grants, this.runs, this.decisions]) if (records.has(claim.of)) records.get(claim.of).void = true;
      this.begins.delete(claim.of);
    }
    if (kind === "note" && claim.confirms) this.suspects.get(this.seqs.get(claim.of)).confirmedBy = seq;
    if (kind === "key") await this.changeKey(seq, claim);
  }

  async changeKey(seq, change) {
    if (change.action === "add") {
      for (const [key, record] of await registered([change], seq + 1)) this.keys.set(key, record);
      return;
    }
    const record = this.keys.get(change.key);
    record.last = change.action === "revoke" ? change.last_valid_seq : seq;
    if (change.action !== "revoke") return;
    // What the key signed since falls into doubt, and what the keys did that it registered there.
    const what = `it is suspect: the key of ${record.name} was revoked from #${record.last + 1} on`;
    const keys = [[change.key, record.last]];
    for (const [key, last] of keys) {
      for (const { keyid, seq: at } of this.signed) {
        if (keyid !== key || at <= last || this.suspects.has(at)) continue;
        this.suspects.set(at, { seq: at, what });
        for (const [added, { from }] of this.keys) if (from === at + 1) keys.push([added, at]);
      }
    }
  }

  /** Whether an entry is in doubt. A confirmation by a note that is in doubt itself confirms nothing. */
  isSuspect(seq) {
    for (let at = this.suspects.get(seq); at; at = this.suspects.get(at.confirmedBy)) if (at.confirmedBy === undefined) return true;
    return false;
  }
}

/** Keys by fingerprint, which count from a position on. */
async function registered(keys, from) {
  const records = new Map();
  for (const { name, person, public: line, roles } of keys) {
    const key = keyOfLine(line);
    records.set(await fingerprint(key), { name, person: person ?? name, roles, key, from, last: Infinity });
  }
  return records;
}

/** How many owners a policy asks for; 0 where it says nothing. Written in a way that is not read here: not established. */
function thresholdOf(policy) {
  const lines = policy.split("\n").map((line) => line.replace(/#.*/, ""));
  const said = lines.filter((line) => line.includes("owner_threshold"));
  if (said.length === 0) return 0;
  const match = said.length === 1 && /^\s*owner_threshold\s*=\s*(\d+)\s*$/.exec(said[0]);
  if (!match) throw new NotEstablished("how many owners the policy asks for is not read here");
  return Number(match[1]);
}

/** What an entry uses up: its nonce, and the name of a grant or a run. */
function usedBy(kind, claim) {
  const name = PACKET_KINDS.has(kind) ? [`name run ${claimLabel(claim)}`] : kind === "grant" ? [`name grant ${claimLabel(claim)}`] : [];
  return [`nonce ${claim.nonce}`, ...name];
}
