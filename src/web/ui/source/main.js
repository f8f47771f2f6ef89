"use strict";
// The page of `dispatchlab serve`: an edit is sent, and what comes back is shown. All texts are put into the page as
// texts, never as markup, for a template may hold anything.

const part = (id) => document.getElementById(id);
const made = (name, text = "", kind = "") => {
  const element = document.createElement(name);
  element.textContent = text;
  if (kind) element.className = kind;
  return element;
};

const MOST_RUNS = 60;
const SETTLE_MS = 40;
const state = { templates: [], name: "", params: {}, runs: [], baseline: null, last: null, asked: null, timer: 0, wrong: [] };

async function ask(path, options = {}) {
  const response = await fetch(path, { cache: "no-store", ...options });
  const document = await response.json();
  if (!response.ok) throw new Error(document.error || response.statusText);
  return document;
}

// Measures the text as it is now; one that is under way for an older text is given up.
async function run() {
  clearTimeout(state.timer);
  if (state.asked) state.asked.abort();
  const asked = new AbortController();
  state.asked = asked;
  const began = performance.now();
  part("state").textContent = "measuring";
  try {
    const found = await ask("api/run", {
      method: "POST",
      signal: asked.signal,
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ name: state.name, text: part("text").value, params: state.params }),
    });
    show(found);
    part("state").textContent = `${Math.round(performance.now() - began)} ms after the edit`;
  } catch (error) {
    if (error.name === "AbortError") return;
    part("state").textContent = error.message;
  } finally {
    if (state.asked === asked) state.asked = null;
  }
  keep();
}

function soon() {
  clearTimeout(state.timer);
  state.timer = setTimeout(run, SETTLE_MS);
}

function show(found) {
  state.wrong = found.diagnostics || [];
  const row = found.report && found.report.rows[0];
  const said = state.wrong.map((one) => `line ${one.line}, column ${one.column}: ${one.message}${one.help ? `\n  ${one.help}` : ""}`);
  if (found.refused) said.push(found.refused);
  said.push(...(found.reasons || []));
  part("wrong").textContent = said.join("\n");
  gutter(row && row.fault ? [row.fault.line] : []);
  if (found.params) controls(found.params);
  const metrics = row && row.metrics;
  if (metrics) {
    state.last = metrics;
    if (!state.baseline) state.baseline = metrics;
    if (metrics.cycles && metrics.cycles.value !== null) state.runs = [...state.runs, metrics.cycles.value].slice(-MOST_RUNS);
  }
  numbers(metrics);
  past();
  if (row && row.listing) code(row.listing);
  const warnings = [...((row && row.warnings) || []), ...((found.report && found.report.warnings) || [])];
  part("notes").replaceChildren(...warnings.map((text) => made("li", text)));
}

const COLUMNS = ["cycles", "ns", "instructions", "branches", "branch_misses"];

function numbers(metrics) {
  const table = part("numbers");
  table.replaceChildren();
  if (!metrics) return;
  const head = made("tr");
  head.append(made("th", "per iteration"), made("th", "value"), made("th", "basis"), made("th", "of the baseline"));
  table.append(head);
  for (const name of COLUMNS) {
    const metric = metrics[name];
    if (!metric) continue;
    const has = metric.value !== null && metric.value !== undefined;
    const digits = name === "branch_misses" ? 3 : 2;
    const line = made("tr");
    line.append(made("td", name.replace("_", " ")), made("td", has ? metric.value.toFixed(digits) : "–"));
    const interval = has && metric.low !== undefined && metric.low !== metric.high ? ` ${metric.low.toFixed(digits)}–${metric.high.toFixed(digits)}` : "";
    const basis = made("td", metric.basis + interval);
    basis.title = metric.why || metric.source || "";
    line.append(basis, made("td", ratio(metric, state.baseline && state.baseline[name])));
    table.append(line);
  }
}

// Of two intervals that were measured one after the other: the widest ratio that both allow.
function ratio(metric, base) {
  if (!base || !metric.value || !base.value || base.basis !== metric.basis) return "";
  const times = (metric.value / base.value).toFixed(3);
  if (metric.basis === "exact" || metric.low === undefined || base.low === undefined) return `${times}×`;
  return `${times}× [${(metric.low / base.high).toFixed(3)}–${(metric.high / base.low).toFixed(3)}]`;
}

function past() {
  const most = Math.max(...state.runs, 1e-9);
  const points = state.runs.map((value, at) => `${(at / Math.max(state.runs.length - 1, 1)) * 600},${58 - (value / most) * 54}`);
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  line.setAttribute("points", points.join(" "));
  part("history").replaceChildren(line);
  part("range").textContent = state.runs.length ? `cycles of the last ${state.runs.length} runs, from 0 to ${most.toFixed(2)}` : "";
}

