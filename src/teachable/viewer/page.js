"use strict";
// Everything that comes from a game, a student or a teacher becomes a text node or an attribute of a fixed name; nothing
// is ever read as markup. Data arrives through two functions that the files beside this page call: index and chunk.

const ROW = 58; // pixels of a row of the list
const KEPT = 12; // chunks that stay in memory
const $ = (name) => document.getElementById(name);
const root = document.documentElement;

// ---- building ------------------------------------------------------------------------------------------------------

function h(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") made.addEventListener(name, value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) if (child !== null && child !== undefined && child !== false) made.append(child);
  return made;
}

function number(value, digits = 2) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const shown = value.toFixed(digits);
  return Number(shown) === 0 ? (0).toFixed(digits) : shown.replace("-", "−");
}

function share(value) {
  if (value === null || value === undefined) return "–";
  return value > 0 && value < 0.005 ? "<.01" : value > 0.995 && value < 1 ? ">.99" : number(value);
}

function count(value, word, words) {
  return `${value.toLocaleString("en")} ${value === 1 ? word : words || word + "s"}`;
}

const note = (text) => h("p", { class: "note" }, text);

// ---- the index -----------------------------------------------------------------------------------------------------

let data = null; // what data/index.js tells
let ids = [];
const words = {}; // name -> {words, codes}
const numbers = {}; // name -> Float32Array
let runs = []; // {name, flags, wins}: flags by snapshot, 1 trained on it, 2 tried there, 4 won there, 8 won always
let shown = new Uint32Array(0); // numbers of the snapshots that pass the filters, in the order of the list
let at = -1; // the place of the list's cursor
let current = -1; // the number of the snapshot on the right
let wanted = -1; // the number of the one that is to be shown, while its chunk is loading

function bytes(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const raw = atob(text);
  const made = new Uint8Array(raw.length);
  for (let k = 0; k < raw.length; k++) made[k] = raw.charCodeAt(k);
  return made;
}

const unsigned = (text, bits) => new { 8: Uint8Array, 16: Uint16Array, 32: Uint32Array }[bits](bytes(text).buffer);

function names(packed) {
  const shared = unsigned(packed.shared, 8);
  let last = "";
  return packed.rest.map((rest, k) => (last = last.slice(0, shared[k]) + rest));
}

function index(told) {
  data = told;
  ids = names(told.ids);
  for (const [name, column] of Object.entries(told.words)) words[name] = { words: column.words, codes: unsigned(column.codes, column.bits) };
  for (const [name, column] of Object.entries(told.numbers)) numbers[name] = new Float32Array(bytes(column).buffer);
  runs = told.runs.map((run) => {
    const tried = unsigned(run.tried, 32);
    return { name: run.name, trained: unsigned(run.trained, 32), tried, plays: unsigned(run.plays, 16), wins: unsigned(run.wins, 16), flags: null };
  });
  $("lead").textContent = `Preset ${told.preset}: ${count(told.count, "decision")} before failure, each with what was measured there.`;
  makeFilters();
  follow();
  painted(() => (root.dataset.opened = Math.round(performance.now())));
}

function flags(run) {
  if (run.flags) return run.flags;
  run.flags = new Uint8Array(data.count);
  for (const k of run.trained) run.flags[k] |= 1;
  run.tried.forEach((k, place) => {
    run.flags[k] |= 2 | (run.wins[place] > 0 ? 4 : 0) | (run.wins[place] === run.plays[place] ? 8 : 0);
  });
  return run.flags;
}

function painted(then) {
  requestAnimationFrame(() => requestAnimationFrame(then));
}

// ---- filters -------------------------------------------------------------------------------------------------------

const FILTERS = [
  ["quadrant", "Quadrant"],
  ["family", "Family"],
  ["route", "Route (best patch)"],
  ["ended", "Its episode"],
  ["source", "Who played"],
  ["error_type", "Kind of error"],
];
const WHAT = [
  ["any", "trained on it or tried there", (f) => f !== 0],
  ["trained", "was trained on it", (f) => f & 1],
  ["tried", "was tried there", (f) => f & 2],
  ["won", "won from there at least once", (f) => f & 4],
  ["always", "won from there always", (f) => f & 8],
  ["never", "never won from there", (f) => (f & 2) && !(f & 4)],
];
const SORTS = [
  ["", "game and step", null],
  ["-ELP_net", "teachability ELP_net, high first", ["ELP_net", -1]],
  ["-L_local", "leverage L_local, high first", ["L_local", -1]],
  ["-U", "uncertainty U, high first", ["U", -1]],
  ["U", "uncertainty U, low first", ["U", 1]],
  ["distance", "distance, near first", ["distance", 1]],
];
let filters = {};

