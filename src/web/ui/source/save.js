// A report to keep: the document itself, or the page that the program makes of it.
import { ask, made } from "./page.js";

function hand(name, kind, text) {
  const anchor = made("a");
  anchor.href = URL.createObjectURL(new Blob([text], { type: kind }));
  anchor.download = name;
  anchor.click();
  // It is taken once the click is over.
  setTimeout(() => URL.revokeObjectURL(anchor.href), 10_000);
}

// Two buttons for what `report()` gives; `fails(why)` is told where the page cannot be made.
export function exports(place, name, report, fails) {
  const html = made("button", "Save as HTML");
  const json = made("button", "Save as JSON");
  for (const button of [html, json]) {
    button.type = "button";
    button.disabled = true;
  }
  json.addEventListener("click", () => hand(`${name}.json`, "application/json", `${JSON.stringify(report(), null, 2)}\n`));
  html.addEventListener("click", async () => {
    try {
      hand(`${name}.html`, "text/html", (await ask("api/page", { report: report() })).page);
    } catch (error) {
      fails(error.message);
    }
  });
  place.append(html, json);
  return () => {
    for (const button of [html, json]) button.disabled = !report();
  };
}
