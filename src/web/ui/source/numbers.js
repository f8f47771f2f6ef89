// The numbers of a row, each beside its basis, and what they were before.
import { line, made, part } from "./page.js";

const COLUMNS = ["cycles", "ns", "instructions", "branches", "branch_misses"];
const digits = (name) => (name === "branch_misses" ? 3 : 2);
const isThere = (value) => value !== null && value !== undefined;

// A number and its interval, where it has one.
function interval(metric, name) {
  if (!isThere(metric.value) || !isThere(metric.low) || metric.low === metric.high) return "";
  return ` ${metric.low.toFixed(digits(name))}–${metric.high.toFixed(digits(name))}`;
}

const value = (metric, name) => (metric && isThere(metric.value) ? metric.value.toFixed(digits(name)) : "–");

function basisOf(metric, text) {
  const cell = made("td", text);
  cell.title = metric.why || metric.source || "";
  return cell;
}

export function numbers(metrics, baseline) {
  const table = part("numbers");
  table.replaceChildren();
  if (!metrics) return;
  table.append(line("th", ["per iteration", "value", "basis", "of the baseline"]));
  for (const name of COLUMNS.filter((one) => metrics[one])) {
    const metric = metrics[name];
    table.append(
      line("td", [
        name.replace("_", " "),
        value(metric, name),
        basisOf(metric, metric.basis + (isThere(metric.value) || !metric.why ? interval(metric, name) : `: ${metric.why}`)),
        ratio(metric, baseline && baseline[name]),
      ]),
    );
  }
}

// Of two intervals that were measured one after the other: the widest ratio that both allow.
function ratio(metric, base) {
  if (!base || !metric.value || !base.value || base.basis !== metric.basis) return "";
  const times = (metric.value / base.value).toFixed(3);
  if (metric.basis === "exact" || !isThere(metric.low) || !isThere(base.low)) return `${times}×`;
  return `${times}× [${(metric.low / base.high).toFixed(3)}–${(metric.high / base.low).toFixed(3)}]`;
}

// The misses of each branch that a template studies.
export function sites(metrics) {
  const table = part("sites");
  table.replaceChildren();
  const all = metrics && metrics.branch_misses;
  if (!all) return;
  const own = all.sites || [];
  if (!own.length) {
    table.append(line("td", [all.why ? `${all.basis}: ${all.why}` : `${value(all, "branch_misses")} ${all.basis}, by no site`]));
    return;
  }
  table.append(line("th", ["branch", "line", "runs", "misses", "basis"]));
  for (const site of own) {
    const place = site.file ? `${site.file}:${site.line}` : String(site.line);
    const runs = isThere(site.executions) ? String(+site.executions.toFixed(3)) : "–";
    const basis = isThere(site.value) ? "inferred" + interval(site, "branch_misses") : `unsupported: ${site.why || "no number"}`;
    const row = line("td", [site.label, place, runs, value(site, "branch_misses"), basis]);
    if (!site.file) row.dataset.line = site.line;
    table.append(row);
  }
}

// Both sides of a comparison and what came of it.
export function compared(report, names) {
  const table = part("compared");
  table.replaceChildren();
  if (!report) return;
  table.append(line("th", ["per iteration", ...names, "ratio", "basis", ""]));
  for (const one of report.comparisons) {
    const [base, other] = report.rows.map((row) => value(row.metrics && row.metrics[one.metric], one.metric));
    const ends = isThere(one.low) && isThere(one.high) && one.low !== one.high;
    const times = isThere(one.ratio) ? `${one.ratio.toFixed(3)}×` : "–";
    const interval = ends ? ` [${one.low.toFixed(3)}–${one.high.toFixed(3)}]` : "";
    const words = { same: one.basis === "exact" ? "same" : "not told apart" };
    if (one.metric !== "cycles" && one.metric !== "ns") Object.assign(words, { faster: "fewer", slower: "more" });
    const verdict = words[one.verdict] || one.verdict || "";
    table.append(line("td", [one.metric.replace("_", " "), base, other, times + interval, basisOf(one, one.basis), verdict]));
  }
}

// The cycles of the last runs, from 0 upward.
export function past(runs) {
  const most = Math.max(...runs, 1e-9);
  const points = runs.map((run, at) => `${(at / Math.max(runs.length - 1, 1)) * 600},${58 - (run / most) * 54}`);
  const drawn = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  drawn.setAttribute("points", points.join(" "));
  part("history").replaceChildren(drawn);
  part("range").textContent = runs.length ? `cycles of the last ${runs.length} runs, from 0 to ${most.toFixed(2)}` : "";
}