function choice(name, title, options, wide) {
  const select = h("select", { id: name, name }, options.map(([value, text]) => h("option", { value }, text)));
  $("filters").append(h("label", { for: name, class: wide || null }, h("span", {}, title), select));
}

function makeFilters() {
  for (const [name, title] of FILTERS) {
    const { words: known, codes } = words[name];
    const counts = new Uint32Array(known.length);
    for (const code of codes) counts[code]++;
    const options = known.map((word, code) => [word === null ? "" : word, `${word === null ? "none" : word.replaceAll("_", " ")} (${counts[code].toLocaleString("en")})`, counts[code]]);
    const none = options[0][2] ? [["~", `none (${options[0][2].toLocaleString("en")})`]] : [];
    if (options.length + none.length > 2) choice(name, title, [["", "any"], ...options.slice(1), ...none]);
  }
  const near = [...new Set(numbers.distance)].filter((d) => !Number.isNaN(d)).sort((a, b) => a - b);
  if (near.length > 1) choice("distance", "Distance", [["", "any"], ...near.slice(0, 200).map((d) => [String(d), d === 1 ? "1 (deciding)" : String(d)])]);
  if (runs.length) {
    choice("run", "Run", [["", "any"], ...runs.map((run) => [run.name, run.name])]);
    choice("what", "… which", WHAT.map(([value, text]) => [value, text]), "two");
  }
  for (const [value, text] of SORTS) $("sort").append(h("option", { value }, text));
  if (matchMedia("(max-width: 760px)").matches) $("fold").open = false;
}

function readForm() {
  const found = {};
  for (const [name, value] of new FormData($("filters"))) if (value && !(name === "what" && value === "any")) found[name] = value;
  if (!found.run) delete found.what;
  return found;
}

function apply() {
  const tests = [];
  for (const [name] of FILTERS) {
    if (!(name in filters)) continue;
    const code = filters[name] === "~" ? 0 : words[name].words.indexOf(filters[name]);
    const codes = words[name].codes;
    tests.push((k) => codes[k] === code);
  }
  if ("distance" in filters) {
    const distance = Number(filters.distance);
    tests.push((k) => numbers.distance[k] === distance);
  }
  if ("run" in filters) {
    const run = runs.find((one) => one.name === filters.run);
    const test = (WHAT.find(([value]) => value === filters.what) || WHAT[0])[2];
    const own = run ? flags(run) : new Uint8Array(data.count);
    tests.push((k) => test(own[k]));
  }
  if ("text" in filters) {
    const text = filters.text.toLowerCase();
    const hits = ["student_action", "suggested_action"].map((name) => {
      const known = words[name].words.map((word) => word !== null && word.toLowerCase().includes(text));
      return (k) => known[words[name].codes[k]];
    });
    tests.push((k) => hits[0](k) || hits[1](k) || ids[k].toLowerCase().includes(text));
  }
  const found = new Uint32Array(data.count);
  let kept = 0;
  for (let k = 0; k < data.count; k++) if (tests.every((test) => test(k))) found[kept++] = k;
  shown = found.subarray(0, kept);
  const order = (SORTS.find(([value]) => value === filters.sort) || SORTS[0])[2];
  if (order) {
    const column = numbers[order[0]];
    const key = (k) => (Number.isNaN(column[k]) ? Infinity : order[1] * column[k]);
    shown.sort((a, b) => key(a) - key(b) || a - b);
  }
  $("count").textContent = kept === data.count ? count(kept, "snapshot") : `${kept.toLocaleString("en")} of ${count(data.count, "snapshot")}`;
  $("reset").hidden = !Object.keys(filters).some((name) => name !== "sort");
  at = shown.indexOf(wanted >= 0 ? wanted : current);
  $("space").style.height = `${kept * ROW}px`;
  $("list").scrollTop = at < 0 ? 0 : Math.max(0, (at - 2) * ROW);
  draw(true);
}

