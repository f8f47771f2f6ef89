// A parameter over its range: points appear as they are measured.
//
// Correct means: what is drawn is of the text as it was when the sweep began; one that is stopped keeps its points.
import { ask, draw, isGivenUp, part, said } from "./page.js";
import { exports } from "./save.js";

// What a parameter may range over, as a beginning.
function suggested(param) {
  if (param.allowed.length > 1) return param.allowed.join(",");
  const first = Number(param.default);
  if (!Number.isInteger(first)) return param.default;
  return first > 0 ? `${first}..${first * 16}:x2` : "0..8";
}

export class Sweep {
  // `text()` is what is to be measured, as the program takes it.
  constructor(text) {
    this.text = text;
    this.params = [];
    this.going = null;
    this.found = null;
    this.offer = exports(part("sweep-exports"), "dispatchlab-sweep", () => this.found && this.found.report, (why) => this.say(why));
    part("axis").addEventListener("change", () => this.suggest());
    part("scan").addEventListener("click", () => (this.going ? this.stop() : this.start()));
    part("values").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !this.going) this.start();
    });
  }

  // The parameters that there are to choose from.
  offers(params) {
    const chosen = part("axis").value;
    const names = params.map((one) => one.name).join();
    const isKnown = names === this.params.map((one) => one.name).join();
    this.params = params;
    if (isKnown) return;
    const own = [...params].sort((one, other) => Number(other.own) - Number(one.own));
    part("axis").replaceChildren(...own.map((one) => new Option(one.name, one.name)));
    if (own.some((one) => one.name === chosen)) part("axis").value = chosen;
    else this.suggest();
  }

  suggest() {
    const param = this.params.find((one) => one.name === part("axis").value);
    part("values").value = param ? suggested(param) : "";
  }

  say(text) {
    part("swept").textContent = text;
  }

  stop() {
    this.going.abort();
  }

  // Shows the points so far; whether there are any.
  shows(found) {
    if (!found.report) {
      this.say(said(found).join("\n"));
      return false;
    }
    this.found = found;
    draw(part("plot"), found.drawing);
    this.offer();
    this.say([`${found.done} of ${found.of} points`, ...found.reasons].join("\n"));
    return true;
  }

  async start() {
    const going = new AbortController();
    this.going = going;
    this.found = null;
    this.offer();
    part("plot").replaceChildren();
    part("scan").textContent = "Stop";
    this.say("measuring");
    const axis = `${part("axis").value}=${part("values").value}`;
    try {
      let found = await ask("api/sweep", { text: this.text(), axis }, going.signal);
      while (this.shows(found) && found.done < found.of) {
        found = await ask("api/sweep/next", { id: found.id }, going.signal);
      }
    } catch (error) {
      this.say(isGivenUp(error) ? `${part("swept").textContent}: stopped` : error.message);
    } finally {
      this.going = null;
      part("scan").textContent = "Sweep";
    }
  }
}
