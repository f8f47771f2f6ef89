// Pieces of the page, and how the program is asked. All texts are put into the page as texts, never as markup, for a
// template may hold anything; the one exception is what the program itself has drawn.

export const part = (id) => document.getElementById(id);

export function made(name, text = "", kind = "") {
  const element = document.createElement(name);
  element.textContent = text;
  if (kind) element.className = kind;
  return element;
}

// A row of a table, of texts and of cells that are made already.
export function line(kind, cells) {
  const row = made("tr");
  row.append(...cells.map((cell) => (cell instanceof Node ? cell : made(kind, cell))));
  return row;
}

// Puts a drawing of the program into the page.
export function draw(place, drawing) {
  const parsed = new DOMParser().parseFromString(drawing, "text/html");
  place.replaceChildren(...[...parsed.body.childNodes].map((one) => document.importNode(one, true)));
  for (const one of place.querySelectorAll("[data-tip]")) {
    const title = document.createElementNS("http://www.w3.org/2000/svg", "title");
    title.textContent = one.dataset.tip;
    one.append(title);
  }
}

// Asks the program; what it refuses is an error that says why.
export async function ask(path, body, signal) {
  const options = { cache: "no-store", signal };
  if (body !== undefined) {
    options.method = "POST";
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  const response = await fetch(path, options);
  const document = await response.json();
  if (!response.ok) throw new Error(document.error || response.statusText);
  return document;
}

export const isGivenUp = (error) => error.name === "AbortError";

// What is wrong, as lines to read.
export function said(found) {
  const wrong = (found.diagnostics || []).map(
    (one) => `line ${one.line}, column ${one.column}: ${one.message}${one.help ? `\n  ${one.help}` : ""}`,
  );
  return [...wrong, ...(found.refused ? [found.refused] : []), ...(found.reasons || [])];
}