// ---- the list ------------------------------------------------------------------------------------------------------

const word = (name, k) => words[name].words[words[name].codes[k]];
const tag = (quadrant) => h("span", { class: `tag ${quadrant ? quadrant.toLowerCase() : ""}` }, quadrant || "no quadrant");
const rows = new Map(); // place -> element

function draw(anew) {
  const list = $("list");
  const first = Math.max(0, Math.floor(list.scrollTop / ROW) - 8);
  const last = Math.min(shown.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + 8);
  for (const [place, row] of rows) {
    if (anew || place < first || place >= last) {
      row.remove();
      rows.delete(place);
    }
  }
  for (let place = first; place < last; place++) if (!rows.has(place)) rows.set(place, line(place));
  for (const [place, row] of rows) row.setAttribute("aria-selected", String(place === at));
  if (rows.has(at)) list.setAttribute("aria-activedescendant", `row-${at}`);
  else list.removeAttribute("aria-activedescendant");
}

function line(place) {
  const k = shown[place];
  const value = (name, title) => `${title} ${number(numbers[name][k])}`;
  const row = h(
    "div",
    { class: "row", role: "option", id: `row-${place}`, "aria-setsize": shown.length, "aria-posinset": place + 1, click: () => choose(place, true) },
    h("div", {}, h("span", { class: "did" }, word("student_action", k) || "–"), tag(word("quadrant", k))),
    h("div", { class: "sub" },
      h("span", {}, [word("family", k), word("route", k), word("ended", k)].filter(Boolean).join(" · ")),
      h("span", {}, [`at ${numbers.distance[k]}`, value("U", "U"), value("L_local", "L"), value("ELP_net", "ELP")].map((part) => h("span", {}, part)))),
  );
  row.style.top = `${place * ROW}px`;
  $("space").append(row);
  return row;
}

function reveal() {
  const list = $("list");
  const top = at * ROW;
  if (at >= 0 && top < list.scrollTop) list.scrollTop = top;
  else if (at >= 0 && top + ROW > list.scrollTop + list.clientHeight) list.scrollTop = top + ROW - list.clientHeight;
  draw(false);
}

let later = 0;
function choose(place, open) {
  if (!shown.length) return;
  at = Math.max(0, Math.min(shown.length - 1, place));
  reveal();
  clearTimeout(later);
  const narrow = matchMedia("(max-width: 760px)").matches;
  if (open) go(shown[at], true);
  else if (!narrow) later = setTimeout(() => go(shown[at], false), 120);
}

// ---- where we are: everything stands in the address -----------------------------------------------------------------

function address(extra) {
  const parts = new URLSearchParams(filters);
  if (extra !== null) parts.set("id", extra);
  return `#${parts}`;
}

let narrowOpen = false;
function go(k, open) {
  narrowOpen = open;
  const next = address(ids[k]);
  if (location.hash !== next) {
    if (open) location.hash = next;
    else location.replace(next);
  } else follow();
}

function follow() {
  if (!data) return;
  const parts = new URLSearchParams(location.hash.slice(1));
  const id = parts.get("id");
  parts.delete("id");
  const asked = Object.fromEntries(parts);
  if (JSON.stringify(asked) !== JSON.stringify(filters) || !root.dataset.filtered) {
    filters = asked;
    for (const field of $("filters").elements) if (field.name) field.value = filters[field.name] || (field.name === "what" ? "any" : "");
    wanted = id === null ? -1 : ids.indexOf(id);
    apply();
    root.dataset.filtered = "yes";
  }
  if (id === null) {
    wanted = current = -1;
    document.body.dataset.view = "list";
    document.title = "Teachable moments: snapshots";
    delete root.dataset.shown;
    draw(false);
    return;
  }
  const k = ids.indexOf(id);
  document.body.dataset.view = "detail";
  if (k < 0) {
    wanted = current = -1;
    $("main").replaceChildren(h("div", { class: "bar-top" }, back()), note(`No snapshot of this run is called ${id}. It may be of another run, or of one that was made again since.`));
    return;
  }
  open(k);
}

const back = () => h("button", { type: "button", class: "back", click: () => (location.hash = address(null)) }, "‹ List");

// ---- chunks --------------------------------------------------------------------------------------------------------

