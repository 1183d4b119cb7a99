// The archive: every byte that is checked, once. Base64 of a zlib stream of one line of JSON and the blobs behind it:
//   {"blobs":[length,…],"entries":[{"commit":blob,"files":{"path":blob}}],"format":"fix7.report/v1"}

/** More than any report holds: stops a small file that unpacks to fill the memory. */
const MAX_ARCHIVE_BYTES = 512 * 1024 * 1024;

async function inflate(bytes) {
  if (!globalThis.DecompressionStream) throw new NotEstablished("this browser has no DecompressionStream");
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
  const chunks = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return join(...chunks);
    length += value.length;
    require(length <= MAX_ARCHIVE_BYTES, "it unpacks to more than a report holds");
    chunks.push(value);
  }
}

/** The entries in the text of an archive: `[{commit, files: Map(path → bytes)}]`. */
async function readArchive(text) {
  let bytes;
  try {
    bytes = await inflate(fromBase64(text.replace(/\s+/g, "")));
  } catch (error) {
    if (error instanceof NotEstablished) throw error;
    throw new Broken("the embedded archive is damaged: " + error.message);
  }
  const end = bytes.indexOf(10);
  require(end > 0, "the embedded archive has no index");
  let index;
  try {
    index = JSON.parse(toText(bytes.subarray(0, end)));
  } catch {
    throw new Broken("the embedded archive's index is damaged");
  }
  require(index.format === "fix7.report/v1" && Array.isArray(index.blobs) && Array.isArray(index.entries), "the embedded archive has another format");
  const blobs = [];
  let at = end + 1;
  for (const length of index.blobs) {
    require(Number.isSafeInteger(length) && length >= 0 && at + length <= bytes.length, "the embedded archive is cut off");
    blobs.push(bytes.subarray(at, at + length));
    at += length;
  }
  require(at === bytes.length, "bytes follow the embedded archive");
  const blob = (n) => {
    require(blobs[n] !== undefined, "the embedded archive lacks a file");
    return blobs[n];
  };
  return index.entries.map((entry) => ({
    commit: blob(entry.commit),
    files: new Map(Object.entries(entry.files).map(([path, n]) => [path, blob(n)])),
  }));
}
