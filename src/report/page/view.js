// The page, from the embedded bytes and nothing else: what is shown is what the button checks.

/** An entry as it is shown. What cannot be read is shown as that: explaining it is the verification's work. */
async function readForView(stored, seq) {
  try {
    const { leaf, trailers, author, label } = parseCommit(stored.commit);
    const statement = JSON.parse(toText(stored.files.get("statement.json")));
    const json = (name) => {
      const bytes = stored.files.get(`packet/${name}.json`);
      return bytes && JSON.parse(toText(bytes));
    };
    const leafHash = toHex(await sha256(join(Uint8Array.of(0), toBytes(trailers))));
    const entry = { seq, author, label, leafHash, kind: leaf.kind, time: leaf.time, packetTree: leaf.packetTree, key: leaf.key, ledger: leaf.ledger, claim: claimOf(statement.predicate) };
    if (leaf.packetTree) {
      entry.packet = {
        lock: json("rehearsal-target-lock"),
        execution: json("rehearsal-execution-evidence"),
        rollback: json("clone-rollback-evidence"),
        probes: json("rehearsal-bad-input-probes"),
        blockers: json("updated-production-blocker-map"),
        decision: json("production-decision-packet"),
        surfaces: json("forbidden-surface-proof"),
        ci: json("ci-unknown-resolution"),
        files: [...stored.files].map(([path, bytes]) => ({ path, size: bytes.length })),
      };
    }
    return entry;
  } catch (error) {
    return { seq, kind: "unreadable", author: "?", label: "?", time: "?", leafHash: "", unreadable: error.message };
  }
}

const anchor = (seq) => `entry-${seq}`;
const plural = (n, one, many = one + "s") => `${n} ${n === 1 ? one : many}`;

function openEntry(seq) {
  const card = document.getElementById(anchor(seq));
  card?.scrollIntoView({ block: "start" });
  card?.focus({ preventScroll: true });
}

/** Who reached the same packet. */
function reproductions(entry, entries) {
  return entries.filter(({ kind, claim }) => kind === "rerun" && claim?.of === entry.leafHash);
}

/** The same, but for the operator's own, the void ones, and those that a stolen key signed: each person once. */
function independently(run, entries) {
  const people = new Map();
  const register = ({ name, person }) => people.set(name, person ?? name);
  for (const { kind, claim } of entries) {
    if (kind === "genesis") claim.keys.forEach(register);
    if (kind === "key" && claim.action === "add") register(claim);
  }
  const person = ({ author }) => people.get(author) ?? author;
  const counts = (rerun) => {
    const after = entries.filter(({ seq }) => seq > rerun.seq);
    const about = (kind) => after.some((entry) => entry.kind === kind && entry.claim?.of === rerun.leafHash && (kind === "void" || entry.claim.confirms));
    const revoked = after.some(({ kind, claim }) => kind === "key" && claim.action === "revoke" && claim.name === rerun.author && claim.last_valid_seq < rerun.seq);
    return !about("void") && (!revoked || about("note"));
  };
  const others = reproductions(run, entries).filter(counts).map(person);
  return new Set(others.filter((name) => name !== person(run))).size;
}

function facts(entries) {
  const runs = entries.filter(({ kind }) => kind === "rehearsal");
  const independent = runs.filter((run) => independently(run, entries) > 0).length;
  const last = runs.at(-1)?.packet?.blockers;
  const fact = (value, words) => h("div", { class: "fact" }, h("dd", {}, String(value)), h("dt", {}, words));
  return h("dl", { class: "facts" }, fact(entries.length, "entries"), fact(runs.length, "rehearsals"), fact(independent, "reproduced by somebody else"), fact(last?.open_count ?? "–", "open blockers"));
}