const loaded = new Map(); // number of a chunk -> it, the last used last
const waiting = new Map(); // number of a chunk -> who waits

function chunk(number, told) {
  loaded.set(number, told);
  for (const [old] of loaded) if (loaded.size > KEPT && old !== number) loaded.delete(old);
}

function load(file, then, failed) {
  const script = h("script", { src: `data/${file}.js` });
  script.onload = () => {
    script.remove();
    then();
  };
  script.onerror = () => {
    script.remove();
    failed(`data/${file}.js cannot be loaded: the folder is not whole. Make it again with “teachable view”.`);
  };
  document.head.append(script);
}

function withChunk(place, then) {
  if (loaded.has(place)) {
    const kept = loaded.get(place);
    loaded.delete(place);
    loaded.set(place, kept);
    then(kept);
    return;
  }
  if (waiting.has(place)) {
    waiting.set(place, then);
    return;
  }
  waiting.set(place, then);
  const done = () => {
    const last = waiting.get(place);
    waiting.delete(place);
    return last;
  };
  load(place, () => done()(loaded.get(place)), (text) => {
    done();
    $("main").replaceChildren(h("div", { class: "bar-top" }, back()), note(text));
  });
}

function open(k) {
  const from = performance.now();
  wanted = k;
  withChunk(Math.floor(k / data.size), (told) => {
    if (wanted !== k) return;
    const again = current === k;
    current = k;
    const place = shown.indexOf(k);
    if (place !== at) {
      at = place;
      reveal();
    }
    if (!again) {
      $("main").replaceChildren(...snapshot(told, told.snapshots[k - Math.floor(k / data.size) * data.size]));
      $("main").scrollTop = 0;
    }
    document.title = `${word("student_action", k)} · Teachable moments`;
    if (narrowOpen && matchMedia("(max-width: 760px)").matches) $("main").focus({ preventScroll: true });
    painted(() => {
      root.dataset.shown = ids[k];
      root.dataset.shownMs = Math.round(performance.now() - from);
    });
  });
}

// ---- one snapshot --------------------------------------------------------------------------------------------------

const QUADRANT = { Q1: "uncertain, and a better command would have helped", Q2: "uncertain, but one command changes little", Q3: "certain, and one command changes little", Q4: "certain, and a better command would have helped" };

function snapshot(told, one) {
  const text = (ref) => (ref === null || ref === undefined ? null : told.texts[ref]);
  return [
    head(one, text),
    h("h2", {}, "What was measured"),
    facts(one),
    h("h2", {}, "The episode, as the agent read it"),
    ...episode(told, one, text),
    h("h2", { id: "commands" }, "Commands: how likely, and what each is worth"),
    ...commands(one, text),
    h("h2", {}, "Under each patch"),
    ...underPatches(one, text),
    h("h2", {}, "Advice"),
    ...advice(one, text),
    h("h2", {}, "As a training example"),
    ...examples(one, text),
    h("h2", {}, "How each run acts here"),
    ...runsHere(one, text),
    h("h2", {}, "Episodes behind the labels"),
    ...tries(one, text),
  ];
}

function move(by) {
  const place = at < 0 ? (by > 0 ? 0 : shown.length - 1) : at + by;
  if (place >= 0 && place < shown.length) choose(place, true);
}

function head(one, text) {
  const place = shown.indexOf(wanted);
  const link = address(one.id);
  const clean = `#${new URLSearchParams({ id: one.id })}`;
  const marks = [one.kind === "interval" ? "drawn at a fixed interval" : null, one.source === "expert" ? "the expert's failure" : null, one.said.unwinnable ? "a dead end: cannot be won any more" : null];
  return h("div", {},
    h("div", { class: "bar-top" }, back(),
      h("button", { type: "button", disabled: place <= 0, click: () => move(-1) }, "Previous"),
      h("button", { type: "button", disabled: place < 0 || place === shown.length - 1, click: () => move(1) }, "Next"),
      h("span", { class: "place" }, place < 0 ? "outside the filters" : `${(place + 1).toLocaleString("en")} of ${shown.length.toLocaleString("en")}`)),
    h("h2", { class: "title", "data-address": link }, text(one.did)),
    h("p", { class: "name" }, h("a", { href: clean, title: "A link to this snapshot" }, one.id)),
    h("p", {}, tag(one.said.quadrant), one.said.quadrant ? ` ${QUADRANT[one.said.quadrant]}. ` : ". ",
      `Step ${one.step + 1}${one.kind === "failure" ? ", " + distance(one.distance) : ""}. Family ${text(one.family)}. `,
      one.ended ? `The episode ended: ${one.ended}.` : "How the episode ended is not in these tables."),
    h("p", {}, marks.filter(Boolean).map((mark) => h("span", { class: "mark" }, mark))));
}

