// The page of `dispatchlab serve`: an edit is sent, and what comes back is shown.
//
// Correct means: what stands beside a text is of that text; an answer that comes too late for it is thrown away.
import { Editor } from "./editor.js";
import { code, link } from "./code.js";
import { compared, numbers, past, sites } from "./numbers.js";
import { ask, isGivenUp, made, part, said } from "./page.js";
import { exports } from "./save.js";
import { Sweep } from "./sweep.js";

const MOST_RUNS = 60;
const SETTLE_MS = 40;

let templates = [];
let tabs = [];
let current = null;
let asked = null;
let timer = 0;
let pair = null;

const editor = new Editor(part("editor"), { edited: soon, moved: (line) => link(line) });
const sweep = new Sweep(() => wanted(current));
const offerRun = exports(part("exports"), "dispatchlab", () => current && current.report, say);
const offerPair = exports(part("pair-exports"), "dispatchlab-compare", () => pair, sayOfPair);

function say(text) {
  part("state").textContent = text;
}

function sayOfPair(text) {
  part("unlike").textContent = text;
}

// A text of its own, with its runs.
function tab(name, text, params) {
  const known = templates.find((one) => one.name === name);
  return {
    name: known || text !== undefined ? name : templates[0].name,
    params: params || {},
    state: editor.fresh(text === undefined ? (known || templates[0]).text : text),
    runs: [],
    baseline: null,
    last: null,
    report: null,
    found: null,
  };
}

const textOf = (one) => (one === current ? editor.text : one.state.doc.toString());
const wanted = (one) => ({ name: one.name, text: textOf(one), params: one.params });

// Measures the text as it is now; one that is under way for an older text is given up. The misses are asked for once the
// first number is there, and only by who looks at them.
async function run() {
  clearTimeout(timer);
  if (asked) asked.abort();
  const own = new AbortController();
  asked = own;
  const one = current;
  const began = performance.now();
  say("measuring");
  try {
    const found = await ask("api/run", wanted(one), own.signal);
    remember(one, found);
    show(one);
    say(`${Math.round(performance.now() - began)} ms after the edit`);
    keep();
    if (part("by-site").open && one.report) await misses(one, own.signal);
  } catch (error) {
    if (!isGivenUp(error)) say(error.message);
  } finally {
    if (asked === own) asked = null;
  }
  keep();
}

async function misses(one, signal) {
  sites(null);
  part("sites").append(made("tr", "measuring"));
  const found = await ask("api/run", { ...wanted(one), misses: true }, signal);
  if (!found.report) return;
  one.found = found;
  one.report = found.report;
  const metrics = found.report.rows[0].metrics;
  if (one.last && metrics) one.last = { ...one.last, branch_misses: metrics.branch_misses };
  show(one);
}

// What was compared is of texts that are no longer there.
function outdate() {
  if (!pair) return;
  pair = null;
  compared(null);
  offerPair();
  sayOfPair("one of the texts has changed: compare them again");
}

function soon() {
  outdate();
  clearTimeout(timer);
  if (asked) asked.abort();
  timer = setTimeout(run, SETTLE_MS);
}

function remember(one, found) {
  one.found = found;
  one.report = found.report || null;
  const row = found.report && found.report.rows[0];
  const metrics = row && row.metrics;
  if (!metrics) return;
  one.last = metrics;
  if (!one.baseline) one.baseline = metrics;
  if (metrics.cycles && metrics.cycles.value !== null) one.runs = [...one.runs, metrics.cycles.value].slice(-MOST_RUNS);
}

// Shows what is known of a tab.
function show(one) {
  const found = one.found || {};
  const row = found.report && found.report.rows[0];
  const fault = row && row.fault && row.fault.line ? [{ line: row.fault.line, message: "here it went wrong" }] : [];
  editor.mark([...(found.diagnostics || []), ...fault]);
  part("wrong").textContent = said(found).join("\n");
  if (found.params) {
    controls(one, found.params);
    sweep.offers(found.params);
  }
  const metrics = row && row.metrics;
  numbers(metrics, one.baseline);
  sites(part("by-site").open && metrics);
  past(one.runs);
  if (!one.found || row) code(row && row.listing, { link: pointAt, go: (line) => editor.go(line) });
  const warnings = [...((row && row.warnings) || []), ...((found.report && found.report.warnings) || [])];
  part("notes").replaceChildren(...warnings.map((text) => made("li", text)));
  offerRun();
}

// Marks what belongs together: a line of the text and its instructions.
function pointAt(line) {
  editor.link(line);
  link(line);
}

