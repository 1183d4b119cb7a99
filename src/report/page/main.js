// The call: unpack, show, and verify when asked. Nothing is fetched; nothing leaves the page.

const byId = (id) => document.getElementById(id);
const MARK = { held: "✓", "held in part": "◐", broken: "✗", "not established": "?" };
const WORDS = {
  held: "Held, as far as a browser can check",
  broken: "Broken",
  "not established": "Could not be established",
};

/** Says what a verification came to: in words first, for everybody. */
function showReport(report) {
  const { outcome, steps } = report;
  const line = ({ seq, what }) => h("li", {}, seq === null ? null : h("a", { href: `#${anchor(seq)}` }, `entry #${seq}`), seq === null ? what : `: ${what}`);
  const step = ({ number, name, asks, outcome, faults, gaps }) =>
    h("li", { class: outcome.replaceAll(" ", "-"), "data-step": number }, h("span", { class: "mark", "aria-hidden": "true" }, MARK[outcome]), h("div", {}, h("b", {}, `${number} ${name}: ${outcome}`), h("small", {}, asks), faults.length + gaps.length > 0 && h("ul", {}, [...faults, ...gaps].slice(0, 50).map(line))));
  byId("outcome").className = outcome.replaceAll(" ", "-");
  byId("outcome").replaceChildren(h("span", { class: "mark", "aria-hidden": "true" }, MARK[outcome]), h("strong", {}, WORDS[outcome]), h("span", {}, summary(report)));
  byId("steps").replaceChildren(...steps.map(step));
  const faulty = new Map(steps.flatMap(({ faults }) => faults).filter(({ seq }) => seq !== null).map(({ seq, what }) => [seq, what]));
  for (const seal of document.querySelectorAll(".seal")) {
    const broken = faulty.get(Number(seal.dataset.seq));
    const state = broken ? "broken" : outcome === "held" ? "held" : "not established";
    seal.className = `seal ${state.replaceAll(" ", "-")}`;
    seal.textContent = `${MARK[state]} ${state}`;
    seal.title = broken ?? "";
  }
}

function summary({ outcome, entries, steps }) {
  const first = steps.flatMap(({ faults }) => faults).map(({ seq }) => seq).filter((seq) => seq !== null);
  if (outcome === "held") return `${plural(entries, "entry", "entries")} in the ledger that you named. Production stays on HOLD.`;
  if (outcome === "broken") return first.length ? `The first entry that does not hold is #${Math.min(...first)}.` : steps.flatMap(({ faults }) => faults)[0].what;
  return steps.flatMap(({ gaps }) => gaps)[0]?.what ?? "";
}

/** A finding that ends everything, before any step. */
function showEnd(outcome, what) {
  const steps = STEPS.map(([name, asks], n) => ({ number: n + 1, name, asks, outcome: n === 0 ? outcome : "not established", faults: n === 0 && outcome === "broken" ? [{ seq: null, what }] : [], gaps: n === 0 && outcome !== "broken" ? [{ seq: null, what }] : [] }));
  showReport({ outcome, steps, entries: 0 });
}

async function verifyNow(archive) {
  const button = byId("verify");
  button.disabled = true;
  try {
    const pins = await readPins(byId("pin").value, byId("head").value);
    const entries = await archive;
    const progress = async (seq) => {
      byId("outcome").className = "running";
      byId("outcome").textContent = `Checking entry ${seq + 1} of ${entries.length}…`;
      await new Promise((resume) => setTimeout(resume));
    };
    showReport(await new Verification(entries, pins).run(progress));
  } catch (error) {
    showEnd(error instanceof Broken ? "broken" : "not established", error.message);
  } finally {
    button.disabled = false;
  }
}

async function start() {
  const archive = readArchive(byId("archive").textContent);
  byId("form").addEventListener("submit", (event) => {
    event.preventDefault();
    verifyNow(archive);
  });
  try {
    const entries = await archive;
    show(await Promise.all(entries.map(readForView)));
    byId("outcome").textContent = "Not verified yet.";
  } catch (error) {
    byId("name").textContent = "a report that cannot be read";
    showEnd(error instanceof Broken ? "broken" : "not established", error.message);
  }
  document.documentElement.dataset.ready = "yes";
}

// Paper shows everything.
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => (part.open = true)));
start();