function distance(d) {
  if (d === 1) return "the deciding decision (distance 1)";
  return d > 1 ? `${count(d - 1, "decision")} before the deciding one (distance ${d})` : `${count(1 - d, "decision")} behind the deciding one (distance ${d})`;
}

function facts(one) {
  const m = one.measured;
  const entry = (title, name, digits) => (m[name] === undefined ? null : h("div", {}, h("dt", {}, title), h("dd", {}, number(m[name], digits), m[`${name}_se`] === undefined ? null : h("small", {}, ` ± ${number(m[`${name}_se`])}`))));
  const said = (title, value) => (value === undefined || value === null ? null : h("div", {}, h("dt", {}, title), h("dd", {}, String(value).replaceAll("_", " "))));
  const made = [
    entry(`Uncertainty U${data.measure ? ` (${data.measure.replaceAll("_", " ")})` : ""}`, "U"),
    entry("Leverage L_local", "L_local"),
    entry("Leverage of the whole play L_upper", "L_upper"),
    entry("Teachability ELP_net", "ELP_net"),
    entry("ELP_net, corrected for choosing the best", "ELP_net_debiased"),
    said("Route: best patch", one.said.route ? one.said.route + (one.said.route_tied ? ", tied" : "") : null),
    entry("P(success), the student plays on", "p_policy"),
    entry("P(success), expert's command first", "p_force"),
    entry("P(success), the expert plays on", "p_expert"),
    entry("Steps back to where the expert wins", "d_expert", 0),
    entry("Steps back to where one command wins", "d_force", 0),
    said("Profile", one.said.profile ? one.said.profile.replace(/^[A-C]_/, "") : null),
    said("Estimated by", one.said.estimator),
  ].filter(Boolean);
  return made.length ? h("dl", { class: "facts" }, made) : note("No label was measured here.");
}

function meter(value, kind, se, title) {
  if (value === null || value === undefined) return h("span", { class: "n" }, "–");
  const bar = h("b");
  bar.style.width = `${100 * Math.max(0, Math.min(1, value))}%`;
  const track = h("span", { class: `track ${kind || ""}` }, bar);
  if (se) {
    const low = Math.max(0, value - se), high = Math.min(1, value + se);
    const whisker = h("i");
    whisker.style.left = `${100 * low}%`;
    whisker.style.width = `${100 * (high - low)}%`;
    track.append(whisker);
  }
  return h("span", { class: "meter", title: title || null }, track, h("span", { class: "n" }, share(value)));
}

function commandMarks(ref, one) {
  return [
    ref === one.did ? h("span", { class: "mark bad" }, "the student did") : null,
    ref === one.expert ? h("span", { class: "mark good" }, "the expert would") : null,
    one.advice && one.advice.suggested_action === ref ? h("span", { class: "mark good" }, "the teacher suggests") : null,
  ];
}

function commands(one, text) {
  const values = new Map(one.values.map((row) => [row[0], row]));
  const order = one.commands.map((ref, k) => [ref, one.policy[k]]).sort((a, b) => b[1] - a[1]);
  const conditions = values.size ? data.conditions : [data.conditions[0]];
  const table = h("table", { class: "values", "data-shown": "0" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Command"), h("th", { scope: "col" }, "V(a)"),
      conditions.map((condition, k) => h("th", { scope: "col", "data-condition": k }, `π ${condition}`)))),
    h("tbody", {}, order.map(([ref, p]) => {
      const row = values.get(ref);
      const bounds = row && row[3] !== null && row[4] !== null ? `, certainly between ${number(row[3])} and ${number(row[4])}` : "";
      const title = row ? `P(success | ${text(ref)}) = ${number(row[1])}${row[2] === null ? "" : ` ± ${number(row[2])}`}${bounds}` : null;
      return h("tr", {},
        h("th", { scope: "row", class: "head" }, text(ref), h("div", {}, commandMarks(ref, one))),
        h("td", {}, row ? meter(row[1], "v", row[2], title) : "–"),
        conditions.map((condition, k) => h("td", { "data-condition": k }, meter(row ? row[5 + k] : k === 0 ? p : null))));
    })));
  const pick = h("label", { class: "pick", for: "pick" }, h("span", {}, "Distribution shown"),
    h("select", { id: "pick", change: (event) => (table.dataset.shown = event.target.value) }, conditions.map((condition, k) => h("option", { value: k }, condition))));
  return [
    note(values.size
      ? "V(a): the chance that the student succeeds after this command, with its standard error. π: how likely the student takes it, as it is (base) and with each patch before its eyes."
      : "What each command is worth was not measured here one by one, nor the distribution under each patch; only the student's own distribution is known."),
    conditions.length > 1 ? pick : null,
    h("div", { class: "scroll" }, table),
  ].filter(Boolean);
}

