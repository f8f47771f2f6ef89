"use strict";
{
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.hidden = true;
  document.body.append(tip);
  const show = (target, x, y) => {
    const told = target && target.closest ? target.closest("[data-tip]") : null;
    tip.hidden = !told || told.dataset.tip === "";
    if (tip.hidden) return;
    tip.textContent = told.dataset.tip;
    const left = Math.min(x + 12, document.documentElement.clientWidth - tip.offsetWidth - 8);
    tip.style.left = `${Math.max(4, left) + window.scrollX}px`;
    tip.style.top = `${y + 16 + window.scrollY}px`;
  };
  document.addEventListener("pointermove", (event) => show(event.target, event.clientX, event.clientY));
  document.addEventListener("pointerdown", (event) => show(event.target, event.clientX, event.clientY));
  document.addEventListener("focusin", (event) => {
    const place = event.target.getBoundingClientRect();
    show(event.target, place.left, place.bottom - 12);
  });
  document.addEventListener("focusout", () => { tip.hidden = true; });
  for (const input of document.querySelectorAll("[data-filter]")) {
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of input.closest("section").querySelectorAll("details.row")) {
        const name = row.dataset.name.toLowerCase();
        row.hidden = !words.every((word) => name.includes(word));
      }
    });
  }
}
