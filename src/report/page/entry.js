// One entry: the commit's one form, its leaf, its statement. As ledger/SPEC.md, sections 4 and 5.

const LABEL = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const PACKET_KINDS = new Set(["rehearsal", "rerun"]);
const ZERO = "0".repeat(64);
const ARMOR_BEGIN = "-----BEGIN SSH SIGNATURE-----";
const ARMOR_END = "-----END SSH SIGNATURE-----";

/** The fields of a commit; only `render` says whether they are all that stands there. */
const COMMIT = new RegExp(
  "^tree ([0-9a-f]{40})\n(?:parent ([0-9a-f]{40})\n)?author (\\S+) [^\n]*\ncommitter [^\n]*\n" +
    `gpgsig ${ARMOR_BEGIN}\n((?: [A-Za-z0-9+/=]+\n)+) ${ARMOR_END}\n\n(\\S+) #\\d+ \\S+ (\\S+) [^\n]*\n\n(Fix7-Entry: [^]*)$`,
);

function parseCommit(bytes) {
  require(bytes.length <= 16384, "the commit is over 16384 bytes");
  require(bytes.every((byte) => (byte >= 0x20 && byte < 0x7f) || byte === 10), "the commit is not printable ASCII");
  const match = COMMIT.exec(toText(bytes));
  require(match, "the commit has not the form of an entry");
  const [, tree, parent, author, armor, , label, trailers] = match;
  const entry = { tree, parent, author, label, leaf: parseLeaf(trailers), trailers };
  entry.signature = parseArmor(armor.replace(/[ \n]/g, ""));
  return entry;
}

/** The trailer block, each line in its place. */
function parseLeaf(text) {
  const lines = text.split("\n");
  require(lines.pop() === "", "the trailers do not end with a line end");
  const take = (name, form) => {
    const line = lines.shift() ?? "";
    const value = line.startsWith(name + ": ") ? line.slice(name.length + 2) : "";
    require(form.test(value), `${name}: it is missing or malformed`);
    return value.replace(/^sha256:/, "");
  };
  const hash = /^sha256:[0-9a-f]{64}$/;
  take("Fix7-Entry", /^v1$/);
  const leaf = {
    ledger: take("Fix7-Ledger", hash),
    seq: Number(take("Fix7-Seq", /^(0|[1-9]\d{0,15})$/)),
    prev: take("Fix7-Prev", hash),
    root: take("Fix7-Root", hash),
    kind: take("Fix7-Kind", /^[a-z]{1,32}$/),
    statement: take("Fix7-Statement", hash),
    content: take("Fix7-Content", hash),
  };
  if (PACKET_KINDS.has(leaf.kind)) leaf.packetTree = take("Fix7-Packet-Tree", hash);
  leaf.policy = take("Fix7-Policy", hash);
  leaf.key = take("Fix7-Key", /^SHA256:[A-Za-z0-9+/]{43}$/);
  leaf.time = take("Fix7-Time", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  require(lines.length === 0, "lines follow the trailers");
  return leaf;
}

/** The SSHSIG blob: a key and a signature, for the purpose `git`, over a SHA-512. */
function parseArmor(encoded) {
  const blob = fromBase64(encoded);
  let at = 10;
  const string = () => {
    require(at + 4 <= blob.length, "the commit signature is cut off");
    const length = new DataView(blob.buffer).getUint32(at);
    at += 4 + length;
    require(at <= blob.length, "the commit signature is cut off");
    return blob.subarray(at - length, at);
  };
  require(toText(blob.subarray(0, 6)) === "SSHSIG" && toHex(blob.subarray(6, 10)) === "00000001", "the commit signature is no SSHSIG");
  const [wire, namespace, reserved, hash, signature] = [string(), string(), string(), string(), string()];
  require(at === blob.length, "bytes follow the commit signature");
  require(toText(namespace) === "git" && reserved.length === 0 && toText(hash) === "sha512", "the commit signature is for another purpose");
  require(wire.length === 51 && sameBytes(wire.subarray(0, 19), KEY_HEAD), "the commit is not signed with ed25519");
  const head = join(KEY_HEAD.subarray(0, 15), Uint8Array.of(0, 0, 0, 64));
  require(signature.length === 83 && sameBytes(signature.subarray(0, 19), head), "the commit signature is not ed25519");
  return { encoded, key: wire.slice(19), bytes: signature.slice(19) };
}

/** The commit once more from its fields: `payload` is what is signed, `bytes` what git stores. */
function render(entry) {
  const { leaf } = entry;
  const trailers =
    `Fix7-Entry: v1\nFix7-Ledger: sha256:${leaf.ledger}\nFix7-Seq: ${leaf.seq}\nFix7-Prev: sha256:${leaf.prev}\n` +
    `Fix7-Root: sha256:${leaf.root}\nFix7-Kind: ${leaf.kind}\nFix7-Statement: sha256:${leaf.statement}\n` +
    `Fix7-Content: sha256:${leaf.content}\n` +
    (leaf.packetTree ? `Fix7-Packet-Tree: sha256:${leaf.packetTree}\n` : "") +
    `Fix7-Policy: sha256:${leaf.policy}\nFix7-Key: ${leaf.key}\nFix7-Time: ${leaf.time}\n`;
  const who = `${entry.author} <${entry.author}@fix7-ledger> ${Date.parse(leaf.time) / 1000} +0000`;
  const head = `tree ${entry.tree}\n` + (entry.parent ? `parent ${entry.parent}\n` : "") + `author ${who}\ncommitter ${who}\n`;
  const message = `fix7-ledger #${leaf.seq} ${leaf.kind} ${entry.label} [HOLD_PRODUCTION]\n\n${trailers}`;
  const armor = entry.signature.encoded.replace(/.{1,70}/g, (line) => ` ${line}\n`);
  return {
    payload: toBytes(`${head}\n${message}`),
    bytes: toBytes(`${head}gpgsig ${ARMOR_BEGIN}\n${armor} ${ARMOR_END}\n\n${message}`),
  };
}

/** JSON whose bytes are the canonical ones (RFC 8785): keys sorted, one spelling. */
function parseCanonical(bytes, name) {
  let value;
  let text;
  try {
    text = toText(bytes);
    value = JSON.parse(text);
  } catch {
    throw new Broken(`${name}: it is no JSON`);
  }
  require(text.normalize("NFC") === text && canonical(value) === text, `${name}: it is not the canonical spelling`);
  return value;
}

function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  return `{${Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`;
}

/** The claim in a predicate: under its kind's name, which for a policy's change is taken by the hold. */
const claimOf = (predicate) => predicate[predicate.kind === "policy" ? "policy_change" : predicate.kind];

/** What the subject line calls the entry: the name in its claim. */
const claimLabel = (claim) => claim.run_id ?? claim.id ?? claim.name;