function underPatches(one, text) {
  const m = one.measured;
  const made = [];
  if (!one.patches) {
    made.push(note(one.untold ? `There is no patch: ${one.untold}` : "There is no advice in these tables, so no text of a patch."));
  } else if (one.advice) made.push(note("What the student read beside the decision, word for word, and its chance of success then."));
  if (data.conditions.every((condition) => m[`p_${condition}`] === undefined)) {
    made.push(note("Success under the patches was not measured here."));
    if (!one.patches) return made;
  }
  made.push(h("div", { class: "scroll" }, h("table", {},
    h("thead", {}, h("tr", {}, ["Patch", "P(success)", "over placebo", "What it says"].map((title) => h("th", { scope: "col" }, title)))),
    h("tbody", {}, data.conditions.map((condition) => h("tr", {},
      h("th", { scope: "row" }, condition, one.said.route === condition ? h("div", {}, h("span", { class: "mark good" }, one.said.route_tied ? "route, tied" : "route")) : null),
      h("td", {}, meter(m[`p_${condition}`], "v", m[`p_${condition}_se`], m[`p_${condition}_se`] === undefined ? null : `± ${number(m[`p_${condition}_se`])}`)),
      h("td", { class: "n right" }, m[`net_${condition}`] === undefined ? "" : number(m[`net_${condition}`])),
      h("td", { class: "said" }, condition === data.conditions[0] ? "(nothing)" : one.patches ? text(one.patches[condition]) : "")))))));
  return made;
}

function advice(one, text) {
  const told = one.advice;
  if (!told) return [note(data.absent.includes("advice") ? "The table of advice is not there." : "No teacher was asked here.")];
  const entry = (title, value) => (value === null || value === undefined ? [] : [h("dt", {}, title), h("dd", {}, value)]);
  return [
    told.valid ? null : note("The advice was not valid, and nothing was made of it."),
    h("dl", { class: "read" },
      entry("Suggests", text(told.suggested_action)), entry("Why", text(told.rationale)), entry("Diagnosis", text(told.diagnosis)),
      entry("Why the student's is poor", text(told.why_bad)), entry("Kind of error", (text(told.error_type) || "").replaceAll("_", " ") || null),
      entry("Confidence", text(told.confidence)), entry("Not valid because", text(told.reason)),
      entry("Teacher", [text(told.teacher), text(told.model)].filter((name, k, all) => name && all.indexOf(name) === k).join(", ") || null)),
  ].filter(Boolean);
}

function readAt(read, text, before) {
  const entry = (title, value) => (value === null || value === "" ? [] : [h("dt", {}, title), h("dd", {}, value)]);
  return h("dl", { class: "read" },
    before && before.goal === read.goal ? [] : entry("Goal", text(read.goal)),
    entry("Memo", text(read.memo)), entry("Scene", text(read.scene)), entry("Last answer", text(read.observation)));
}

function policyList(step, text) {
  const order = step.commands.map((ref, k) => [ref, step.policy[k]]).sort((a, b) => b[1] - a[1]);
  return h("ul", { class: "policy", "aria-label": "Commands and how likely the student takes each" },
    order.map(([ref, p]) => h("li", { class: ref === step.did ? "taken" : null }, h("span", { class: "said" }, text(ref)), meter(p))));
}

