// The code of a row, line by line beside the text that it is of.
import { line, made, part } from "./page.js";

// `heeds.link(line)` is told what is pointed at, `heeds.go(line)` what was chosen.
export function code(listing, heeds) {
  const table = part("code");
  table.replaceChildren();
  for (const one of listing ? listing.functions : []) {
    const cell = made("td", `${one.name}:${one.is_modelled ? " (modelled)" : ""}`);
    cell.colSpan = 4;
    const head = line("td", [cell]);
    head.className = "name";
    table.append(head);
    for (const instruction of one.instructions) {
      const own = instruction.file ? "" : instruction.line || "";
      const times = instruction.executions === 1 ? "" : `${+instruction.executions.toFixed(3)}×`;
      const row = line("td", [
        made("td", String(own), "line"),
        made("td", instruction.bytes, "bytes"),
        instruction.text,
        made("td", times, "times"),
      ]);
      if (own) {
        row.dataset.line = own;
        row.addEventListener("mouseenter", () => heeds.link(own));
        row.addEventListener("click", () => heeds.go(own));
      }
      table.append(row);
    }
  }
}

// Marks what belongs to a line of the text.
export function link(number) {
  for (const one of document.querySelectorAll("tr.linked")) one.classList.remove("linked");
  for (const one of document.querySelectorAll(`tr[data-line="${number}"]`)) one.classList.add("linked");
}