/** Blockers down, rehearsals across: what stood open when. */
function blockerTable(entries) {
  const maps = entries.filter(({ packet }) => packet?.blockers);
  if (maps.length === 0) return h("p", {}, "No rehearsal has brought a blocker map.");
  const ids = new Map();
  for (const { packet } of maps) for (const blocker of packet.blockers.blockers) ids.set(blocker.id, blocker.title);
  const cell = (blocker) => {
    if (!blocker) return h("td", { class: "absent" }, h("span", { class: "sr" }, "not listed"));
    const proven = blocker.legs.filter(({ state }) => state === "PROVEN").length;
    const part = blocker.state === "OPEN" && proven > 0;
    const words = `${blocker.state}${blocker.legs.length ? `, ${proven} of ${blocker.legs.length} legs proven` : ""}`;
    return h("td", { title: words }, h("span", { class: `pip ${blocker.state === "OPEN" ? (part ? "part" : "open") : "closed"}` }, h("span", { class: "sr" }, words)));
  };
  const head = h("tr", {}, h("th", { scope: "col" }, "Blocker"), maps.map(({ seq }) => h("th", { scope: "col" }, `#${seq}`)));
  const rows = [...ids].map(([id, title]) =>
    h("tr", {}, h("th", { scope: "row" }, h("code", {}, id), h("small", {}, title)), maps.map(({ packet }) => cell(packet.blockers.blockers.find((blocker) => blocker.id === id)))),
  );
  return [
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Blockers over time" }, h("table", { class: "blockers" }, h("thead", {}, head), h("tbody", {}, rows))),
    h("p", { class: "legend" }, h("span", { class: "pip open" }), " open  ", h("span", { class: "pip part" }), " open, a leg is proven  ", h("span", { class: "pip closed" }), " closed by a signed entry"),
  ];
}

/** What one rehearsal leaves open, in words. */
function openQuestions(entry, entries) {
  const { lock, rollback, surfaces, ci, blockers } = entry.packet;
  const open = [];
  const legs = (outcome) => rollback.entries.filter((leg) => leg.outcome === outcome).map(({ leg }) => leg).join(", ");
  const voided = entries.find(({ kind, claim }) => kind === "void" && claim?.of === entry.leafHash);
  if (voided) open.push(`Anything: entry #${voided.seq} voids it (${voided.claim.reason}).`);
  for (const note of entries.filter(({ kind, claim }) => kind === "note" && claim?.of === entry.leafHash)) open.push(`Note by ${note.author} (#${note.seq}): ${note.claim.text}`);
  if (rollback.nondeterministic) open.push("The change gives another state each time: the changed state cannot be compared.");
  for (const outcome of ["no_down", "not_applicable", "could_not_establish"]) if (legs(outcome)) open.push(`${legs(outcome)}: ${OUTCOMES[outcome]}.`);
  if (rollback.entries.some((leg) => leg.leg === "down" && leg.outcome === "exact")) open.push("That the rollback script restores the file byte for byte: only its rows are compared.");
  if (lock.isolation.level < 3) open.push("That other processes and the network namespace are out of sight: isolation level 2 has no namespaces.");
  const unasked = surfaces.surfaces.filter(({ status }) => status !== "untouched").map(({ id }) => id);
  if (unasked.length) open.push(`That ${unasked.join(", ")} would be refused: they were not requested, and so not tried.`);
  if (!reproductions(entry, entries).some(({ key }) => key !== entry.key)) open.push("That somebody else reaches the same packet: nobody else has repeated it.");
  if (ci) open.push(`${ci.item}: ${ci.class}, it stays unknown.`);
  if (blockers) open.push(`Production: ${plural(blockers.open_count, "blocker")} open. A clone shows nothing about it.`);
  return open;
}

function probesView(probes) {
  const pip = (probe) => h("li", { class: probe.held ? "held" : "broken" }, h("span", { class: "mark" }, probe.held ? "✓" : "✗"), h("code", {}, probe.id), h("small", {}, probe.held ? `refused: ${probe.expected}` : `expected ${probe.expected}`));
  const list = (title, refused, total, rows) => [h("h4", {}, `${title}: ${refused} of ${total} refused`), h("ul", { class: "probes" }, rows.map(pip))];
  const control = probes.control.actual === probes.control.expected;
  return [
    h("p", {}, `Bad input must be refused, each for its own reason; the good control must pass: it ${control ? "did" : "did not"}. ${plural(probes.leak.hits.length, "forbidden claim")} and ${plural(probes.leak.secret_hits, "secret")} found in ${probes.leak.files} files.`),
    list("Canonical", probes.refused, probes.total, probes.probes),
    list("Extended", probes.extended_refused, probes.extended_total, probes.extended),
  ];
}

function isolationView(proof) {
  const rows = proof.layers.map((layer) => {
    const probes = proof.probes.filter((probe) => probe.layer === layer);
    const refused = probes.filter(({ expected, actual }) => expected === actual).length;
    return h("tr", {}, h("th", { scope: "row" }, layer), h("td", {}, probes.length ? `${refused} of ${probes.length} attempts refused` : "read from the kernel"));
  });
  return h("div", { class: "isolation" }, wallsPicture(proof), h("table", {}, h("caption", {}, `Level ${proof.level}: the kernel's walls, from the outside in`), h("tbody", {}, rows)));
}