function code(listing) {
  const table = part("code");
  table.replaceChildren();
  for (const one of listing.functions) {
    const head = made("tr", "", "name");
    const cell = made("td", `${one.name}:${one.is_modelled ? " (modelled)" : ""}`);
    cell.colSpan = 4;
    head.append(cell);
    table.append(head);
    for (const instruction of one.instructions) {
      const line = made("tr");
      const own = instruction.file ? "" : instruction.line || "";
      line.append(made("td", String(own), "line"), made("td", instruction.bytes, "bytes"), made("td", instruction.text));
      line.append(made("td", instruction.executions === 1 ? "" : `${+instruction.executions.toFixed(3)}×`, "times"));
      if (own) {
        line.dataset.line = own;
        line.addEventListener("mouseenter", () => link(own));
        line.addEventListener("click", () => go(own));
      }
      table.append(line);
    }
  }
}

// Marks what belongs together: a line of the text and its instructions.
function link(line) {
  for (const one of document.querySelectorAll(".linked")) one.classList.remove("linked");
  const number = part("gutter").children[line - 1];
  if (number) number.classList.add("linked");
  for (const one of document.querySelectorAll(`#code tr[data-line="${line}"]`)) one.classList.add("linked");
}

function go(line) {
  const text = part("text");
  const lines = text.value.split("\n");
  const from = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
  text.focus();
  text.setSelectionRange(from, from + (lines[line - 1] || "").length);
}

function gutter(blamed = []) {
  const wrong = new Map(state.wrong.map((one) => [one.line, one.message]));
  for (const line of blamed) if (line) wrong.set(line, "here it went wrong");
  const count = part("text").value.split("\n").length;
  const numbers = [];
  for (let line = 1; line <= count; line++) {
    const number = made("div", String(line), wrong.has(line) ? "wrong" : "");
    if (wrong.has(line)) number.title = wrong.get(line);
    numbers.push(number);
  }
  part("gutter").replaceChildren(...numbers);
  part("gutter").scrollTop = part("text").scrollTop;
}

function controls(params) {
  const box = part("params");
  if (box.contains(document.activeElement)) return;
  const wanted = params.map((param) => {
    const label = made("label", param.name);
    const field = param.allowed.length > 1 ? made("select") : made("input");
    if (param.allowed.length > 1) {
      for (const value of param.allowed) field.append(new Option(value, value));
    }
    field.name = param.name;
    field.value = param.name in state.params ? state.params[param.name] : param.default;
    field.addEventListener("change", () => {
      if (field.value === param.default) delete state.params[param.name];
      else state.params[param.name] = field.value;
      run();
    });
    label.append(field);
    return [param.own ? 0 : 1, label];
  });
  wanted.sort((one, other) => one[0] - other[0]);
  box.replaceChildren(...wanted.map((one) => one[1]));
}

// What can be handed on stands behind the `#` of the address, which no request carries.
function keep() {
  const known = state.templates.find((one) => one.name === state.name);
  const text = part("text").value;
  const kept = { name: state.name, params: state.params };
  if (!known || known.text !== text) kept.text = text;
  history.replaceState(null, "", `#${encodeURIComponent(JSON.stringify(kept))}`);
}

function kept() {
  try {
    return JSON.parse(decodeURIComponent(location.hash.slice(1)));
  } catch {
    return null;
  }
}

function choose(name, text, params) {
  const known = state.templates.find((one) => one.name === name) || state.templates[0];
  state.name = known ? known.name : "own";
  state.params = params || {};
  state.runs = [];
  state.baseline = null;
  part("templates").value = state.name;
  part("text").value = text === undefined && known ? known.text : text || "";
  part("text").scrollTop = 0;
  part("params").replaceChildren();
  state.wrong = [];
  gutter();
  run();
}

async function start() {
  const text = part("text");
  text.addEventListener("input", () => { gutter(); soon(); });
  text.addEventListener("scroll", () => { part("gutter").scrollTop = text.scrollTop; });
  for (const event of ["click", "keyup"]) {
    text.addEventListener(event, () => link(text.value.slice(0, text.selectionStart).split("\n").length));
  }
  part("run").addEventListener("click", run);
  part("pin").addEventListener("click", () => { state.baseline = state.last; numbers(state.last); });
  part("templates").addEventListener("change", () => choose(part("templates").value));
  try {
    state.templates = (await ask("api/templates")).templates;
  } catch (error) {
    part("state").textContent = error.message;
    return;
  }
  for (const one of state.templates) part("templates").append(new Option(`${one.name}: ${one.title}`, one.name));
  const before = kept();
  if (before && before.name) choose(before.name, before.text, before.params);
  else choose("itab_call");
}

start();