function episode(told, one, text) {
  if (one.episode === null) {
    const played = one.prefix.map((ref) => text(ref));
    return [
      note("The steps of this episode are not in these tables; this is what the agent read at this decision."),
      played.length ? note(`Played before: ${played.join("; ")}.`) : note("It is the first decision."),
      readAt(one.read, text, null),
      policyList(one, text),
    ];
  }
  const steps = told.episodes[one.episode].steps;
  const deciding = one.kind === "failure" ? one.step + one.distance - 1 : -1;
  const items = steps.map((step, k) => {
    const here = step.step === one.step;
    const likely = step.policy[step.commands.indexOf(step.did)];
    const marks = [
      here ? h("span", { class: "mark" }, "this snapshot") : null,
      step.step === deciding ? h("span", { class: "mark" }, "deciding") : null,
      step.unwinnable ? h("span", { class: "mark bad" }, "cannot be won") : null,
    ];
    const inside = h("div", { class: "inside" });
    const fill = () => inside.childNodes.length || inside.append(readAt(step, text, k ? steps[k - 1] : null), h("h3", {}, "Commands"), policyList(step, text));
    if (here) fill();
    return h("li", { class: here ? "here" : null }, h("details", { open: here, toggle: fill },
      h("summary", {}, h("span", { class: "no" }, String(step.step + 1)), h("span", { class: "what" }, text(step.did), " ", marks), h("span", { class: "n error" }, likely === undefined ? "" : share(likely))),
      inside));
  });
  const all = h("button", { type: "button", click: () => {
    const closed = items.some((item) => !item.firstChild.open);
    for (const item of items) item.firstChild.open = closed;
    all.textContent = closed ? "Close all steps" : "Open all steps";
  } }, "Open all steps");
  const most = Math.max(...steps.map((step) => step.step));
  return [
    h("dl", { class: "read" }, h("dt", {}, "Goal"), h("dd", {}, text(steps[0].goal))),
    note(`${count(steps.length, "decision")}${one.ended ? `, then: ${one.ended}` : ""}. On the right how likely the student took what it took.${most + 1 > steps.length ? " Some steps are not in these tables." : ""}`),
    h("p", {}, all),
    h("ol", { class: "steps" }, items),
  ];
}

function examples(one, text) {
  if (!one.examples.length) return [note(data.absent.includes("examples") ? "The training sets are not there." : "No run was trained on this snapshot."), ...micro(one)];
  return [
    ...one.examples.map((example) => h("div", { class: "example" },
      h("h3", {}, `${example.format || ""}${example.plain && example.format !== "demo" ? ", without its patch" : ""}`),
      h("p", {}, "In ", example.runs.map(([run, draws], k) => [k ? ", " : "", run, draws.length ? h("small", { class: "error" }, ` (training ${draws.join(", ")})`) : ""])),
      h("p", { class: "note" }, "Prompt"), h("pre", { tabindex: "0", "aria-label": "Prompt" }, text(example.prompt)),
      h("p", { class: "note" }, "Answer to learn"), h("pre", {}, text(example.completion)))),
    ...micro(one),
  ];
}

function micro(one) {
  if (!one.micro) return [];
  const m = one.micro;
  return [
    h("h3", {}, "Trained on this one example"),
    note(`In format ${m.format || "–"}, for a step or two: P(success) from here ${number(m.before)} ± ${number(m.before_se)} before, ${number(m.after)} ± ${number(m.after_se)} after; on similar games ${number(m.delta_similar)} more; together Δ ${number(m.delta_micro)}.`),
  ];
}

function play(end, actions, text, label) {
  return h("li", {}, label ? `${label}: ` : "", h("span", { class: end === "won" ? "won" : "lost" }, end), actions.length ? ` after ${actions.map((ref) => text(ref)).join(" → ")}` : "");
}

