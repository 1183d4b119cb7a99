// Bytes, digests and signatures: everything cryptographic is the browser's own (WebCrypto).

/** What was checked does not hold, or is not in its one form. */
class Broken extends Error {}
/** This browser cannot find out. It is never counted as held. */
class NotEstablished extends Error {}

/** Throws where something does not hold. */
function require(holds, what) {
  if (!holds) throw new Broken(what);
}

const encoder = new TextEncoder();
const toBytes = (text) => encoder.encode(text);
const toText = (bytes) => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const toBase64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
const sameBytes = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);

/** Standard base64 in its one spelling. */
function fromBase64(text) {
  require(/^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0, "it is not base64");
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  require(toBase64(bytes) === text, "it is not the one base64 spelling of its bytes");
  return bytes;
}

function join(...parts) {
  const whole = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

async function digest(name, bytes) {
  if (!globalThis.crypto?.subtle) throw new NotEstablished("this page has no WebCrypto: open it as a file or over https");
  return new Uint8Array(await crypto.subtle.digest(name, bytes));
}
const sha256 = (bytes) => digest("SHA-256", bytes);
const sha256Hex = async (bytes) => toHex(await sha256(bytes));

/** The OpenSSH fingerprint of a key of 32 bytes. */
const KEY_HEAD = join(Uint8Array.of(0, 0, 0, 11), toBytes("ssh-ed25519"), Uint8Array.of(0, 0, 0, 32));
const fingerprint = async (key) => "SHA256:" + toBase64(await sha256(join(KEY_HEAD, key))).replace(/=+$/, "");

/** A line `ssh-ed25519 <base64>`, a comment behind it allowed. */
function keyOfLine(line) {
  const [kind, encoded = ""] = line.trim().split(/\s+/);
  require(kind === "ssh-ed25519", "a public key begins with ssh-ed25519");
  const wire = fromBase64(encoded);
  require(wire.length === 51 && sameBytes(wire.slice(0, 19), KEY_HEAD), "it is not an ed25519 key");
  return wire.slice(19);
}

// Encodings (little-endian, sign bit cleared) of the points whose order divides 8: under such a key one signature is
// good for every message, and checkers disagree about such a commitment.
const SMALL_ORDER = new Set([
  "00".repeat(32),
  "01" + "00".repeat(31),
  "ec" + "ff".repeat(30) + "7f",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
]);
const number = (bytes) => BigInt("0x" + toHex(Uint8Array.from(bytes).reverse()));
const FIELD = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

/** A point's encoding that is canonical and not of small order. */
function soundPoint(bytes) {
  const unsigned = Uint8Array.from(bytes);
  unsigned[31] &= 0x7f;
  return number(unsigned) < FIELD && !SMALL_ORDER.has(toHex(unsigned));
}

/** Ed25519, strictly: what the browser accepts and other checkers might not is refused. */
async function verifySignature(key, message, signature) {
  require(signature.length === 64, "a signature has 64 bytes");
  require(soundPoint(key), "the key is no sound ed25519 key");
  require(soundPoint(signature.slice(0, 32)) && number(signature.slice(32)) < ORDER, "the signature is not in its one form");
  let imported;
  try {
    imported = await crypto.subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
  } catch (error) {
    if (error.name === "NotSupportedError") throw new NotEstablished("this browser's WebCrypto has no Ed25519");
    throw new Broken("the key is no ed25519 key");
  }
  require(await crypto.subtle.verify({ name: "Ed25519" }, imported, signature, message), "the signature does not hold");
}

/** The root of an RFC 6962 tree that grows: the peaks of its full subtrees, largest first. */
class Tree {
  constructor() {
    this.size = 0;
    this.peaks = [];
  }
  async push(leaf) {
    let node = leaf;
    for (let n = this.size; n % 2 === 1; n = (n - 1) / 2) node = await sha256(join(Uint8Array.of(1), this.peaks.pop(), node));
    this.peaks.push(node);
    this.size += 1;
  }
  async root() {
    if (this.size === 0) return sha256(new Uint8Array());
    let node = this.peaks.at(-1);
    for (const peak of this.peaks.slice(0, -1).reverse()) node = await sha256(join(Uint8Array.of(1), peak, node));
    return node;
  }
}
