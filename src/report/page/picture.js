// Pictures, drawn from values. Every text goes in as a text node: nothing here is ever parsed as markup, and the page's
// policy (require-trusted-types-for) makes the browser refuse it besides.

/** An element: attributes as an object, children as nodes or texts; what is null or false is left out. */
function element(space, name, attributes, children) {
  const node = space ? document.createElementNS(space, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value);
  }
  node.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}
const h = (name, attributes, ...children) => element(null, name, attributes, children);
const s = (name, attributes, ...children) => element("http://www.w3.org/2000/svg", name, attributes, children);
/** A drawing that says in words what it shows. */
const drawing = (width, height, words, attributes, ...children) =>
  s("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": words, ...attributes }, children);

/** The same digest has the same colour wherever it stands; the digits tell those apart that look alike. */
const hue = (hash) => (parseInt(hash.slice(0, 4), 16) % 360);
const tint = (hash) => `hsl(${hue(hash)} 48% 56%)`;
const short = (hash) => hash.slice(0, 6);

const OUTCOMES = {
  held: "the invariant held",
  not_held: "the invariant did not hold",
  exact: "restored exactly",
  exact_normalised: "restored but for the spelling of CREATE texts",
  schema_differs_only: "the schema was not restored",
  rows_differ: "the rows were not restored",
  down_fails: "the rollback script fails",
  no_down: "the plan has no rollback script",
  up_fails: "the change fails",
  unreadable_after_up: "unreadable after the change",
  not_applicable: "it cannot be run for this change",
  could_not_establish: "the engine lacks something",
};
const GOOD = new Set(["held", "exact"]);

/** A leg: its hashes going out and coming back. A level line is the state before, the arc the change, the end where it came back to. */
function legPicture(leg) {
  const before = leg.before_hash ?? {};
  const out = leg.after_apply_hash ?? {};
  const back = leg.after_rollback_hash ?? leg.exit_hash ?? {};
  const parts = [];
  const track = (name, base, rise) => {
    const [a, b, c] = [before[name], out[name], back[name]];
    if (!a || !c) return null;
    const lost = c !== a;
    const end = lost ? base + 14 : base;
    const path = b ? `M28 ${base} C70 ${base} 80 ${base - rise} 120 ${base - rise} S170 ${end} 212 ${end}` : `M28 ${base} L212 ${end}`;
    const dot = (x, y, hash, below) => [
      name === "rows" ? s("circle", { cx: x, cy: y, r: 7, fill: tint(hash), class: "state" }) : s("rect", { x: x - 5, y: y - 5, width: 10, height: 10, fill: tint(hash), class: "state" }),
      s("text", { x, y: y + (below ? 19 : -12), class: "hash" }, short(hash)),
    ];
    const words = b ? `${name} ${short(a)} to ${short(b)} and back to ${short(c)}${lost ? ", which is not what it was" : ""}` : `${name} ${short(a)}, at the end ${short(c)}`;
    parts.push(words);
    return s("g", {}, s("text", { x: 2, y: base - 12, class: "track" }, name), s("path", { d: path, class: lost ? "way lost" : "way" }), dot(28, base, a, true), b && dot(120, base - rise, b, false), dot(212, end, c, true));
  };
  const rows = track("rows", 66, 40);
  const bytes = track("bytes", 122, out.bytes ? 18 : 0);
  const height = bytes ? 148 : 96;
  const words = `${leg.leg}: ${OUTCOMES[leg.outcome] ?? leg.outcome}. ${parts.join("; ")}`;
  return drawing(240, height, words, { class: "leg" }, rows, bytes);
}

/** The walls around the clone, the outermost first, each as thick as it has probes. */
function wallsPicture(proof) {
  const count = (layer) => proof.probes.filter((probe) => probe.layer === layer).length;
  const contacts = Object.values(proof.counters).reduce((a, b) => a + b, 0);
  const step = 9;
  const walls = proof.layers.map((layer, i) =>
    s("rect", { x: 2 + i * step, y: 2 + i * step, width: 236 - 2 * i * step, height: 176 - 2 * i * step, rx: 16 - i, class: "wall", "stroke-width": count(layer) > 8 ? 3.5 : count(layer) ? 2.2 : 1.1 }),
  );
  const words = `isolation level ${proof.level}: ${proof.layers.join(", ")}; ${proof.probes.length} probes refused, ${contacts} contacts`;
  return drawing(240, 180, words, { class: "walls" }, walls, s("text", { x: 120, y: 88, class: "core" }, "clone"), s("text", { x: 120, y: 104, class: "hash" }, `${contacts} contacts`));
}

const LANES = { genesis: 0, grant: 0, key: 0, policy: 0, begin: 1, rehearsal: 1, rerun: 2 };
const lane = (kind) => LANES[kind] ?? 3;

/** The timeline: a lane for permissions, rehearsals, repetitions and the rest; a line from each to what it follows. */
function timelinePicture(entries, open) {
  const gap = Math.max(16, Math.min(56, 900 / Math.max(1, entries.length)));
  const width = 96 + gap * Math.max(1, entries.length);
  const others = entries.some(({ kind }) => lane(kind) === 3);
  const height = others ? 196 : 152;
  const x = (seq) => 88 + gap * seq + gap / 2;
  const y = (kind) => 24 + 44 * lane(kind);
  const byLeaf = new Map(entries.map((entry) => [entry.leafHash, entry]));
  const names = ["decided", "rehearsed", "repeated", ...(others ? ["other"] : [])];
  const rails = names.map((name, i) => [s("text", { x: 4, y: 28 + 44 * i, class: "track" }, name), s("path", { d: `M84 ${24 + 44 * i} H${width - 4}`, class: "rail" })]);
  const links = entries.map((entry) => {
    const from = byLeaf.get(entry.claim?.of ?? entry.claim?.begin ?? entry.claim?.grant);
    if (!from) return null;
    const [x1, y1, x2, y2] = [x(from.seq), y(from.kind), x(entry.seq), y(entry.kind)];
    return s("path", { d: `M${x1} ${y1} C${x1} ${(y1 + y2) / 2} ${x2} ${(y1 + y2) / 2} ${x2} ${y2}`, class: "link" });
  });
  const dots = entries.map((entry) => {
    const dot = s("g", { class: `event ${entry.kind}`, "data-seq": entry.seq }, s("title", {}, `#${entry.seq} ${entry.kind} ${entry.label} by ${entry.author}, ${entry.time}`));
    const [cx, cy] = [x(entry.seq), y(entry.kind)];
    dot.append(entry.kind === "rehearsal" || entry.kind === "rerun" ? s("circle", { cx, cy, r: 8, fill: tint(entry.packetTree ?? ZERO) }) : s("rect", { x: cx - 6, y: cy - 6, width: 12, height: 12, rx: 3 }));
    dot.addEventListener("click", () => open(entry.seq));
    return dot;
  });
  const days = entries.filter((entry, i) => i === 0 || entry.time.slice(0, 10) !== entries[i - 1].time.slice(0, 10));
  let free = 0;
  const dates = days.map((entry) => {
    if (x(entry.seq) - 6 < free) return null;
    free = x(entry.seq) + 72;
    return s("text", { x: x(entry.seq) - 6, y: height - 6, class: "date" }, entry.time.slice(0, 10));
  });
  const words = `${entries.length} entries in order: ${entries.filter(({ kind }) => kind === "rehearsal").length} rehearsals, ${entries.filter(({ kind }) => kind === "rerun").length} repetitions. The table of all entries says the same.`;
  return drawing(width, height, words, { class: "timeline", width, height }, rails, links, dots, dates);
}