function rehearsalCard(entry, entries) {
  const { rollback, lock, probes, execution, files } = entry.packet;
  const others = reproductions(entry, entries);
  const people = [
    h("li", {}, h("b", {}, entry.author), " rehearsed"),
    others.map((run) => h("li", { class: run.key === entry.key ? "" : "independent" }, h("b", {}, run.author), run.key === entry.key ? " repeated it" : " reproduced it", ` (#${run.seq})`)),
  ];
  const legs = rollback.entries.map((leg) =>
    h("li", {}, h("h4", {}, leg.leg, h("span", { class: `chip ${GOOD.has(leg.outcome) ? "good" : "bad"}` }, leg.outcome.replaceAll("_", " "))), legPicture(leg), h("p", { class: "small" }, leg.error ?? (leg.rows_changed ? `${plural(leg.rows_changed, "row")} changed on the way out` : OUTCOMES[leg.outcome]))),
  );
  return h(
    "article",
    { id: anchor(entry.seq), class: "card", tabindex: -1, "aria-labelledby": `${anchor(entry.seq)}-title` },
    h("header", {}, h("h3", { id: `${anchor(entry.seq)}-title` }, h("span", { class: "seq" }, `#${entry.seq}`), " ", entry.label), h("span", { class: "seal", "data-seq": entry.seq }, "not verified yet")),
    h("p", { class: "meta" }, `${entry.time.replace("T", " ").replace("Z", " UTC")} · ${lock.engine.name} ${lock.engine.version} · ${entry.packet.decision.final_status}`),
    h("ul", { class: "people" }, people),
    h("ul", { class: "legs" }, legs),
    h("details", {}, h("summary", {}, `Probes: ${probes.refused + probes.extended_refused} of ${probes.total + probes.extended_total} bad inputs refused`), probesView(probes)),
    h("details", {}, h("summary", {}, `Isolation: level ${lock.isolation.level}, ${Object.values(execution.isolation_at_end.counters).reduce((a, b) => a + b, 0)} contacts at the end`), isolationView(execution.isolation_at_end)),
    h("details", { open: "" }, h("summary", {}, "Not established"), h("ul", { class: "open-questions" }, openQuestions(entry, entries).map((text) => h("li", {}, text)))),
    h("details", {}, h("summary", {}, plural(files.length, "file")), h("p", { class: "wrap" }, "packet_tree.sha256 ", h("code", {}, entry.packetTree)), h("ul", { class: "files" }, files.map(({ path, size }) => h("li", {}, h("code", {}, path), h("small", {}, ` ${size} bytes`))))),
  );
}

function entryTable(entries) {
  const rows = [...entries].reverse().map((entry) =>
    h("tr", { id: entry.kind === "rehearsal" && entry.packet ? null : anchor(entry.seq), tabindex: -1 }, h("td", {}, `#${entry.seq}`), h("td", {}, entry.time.slice(0, 16).replace("T", " ")), h("td", {}, entry.kind), h("td", {}, entry.label), h("td", {}, entry.author), h("td", {}, h("code", { title: entry.leafHash }, entry.leafHash.slice(0, 12))), h("td", {}, h("span", { class: "seal", "data-seq": entry.seq }, "not verified yet"))),
  );
  const head = ["#", "Time (UTC)", "Kind", "Name", "By", "Leaf", "Check"].map((name) => h("th", { scope: "col" }, name));
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "All entries" }, h("table", { class: "entries" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows)));
}

/** Fills the page. */
function show(entries) {
  const genesis = entries[0]?.claim ?? {};
  document.title = `${genesis.name ?? "ledger"}: rollback rehearsals`;
  document.getElementById("name").textContent = genesis.name ?? "a ledger that cannot be read";
  document.getElementById("demo").hidden = !genesis.demo;
  document.getElementById("facts").replaceChildren(facts(entries));
  const timeline = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Entries in the order of time" }, timelinePicture(entries, openEntry));
  document.getElementById("timeline").replaceChildren(timeline);
  document.getElementById("blockers").replaceChildren(...[blockerTable(entries)].flat());
  const cards = entries.filter(({ kind, packet }) => kind === "rehearsal" && packet).reverse().map((entry) => {
    try {
      return rehearsalCard(entry, entries);
    } catch (error) {
      return h("article", { id: anchor(entry.seq), class: "card", tabindex: -1 }, h("h3", {}, `#${entry.seq} ${entry.label}`), h("p", {}, `Its packet cannot be shown: ${error.message}`));
    }
  });
  document.getElementById("rehearsals").replaceChildren(...(cards.length ? cards : [h("p", {}, "No rehearsal yet.")]));
  document.getElementById("entries").replaceChildren(entryTable(entries));
}