function controls(one, params) {
  const box = part("params");
  if (box.contains(document.activeElement)) return;
  const labels = params.map((param) => {
    const label = made("label", param.name);
    const field = param.allowed.length > 1 ? made("select") : made("input");
    if (param.allowed.length > 1) field.append(...param.allowed.map((value) => new Option(value, value)));
    field.name = param.name;
    field.value = param.name in one.params ? one.params[param.name] : param.default;
    field.addEventListener("change", () => {
      if (field.value === param.default) delete one.params[param.name];
      else one.params[param.name] = field.value;
      outdate();
      run();
    });
    label.append(field);
    return [param.own ? 0 : 1, label];
  });
  labels.sort((one, other) => one[0] - other[0]);
  box.replaceChildren(...labels.map((label) => label[1]));
}

// What can be handed on stands behind the `#` of the address, which no request carries.
function keep() {
  const one = (tab) => {
    const known = templates.find((template) => template.name === tab.name);
    const text = textOf(tab);
    const isOwn = !known || known.text !== text;
    return { name: tab.name, params: tab.params, ...(isOwn ? { text } : {}) };
  };
  const kept = { tabs: tabs.map(one), at: tabs.indexOf(current) };
  history.replaceState(null, "", `#${encodeURIComponent(JSON.stringify(kept))}`);
}

function kept() {
  try {
    const { tabs: all, at } = JSON.parse(decodeURIComponent(location.hash.slice(1)));
    const sound = all.filter((one) => typeof one.name === "string" && ["string", "undefined"].includes(typeof one.text));
    return sound.length ? { all: sound, at: sound[at] ? at : 0 } : null;
  } catch {
    return null;
  }
}

// The tabs to choose from, and those to compare with.
function list() {
  const buttons = tabs.map((one, at) => {
    const button = made("button", `${at + 1} ${one.name}`, one === current ? "chosen" : "");
    button.type = "button";
    button.setAttribute("role", "tab");
    button.setAttribute("aria-selected", String(one === current));
    button.addEventListener("click", () => choose(one));
    return button;
  });
  part("tabs").replaceChildren(...buttons);
  part("close").disabled = tabs.length < 2;
  part("compare").disabled = tabs.length < 2;
  const others = tabs.filter((one) => one !== current);
  const chosen = part("other").value;
  part("other").replaceChildren(...others.map((one) => new Option(`${tabs.indexOf(one) + 1} ${one.name}`, tabs.indexOf(one))));
  if (others.some((one) => String(tabs.indexOf(one)) === chosen)) part("other").value = chosen;
}

function choose(one) {
  if (current && current !== one) current.state = editor.state;
  current = one;
  editor.state = one.state;
  part("templates").value = one.name;
  part("params").replaceChildren();
  list();
  show(one);
  run();
}

// Puts another template into the tab that is shown.
function replace(name) {
  outdate();
  const one = tab(name);
  tabs[tabs.indexOf(current)] = one;
  current = null;
  choose(one);
}

// Measures two tabs in turns.
async function compare() {
  const [base, other] = [tabs[Number(part("other").value)], current];
  const names = [base, other].map((one) => `tab ${tabs.indexOf(one) + 1}`);
  pair = null;
  compared(null);
  offerPair();
  sayOfPair("measuring");
  try {
    const found = await ask("api/compare", { texts: [wanted(base), wanted(other)] });
    const wrong = (found.wrong || []).flatMap((one, at) => said(one).map((text) => `${names[at]}: ${text}`));
    pair = found.report || null;
    compared(pair, names);
    sayOfPair([...wrong, ...(found.refused ? [found.refused] : []), ...(found.reasons || [])].join("\n"));
  } catch (error) {
    sayOfPair(error.message);
  }
  offerPair();
}

async function start() {
  part("run").addEventListener("click", run);
  part("pin").addEventListener("click", () => {
    current.baseline = current.last;
    show(current);
  });
  part("templates").addEventListener("change", () => replace(part("templates").value));
  part("add").addEventListener("click", () => {
    const one = tab(current.name, editor.text, { ...current.params });
    tabs.push(one);
    choose(one);
  });
  part("close").addEventListener("click", () => {
    const at = tabs.indexOf(current);
    tabs.splice(at, 1);
    current = null;
    choose(tabs[Math.max(at - 1, 0)]);
  });
  part("compare").addEventListener("click", compare);
  part("by-site").addEventListener("toggle", () => part("by-site").open && current && run());
  try {
    ({ templates } = await ask("api/templates"));
  } catch (error) {
    say(error.message);
    return;
  }
  part("templates").append(...templates.map((one) => new Option(`${one.name}: ${one.title}`, one.name)));
  const before = kept() || { all: [{ name: "itab_call" }], at: 0 };
  tabs = before.all.map((one) => tab(one.name, one.text, one.params));
  choose(tabs[before.at]);
}

start();