function runsHere(one, text) {
  if (!one.runs.length) {
    const tables = data.absent.includes("probes") && data.absent.includes("played");
    return [note(tables ? "No run has been played or probed yet in these tables." : "This snapshot is not on the panel of held-out failures on which runs are tried.")];
  }
  const order = new Map(runs.map((run, k) => [run.name, k]));
  const sorted = [...one.runs].sort((a, b) => (order.get(a.model) ?? 999) - (order.get(b.model) ?? 999));
  return [
    note("What each model would most likely do first, by training; how likely it takes the expert's command; and what became of its episodes from here."),
    h("div", { class: "scroll" }, h("table", {},
      h("thead", {}, h("tr", {}, ["Model", "Most likely command", "π(expert's command)", "Won"].map((title) => h("th", { scope: "col" }, title)))),
      h("tbody", {}, sorted.map((run) => h("tr", {},
        h("th", { scope: "row" }, run.model, run.trained ? h("div", {}, h("span", { class: "mark" }, "trained on it")) : null),
        h("td", {}, run.probes.length ? tops(run.probes, one, text) : "not probed"),
        h("td", {}, run.probes.map(([, , p]) => h("div", {}, meter(p)))),
        h("td", {}, run.played ? h("span", { class: "n" }, `${run.won} of ${run.played}`) : "not played",
          run.unjudged ? h("div", { class: "error" }, `${run.unjudged} with a fault`) : null,
          run.shown.length ? lazily("Episodes", () => h("ul", { class: "plays" }, run.shown.map(([seed, end, actions]) => play(end, actions, text, seed === null ? null : `training ${seed}`)))) : null)))))),
  ];
}

function lazily(title, make) {
  const made = h("details", { toggle: () => made.childNodes.length > 1 || made.append(make()) }, h("summary", {}, title));
  return made;
}

function tops(probes, one, text) {
  return probes.map(([seed, top]) => h("div", {}, text(top) ?? "–", " ", top === one.expert ? h("span", { class: "mark good" }, "the expert's") : top === one.did ? h("span", { class: "mark bad" }, "the failure's") : null, probes.length > 1 && seed !== null ? h("span", { class: "error" }, ` training ${seed}`) : null));
}

function tries(one, text) {
  if (!one.tries.length) return [note(data.absent.includes("label_episodes") ? "The episodes behind the labels are not there." : "No episode was played for the labels of this snapshot.")];
  return [
    h("div", { class: "scroll" }, h("table", {},
      h("thead", {}, h("tr", {}, ["Who or what", "Won", "The first of them"].map((title) => h("th", { scope: "col" }, title)))),
      h("tbody", {}, one.tries.map((group) => h("tr", {},
        h("th", { scope: "row" }, group.condition),
        h("td", { class: "n" }, `${group.won} of ${group.played}`),
        h("td", {}, h("ul", { class: "plays" }, group.shown.map(([end, actions]) => play(end, actions, text))))))))),
  ];
}

// ---- hands on ------------------------------------------------------------------------------------------------------

let waitingText = 0;
function changed() {
  const next = readForm();
  const parts = new URLSearchParams(next);
  if (current >= 0) parts.set("id", ids[current]);
  location.replace(`#${parts}`);
}
$("filters").addEventListener("submit", (event) => event.preventDefault());
$("filters").addEventListener("change", (event) => event.target.name !== "text" && changed());
$("sort").addEventListener("change", changed); // of the form, but not in it
$("filters").addEventListener("input", (event) => {
  if (event.target.name !== "text") return;
  clearTimeout(waitingText);
  waitingText = setTimeout(changed, 150);
});
$("reset").addEventListener("click", () => {
  location.replace(current >= 0 ? `#${new URLSearchParams({ id: ids[current] })}` : "#");
  $("list").focus();
});
$("skip").addEventListener("click", () => $("main").focus());
$("list").addEventListener("scroll", () => requestAnimationFrame(() => draw(false)), { passive: true });
$("list").addEventListener("keydown", (event) => {
  const page = Math.max(1, Math.floor($("list").clientHeight / ROW) - 1);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: shown.length - 1 }[event.key];
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (to !== undefined) {
    event.preventDefault();
    choose(to, false);
  } else if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    if (shown.length) choose(Math.max(0, at), true);
    $("main").focus();
  }
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !data) return;
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "j" || event.key === "k") move(event.key === "j" ? 1 : -1);
  else if (event.key === "/") {
    event.preventDefault();
    document.body.dataset.view = "list";
    $("fold").open = true;
    $("text").focus();
  } else if (event.key === "Escape" && matchMedia("(max-width: 760px)").matches && document.body.dataset.view === "detail") {
    location.hash = address(null);
    $("list").focus();
  }
});
addEventListener("hashchange", follow);
addEventListener("resize", () => data && draw(false));
painted(() => load("index", () => {}, (text) => ($("lead").textContent = text)));
